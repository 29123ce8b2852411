//! `zajil pdu …`: octets to fields and back, without a server.

use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use sms_codec::Error;
use sms_codec::describe::{self, Tree};
use sms_codec::gsm7::{self, FillBits, Language, Shift};
use sms_codec::rp;
use sms_codec::segment::{self, Alphabet};
use sms_codec::tpdu::{self, Tpdu};
use sms_codec::ucs2;

use self::alphabet::{AlphabetArgs, National};
use self::encode::{EncodeArgs, encode};
use crate::cli::say;
use crate::table::aligned;

mod alphabet;
mod encode;

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
        #[command(flatten)]
        septets: SeptetArgs,
    },
    /// Print a text as SMS-SUBMITs in hexadecimal, one line a part.
    Encode(EncodeArgs),
    /// Say in how many parts a text is sent, and where it is cut.
    Segments {
        /// The text.
        text: String,
        #[command(flatten)]
        alphabet: AlphabetArgs,
    },
}

/// How packed septets are read: octets alone do not say it.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --layer gsm7")]
pub(crate) struct SeptetArgs {
    /// Fill bits before the first septet, 0 to 6.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(0..=6))]
    fill: Option<u8>,
    /// How many septets there are; as many as the octets hold when left out.
    #[arg(long, value_name = "COUNT")]
    septets: Option<usize>,
    /// The tables: none, single:LANGUAGE, locking:LANGUAGE or both:LANGUAGE.
    #[arg(long, value_name = "TABLES", value_parser = National::parse)]
    national: Option<National>,
}

/// A protocol layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layer {
    /// Transfer layer (3GPP TS 23.040).
    Tpdu,
    /// Relay layer (3GPP TS 24.011).
    Rp,
    /// Packed septets (3GPP TS 23.038 6.1.2.1).
    Gsm7,
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
            septets,
        } => {
            septets.check(layer)?;
            match layer {
                Layer::Tpdu => transfer(&hex, direction.unwrap_or(Direction::MsSc))?,
                Layer::Rp => relay(&hex, direction)?,
                Layer::Gsm7 => septets.read(&hex)?,
            }
        }
        PduCommand::Encode(args) => encode(&args)?,
        PduCommand::Segments { text, alphabet } => segments(&text, &alphabet.options()),
    };
    if json {
        say(&format!("{}\n", shown.tree))
    } else {
        say(&shown.text)
    }
}

impl SeptetArgs {
    fn check(&self, layer: Layer) -> anyhow::Result<()> {
        let given = self.fill.is_some() || self.septets.is_some() || self.national.is_some();
        anyhow::ensure!(
            !given || layer == Layer::Gsm7,
            "--fill, --septets and --national are for --layer gsm7"
        );
        Ok(())
    }

    fn read(&self, octets: &[u8]) -> anyhow::Result<Shown> {
        let shift = match self.national {
            None => Shift::DEFAULT,
            Some(National::Tables(shift)) => shift,
            Some(National::Auto) => {
                anyhow::bail!("--national auto: the octets do not say which tables they need")
            }
        };
        let fill = FillBits::new(self.fill.unwrap_or_default())?;
        let bits = (octets.len() * 8).saturating_sub(usize::from(fill.bits()));
        let count = self.septets.unwrap_or(bits / 7);
        let tree = describe::septets(&gsm7::unpack(octets, fill, count)?, shift);
        let mut rows = vec![vec!["septets".to_owned(), count.to_string()]];
        flatten("", &tree, &mut rows);
        Ok(Shown {
            text: aligned(&["field", "value"], &rows),
            tree,
        })
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

fn segments(text: &str, options: &segment::Options) -> Shown {
    let plan = segment::count(text, options);
    let (alphabet, shift) = match plan.alphabet {
        Alphabet::Gsm7(shift) => ("gsm7", shift),
        Alphabet::Ucs2 => ("ucs2", Shift::DEFAULT),
    };
    let tables = [
        ("locking_shift", shift.locking),
        ("single_shift", shift.single),
    ];
    let tables = tables
        .into_iter()
        .filter(|(_, language)| *language != Language::Default);
    let named: String = tables
        .clone()
        .map(|(name, language)| format!(", {name} {}", language.name()))
        .collect();
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
        "alphabet {alphabet}{named}, units {}, parts {}\n\n",
        plan.units, plan.parts
    );
    let rows: Vec<_> = rows.collect();
    let mut fields = vec![("alphabet", Tree::Text(alphabet.to_owned()))];
    fields.extend(tables.map(|(name, language)| (name, language.id().into())));
    fields.extend([
        ("units", number(plan.units)),
        ("capacity", number(plan.capacity)),
        ("parts", plan.parts.get().into()),
        ("segments", Tree::List(listed.collect())),
    ]);
    Shown {
        text: head + &aligned(&["part", "units", "text"], &rows),
        tree: Tree::Group(fields),
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
