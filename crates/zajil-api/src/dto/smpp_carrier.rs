//! An SMPP carrier on the wire: what a client may set, and what is shown of it.

pub(super) mod tls;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zajil_core::outcome::Refusal;
use zajil_core::port::CarrierState;
use zajil_core::retry::schedule::ErrorClass;
use zajil_core::smpp::carrier::{
    BindMode, Carrier, DeliveredAt, ErrorKey, Handling, Host, Password, Plan, ReceiptIds,
    WithoutReceipt,
};
use zajil_core::smpp::{DefaultAlphabet, LONGEST_SYSTEM_ID, LongText};

use self::tls::{StateOut, TlsIn, TlsOut};
use super::field::{Field, MOST_ITEMS, Read};
use super::smpp_account::{
    ALPHABETS, LONGEST_PASSWORD, MOST_RATE, MOST_WINDOW, WAYS, count, items, printable,
};
use crate::openapi::schema::{self, Described, Schema, given, list, shown};

/// The most binds to a carrier, from one node.
const MOST_BINDS: i64 = 100;
/// The longest timer, in seconds.
const LONGEST_TIMER: i64 = 3_600;
/// The longest wait for a receipt, in seconds: a week.
const LONGEST_WAIT: i64 = 604_800;
/// The most octets of JSON that say what errors mean.
const MOST_ERRORS: usize = 8_192;
/// The longest `system_type` and `address_range` (SMPP 3.4, 5.2.3, 5.2.7).
const LONGEST_SYSTEM_TYPE: usize = 12;
const LONGEST_RANGE: usize = 40;
/// Words for `interface_version`, and the octets they stand for.
const VERSIONS: [(&str, u8); 3] = [("3.3", 0x33), ("3.4", 0x34), ("5.0", 0x50)];

/// The body of a POST or PATCH; what is absent has its default, or stays.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CarrierIn<'a> {
    #[serde(borrow)]
    name: Field<'a>,
    enabled: Field<'a>,
    hosts: Field<'a>,
    tls: Field<'a>,
    tls_server_name: Field<'a>,
    tls_ca_path: Field<'a>,
    tls_cert_path: Field<'a>,
    tls_key_path: Field<'a>,
    system_id: Field<'a>,
    password: Field<'a>,
    system_type: Field<'a>,
    interface_version: Field<'a>,
    bind: Field<'a>,
    binds: Field<'a>,
    address_range: Field<'a>,
    address_range_ton: Field<'a>,
    address_range_npi: Field<'a>,
    forced_sender: Field<'a>,
    source_ton: Field<'a>,
    source_npi: Field<'a>,
    destination_ton: Field<'a>,
    destination_npi: Field<'a>,
    default_alphabet: Field<'a>,
    text_data_coding: Field<'a>,
    long_text: Field<'a>,
    send_validity: Field<'a>,
    window: Field<'a>,
    messages_per_second: Field<'a>,
    enquire_link_seconds: Field<'a>,
    response_seconds: Field<'a>,
    delivered_at: Field<'a>,
    receipt_ids: Field<'a>,
    receipt_timeout_seconds: Field<'a>,
    without_receipt: Field<'a>,
    errors: Field<'a>,
}

impl CarrierIn<'_> {
    /// A new carrier.
    pub(crate) fn into_carrier(mut self) -> Result<Carrier, Refusal> {
        let required = |name: &str| Refusal::field(name, "is required");
        let name = std::mem::take(&mut self.name).frontend("name")?;
        let name = name.ok_or_else(|| required("name"))?;
        let hosts = hosts(std::mem::take(&mut self.hosts))?.ok_or_else(|| required("hosts"))?;
        let host = hosts.first().cloned().ok_or_else(|| required("hosts"))?;
        let system_id = system_id(std::mem::take(&mut self.system_id))?;
        let system_id = system_id.ok_or_else(|| required("system_id"))?;
        let password = password(std::mem::take(&mut self.password))?;
        let password = password.ok_or_else(|| required("password"))?;
        let carrier = Carrier {
            hosts,
            ..Carrier::new(name, host, (system_id, password))
        };
        self.apply(carrier)
    }

    /// What the carrier is after this; its name stays.
    pub(crate) fn apply(mut self, old: Carrier) -> Result<Carrier, Refusal> {
        let name = std::mem::take(&mut self.name);
        if name.is_given() && name.frontend("name")?.as_ref() != Some(&old.name) {
            return Err(Refusal::field("name", "cannot be changed"));
        }
        let modes = BindMode::ALL.map(BindMode::as_str);
        let versions = VERSIONS.map(|(word, _)| word);
        let version = |word: &str| VERSIONS.iter().find(|known| known.0 == word);
        let rate = |field: Field<'_>| count(field, "messages_per_second", MOST_RATE);
        let mut new = Carrier {
            enabled: self.enabled.boolean("enabled")?.unwrap_or(old.enabled),
            version: self
                .interface_version
                .word("interface_version", version, &versions)?
                .map_or(old.version, |known| known.1),
            bind: self
                .bind
                .word("bind", BindMode::parse, &modes)?
                .unwrap_or(old.bind),
            binds: count(self.binds, "binds", MOST_BINDS)?.unwrap_or(old.binds),
            window: count(self.window, "window", MOST_WINDOW)?.unwrap_or(old.window),
            rate: self.messages_per_second.or_keep(old.rate, rate)?,
            ..old
        };
        put(&mut new.hosts, hosts(self.hosts)?);
        let tls = TlsIn {
            enabled: self.tls,
            server_name: self.tls_server_name,
            ca_path: self.tls_ca_path,
            cert_path: self.tls_cert_path,
            key_path: self.tls_key_path,
        };
        new.tls = tls.apply(new.tls)?;
        put(&mut new.system_id, system_id(self.system_id)?);
        put(&mut new.password, password(self.password)?);
        let kind = graphic(self.system_type, "system_type", LONGEST_SYSTEM_TYPE)?;
        put(&mut new.system_type, kind);
        let range = graphic(self.address_range, "address_range", LONGEST_RANGE)?;
        put(&mut new.address_range, range);
        let enquire_link = seconds(self.enquire_link_seconds, "enquire_link_seconds")?;
        put(&mut new.enquire_link, enquire_link);
        put(
            &mut new.response,
            seconds(self.response_seconds, "response_seconds")?,
        );
        let receipts = Receipts {
            delivered_at: self.delivered_at,
            ids: self.receipt_ids,
            timeout_seconds: self.receipt_timeout_seconds,
            without: self.without_receipt,
            errors: self.errors,
        };
        let new = receipts.apply(new)?;
        let writing = Writing {
            plans: [
                (self.address_range_ton, self.address_range_npi),
                (self.source_ton, self.source_npi),
                (self.destination_ton, self.destination_npi),
            ],
            forced_sender: self.forced_sender,
            default_alphabet: self.default_alphabet,
            text_data_coding: self.text_data_coding,
            long_text: self.long_text,
            send_validity: self.send_validity,
        };
        writing.apply(new)
    }
}

/// What receipts mean.
struct Receipts<'a> {
    delivered_at: Field<'a>,
    ids: Field<'a>,
    timeout_seconds: Field<'a>,
    without: Field<'a>,
    errors: Field<'a>,
}

impl Receipts<'_> {
    fn apply(self, mut new: Carrier) -> Result<Carrier, Refusal> {
        let timeout = count(
            self.timeout_seconds,
            "receipt_timeout_seconds",
            LONGEST_WAIT,
        )?;
        let timeout = timeout.map(|seconds| Duration::from_secs(seconds.get().into()));
        put(&mut new.receipt_timeout, timeout);
        let at = self.delivered_at;
        let at = at.word("delivered_at", DeliveredAt::parse, &DELIVERED_AT)?;
        put(&mut new.delivered_at, at);
        let ids = ReceiptIds::ALL.map(ReceiptIds::as_str);
        let ids = self.ids.word("receipt_ids", ReceiptIds::parse, &ids)?;
        put(&mut new.receipt_ids, ids);
        let without = self.without;
        let without = without.word("without_receipt", WithoutReceipt::parse, &WITHOUT)?;
        put(&mut new.without_receipt, without);
        put(&mut new.errors, errors(self.errors)?);
        if new.delivered_at == DeliveredAt::Receipt && new.bind == BindMode::Transmitter {
            let rule = "must be response where nothing comes back: bind is transmitter";
            return Err(Refusal::field("delivered_at", rule));
        }
        Ok(new)
    }
}

/// How messages are written.
struct Writing<'a> {
    plans: [(Field<'a>, Field<'a>); 3],
    forced_sender: Field<'a>,
    default_alphabet: Field<'a>,
    text_data_coding: Field<'a>,
    long_text: Field<'a>,
    send_validity: Field<'a>,
}

impl Writing<'_> {
    fn apply(self, old: Carrier) -> Result<Carrier, Refusal> {
        let plan = |(ton, npi): (Field<'_>, Field<'_>), names: [&str; 2], old: Plan| {
            let [ton_name, npi_name] = names;
            Ok::<_, Refusal>(Plan {
                ton: ton.or_keep(old.ton, |field| octet(field, ton_name))?,
                npi: npi.or_keep(old.npi, |field| octet(field, npi_name))?,
            })
        };
        let sender = |field: Field<'_>| -> Read<String> {
            let given = field.number("forced_sender")?;
            Ok(given.map(|given| given.as_str().to_owned()))
        };
        let [range, source, destination] = self.plans;
        let of_range = ["address_range_ton", "address_range_npi"];
        Ok(Carrier {
            range_plan: plan(range, of_range, old.range_plan)?,
            source_plan: plan(source, ["source_ton", "source_npi"], old.source_plan)?,
            destination_plan: plan(
                destination,
                ["destination_ton", "destination_npi"],
                old.destination_plan,
            )?,
            forced_sender: self.forced_sender.or_keep(old.forced_sender, sender)?,
            alphabet: self
                .default_alphabet
                .word("default_alphabet", DefaultAlphabet::parse, &ALPHABETS)?
                .unwrap_or(old.alphabet),
            text_coding: octet(self.text_data_coding, "text_data_coding")?
                .unwrap_or(old.text_coding),
            long_text: self
                .long_text
                .word("long_text", LongText::parse, &WAYS)?
                .unwrap_or(old.long_text),
            send_validity: self
                .send_validity
                .boolean("send_validity")?
                .unwrap_or(old.send_validity),
            ..old
        })
    }
}

fn put<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// What a field of the bind can carry; null is empty.
fn graphic(field: Field<'_>, name: &str, most: usize) -> Read<String> {
    field
        .change(|field| {
            let text = field.text(name, most)?.unwrap_or_default();
            printable(&text, name, most).map(|()| Some(text))
        })
        .map(Option::flatten)
}

/// An object, each error with what it means; null is empty.
fn errors(field: Field<'_>) -> Read<BTreeMap<ErrorKey, Handling>> {
    if !field.is_given() {
        return Ok(None);
    }
    let Some(text) = field.object("errors", MOST_ERRORS)? else {
        return Ok(Some(BTreeMap::new()));
    };
    let wrong = |key: &str, rule: String| Refusal::field(&format!("errors.{key}"), rule);
    let given: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|_| {
        let rule = "must say for each error what it means, in one word";
        Refusal::field("errors", rule)
    })?;
    let one = |(key, word): (&String, &String)| {
        let error = ErrorKey::parse(key).map_err(|rule| wrong(key, rule.to_string()))?;
        let handling = Handling::parse(word).ok_or_else(|| {
            let words = ErrorClass::ALL.map(ErrorClass::as_str).join(", ");
            wrong(key, format!("must be one of {words}, {}", Handling::NEVER))
        })?;
        Ok((error, handling))
    };
    let mut errors = BTreeMap::new();
    for (key, word) in &given {
        let (error, handling) = one((key, word))?;
        if errors.insert(error, handling).is_some() {
            let rule = "is another way to write an error that is there already";
            return Err(wrong(key, rule.to_owned()));
        }
    }
    Ok(Some(errors))
}

fn hosts(field: Field<'_>) -> Read<Vec<Host>> {
    let hosts = items(field, "hosts", |field, name| {
        field.parsed(name, Host::parse)
    })?;
    if hosts.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::field("hosts", "must not be empty"));
    }
    Ok(hosts)
}

fn system_id(field: Field<'_>) -> Read<String> {
    let text = field.text("system_id", LONGEST_SYSTEM_ID)?;
    if let Some(text) = &text {
        printable(text, "system_id", LONGEST_SYSTEM_ID)?;
    }
    Ok(text)
}

fn password(field: Field<'_>) -> Read<Password> {
    let text = field.text("password", LONGEST_PASSWORD)?;
    Ok(text.map(Password::new))
}

fn octet(field: Field<'_>, name: &str) -> Read<u8> {
    let number = field.integer(name, 0, u8::MAX.into())?;
    Ok(number.and_then(|number| u8::try_from(number).ok()))
}

fn seconds(field: Field<'_>, name: &str) -> Read<Duration> {
    let number = count(field, name, LONGEST_TIMER)?;
    Ok(number.map(|seconds| Duration::from_secs(seconds.get().into())))
}

/// A carrier as it is shown: without its password.
#[derive(Debug, Serialize)]
pub(crate) struct CarrierOut<'a> {
    id: u64,
    name: &'a str,
    enabled: bool,
    hosts: Vec<String>,
    #[serde(flatten)]
    tls: TlsOut<'a>,
    system_id: &'a str,
    system_type: &'a str,
    interface_version: &'static str,
    bind: &'static str,
    binds: u32,
    address_range: &'a str,
    address_range_ton: Option<u8>,
    address_range_npi: Option<u8>,
    forced_sender: Option<&'a str>,
    source_ton: Option<u8>,
    source_npi: Option<u8>,
    destination_ton: Option<u8>,
    destination_npi: Option<u8>,
    default_alphabet: &'static str,
    text_data_coding: u8,
    long_text: &'static str,
    send_validity: bool,
    window: u32,
    messages_per_second: Option<u32>,
    enquire_link_seconds: u64,
    response_seconds: u64,
    delivered_at: &'static str,
    receipt_ids: &'static str,
    receipt_timeout_seconds: u64,
    without_receipt: &'static str,
    errors: BTreeMap<String, &'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateOut>,
}

impl<'a> CarrierOut<'a> {
    pub(crate) fn new(id: u64, carrier: &'a Carrier, state: Option<CarrierState>) -> Self {
        let version = VERSIONS.iter().find(|known| known.1 == carrier.version);
        Self {
            id,
            name: carrier.name.as_str(),
            enabled: carrier.enabled,
            hosts: carrier.hosts.iter().map(Host::to_string).collect(),
            tls: TlsOut::new(&carrier.tls),
            system_id: &carrier.system_id,
            system_type: &carrier.system_type,
            interface_version: version.map_or("3.4", |known| known.0),
            bind: carrier.bind.as_str(),
            binds: carrier.binds.get(),
            address_range: &carrier.address_range,
            address_range_ton: carrier.range_plan.ton,
            address_range_npi: carrier.range_plan.npi,
            forced_sender: carrier.forced_sender.as_deref(),
            source_ton: carrier.source_plan.ton,
            source_npi: carrier.source_plan.npi,
            destination_ton: carrier.destination_plan.ton,
            destination_npi: carrier.destination_plan.npi,
            default_alphabet: carrier.alphabet.as_str(),
            text_data_coding: carrier.text_coding,
            long_text: carrier.long_text.as_str(),
            send_validity: carrier.send_validity,
            window: carrier.window.get(),
            messages_per_second: carrier.rate.map(NonZeroU32::get),
            enquire_link_seconds: carrier.enquire_link.as_secs(),
            response_seconds: carrier.response.as_secs(),
            delivered_at: carrier.delivered_at.as_str(),
            receipt_ids: carrier.receipt_ids.as_str(),
            receipt_timeout_seconds: carrier.receipt_timeout.as_secs(),
            without_receipt: carrier.without_receipt.as_str(),
            errors: carrier
                .errors
                .iter()
                .map(|(key, handling)| (key.to_string(), handling.as_str()))
                .collect(),
            state: state.map(StateOut::new),
        }
    }
}

const DELIVERED_AT: [&str; 2] = ["response", "receipt"];
const WITHOUT: [&str; 3] = ["fail", "deliver", "again"];
const MODES: [&str; 4] = ["transceiver", "pair", "transmitter", "receiver"];

impl Described for CarrierIn<'_> {
    const NAME: &'static str = "SmppCarrierInput";

    fn schema() -> Schema {
        let counts = |most| given::integer(1, most);
        let octet = || given::integer(0, u8::MAX.into());
        let versions = VERSIONS.map(|(word, _)| word);
        schema::object(
            &[],
            [
                (
                    "name",
                    given::frontend().says("The frontend that the carrier is; required of a POST."),
                ),
                ("enabled", given::boolean()),
                (
                    "hosts",
                    list(given::needed_host(), Some(MOST_ITEMS))
                        .at_least(1)
                        .says("host:port, tried in order; required of a POST."),
                ),
                ("tls", given::boolean()),
                ("tls_server_name", given::server_name()),
                ("tls_ca_path", given::absolute_path(tls::LONGEST_PATH)),
                ("tls_cert_path", given::absolute_path(tls::LONGEST_PATH)),
                ("tls_key_path", given::absolute_path(tls::LONGEST_PATH)),
                (
                    "system_id",
                    given::graphic(LONGEST_SYSTEM_ID).says("Required of a POST."),
                ),
                (
                    "password",
                    given::text(LONGEST_PASSWORD).says("Required of a POST; shown nowhere."),
                ),
                ("system_type", given::graphic(LONGEST_SYSTEM_TYPE)),
                ("interface_version", given::word(versions)),
                ("bind", given::word(MODES)),
                ("binds", counts(MOST_BINDS)),
                ("address_range", given::graphic(LONGEST_RANGE)),
                ("address_range_ton", octet()),
                ("address_range_npi", octet()),
                ("forced_sender", given::sender()),
                ("source_ton", octet()),
                ("source_npi", octet()),
                ("destination_ton", octet()),
                ("destination_npi", octet()),
                ("default_alphabet", given::word(ALPHABETS)),
                ("text_data_coding", octet()),
                ("long_text", given::word(WAYS)),
                ("send_validity", given::boolean()),
                ("window", counts(MOST_WINDOW)),
                ("messages_per_second", counts(MOST_RATE)),
                ("enquire_link_seconds", counts(LONGEST_TIMER)),
                ("response_seconds", counts(LONGEST_TIMER)),
                ("delivered_at", given::word(DELIVERED_AT)),
                (
                    "receipt_ids",
                    given::word(ReceiptIds::ALL.map(ReceiptIds::as_str)),
                ),
                ("receipt_timeout_seconds", counts(LONGEST_WAIT)),
                ("without_receipt", given::word(WITHOUT)),
                (
                    "errors",
                    given::any_object()
                        .says("command_status or receipt:code to an error class or permanent."),
                ),
            ],
        )
    }
}

impl Described for CarrierOut<'_> {
    const NAME: &'static str = "SmppCarrier";

    fn schema() -> Schema {
        let octet = || shown::integer(0, u8::MAX.into());
        let versions = VERSIONS.map(|(word, _)| word);
        schema::record([
            ("id", shown::count()),
            ("name", shown::text()),
            ("enabled", shown::boolean()),
            ("hosts", list(shown::text(), None)),
            ("tls", shown::boolean()),
            ("tls_server_name", shown::text().or_null()),
            ("tls_ca_path", shown::text().or_null()),
            ("tls_cert_path", shown::text().or_null()),
            ("tls_key_path", shown::text().or_null()),
            ("system_id", shown::text()),
            ("system_type", shown::text()),
            ("interface_version", shown::word(versions)),
            ("bind", shown::word(MODES)),
            ("binds", shown::integer(1, MOST_BINDS)),
            ("address_range", shown::text()),
            ("address_range_ton", octet().or_null()),
            ("address_range_npi", octet().or_null()),
            ("forced_sender", shown::text().or_null()),
            ("source_ton", octet().or_null()),
            ("source_npi", octet().or_null()),
            ("destination_ton", octet().or_null()),
            ("destination_npi", octet().or_null()),
            ("default_alphabet", shown::word(ALPHABETS)),
            ("text_data_coding", octet()),
            ("long_text", shown::word(WAYS)),
            ("send_validity", shown::boolean()),
            ("window", shown::integer(1, MOST_WINDOW)),
            (
                "messages_per_second",
                shown::integer(1, MOST_RATE).or_null(),
            ),
            ("enquire_link_seconds", shown::integer(1, LONGEST_TIMER)),
            ("response_seconds", shown::integer(1, LONGEST_TIMER)),
            ("delivered_at", shown::word(DELIVERED_AT)),
            (
                "receipt_ids",
                shown::word(ReceiptIds::ALL.map(ReceiptIds::as_str)),
            ),
            ("receipt_timeout_seconds", shown::integer(1, LONGEST_WAIT)),
            ("without_receipt", shown::word(WITHOUT)),
            ("errors", schema::map(shown::text())),
            ("state", schema::of::<StateOut>()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D19: two meanings for one error, written in two ways, are no setting.
    #[test]
    fn d19_an_error_has_one_meaning_however_it_is_written() {
        let read = |text: &str| errors(Field::Text(text.into()));
        for twice in [
            r#"{"0x45":"temporary","69":"absent"}"#,
            r#"{"receipt:011":"permanent","receipt:11":"absent"}"#,
        ] {
            let refusal = read(twice).unwrap_err();
            let rule = "is another way to write an error that is there already";
            assert!(refusal.detail.ends_with(rule), "{}", refusal.detail);
        }
        let two = read(r#"{"0x45":"temporary","receipt:69":"absent"}"#);
        assert_eq!(two.unwrap().unwrap().len(), 2);
    }
}
