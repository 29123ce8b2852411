//! TPDUs of every type with every option, the same ones in every run.

use bytes::Bytes;
use sms_codec::address::{Address, NumberingPlan, TypeOfNumber};
use sms_codec::dcs::{Alphabet, Dcs};
use sms_codec::gsm7::{self, Shift};
use sms_codec::pid::Pid;
use sms_codec::segment::{self, USER_DATA_OCTETS};
use sms_codec::status::{FailureCause, Status};
use sms_codec::time::{Civil, Timestamp, Zone};
use sms_codec::tpdu::{
    Command, CommandData, CommandKind, Deliver, DeliverReport, Parameters, StatusReport, Submit,
    SubmitReport, Tpdu,
};
use sms_codec::udh::{Element, Header};
use sms_codec::user_data::{Content, UserData};
use sms_codec::validity::Validity;

/// A small generator of numbers that look random (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn octet(&mut self) -> u8 {
        self.roll().to_le_bytes()[0]
    }

    fn coin(&mut self) -> bool {
        self.octet() & 1 == 1
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    fn digit(&mut self, highest: u8) -> u8 {
        self.octet() % (highest + 1)
    }
}

/// What a decoder is known not to handle; nothing of it is generated for that decoder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoder {
    Tshark,
    Pycrate,
}

/// The `index`th TPDU; the six types take turns.
pub(crate) fn tpdu(dice: &mut Dice, index: usize, decoder: Decoder) -> Tpdu {
    match index % 6 {
        0 => Tpdu::Submit(submit(dice, decoder)),
        1 => Tpdu::Deliver(Deliver {
            more_messages: dice.coin(),
            loop_prevention: dice.coin(),
            status_report_indication: dice.coin(),
            reply_path: dice.coin(),
            pid: Pid(dice.octet()),
            ..Deliver::new(
                address(dice, decoder),
                timestamp(dice),
                user_data(dice, decoder),
            )
        }),
        2 => Tpdu::StatusReport(StatusReport {
            more_messages: dice.coin(),
            loop_prevention: dice.coin(),
            about_command: dice.coin(),
            reserved: 0,
            reference: dice.octet(),
            recipient: address(dice, decoder),
            timestamp: timestamp(dice),
            discharge_time: timestamp(dice),
            status: Status(dice.octet() & 0x7F),
            parameters: if dice.coin() {
                Some(parameters(dice, decoder))
            } else {
                None
            },
        }),
        3 => Tpdu::Command(command(dice, decoder)),
        4 => Tpdu::SubmitReport(SubmitReport {
            failure_cause: failure_cause(dice),
            reserved: 0,
            timestamp: timestamp(dice),
            parameters: parameters(dice, decoder),
        }),
        _ => Tpdu::DeliverReport(DeliverReport {
            failure_cause: failure_cause(dice),
            reserved: 0,
            parameters: parameters(dice, decoder),
        }),
    }
}

fn submit(dice: &mut Dice, decoder: Decoder) -> Submit {
    let validity = match dice.below(5) {
        0 => Validity::Absent,
        1 => Validity::Relative(dice.octet()),
        2 => Validity::Absolute(timestamp(dice)),
        3 => Validity::enhanced_seconds(dice.octet().max(1)).unwrap(),
        _ => {
            let swapped = |number: u8| ((number % 10) << 4) | (number / 10);
            let clock = [dice.digit(23), dice.digit(59), dice.digit(59)].map(swapped);
            Validity::Enhanced([0x43, clock[0], clock[1], clock[2], 0, 0, 0])
        }
    };
    Submit {
        reject_duplicates: dice.coin(),
        status_report_request: dice.coin(),
        reply_path: dice.coin(),
        reference: dice.octet(),
        pid: Pid(dice.octet()),
        validity,
        ..Submit::new(address(dice, decoder), user_data(dice, decoder))
    }
}

fn command(dice: &mut Dice, decoder: Decoder) -> Command {
    let data: Vec<u8> = (0..dice.below(40)).map(|_| dice.octet()).collect();
    Command {
        status_report_request: dice.coin(),
        reserved: 0,
        reference: dice.octet(),
        pid: Pid(dice.octet()),
        kind: CommandKind::from_code(dice.pick(&[0, 1, 2, 3, 0xE0, 0x10])),
        message_number: dice.octet(),
        destination: address(dice, decoder),
        data: CommandData::new(Bytes::from(data)).unwrap(),
    }
}

fn failure_cause(dice: &mut Dice) -> Option<FailureCause> {
    dice.coin().then(|| FailureCause(dice.octet() | 0x80))
}

fn parameters(dice: &mut Dice, decoder: Decoder) -> Parameters {
    let pid = dice.coin().then(|| Pid(dice.octet()));
    let user_data = dice.coin().then(|| user_data(dice, decoder));
    Parameters::new(pid, user_data)
}

fn address(dice: &mut Dice, decoder: Decoder) -> Address {
    if dice.below(5) == 0 {
        let name: String = (0..=dice.below(11))
            .map(|_| dice.pick(&letters(false)))
            .collect();
        return Address::alphanumeric(&name).unwrap();
    }
    let ton = TypeOfNumber::from_code(dice.pick(&[0, 1, 2, 3, 4, 6]));
    let npi = NumberingPlan::from_code(dice.pick(&[0, 1, 3, 4, 5, 6, 8, 9, 10]));
    // tshark looks up the country of an E.164 number and stumbles over short and odd ones.
    let is_e164 = ton == TypeOfNumber::International && npi == NumberingPlan::Telephone;
    let digits: &[u8] = match decoder {
        Decoder::Tshark if !is_e164 && dice.below(4) == 0 => b"0123456789*#abc",
        _ => b"0123456789",
    };
    let length = if is_e164 {
        5 + dice.below(16)
    } else {
        1 + dice.below(20)
    };
    let digits: String = (0..length).map(|_| char::from(dice.pick(digits))).collect();
    Address::new(ton, npi, &digits).unwrap()
}

fn timestamp(dice: &mut Dice) -> Timestamp {
    let local = Civil {
        year: 2000 + u16::from(dice.digit(89)),
        month: 1 + dice.digit(11),
        day: 1 + dice.digit(27),
        hour: dice.digit(23),
        minute: dice.digit(59),
        second: dice.digit(59),
    };
    let zone = Zone {
        quarters: dice.digit(56),
        negative: dice.coin(),
    };
    Timestamp::new(local, zone).unwrap()
}

/// Characters that a name or text is made of; the escaped ones only if asked for.
fn letters(escaped: bool) -> Vec<char> {
    let plain = (0x20..0x80_u8).chain([0x05, 0x06, 0x0C, 0x10, 0x1A]);
    let plain = plain.flat_map(|septet| gsm7::decode(&[septet], Shift::DEFAULT).chars().last());
    let mut letters: Vec<char> = plain.collect();
    if escaped {
        letters.extend("^{}[~]|€".chars());
    }
    letters
}

fn elements(dice: &mut Dice) -> Vec<(u8, Vec<u8>)> {
    let mut elements = Vec::new();
    let parts = 2 + dice.digit(200);
    let part = 1 + dice.digit(parts - 1);
    match dice.below(4) {
        0 => elements.push((0x00, vec![dice.octet(), parts, part])),
        1 => elements.push((0x08, vec![dice.octet(), dice.octet(), parts, part])),
        _ => {}
    }
    match dice.below(5) {
        0 => elements.push((0x04, vec![dice.octet(), dice.octet()])),
        1 => elements.push((0x05, (0..4).map(|_| dice.octet()).collect())),
        _ => {}
    }
    if dice.below(6) == 0 {
        elements.push((0x01, vec![dice.octet() & 0xE3, dice.octet()]));
    }
    if dice.below(6) == 0 {
        elements.push((0xC5, (0..dice.below(6)).map(|_| dice.octet()).collect()));
    }
    elements
}

fn user_data(dice: &mut Dice, decoder: Decoder) -> UserData {
    let mut schemes = vec![
        0x00, 0x04, 0x08, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x18, 0x1A,
    ];
    schemes.extend([
        0xC0, 0xC8, 0xC9, 0xD0, 0xD9, 0xE0, 0xEA, 0xF0, 0xF1, 0xF5, 0xF7,
    ]);
    if decoder == Decoder::Tshark {
        schemes.extend([0x40, 0x44, 0x48, 0x55, 0x59]);
    }
    let dcs = Dcs(dice.pick(&schemes));
    let elements = if dice.coin() {
        elements(dice)
    } else {
        Vec::new()
    };
    let elements: Vec<_> = elements
        .iter()
        .map(|(id, data)| Element { id: *id, data })
        .collect();
    let header = match elements.is_empty() {
        true => None,
        false => Some(Header::new(&elements).unwrap()),
    };
    let used = header.as_ref().map_or(0, |header| header.octets().len());
    let room = match dcs.alphabet() {
        Alphabet::Gsm7 | Alphabet::Reserved => segment::Alphabet::Gsm7(Shift::DEFAULT),
        Alphabet::EightBit => {
            let free = USER_DATA_OCTETS - used - usize::from(used > 0);
            let data: Vec<u8> = (0..dice.below(free + 1)).map(|_| dice.octet()).collect();
            return UserData::new(dcs, header.as_ref(), Content::Octets(&data)).unwrap();
        }
        Alphabet::Ucs2 => segment::Alphabet::Ucs2,
    };
    let mut free = dice.below(segment::capacity(room, used) + 1);
    let letters = match room {
        segment::Alphabet::Gsm7(_) => letters(true),
        segment::Alphabet::Ucs2 => "aZ9 éЖяあ叶葉€नم\u{1F600}".chars().collect(),
    };
    let mut text = String::new();
    loop {
        let letter = dice.pick(&letters);
        let units = match room {
            segment::Alphabet::Gsm7(shift) => gsm7::code(letter, shift).unwrap().len(),
            segment::Alphabet::Ucs2 => letter.len_utf16(),
        };
        if units > free {
            return UserData::from_text(dcs, header.as_ref(), &text).unwrap();
        }
        free -= units;
        text.push(letter);
    }
}
