//! A run over SMPP: binds, submits, matches the receipts to the ids, reports.

mod bind;
mod book;
mod esme;
mod template;
mod wire;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use self::bind::Kind;
use self::book::{Book, Sinks};
use self::esme::{Esme, Role};
use self::template::Addressed;
use crate::report::Report;
use crate::schedule::{Limit, Rate, Schedule};
use crate::workers::{self, Worker};
use crate::{clock, process};

/// How a message looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// 70 letters of the default alphabet.
    Short,
    /// 70 letters of UCS-2.
    Ucs2,
    /// 350 letters in `message_payload`.
    Payload,
    /// 280 letters in two submits, each with a user data header.
    Parts,
}

/// A `system_id` and its password.
#[derive(Debug, Clone)]
pub struct Account {
    pub system_id: String,
    pub password: String,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Options {
    /// `host:port`.
    pub address: String,
    pub account: Account,
    /// Over TLS: the file with the authorities (PEM), and the name in the server's certificate.
    pub tls: Option<(PathBuf, String)>,
    /// Binds are dealt out to so many; where there are several, their names end with a number
    /// from 1.
    pub accounts: usize,
    /// Transceivers that submit, or transmitters.
    pub binds: usize,
    /// Bound as transmitters: receipts come to the receivers.
    pub transmitters: bool,
    /// Receivers of the same account.
    pub receivers: usize,
    /// An account that messages are routed to, and how many receivers it binds.
    pub sink: Option<(Account, usize)>,
    /// Submits without a response on one bind.
    pub window: usize,
    /// Submits per second over all binds.
    pub rate: Rate,
    pub limit: Limit,
    pub form: Form,
    /// Whether a receipt is asked for.
    pub receipts: bool,
    pub source: String,
    /// With [`crate::http::NUMBER`] where the running number goes.
    pub destination: String,
    /// What is still expected after the last submit is given up when nothing has come for so long.
    pub patience: Duration,
    pub threads: usize,
    /// Whose CPU time is reported as the server's.
    pub server_pids: Vec<u32>,
}

impl Options {
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            account: Account {
                system_id: "bench".to_owned(),
                password: "secret08".to_owned(),
            },
            tls: None,
            accounts: 1,
            binds: 4,
            transmitters: false,
            receivers: 0,
            sink: None,
            window: 100,
            rate: Rate::Max,
            limit: Limit::Duration(Duration::from_secs(10)),
            form: Form::Short,
            receipts: false,
            source: "15550001111".to_owned(),
            destination: "1555%07d".to_owned(),
            patience: Duration::from_secs(10),
            threads: 1,
            server_pids: Vec::new(),
        }
    }

    /// The account with this number.
    fn numbered(&self, number: usize) -> Account {
        let mut account = self.account.clone();
        if self.accounts > 1 {
            account.system_id.push_str(&number.to_string());
        }
        account
    }

    fn check(&self) -> Result<SocketAddr> {
        ensure!(self.binds > 0, "at least one bind is needed");
        ensure!(self.accounts > 0, "at least one account is needed");
        ensure!(self.window > 0, "the window must be at least 1");
        ensure!(self.threads > 0, "at least one thread is needed");
        let hears = !self.transmitters || self.receivers > 0;
        ensure!(
            hears || !self.receipts,
            "receipts need transceivers or a receiver"
        );
        let mut addresses = self
            .address
            .to_socket_addrs()
            .with_context(|| format!("'{}' is not a host and a port", self.address))?;
        let address = addresses.next();
        address.with_context(|| format!("'{}' has no address", self.address))
    }
}

/// What the binds of a run share.
#[derive(Debug)]
struct Run {
    schedule: Schedule,
    templates: Vec<template::Template>,
    window: usize,
    patience: Duration,
    sinks: Sinks,
    /// Binds that still submit.
    submitters: AtomicUsize,
    book: Mutex<Book>,
}

impl Run {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the load to its end; an error means that nothing useful was measured.
pub fn run(options: &Options) -> Result<Report> {
    let address = options.check()?;
    let streams = bind_all(options, address)?;
    let start = clock::now();
    let addressed = Addressed {
        from: &options.source,
        to: &options.destination,
        receipts: options.receipts,
    };
    let run = Arc::new(Run {
        schedule: Schedule::new(start, options.rate, options.limit),
        templates: template::of(options.form, addressed)?,
        window: options.window,
        patience: options.patience,
        sinks: options.sink.as_ref().map_or(Sinks::None, |_| Sinks::Some),
        submitters: AtomicUsize::new(options.binds),
        book: Mutex::new(Book::new(options.receipts, start)?),
    });
    let before = workers::cpu_times(&options.server_pids)?;
    let work = streams.into_iter().map(|(role, bound)| {
        let esme = Esme::new(bound, role, Arc::clone(&run));
        Box::pin(esme.run()) as Worker<()>
    });
    let mut finished = workers::spawn(work.collect(), options.threads)?;
    while let Some(outcome) = finished.blocking_recv() {
        outcome?;
    }
    let seconds = clock::now().saturating_duration_since(start).as_secs_f64();
    let after = workers::cpu_times(&options.server_pids)?;
    let run = Arc::into_inner(run).context("a bind has not ended")?;
    let mut report = report(options, run, (start, seconds));
    report.set_cpu(after.since(before));
    Ok(report)
}

fn report(options: &Options, run: Run, (start, seconds): (std::time::Instant, f64)) -> Report {
    let Run { schedule, book, .. } = run;
    let book = book.into_inner().unwrap_or_else(PoisonError::into_inner);
    let delivered = options.sink.as_ref().map(|_| book.delivered);
    let (submits, receipts) = book.close();
    let submits = submits.operation(start);
    let unsent = schedule
        .planned()
        .map_or(0, |planned| planned.saturating_sub(submits.count));
    let receipts = receipts.map(|receipts| receipts.operation(start));
    let messages = receipts.as_ref().map_or(submits.ok, |counted| counted.ok);
    let mut operations = std::collections::BTreeMap::from([("submit_sm".to_owned(), submits)]);
    if let Some(receipts) = receipts {
        operations.insert("receipt".to_owned(), receipts);
    }
    Report {
        scenario: "smpp".to_owned(),
        connections: options.binds,
        rate_asked: match options.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(rate),
        },
        unsent,
        seconds,
        messages,
        delivered,
        operations,
        client_cpu_seconds: 0.0,
        client_cpu_us_per_request: 0.0,
        server_cpu_us_per_message: None,
    }
}

/// Every bind of the run, before its clock starts.
fn bind_all(options: &Options, address: SocketAddr) -> Result<Vec<(Role, bind::Bound)>> {
    let submits = if options.transmitters {
        Kind::Transmitter
    } else {
        Kind::Transceiver
    };
    let accounts: Vec<Account> = (1..=options.accounts)
        .map(|number| options.numbered(number))
        .collect();
    let own = |role, kind, count| {
        let each = accounts.iter().cycle().take(count);
        each.map(move |account| (role, account, kind))
    };
    let mut wanted: Vec<_> = own(Role::Submits, submits, options.binds).collect();
    wanted.extend(own(Role::Hears, Kind::Receiver, options.receivers));
    if let Some((sink, count)) = &options.sink {
        wanted.extend(vec![(Role::Hears, sink, Kind::Receiver); *count]);
    }
    let tls = options.tls.as_ref();
    let tls = tls.map(|(authorities, name)| wire::Tls::open(authorities, name));
    let tls = tls.transpose()?;
    let to = (address, tls.as_ref());
    let each = |(role, account, kind)| Ok((role, bind::bind(to, account, kind)?));
    wanted.into_iter().map(each).collect()
}

/// What a server holds in memory for binds that do nothing.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Idle {
    pub binds: usize,
    /// Resident memory of the server before the first bind, and with all of them, in KiB.
    pub before_kib: u64,
    pub bound_kib: u64,
    /// How long it took to bind them, one after the other.
    pub bind_seconds: f64,
}

/// Binds `options.binds` transceivers, holds them for `hold`, and looks at the server's memory.
pub fn idle(options: &Options, hold: Duration) -> Result<Idle> {
    let address = options.check()?;
    let pid = *options
        .server_pids
        .first()
        .context("whose memory? --server-pid")?;
    let before_kib = process::resident_kib(pid)?;
    let start = clock::now();
    let held = bind_all(options, address)?;
    let bind_seconds = clock::now().saturating_duration_since(start).as_secs_f64();
    std::thread::sleep(hold);
    let bound_kib = process::resident_kib(pid)?;
    Ok(Idle {
        binds: held.len(),
        before_kib,
        bound_kib,
        bind_seconds,
    })
}
