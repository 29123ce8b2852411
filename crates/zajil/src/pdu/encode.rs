//! `zajil pdu encode`: a text as the SMS-SUBMITs that carry it.

use anyhow::Context as _;
use clap::Args;
use sms_codec::address::{Address, NumberingPlan, TypeOfNumber};
use sms_codec::dcs::Class;
use sms_codec::describe::Tree;
use sms_codec::gsm7::{self, Shift};
use sms_codec::segment::{self, Envelope};
use sms_codec::tpdu::{Submit, Tpdu};
use sms_codec::udh::Reference;
use sms_codec::validity::Validity;

use super::Shown;
use super::alphabet::{AlphabetArgs, National, ReferenceBits};

#[derive(Debug, Args)]
pub(crate) struct EncodeArgs {
    /// Recipient; international with a leading '+'.
    #[arg(long)]
    to: String,
    /// Text.
    #[arg(long)]
    text: String,
    /// Message class: 0 is shown at once and not kept.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    class: Option<u8>,
    /// Ask for a status report.
    #[arg(long)]
    report: bool,
    /// Validity period, rounded down to one that can be written.
    #[arg(long, value_name = "SECONDS")]
    validity: Option<u64>,
    /// Ties the parts together; its low 8 bits are the first part's message reference.
    #[arg(long, default_value_t = 0)]
    reference: u16,
    #[command(flatten)]
    alphabet: AlphabetArgs,
}

/// Prints a text as SMS-SUBMITs.
pub(crate) fn encode(args: &EncodeArgs) -> anyhow::Result<Shown> {
    let destination = match args.to.strip_prefix('+') {
        Some(digits) => Address::new(
            TypeOfNumber::International,
            NumberingPlan::Telephone,
            digits,
        ),
        None => Address::new(TypeOfNumber::Unknown, NumberingPlan::Telephone, &args.to),
    };
    let destination = destination.with_context(|| format!("--to {}", args.to))?;
    anyhow::ensure!(destination.semi_octets() > 0, "--to must hold digits");
    let validity = args.validity.map_or(Ok(Validity::Absent), validity)?;
    if let National::Tables(shift) = args.alphabet.national
        && shift != Shift::DEFAULT
    {
        gsm7::encode(&args.text, shift).context("--national")?;
    }
    let [_, low] = args.reference.to_be_bytes();
    let reference = match args.alphabet.reference_bits {
        ReferenceBits::Bits8 => u8::try_from(args.reference)
            .map(Reference::Bits8)
            .context("--reference must be at most 255, or have --reference-bits 16")?,
        ReferenceBits::Bits16 => Reference::Bits16(args.reference),
    };
    let envelope = Envelope {
        reference,
        class: args.class.map(Class::from_code),
        elements: &[],
    };
    let parts = segment::split(&args.text, &args.alphabet.options(), &envelope)?;
    let mut lines = Vec::with_capacity(parts.len());
    let mut reference = low;
    for user_data in parts {
        let submit = Submit {
            status_report_request: args.report,
            reference,
            validity,
            ..Submit::new(destination, user_data)
        };
        lines.push(hex(&Tpdu::Submit(submit).encode()));
        reference = reference.wrapping_add(1);
    }
    Ok(Shown {
        text: lines.iter().map(|line| format!("{line}\n")).collect(),
        tree: Tree::List(lines.into_iter().map(Tree::Text).collect()),
    })
}

/// The longest period that does not outlive `seconds`: below five minutes in the enhanced format.
fn validity(seconds: u64) -> anyhow::Result<Validity> {
    match Validity::relative_within(seconds) {
        Some(validity) => Ok(validity),
        None => Validity::enhanced_seconds(u8::try_from(seconds).unwrap_or(u8::MAX))
            .context("--validity must be 1 second or more"),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
