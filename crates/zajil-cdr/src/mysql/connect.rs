//! Connections to MySQL and MariaDB, and what their errors mean.

use std::fmt;
use std::time::Duration;

use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, SslOpts};

use crate::pool::Connect;
use crate::server::{Encryption, Server};
use crate::sink::{Answer, Fault};
use crate::tls;

pub(crate) struct Connector {
    plain: Opts,
    /// None when it is to be plain.
    protected: Option<Opts>,
    encryption: Encryption,
    shown: String,
}

impl Connector {
    pub(crate) fn new(server: &Server) -> Result<Self, String> {
        let host = server.hosts.first().ok_or("names no host")?;
        let by_socket = host.name.starts_with('/');
        let options = OptsBuilder::default()
            .user(Some(&server.user))
            .pass(Some(&server.password.0))
            .db_name(Some(&server.database))
            .prefer_socket(false)
            .tcp_keepalive(Some(Duration::from_secs(60)))
            .setup(vec![session(server.statement_timeout)]);
        let options = match by_socket {
            true => options.socket(Some(&host.name)),
            false => options.ip_or_hostname(&host.name).tcp_port(host.port),
        };
        let protected = match server.encryption {
            _ if by_socket => None,
            Encryption::Disable => None,
            Encryption::Prefer | Encryption::Require => Some(
                SslOpts::default()
                    .with_danger_accept_invalid_certs(true)
                    .with_danger_skip_domain_validation(true),
            ),
            Encryption::VerifyFull => {
                let roots = tls::roots(server.ca_file.as_deref())?;
                Some(
                    SslOpts::default()
                        .with_disable_built_in_roots(true)
                        .with_root_certs(roots.iter().map(|root| root.to_vec().into()).collect()),
                )
            }
        };
        Ok(Self {
            plain: options.clone().into(),
            protected: protected.map(|ssl| options.ssl_opts(ssl).into()),
            encryption: server.encryption,
            shown: server.to_string(),
        })
    }

    async fn open(&self) -> Result<Conn, Error> {
        let Some(protected) = &self.protected else {
            return Conn::new(self.plain.clone()).await;
        };
        match Conn::new(protected.clone()).await {
            Err(Error::Driver(DriverError::NoClientSslFlagFromServer))
                if self.encryption == Encryption::Prefer =>
            {
                Conn::new(self.plain.clone()).await
            }
            made => made,
        }
    }
}

/// Before the first statement: times are UTC, nothing is cut or changed silently, and no lock is
/// waited for longer than for an answer.
fn session(limit: Duration) -> String {
    let seconds = limit.as_secs().max(1);
    format!(
        "SET NAMES utf8mb4, time_zone = '+00:00', \
         sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
         innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, autocommit = 1"
    )
}

/// Where, without who.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Connect for Connector {
    type Connection = Conn;

    fn connect(&self) -> Answer<'_, Conn> {
        Box::pin(async move {
            let made = self.open().await;
            made.map_err(|error| {
                let why = fault(error).text();
                Fault::Down(format!("cannot connect to {self:?}: {why}"))
            })
        })
    }

    fn is_open(connection: &Conn) -> bool {
        !connection.is_disconnected()
    }
}

/// MySQL's number for a value that its character set does not have; its text shows the value.
const NOT_IN_CHARSET: u16 = 1366;
/// A constraint of the table is not met (MySQL; MariaDB's SQLSTATE says it).
const CHECK_VIOLATED: u16 = 3819;
/// More than the server takes at once.
const PACKET_TOO_LARGE: u16 = 1153;

/// Whether an error is about the rows.
pub(super) fn fault(error: Error) -> Fault {
    match error {
        Error::Server(told) => {
            let text = format!(
                "{} (error {}, SQLSTATE {})",
                without_values(&told.message),
                told.code,
                told.state
            );
            let class = told.state.get(..2);
            let about_rows = [NOT_IN_CHARSET, CHECK_VIOLATED, PACKET_TOO_LARGE];
            match matches!(class, Some("22" | "23" | "45")) || about_rows.contains(&told.code) {
                true => Fault::Data(text),
                false => Fault::Down(text),
            }
        }
        Error::Driver(DriverError::PacketTooLarge) => {
            Fault::Data("it is more than the server takes at once".to_owned())
        }
        error => Fault::Down(zajil_telemetry::chain(&error)),
    }
}

/// `Incorrect string value: '…' for column 'x'`: the value stays out of logs (S10.4).
fn without_values(message: &str) -> String {
    match (message.split_once(": '"), message.rsplit_once("' for ")) {
        (Some((start, _)), Some((_, end))) => format!("{start} for {end}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_values_of_rows_stay_out_of_errors() {
        assert_eq!(
            without_values(
                "Incorrect string value: '\\xF0\\x9F' for column `c`.`cdrs`.`x` at row 1"
            ),
            "Incorrect string value for column `c`.`cdrs`.`x` at row 1"
        );
        let other = "Data too long for column 'status' at row 2";
        assert_eq!(without_values(other), other);
    }
}
