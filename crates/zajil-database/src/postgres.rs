//! Connections to PostgreSQL: the host that takes writes, protected as the operator says.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;
use zajil_telemetry::chain;

use crate::server::{Encryption, Server};
use crate::tls;

/// Makes connections to one server, wherever it is just now.
pub struct Dial {
    /// One for each host, in the order of the URL.
    hosts: Vec<Config>,
    /// The one to try first: it was good the last time, or one before it was not.
    first: AtomicUsize,
    /// The one that took writes when a connection was made last.
    good: AtomicUsize,
    /// For all that has to be said until a connection can be used.
    patience: Duration,
    tls: MakeRustlsConnect,
    shown: String,
}

/// A connection. Dropped, it is closed at once, whatever the other end does.
pub struct Link {
    /// What statements go to.
    pub client: Client,
    /// Which of the hosts it goes to.
    at: usize,
    driver: AbortHandle,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum NoLink {
    /// The host could not be reached, or said no.
    Refused(Error),
    /// It let us in and then said nothing: it is stuck, as behind a cut cable.
    Silent,
}

/// A host's turn. Not good until it is said to be, also when nobody waits for it any more.
struct Turn<'a> {
    dial: &'a Dial,
    at: usize,
    good: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.good {
            let next = (self.at + 1) % self.dial.hosts.len().max(1);
            // Whoever has found a good one meanwhile knows better.
            let moved = self.dial.first.compare_exchange(
                self.at,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            if moved.is_ok() && self.dial.hosts.len() > 1 {
                tracing::debug!(
                    at = self.dial.shown,
                    "the next host of the database is tried"
                );
            }
        }
    }
}

/// Who hears of notifications: channel and payload.
pub type Heard = Box<dyn FnMut(&str, &str) + Send>;

impl Dial {
    /// Prepares connections; none is made.
    ///
    /// # Errors
    /// What is wrong with the certificates, as the end of a sentence.
    pub fn new(server: &Server) -> Result<Self, String> {
        let mut config = Config::new();
        config
            .user(&server.user)
            .password(&server.password.0)
            .dbname(&server.database)
            .application_name("zajil")
            .connect_timeout(server.connect_timeout)
            .tcp_user_timeout(server.statement_timeout)
            .keepalives_idle(Duration::from_secs(60))
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        let by_socket = server.hosts.iter().all(|host| host.name.starts_with('/'));
        config.ssl_mode(match server.encryption {
            _ if by_socket => SslMode::Disable,
            Encryption::Disable => SslMode::Disable,
            Encryption::Prefer => SslMode::Prefer,
            Encryption::Require | Encryption::VerifyFull => SslMode::Require,
        });
        let hosts = server.hosts.iter().map(|host| {
            let mut config = config.clone();
            config.host(&host.name).port(host.port);
            config
        });
        Ok(Self {
            hosts: hosts.collect(),
            first: AtomicUsize::new(0),
            good: AtomicUsize::new(0),
            patience: server.connect_timeout.saturating_mul(2),
            tls: MakeRustlsConnect::new(tls::client(server)?),
            shown: server.to_string(),
        })
    }

    /// A new connection; `heard` is told of the notifications that it gets. Every host is tried
    /// once, from the one that was good last, each for at most twice the time to connect: one that
    /// accepts and stays silent does not hide those after it. Given up in the middle, the next try
    /// begins with the next host.
    ///
    /// # Errors
    /// Why there is none: what the last host said.
    pub async fn connect(&self, heard: Option<Heard>) -> Result<Link, NoLink> {
        let begin = self.first.load(Ordering::Acquire);
        let mut why = NoLink::Silent;
        for step in 0..self.hosts.len() {
            let at = (begin + step) % self.hosts.len();
            let Some(config) = self.hosts.get(at) else {
                break;
            };
            let mut turn = Turn {
                dial: self,
                at,
                good: false,
            };
            let made = tokio::time::timeout(self.patience, config.connect(self.tls.clone()));
            match made.await {
                Ok(Ok((client, driver))) => {
                    turn.good = true;
                    self.first.store(at, Ordering::Release);
                    self.good.store(at, Ordering::Release);
                    let driver = drive(driver, heard);
                    return Ok(Link { client, at, driver });
                }
                Ok(Err(error)) => why = NoLink::Refused(error),
                Err(_) => why = NoLink::Silent,
            }
        }
        Err(why)
    }

    /// Whether a later connection has found that another host takes writes.
    #[must_use]
    pub fn has_moved_from(&self, link: &Link) -> bool {
        self.good.load(Ordering::Acquire) != link.at
    }
}

/// Where, without who.
impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("closed", &self.client.is_closed())
            .finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the half of a connection that reads its socket; ends with the connection"
)]
fn drive<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    mut heard: Option<Heard>,
) -> AbortHandle
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let task = tokio::spawn(async move {
        loop {
            let message = poll_fn(|context| connection.poll_message(context));
            match message.await {
                Some(Ok(AsyncMessage::Notification(told))) => {
                    if let Some(heard) = &mut heard {
                        heard(told.channel(), told.payload());
                    }
                }
                Some(Ok(AsyncMessage::Notice(notice))) => {
                    tracing::debug!(notice = notice.message(), "the database says");
                }
                Some(Ok(_)) => {}
                // Whoever waits for an answer hears of it.
                Some(Err(error)) => {
                    tracing::debug!(error = chain(&error), "a connection to a database ended");
                    return;
                }
                None => return,
            }
        }
    });
    task.abort_handle()
}

impl fmt::Display for NoLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(_) => "there is no connection to the database",
            Self::Silent => "the database accepts connections and says nothing",
        })
    }
}

impl std::error::Error for NoLink {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Silent => None,
        }
    }
}

/// What the database itself says is wrong. Details are left out: they show the values of rows.
#[must_use]
pub fn told(error: &Error) -> String {
    match error.as_db_error() {
        Some(told) => format!("{} (SQLSTATE {})", told.message(), told.code().code()),
        None => chain(error),
    }
}
