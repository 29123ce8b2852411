//! Where an application is called, on the wire.

use zajil_core::outcome::Refusal;
use zajil_core::smpp::BindType;
use zajil_core::smpp::carrier::{Host, Password, Tls};
use zajil_core::smpp::outbind::{LONGEST_PASSWORD, Outbind};

use super::printable;
use crate::dto::field::{Field, Read};
use crate::dto::smpp_carrier::tls::path;

/// The fields of a request.
pub(super) struct OutbindIn<'a> {
    pub(super) host: Field<'a>,
    pub(super) password: Field<'a>,
    pub(super) server_name: Field<'a>,
    pub(super) ca_path: Field<'a>,
}

impl OutbindIn<'_> {
    /// What it is after this, for an account that needs TLS or does not, and binds so.
    pub(super) fn apply(
        self,
        old: Option<Outbind>,
        (require_tls, bind_types): (bool, &[BindType]),
    ) -> Read<Outbind> {
        let old_host = old.as_ref().map(|old| old.host.clone());
        let host = |field: Field<'_>| field.parsed("outbind", Host::parse);
        let host = self.host.or_keep(old_host, host)?;
        // Who is not called any more needs nothing of it.
        let (old_password, old_name, old_path) = match (&host, old) {
            (Some(_), Some(old)) => (old.password, old.server_name, old.ca_path),
            _ => (None, None, None),
        };
        let password = self.password.or_keep(old_password, password)?;
        let name = |field: Field<'_>| field.parsed("outbind_tls_server_name", Tls::server_name);
        let server_name = self.server_name.or_keep(old_name, name)?;
        let ca_path = |field: Field<'_>| path(field, "outbind_tls_ca_path");
        let ca_path = self.ca_path.or_keep(old_path, ca_path)?;
        let Some(host) = host else {
            return match password.is_some() || server_name.is_some() || ca_path.is_some() {
                true => Err(Refusal::field("outbind", "is required with outbind_…")),
                false => Ok(None),
            };
        };
        for (name, is_given) in [
            ("outbind_tls_server_name", server_name.is_some()),
            ("outbind_tls_ca_path", ca_path.is_some()),
        ] {
            if is_given && !require_tls {
                return Err(Refusal::field(name, "is for accounts with require_tls"));
            }
        }
        if !bind_types.iter().any(|kind| kind.receives()) {
            let rule = "is for accounts that bind as receiver or transceiver";
            return Err(Refusal::field("outbind", rule));
        }
        Ok(Some(Outbind {
            host,
            password,
            server_name,
            ca_path,
        }))
    }
}

fn password(field: Field<'_>) -> Read<Password> {
    let text = field.text("outbind_password", LONGEST_PASSWORD)?;
    if let Some(text) = &text {
        printable(text, "outbind_password", LONGEST_PASSWORD)?;
    }
    Ok(text.map(Password::new))
}

#[cfg(test)]
mod tests {
    use zajil_core::smpp::Account;
    use zajil_core::smpp::password::Hashed;

    use crate::dto::smpp_account::{AccountIn, AccountOut};

    fn added(body: &str) -> Result<Account, String> {
        let body: AccountIn<'_> = serde_json::from_str(body).unwrap();
        let account = body.into_account(Hashed::new(b"secret08", [1; 16]));
        account.map_err(|refusal| refusal.to_string())
    }

    fn changed(account: &Account, body: &str) -> Account {
        let body: AccountIn<'_> = serde_json::from_str(body).unwrap();
        body.apply(account.clone()).unwrap()
    }

    #[test]
    fn where_an_account_is_called_is_checked() {
        for (body, rule) in [
            (r#""outbind":"host""#, "outbind must be host:port"),
            (r#""outbind":"host:0""#, "outbind must be host:port"),
            (r#""outbind":7"#, "outbind must be a string"),
            (
                r#""outbind":"host:1","outbind_password":"123456789""#,
                "outbind_password must have at most 8 characters",
            ),
            (
                r#""outbind":"host:1","outbind_password":"a b""#,
                "outbind_password must have 1 to 8 letters",
            ),
            (r#""outbind_password":"a""#, "outbind is required"),
            (
                r#""outbind":"host:1","outbind_tls_ca_path":"/ca.pem""#,
                "outbind_tls_ca_path is for accounts with require_tls",
            ),
            (
                r#""outbind":"host:1","outbind_tls_server_name":"shop""#,
                "outbind_tls_server_name is for accounts with require_tls",
            ),
            (
                r#""outbind":"host:1","require_tls":true,"outbind_tls_server_name":"a b""#,
                "outbind_tls_server_name must be a host name or an IP address",
            ),
            (r#""outbind_tls_server_name":"shop""#, "outbind is required"),
            (
                r#""outbind":"host:1","require_tls":true,"outbind_tls_ca_path":"ca.pem""#,
                "outbind_tls_ca_path must be an absolute path",
            ),
            (
                r#""outbind":"host:1","bind_types":["transmitter"]"#,
                "outbind is for accounts that bind as receiver or transceiver",
            ),
        ] {
            let told = added(&format!(r#"{{"system_id":"shop",{body}}}"#)).unwrap_err();
            assert!(told.contains(rule), "{body}: {told}");
        }
        let long = format!(
            r#"{{"system_id":"shop","outbind":"{}:1"}}"#,
            "a".repeat(254)
        );
        assert!(added(&long).is_err());
    }

    #[test]
    fn where_an_account_is_called_is_set_kept_and_removed() {
        let body = r#"{"system_id":"shop","require_tls":true,"outbind":"[::1]:2775",
            "outbind_password":"letmein","outbind_tls_server_name":"esme.example.net",
            "outbind_tls_ca_path":"/ca.pem"}"#;
        let account = added(body).unwrap();
        let outbind = account.outbind.as_ref().unwrap();
        assert_eq!(outbind.host.to_string(), "[::1]:2775");
        assert_eq!(outbind.password.as_ref().unwrap().reveal(), "letmein");
        let shown = serde_json::to_string(&AccountOut::new(1, &account)).unwrap();
        assert!(shown.contains(r#""outbind":"[::1]:2775""#), "{shown}");
        assert!(!shown.contains("letmein"), "{shown}");
        assert_eq!(
            changed(&account, r#"{"window":3}"#).outbind,
            account.outbind
        );
        let moved = changed(&account, r#"{"outbind":"host:2"}"#)
            .outbind
            .unwrap();
        assert_eq!(moved.password, outbind.password);
        assert_eq!(moved.server_name.as_deref(), Some("esme.example.net"));
        let unnamed = changed(&account, r#"{"outbind_tls_server_name":null}"#);
        assert_eq!(unnamed.outbind.unwrap().server_name, None);
        let none = changed(&account, r#"{"outbind":null}"#);
        assert_eq!(none.outbind, None);
        assert_eq!(changed(&none, r#"{"window":3}"#).outbind, None);
    }
}
