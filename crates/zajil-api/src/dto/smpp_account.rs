//! An SMPP account on the wire: what a client may set, and what is shown of it.

mod outbind;

use std::num::NonZeroU32;
use std::path::Path;

use serde::{Deserialize, Serialize};
use zajil_core::outcome::Refusal;
use zajil_core::smpp::outbind as called;
use zajil_core::smpp::password::Hashed;
use zajil_core::smpp::{
    Account, BindType, DefaultAlphabet, IdForm, LONGEST_SYSTEM_ID, LongText, Network,
};

use self::outbind::OutbindIn;
use super::At;
use super::field::{Field, MOST_ITEMS, Read};
use super::smpp_carrier::tls::LONGEST_PATH;
use crate::openapi::schema::{self, Described, Schema, given, list, shown};

/// The most sessions of an account, requests under way, and messages a second.
const MOST_BINDS: i64 = 1_000;
pub(crate) const MOST_WINDOW: i64 = 10_000;
pub(crate) const MOST_RATE: i64 = 1_000_000;
/// The longest password: more than the standard's 8, which many exceed.
pub(crate) const LONGEST_PASSWORD: usize = 64;

/// The body of a POST or PATCH; what is absent has its default, or stays.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccountIn<'a> {
    #[serde(borrow)]
    system_id: Field<'a>,
    password: Field<'a>,
    enabled: Field<'a>,
    expires: Field<'a>,
    bind_types: Field<'a>,
    max_binds: Field<'a>,
    allowed_ips: Field<'a>,
    require_tls: Field<'a>,
    senders: Field<'a>,
    forced_sender: Field<'a>,
    messages_per_second: Field<'a>,
    window: Field<'a>,
    default_alphabet: Field<'a>,
    long_text: Field<'a>,
    idempotent: Field<'a>,
    by_address: Field<'a>,
    response_ids: Field<'a>,
    receipt_ids: Field<'a>,
    outbind: Field<'a>,
    outbind_password: Field<'a>,
    outbind_tls_server_name: Field<'a>,
    outbind_tls_ca_path: Field<'a>,
}

impl AccountIn<'_> {
    /// The password, if one is set; it is hashed elsewhere, because that takes its time.
    pub(crate) fn take_password(&mut self) -> Read<String> {
        let password = std::mem::take(&mut self.password);
        password.text("password", LONGEST_PASSWORD)
    }

    /// A new account.
    pub(crate) fn into_account(mut self, password: Hashed) -> Result<Account, Refusal> {
        let system_id = std::mem::take(&mut self.system_id);
        let system_id = system_id.frontend("system_id")?;
        let system_id = system_id.ok_or_else(|| Refusal::field("system_id", "is required"))?;
        printable(system_id.as_str(), "system_id", LONGEST_SYSTEM_ID)?;
        let account = Account {
            system_id,
            password,
            enabled: true,
            expires: None,
            bind_types: BindType::ALL.to_vec(),
            max_binds: NonZeroU32::MIN.saturating_add(4),
            networks: Vec::new(),
            require_tls: false,
            senders: Vec::new(),
            forced_sender: None,
            rate: None,
            window: NonZeroU32::MIN.saturating_add(99),
            alphabet: DefaultAlphabet::Gsm7,
            long_text: LongText::Udh,
            idempotent: false,
            by_address: false,
            response_ids: IdForm::Decimal,
            receipt_ids: IdForm::Decimal,
            outbind: None,
        };
        self.apply(account)
    }

    /// What the account is after this; its name and password stay.
    pub(crate) fn apply(self, old: Account) -> Result<Account, Refusal> {
        if self.system_id.is_given()
            && self.system_id.frontend("system_id")?.as_ref() != Some(&old.system_id)
        {
            return Err(Refusal::field("system_id", "cannot be changed"));
        }
        let sender = |field: Field<'_>, name: &str| -> Read<String> {
            Ok(field.number(name)?.map(|given| given.as_str().to_owned()))
        };
        let kinds = BindType::ALL.map(BindType::as_str);
        let bind_types = items(self.bind_types, "bind_types", |field, name| {
            field.word(name, BindType::parse, &kinds)
        })?;
        if bind_types.as_ref().is_some_and(Vec::is_empty) {
            return Err(Refusal::field("bind_types", "must not be empty"));
        }
        let alphabets = DefaultAlphabet::ALL.map(DefaultAlphabet::as_str);
        let alphabet =
            self.default_alphabet
                .word("default_alphabet", DefaultAlphabet::parse, &alphabets)?;
        let ways = LongText::ALL.map(LongText::as_str);
        let rate = |field: Field<'_>| count(field, "messages_per_second", MOST_RATE);
        let bind_types = bind_types.unwrap_or(old.bind_types);
        let require_tls = self.require_tls.boolean("require_tls")?;
        let require_tls = require_tls.unwrap_or(old.require_tls);
        let outbind = OutbindIn {
            host: self.outbind,
            password: self.outbind_password,
            server_name: self.outbind_tls_server_name,
            ca_path: self.outbind_tls_ca_path,
        };
        Ok(Account {
            enabled: self.enabled.boolean("enabled")?.unwrap_or(old.enabled),
            expires: self
                .expires
                .or_keep(old.expires, |field| field.time("expires"))?,
            outbind: outbind.apply(old.outbind, (require_tls, &bind_types))?,
            bind_types,
            max_binds: count(self.max_binds, "max_binds", MOST_BINDS)?.unwrap_or(old.max_binds),
            networks: items(self.allowed_ips, "allowed_ips", |field, name| {
                field.parsed(name, Network::parse)
            })?
            .unwrap_or(old.networks),
            require_tls,
            senders: items(self.senders, "senders", sender)?.unwrap_or(old.senders),
            forced_sender: self
                .forced_sender
                .or_keep(old.forced_sender, |field| sender(field, "forced_sender"))?,
            rate: self.messages_per_second.or_keep(old.rate, rate)?,
            window: count(self.window, "window", MOST_WINDOW)?.unwrap_or(old.window),
            alphabet: alphabet.unwrap_or(old.alphabet),
            long_text: self
                .long_text
                .word("long_text", LongText::parse, &ways)?
                .unwrap_or(old.long_text),
            idempotent: self
                .idempotent
                .boolean("idempotent")?
                .unwrap_or(old.idempotent),
            by_address: self
                .by_address
                .boolean("by_address")?
                .unwrap_or(old.by_address),
            response_ids: ids(self.response_ids, "response_ids")?.unwrap_or(old.response_ids),
            receipt_ids: ids(self.receipt_ids, "receipt_ids")?.unwrap_or(old.receipt_ids),
            system_id: old.system_id,
            password: old.password,
        })
    }
}

fn ids(field: Field<'_>, name: &str) -> Read<IdForm> {
    field.word(name, IdForm::parse, &IdForm::ALL.map(IdForm::as_str))
}

/// What the standard can carry in a C-octet string.
pub(crate) fn printable(text: &str, name: &str, most: usize) -> Result<(), Refusal> {
    let graphic = text.bytes().all(|octet| octet.is_ascii_graphic());
    if text.len() > most || !graphic {
        let rule = format!("must have 1 to {most} letters, digits and signs");
        return Err(Refusal::field(name, rule));
    }
    Ok(())
}

/// A number from 1.
pub(crate) fn count(field: Field<'_>, name: &str, most: i64) -> Read<NonZeroU32> {
    let number = field.integer(name, 1, most)?;
    Ok(number
        .and_then(|n| u32::try_from(n).ok())
        .and_then(NonZeroU32::new))
}

/// An array, each item read by `read`; null is empty.
pub(crate) fn items<T>(
    field: Field<'_>,
    name: &str,
    read: impl Fn(Field<'_>, &str) -> Read<T>,
) -> Read<Vec<T>> {
    if !field.is_given() {
        return Ok(None);
    }
    let items = field.items(name, MOST_ITEMS, "items")?.unwrap_or_default();
    let item = |(at, item): (usize, Field<'_>)| {
        let name = format!("{name}[{at}]");
        read(item, &name)?.ok_or_else(|| Refusal::field(&name, "must not be empty"))
    };
    items
        .into_iter()
        .enumerate()
        .map(item)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// An account as it is shown: without its password.
#[derive(Debug, Serialize)]
pub(crate) struct AccountOut<'a> {
    id: u64,
    system_id: &'a str,
    enabled: bool,
    expires: Option<At>,
    bind_types: Vec<&'static str>,
    max_binds: u32,
    allowed_ips: Vec<String>,
    require_tls: bool,
    senders: &'a [String],
    forced_sender: Option<&'a str>,
    messages_per_second: Option<u32>,
    window: u32,
    default_alphabet: &'static str,
    long_text: &'static str,
    idempotent: bool,
    by_address: bool,
    response_ids: &'static str,
    receipt_ids: &'static str,
    outbind: Option<String>,
    outbind_tls_server_name: Option<&'a str>,
    outbind_tls_ca_path: Option<&'a Path>,
}

impl<'a> AccountOut<'a> {
    pub(crate) fn new(id: u64, account: &'a Account) -> Self {
        let outbind = account.outbind.as_ref();
        Self {
            id,
            system_id: account.system_id.as_str(),
            enabled: account.enabled,
            expires: account.expires.map(At),
            bind_types: account
                .bind_types
                .iter()
                .map(|kind| kind.as_str())
                .collect(),
            max_binds: account.max_binds.get(),
            allowed_ips: account.networks.iter().map(Network::to_string).collect(),
            require_tls: account.require_tls,
            senders: &account.senders,
            forced_sender: account.forced_sender.as_deref(),
            messages_per_second: account.rate.map(NonZeroU32::get),
            window: account.window.get(),
            default_alphabet: account.alphabet.as_str(),
            long_text: account.long_text.as_str(),
            idempotent: account.idempotent,
            by_address: account.by_address,
            response_ids: account.response_ids.as_str(),
            receipt_ids: account.receipt_ids.as_str(),
            outbind: outbind.map(|outbind| outbind.host.to_string()),
            outbind_tls_server_name: outbind.and_then(|outbind| outbind.server_name.as_deref()),
            outbind_tls_ca_path: outbind.and_then(|outbind| outbind.ca_path.as_deref()),
        }
    }
}

impl Described for AccountIn<'_> {
    const NAME: &'static str = "SmppAccountInput";

    fn schema() -> Schema {
        let counts = |most| given::integer(1, most);
        schema::object(
            &[],
            [
                (
                    "system_id",
                    given::graphic(LONGEST_SYSTEM_ID)
                        .says("1 to 15 letters, digits and signs; required of a POST."),
                ),
                (
                    "password",
                    given::text(LONGEST_PASSWORD).says("Required of a POST; shown nowhere."),
                ),
                ("enabled", given::boolean()),
                ("expires", given::time()),
                (
                    "bind_types",
                    list(shown::word(KINDS), Some(MOST_ITEMS)).at_least(1),
                ),
                ("max_binds", counts(MOST_BINDS)),
                (
                    "allowed_ips",
                    list(given::needed_network(), Some(MOST_ITEMS)).or_null(),
                ),
                ("require_tls", given::boolean()),
                (
                    "senders",
                    list(given::needed_sender(), Some(MOST_ITEMS)).or_null(),
                ),
                ("forced_sender", given::sender()),
                ("messages_per_second", counts(MOST_RATE)),
                ("window", counts(MOST_WINDOW)),
                ("default_alphabet", given::word(ALPHABETS)),
                ("long_text", given::word(WAYS)),
                ("idempotent", given::boolean()),
                ("by_address", given::boolean()),
                ("response_ids", given::word(IDS)),
                ("receipt_ids", given::word(IDS)),
                ("outbind", given::host()),
                (
                    "outbind_password",
                    given::graphic(called::LONGEST_PASSWORD).says("Shown nowhere."),
                ),
                ("outbind_tls_server_name", given::server_name()),
                ("outbind_tls_ca_path", given::absolute_path(LONGEST_PATH)),
            ],
        )
    }
}

impl Described for AccountOut<'_> {
    const NAME: &'static str = "SmppAccount";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::count()),
            ("system_id", shown::text()),
            ("enabled", shown::boolean()),
            ("expires", shown::time().or_null()),
            ("bind_types", list(shown::word(KINDS), None)),
            ("max_binds", shown::integer(1, MOST_BINDS)),
            ("allowed_ips", list(shown::text(), None)),
            ("require_tls", shown::boolean()),
            ("senders", list(shown::text(), None)),
            ("forced_sender", shown::text().or_null()),
            (
                "messages_per_second",
                shown::integer(1, MOST_RATE).or_null(),
            ),
            ("window", shown::integer(1, MOST_WINDOW)),
            ("default_alphabet", shown::word(ALPHABETS)),
            ("long_text", shown::word(WAYS)),
            ("idempotent", shown::boolean()),
            ("by_address", shown::boolean()),
            ("response_ids", shown::word(IDS)),
            ("receipt_ids", shown::word(IDS)),
            ("outbind", shown::text().or_null()),
            ("outbind_tls_server_name", shown::text().or_null()),
            ("outbind_tls_ca_path", shown::text().or_null()),
        ])
    }
}

const IDS: [&str; 3] = ["decimal", "hex", "hex_upper"];
const KINDS: [&str; 3] = ["transmitter", "receiver", "transceiver"];
pub(crate) const ALPHABETS: [&str; 4] = ["gsm7", "latin1", "utf8", "ascii"];
pub(crate) const WAYS: [&str; 3] = ["udh", "sar", "payload"];
