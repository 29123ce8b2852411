//! `zajil pdu …`: octets to fields and back, without a server.

use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use sms_codec::Error;
use sms_codec::address::{Address, NumberingPlan, TypeOfNumber};
use sms_codec::dcs::Class;
use sms_codec::describe::{self, Tree};
use sms_codec::rp;
use sms_codec::segment::{self, Alphabet, Envelope};
use sms_codec::tpdu::{self, Submit, Tpdu};
use sms_codec::udh::Reference;
use sms_codec::validity::Validity;
use sms_codec::{gsm7, ucs2};

use crate::cli::say;
use crate::table::aligned;

#[derive(Debug, Subcommand)]
pub(crate) enum PduCommand {
    /// Say what octets mean.
    Decode {
        /// The octets in hexadecimal; before a TPDU there may be a service centre address.
        #[arg(value_parser = octets)]
        hex: Bytes,
        /// What they are.
        #[arg(long, value_enum, default_value_t = Layer::Tpdu)]
        layer: Layer,
        /// Who sends them; ms-sc when left out. Relay messages say it themselves.
        #[arg(long, value_enum)]
        direction: Option<Direction>,
    },
    /// Print a text as SMS-SUBMITs in hexadecimal, one line a part.
    Encode(EncodeArgs),
    /// Say in how many parts a text is sent, and where it is cut.
    Segments {
        /// The text.
        text: String,
    },
}

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
    /// Ties the parts together, and is the first part's message reference.
    #[arg(long, default_value_t = 0)]
    reference: u8,
}

/// A protocol layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layer {
    /// Transfer layer (3GPP TS 23.040).
    Tpdu,
    /// Relay layer (3GPP TS 24.011).
    Rp,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    /// The mobile.
    MsSc,
    /// The service centre.
    ScMs,
}

/// How something is shown: the tree as JSON, or text for people.
struct Shown {
    tree: Tree,
    text: String,
}

/// Runs `zajil pdu …`; `json` prints trees instead of text.
pub(crate) fn run(command: PduCommand, json: bool) -> anyhow::Result<ExitCode> {
    let shown = match command {
        PduCommand::Decode {
            hex,
            layer,
            direction,
        } => match layer {
            Layer::Tpdu => transfer(&hex, direction.unwrap_or(Direction::MsSc))?,
            Layer::Rp => relay(&hex, direction)?,
        },
        PduCommand::Encode(args) => encode(&args)?,
        PduCommand::Segments { text } => segments(&text),
    };
    if json {
        say(&format!("{}\n", shown.tree))
    } else {
        say(&shown.text)
    }
}

fn transfer(octets: &Bytes, direction: Direction) -> anyhow::Result<Shown> {
    let direction = match direction {
        Direction::MsSc => tpdu::Direction::MsToSc,
        Direction::ScMs => tpdu::Direction::ScToMs,
    };
    let decoded = Tpdu::decode_either(direction, octets).or_else(|error| match error {
        // Not a TPDU's first octet: what is wrong behind an address says more.
        Error::Value {
            field: "TP-MTI", ..
        } => Tpdu::decode_with_service_centre(direction, octets),
        error => Err(error),
    });
    let (centre, tpdu) = decoded?;
    let tree = describe::tpdu(&tpdu);
    let mut rows = Vec::new();
    if let Some(centre) = centre {
        rows.push(vec!["service centre".to_owned(), centre.value()]);
    }
    flatten("", &tree, &mut rows);
    Ok(Shown {
        text: aligned(&["field", "value"], &rows),
        tree,
    })
}

fn relay(octets: &Bytes, direction: Option<Direction>) -> anyhow::Result<Shown> {
    let message = rp::Message::decode(octets)?;
    let (sender, inner) = match message.direction {
        rp::Direction::MsToNetwork => (Direction::MsSc, tpdu::Direction::MsToSc),
        rp::Direction::NetworkToMs => (Direction::ScMs, tpdu::Direction::ScToMs),
    };
    if direction.is_some_and(|direction| direction != sender) {
        anyhow::bail!("RP-MTI at octet 0 says {}", message.name());
    }
    let tree = describe::rp(&message);
    let mut rows = Vec::new();
    flatten("", &tree, &mut rows);
    // The text for people goes on with what is inside, if it can be read.
    if let Some(octets) = message.tpdu() {
        let tpdu = match &message.body {
            rp::Body::Data { .. } | rp::Body::MemoryAvailable => Tpdu::decode(inner, octets),
            rp::Body::Acknowledgement(_) => {
                Tpdu::decode_report(inner, tpdu::ReportKind::Acknowledgement, octets)
            }
            rp::Body::Error { .. } => Tpdu::decode_report(inner, tpdu::ReportKind::Error, octets),
        };
        match tpdu {
            Ok(tpdu) => flatten("tpdu", &describe::tpdu(&tpdu), &mut rows),
            Err(error) => rows.push(vec!["tpdu".to_owned(), error.to_string()]),
        }
    }
    Ok(Shown {
        text: aligned(&["field", "value"], &rows),
        tree,
    })
}

fn encode(args: &EncodeArgs) -> anyhow::Result<Shown> {
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
    let envelope = Envelope {
        reference: Reference::Bits8(args.reference),
        class: args.class.map(Class::from_code),
        elements: &[],
    };
    let parts = segment::split(&args.text, &segment::Options::PLAIN, &envelope)?;
    let mut lines = Vec::with_capacity(parts.len());
    let mut reference = args.reference;
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

fn segments(text: &str) -> Shown {
    let plan = segment::count(text, &segment::Options::PLAIN);
    let alphabet = match plan.alphabet {
        Alphabet::Gsm7(_) => "gsm7",
        Alphabet::Ucs2 => "ucs2",
    };
    let pieces = segment::cut(text, &plan).map(|range| text.get(range).unwrap_or_default());
    let pieces: Vec<(usize, &str)> = pieces.map(|piece| (units(piece, &plan), piece)).collect();
    let rows = (1_usize..).zip(&pieces).map(|(number, (units, piece))| {
        let text = Tree::Text((*piece).to_owned());
        vec![number.to_string(), units.to_string(), cell(&text)]
    });
    let listed = pieces.iter().map(|(units, piece)| {
        Tree::Group(vec![
            ("units", number(*units)),
            ("text", Tree::Text((*piece).to_owned())),
        ])
    });
    let head = format!(
        "alphabet {alphabet}, units {}, parts {}\n\n",
        plan.units, plan.parts
    );
    let rows: Vec<_> = rows.collect();
    Shown {
        text: head + &aligned(&["part", "units", "text"], &rows),
        tree: Tree::Group(vec![
            ("alphabet", Tree::Text(alphabet.to_owned())),
            ("units", number(plan.units)),
            ("capacity", number(plan.capacity)),
            ("parts", plan.parts.get().into()),
            ("segments", Tree::List(listed.collect())),
        ]),
    }
}

/// Septets or 16-bit units of one piece of the text of `plan`.
fn units(piece: &str, plan: &segment::Plan) -> usize {
    match plan.alphabet {
        Alphabet::Gsm7(shift) => gsm7::count(piece, shift).unwrap_or_default(),
        Alphabet::Ucs2 => ucs2::count(piece),
    }
}

fn number(count: usize) -> Tree {
    Tree::Number(i64::try_from(count).unwrap_or(i64::MAX))
}

/// One row for each value, named by its path.
fn flatten(path: &str, tree: &Tree, rows: &mut Vec<Vec<String>>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match tree {
        Tree::Group(fields) => {
            for (name, value) in fields {
                flatten(&below(name), value, rows);
            }
        }
        Tree::List(values) => {
            for (index, value) in values.iter().enumerate() {
                flatten(&below(&index.to_string()), value, rows);
            }
        }
        value => rows.push(vec![path.to_owned(), cell(value)]),
    }
}

/// A value for people: quoted only if it would not stay on its line or could steer a terminal.
fn cell(value: &Tree) -> String {
    match value {
        Tree::Text(text) if !text.chars().any(char::is_control) => text.clone(),
        other => other.to_string(),
    }
}

/// Octets of hexadecimal digits, with blanks anywhere.
fn octets(text: &str) -> Result<Bytes, String> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| {
            let digit = character.to_digit(16);
            digit
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or_else(|| format!("{character:?} is not a hexadecimal digit"))
        })
        .collect::<Result<_, _>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("octet {} has only one digit", pairs.len()));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
