//! Where a CDR database is and how it is reached: the settings that PostgreSQL and MySQL share.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::tls;

/// The kinds of database servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL 13 or newer.
    Postgres,
    /// MySQL 8 or newer, MariaDB 10.5 or newer.
    MySql,
}

impl Engine {
    /// The port that its servers listen on.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Postgres => 5_432,
            Self::MySql => 3_306,
        }
    }
}

/// What protects the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Nothing.
    Disable,
    /// TLS where the server has it; its certificate is not checked.
    Prefer,
    /// TLS; its certificate is not checked.
    Require,
    /// TLS with a certificate for the server's name, signed by one we know.
    VerifyFull,
}

impl Encryption {
    /// All, the default first.
    pub const ALL: [Self; 4] = [Self::Prefer, Self::Require, Self::VerifyFull, Self::Disable];

    /// The word in URLs and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A host with its port. A host that begins with `/` is a socket (MySQL) or its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name or address.
    pub name: String,
    /// Its port.
    pub port: u16,
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What it is.
    pub engine: Engine,
    /// Where it is; with several, the first that takes writes.
    pub hosts: Vec<Host>,
    /// Who we are there.
    pub user: String,
    /// And our word for it.
    pub password: Secret,
    /// The name of the database.
    pub database: String,
    /// Whether TLS is used.
    pub encryption: Encryption,
    /// The certificates that sign the server's (PEM); those of the system without.
    pub ca_file: Option<PathBuf>,
    /// How many connections there may be.
    pub pool_size: u32,
    /// How long a connection may take, and a wait for a free one.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub statement_timeout: Duration,
}

impl Server {
    /// A server on this machine, with nothing said yet but what it is.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            hosts: Vec::new(),
            user: String::new(),
            password: Secret::default(),
            database: String::new(),
            encryption: Encryption::Prefer,
            ca_file: None,
            pool_size: 10,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }

    /// Reads `postgres://user:password@host:5432,host2/database?sslmode=verify-full`, or the same
    /// with `mysql://`. What the URL does not say stays as in [`Server::new`].
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence; the URL itself is not in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("must begin with postgres:// or mysql://")?;
        let engine = match scheme {
            "postgres" | "postgresql" => Engine::Postgres,
            "mysql" | "mariadb" => Engine::MySql,
            _ => return Err("must begin with postgres:// or mysql://".to_owned()),
        };
        let mut server = Self::new(engine);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        server.user = decode(user)?;
        server.password = Secret(decode(password)?);
        server.database = decode(database)?;
        for host in hosts.split(',').filter(|host| !host.is_empty()) {
            server.hosts.push(read_host(host, engine)?);
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            server.option(option)?;
        }
        Ok(server)
    }

    fn option(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = decode(value)?;
        match name {
            "sslmode" => {
                let known = Encryption::ALL
                    .into_iter()
                    .find(|mode| mode.as_str() == value);
                let words = Encryption::ALL.map(Encryption::as_str).join(", ");
                self.encryption = known.ok_or(format!("has an sslmode that is none of {words}"))?;
            }
            "sslrootcert" => self.ca_file = Some(PathBuf::from(value)),
            _ => return Err(format!("may not have the option {name:?}")),
        }
        Ok(())
    }

    /// Whether a connection can be tried at all.
    ///
    /// # Errors
    /// What is missing, as the end of a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.hosts.is_empty() {
            return Err("must name a host".to_owned());
        }
        if self.user.is_empty() {
            return Err("must name a user".to_owned());
        }
        if self.database.is_empty() {
            return Err("must name a database".to_owned());
        }
        if self.engine == Engine::MySql && self.hosts.len() > 1 {
            return Err("may name several hosts for PostgreSQL only".to_owned());
        }
        Ok(())
    }

    /// Whether its certificates can be checked, if they are to be.
    ///
    /// # Errors
    /// What is wrong with [`Server::ca_file`], as the end of a sentence.
    pub fn check_certificates(&self) -> Result<(), String> {
        match self.encryption {
            Encryption::VerifyFull => tls::roots(self.ca_file.as_deref()).map(drop),
            Encryption::Disable | Encryption::Prefer | Encryption::Require => Ok(()),
        }
    }
}

/// Where, without who.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.engine {
            Engine::Postgres => "postgres://",
            Engine::MySql => "mysql://",
        })?;
        for (place, host) in self.hosts.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", host.name, host.port)?;
        }
        write!(f, "/{}", self.database)
    }
}

fn read_host(text: &str, engine: Engine) -> Result<Host, String> {
    let port = |text: &str| {
        let port = text.parse::<u16>().ok().filter(|port| *port > 0);
        port.ok_or("has a port that is no number from 1 to 65535")
    };
    let (name, port) = match text.strip_prefix('[') {
        // An address with colons stands in brackets.
        Some(rest) => {
            let (name, rest) = rest
                .split_once(']')
                .ok_or("has a bracket without its other")?;
            match rest.strip_prefix(':') {
                Some(text) => (name, port(text)?),
                None => (name, engine.port()),
            }
        }
        None => match text.split_once(':') {
            Some((name, text)) => (name, port(text)?),
            None => (text, engine.port()),
        },
    };
    Ok(Host {
        name: decode(name)?,
        port,
    })
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| "has percent signs that stand for no text")?
        .into_owned())
}

#[cfg(test)]
mod tests;
