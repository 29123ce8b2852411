//! An SMPP account as a JSON object.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use zajil_core::clock::Timestamp;
use zajil_core::smpp::carrier::{Host, Password};
use zajil_core::smpp::outbind::Outbind;
use zajil_core::smpp::password::Hashed;
use zajil_core::smpp::{Account, BindType, DefaultAlphabet, IdForm, LongText, Network};

use super::{Form, VERSION, damaged, decode, encode, instant, is_false, name};
use crate::contract::Error;

/// Version 1.
#[derive(Serialize, Deserialize)]
struct AccountForm {
    v: u32,
    system_id: String,
    password: String,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    bind_types: Vec<String>,
    max_binds: NonZeroU32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    require_tls: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    senders: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forced_sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<NonZeroU32>,
    window: NonZeroU32,
    alphabet: String,
    long_text: String,
    #[serde(default, skip_serializing_if = "is_false")]
    idempotent: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    by_address: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_ids: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_ids: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outbind: Option<OutbindForm>,
}

/// Its password is in it as it is: we must say it.
#[derive(Serialize, Deserialize)]
struct OutbindForm {
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_path: Option<PathBuf>,
}

impl OutbindForm {
    fn new(outbind: &Outbind) -> Self {
        let password = outbind.password.as_ref();
        Self {
            host: outbind.host.to_string(),
            password: password.map(|password| password.reveal().to_owned()),
            server_name: outbind.server_name.clone(),
            ca_path: outbind.ca_path.clone(),
        }
    }

    fn read(self) -> Result<Outbind, Error> {
        Ok(Outbind {
            host: Host::parse(&self.host).map_err(|why| damaged(AccountForm::WHAT, why))?,
            password: self.password.map(Password::new),
            server_name: self.server_name,
            ca_path: self.ca_path,
        })
    }
}

impl Form for AccountForm {
    const WHAT: &'static str = "SMPP account";

    fn version(&self) -> u32 {
        self.v
    }
}

/// What most accounts have is not written.
fn form_of_ids(form: IdForm) -> Option<String> {
    (form != IdForm::Decimal).then(|| form.as_str().to_owned())
}

fn ids(word: Option<&str>) -> Result<IdForm, Error> {
    let unknown = || damaged(AccountForm::WHAT, "an unknown form of ids");
    let form = word.map(|word| IdForm::parse(word).ok_or_else(unknown));
    Ok(form.transpose()?.unwrap_or(IdForm::Decimal))
}

/// Writes an account.
#[must_use]
pub fn encode_smpp_account(account: &Account) -> String {
    encode(&AccountForm {
        v: VERSION,
        system_id: account.system_id.to_string(),
        password: account.password.as_str().to_owned(),
        enabled: account.enabled,
        expires: account.expires.map(Timestamp::millis),
        bind_types: account
            .bind_types
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect(),
        max_binds: account.max_binds,
        networks: account.networks.iter().map(Network::to_string).collect(),
        require_tls: account.require_tls,
        senders: account.senders.clone(),
        forced_sender: account.forced_sender.clone(),
        rate: account.rate,
        window: account.window,
        alphabet: account.alphabet.as_str().to_owned(),
        long_text: account.long_text.as_str().to_owned(),
        idempotent: account.idempotent,
        by_address: account.by_address,
        response_ids: form_of_ids(account.response_ids),
        receipt_ids: form_of_ids(account.receipt_ids),
        outbind: account.outbind.as_ref().map(OutbindForm::new),
    })
}

/// Reads an account.
///
/// # Errors
/// [`Error::Damaged`] when the text is not an account of a known version.
pub fn decode_smpp_account(text: &str) -> Result<Account, Error> {
    let form: AccountForm = decode(text)?;
    let bad = |why: &'static str| damaged(AccountForm::WHAT, why);
    let kind = |word: &String| BindType::parse(word).ok_or_else(|| bad("an unknown bind type"));
    let network =
        |text: &String| Network::parse(text).map_err(|why| damaged(AccountForm::WHAT, why));
    let at = |millis| instant(AccountForm::WHAT, millis);
    Ok(Account {
        system_id: name(AccountForm::WHAT, &form.system_id)?,
        password: Hashed::restore(&form.password).map_err(|why| damaged(AccountForm::WHAT, why))?,
        enabled: form.enabled,
        expires: form.expires.map(at).transpose()?,
        bind_types: form.bind_types.iter().map(kind).collect::<Result<_, _>>()?,
        max_binds: form.max_binds,
        networks: form
            .networks
            .iter()
            .map(network)
            .collect::<Result<_, _>>()?,
        require_tls: form.require_tls,
        senders: form.senders,
        forced_sender: form.forced_sender,
        rate: form.rate,
        window: form.window,
        alphabet: DefaultAlphabet::parse(&form.alphabet)
            .ok_or_else(|| bad("an unknown alphabet"))?,
        long_text: LongText::parse(&form.long_text)
            .ok_or_else(|| bad("an unknown way of long texts"))?,
        idempotent: form.idempotent,
        by_address: form.by_address,
        response_ids: ids(form.response_ids.as_deref())?,
        receipt_ids: ids(form.receipt_ids.as_deref())?,
        outbind: form.outbind.map(OutbindForm::read).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 has written it; a reader of later versions must still read it.
    #[test]
    fn version_1_is_read() {
        let hash = "ab".repeat(32);
        let salt = "01".repeat(16);
        let text = [
            r#"{"v":1,"system_id":"shop","password":"pbkdf2-sha256$100000$"#,
            &format!("{salt}${hash}"),
            r#"","enabled":true,"expires":1795737600000,"bind_types":["transceiver"],"#,
            r#""max_binds":2,"networks":["192.0.2.0/24"],"senders":["SHOP"],"rate":100,"#,
            r#""window":50,"alphabet":"gsm7","long_text":"udh"}"#,
        ]
        .concat();
        let account = decode_smpp_account(&text).unwrap();
        assert_eq!(account.system_id.as_str(), "shop");
        assert_eq!(account.sender("SHOP"), Some("SHOP"));
        assert_eq!(account.sender("other"), None);
        assert_eq!(encode_smpp_account(&account), text);
        assert!(!account.idempotent && !account.by_address);
        let set = Account {
            idempotent: true,
            by_address: true,
            response_ids: IdForm::Hex,
            receipt_ids: IdForm::HexUpper,
            outbind: Some(Outbind {
                host: Host::parse("esme.example.net:2775").unwrap(),
                password: Some(Password::new("secret09".to_owned())),
                server_name: Some("shop.example.net".to_owned()),
                ca_path: Some("/etc/zajil/ca.pem".into()),
            }),
            ..account
        };
        let again = decode_smpp_account(&encode_smpp_account(&set));
        assert_eq!(again.unwrap(), set);
    }
}
