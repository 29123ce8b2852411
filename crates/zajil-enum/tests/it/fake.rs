//! A name server in the test's process: says what it is told to, and counts.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{NAPTR, NS, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record};
use zajil_core::enum_query::Lookup;
use zajil_core::port::NumberLookup as _;
use zajil_enum::{Options, Resolver};
use zajil_telemetry::Telemetry;

/// What to say about a name.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// NAPTR records `order preference flags services regexp replacement`, `-` for empty, with this
    /// time to live.
    Naptr(u32, Vec<String>),
    /// There is no such name; the zone says for how long, if it says so.
    NxDomain(Option<u32>),
    Code(ResponseCode),
    /// Ask others.
    Refers,
    Silence,
}

/// What the server says now.
type Script = Arc<Mutex<Box<dyn FnMut(&str) -> Says + Send>>>;

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    says: Script,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    pub(crate) fn start(says: impl FnMut(&str) -> Says + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (asked, stop) = (Arc::default(), Arc::default());
        let says: Script = Arc::new(Mutex::new(Box::new(says)));
        let thread = std::thread::spawn({
            let (asked, stop, says) = (Arc::clone(&asked), Arc::clone(&stop), Arc::clone(&says));
            move || serve(&socket, &asked, &stop, &says)
        });
        Self {
            address,
            asked,
            says,
            stop,
            thread: Some(thread),
        }
    }

    /// With one record for every name.
    pub(crate) fn sip(ttl: u32) -> Self {
        Self::start(move |_| sip(ttl, "gw.example"))
    }

    /// Questions so far, repeated ones included.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn say(&self, says: impl FnMut(&str) -> Says + Send + 'static) {
        *self.says.lock().unwrap() = Box::new(says);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let poke = UdpSocket::bind("127.0.0.1:0").unwrap();
        poke.send_to(&[], self.address).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(socket: &UdpSocket, asked: &AtomicUsize, stop: &AtomicBool, says: &Script) {
    let mut octets = [0; 4_096];
    loop {
        let (length, from) = socket.recv_from(&mut octets).unwrap();
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let question = Message::from_vec(&octets[..length]).unwrap();
        asked.fetch_add(1, Ordering::SeqCst);
        let name = question.queries[0].name().clone();
        let text = name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let said = (says.lock().unwrap())(&text);
        if let Some(reply) = reply(question, &name, said) {
            // The client may have gone.
            drop(socket.send_to(&reply.to_vec().unwrap(), from));
        }
    }
}

fn reply(question: Message, name: &Name, said: Says) -> Option<Message> {
    let mut reply = question.into_response();
    reply.additionals.clear();
    match said {
        Says::Naptr(ttl, lines) => {
            for line in lines {
                let data = RData::NAPTR(record(&line));
                reply.add_answer(Record::from_rdata(name.clone(), ttl, data));
            }
        }
        Says::NxDomain(ttl) => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            if let Some(ttl) = ttl {
                let zone = Name::from_ascii("example.").unwrap();
                let soa = SOA::new(zone.clone(), zone.clone(), 1, 1, 1, 1, ttl);
                reply.add_authority(Record::from_rdata(zone, ttl, RData::SOA(soa)));
            }
        }
        Says::Code(code) => reply.metadata.response_code = code,
        Says::Refers => {
            let other = NS(Name::from_ascii("ns.example.").unwrap());
            reply.add_authority(Record::from_rdata(name.clone(), 60, RData::NS(other)));
        }
        Says::Silence => return None,
    }
    Some(reply)
}

fn record(line: &str) -> NAPTR {
    let parts: Vec<&str> = line.split_whitespace().collect();
    let text = |n: usize| {
        if parts[n] == "-" { "" } else { parts[n] }
            .as_bytes()
            .into()
    };
    let (order, preference) = (parts[0].parse().unwrap(), parts[1].parse().unwrap());
    let next = Name::from_ascii(parts[5]).unwrap();
    NAPTR::new(order, preference, text(2), text(3), text(4), next)
}

/// A record for a SIP host.
pub(crate) fn sip(ttl: u32, host: &str) -> Says {
    Says::Naptr(
        ttl,
        vec![format!("1 1 u E2U+sip !^(.*)$!sip:\\1@{host}! .")],
    )
}

/// Options with a short time limit, for tests that wait for it.
pub(crate) fn options(servers: &[&Fake]) -> Options {
    let addresses = servers.iter().map(|server| server.address).collect();
    let mut options = Options::new(vec!["e164.example".to_owned()], addresses);
    options.timeout = Duration::from_secs(2);
    options
}

pub(crate) fn resolver(options: Options) -> Resolver {
    Resolver::new(options, Arc::new(Telemetry::new().unwrap())).unwrap()
}

/// The domain found, or `absent`, or what failed.
pub(crate) async fn ask(resolver: &Resolver, number: &str) -> String {
    match resolver.lookup(number).await {
        Lookup::Found(found) => found.domain.clone().unwrap_or_else(|| found.uri.clone()),
        Lookup::Absent => "absent".to_owned(),
        Lookup::Failed(why) => format!("failed: {why}"),
    }
}

/// Lets time pass for timers, as if it had.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
