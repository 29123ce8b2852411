//! What gateways of the field make of every answer that a submit may get from us (D18): what may
//! succeed later is submitted again, what may not is not, and both know which it was.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use serde_json::json;
use smpp_codec::pdu::{BindResp, SmResp};
use smpp_codec::session::Side;
use smpp_codec::text::Text;
use smpp_codec::{Header, Pdu, Status};
use tokio::net::TcpListener;
use zajil_core::outcome::Reason;
use zajil_smpp::link::{self, Answer, Handler, Link, Reaction};
use zajil_smpp::status;

use super::jasmin::{Jasmin, parameters, python};
use super::quoted;
use crate::receipts::{Kannel, PATIENCE, is_slow, sink, sink_saying, wait_for};
use crate::server::Server;

/// Submits to numbers that begin so are refused each time, and to those the first time.
const ALWAYS: &str = "461";
const ONCE: &str = "462";
/// And those are taken.
const LAST: &str = "4639";

/// Every answer to a submit that is none of success.
fn statuses() -> Vec<Status> {
    let mut all: Vec<Status> = Reason::ALL.into_iter().map(status::of).collect();
    // A sender that the account may not use, and what is no number.
    all.extend([Status::RINVSRCADR, Status::RINVDSTADR]);
    all.sort_by_key(|status| status.0);
    all.dedup();
    all
}

fn is_temporary(status: Status) -> bool {
    let of = |reason: &Reason| status::of(*reason) == status;
    let mut reasons = Reason::ALL.into_iter().filter(of);
    reasons.any(|reason| reason.is_retryable() || reason == Reason::Internal)
}

/// The submits to each number.
type Submits = Arc<Mutex<BTreeMap<String, usize>>>;

/// A message centre that answers as the number says: its last two digits name the answer.
struct Centre(Submits);

impl Handler for Centre {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        let sm = match pdu {
            Pdu::BindTransceiver(_) => {
                let response = BindResp::default();
                return Reaction::Now(Answer::done(Pdu::BindTransceiverResp(response)));
            }
            Pdu::SubmitSm(sm) => sm,
            _ => return Reaction::Now(Answer::refusal(header, Status::RINVCMDID)),
        };
        let to = sm.destination_addr.value.to_str().into_owned();
        let mut submits = self.0.lock().unwrap();
        let count = submits.entry(to.clone()).or_default();
        *count += 1;
        let refuses = to.starts_with(ALWAYS) || to.starts_with(ONCE) && *count == 1;
        if refuses {
            let which: usize = to.get(to.len() - 2..).unwrap().parse().unwrap();
            return Reaction::Now(Answer::refusal(header, statuses()[which]));
        }
        Reaction::Now(Answer::done(Pdu::SubmitSmResp(SmResp {
            message_id: Text::new(format!("{to}{count}")).unwrap(),
            ..SmResp::default()
        })))
    }
}

impl Centre {
    /// Where it listens, and what it was sent.
    #[expect(clippy::disallowed_methods, reason = "a test ends with its runtime")]
    async fn listen() -> (String, Submits) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let submits = Submits::default();
        let told = Arc::clone(&submits);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (link, _) = Link::new(link::Options::new(Side::Centre));
                tokio::spawn(link.run(stream, Self(Arc::clone(&told))));
            }
        });
        (address, submits)
    }
}

/// A number that gets this answer.
fn number(begins: &str, which: usize) -> String {
    format!("{begins}00000{which:02}")
}

fn count(submits: &Submits, number: &str) -> usize {
    submits.lock().unwrap().get(number).copied().unwrap_or(0)
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// The answers that Jasmin calls back with, by number, once each.
fn called_back(heard: &Receiver<String>, so_many: usize) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    while told.len() < so_many {
        let path = heard.recv_timeout(PATIENCE);
        let path = path.unwrap_or_else(|_| panic!("{so_many} are wanted: {told:?}"));
        let to = path.split(['/', '?']).nth(1).unwrap().to_owned();
        let status = parameters(&path)["message_status"].to_owned();
        assert_eq!(told.insert(to, status), None, "{path}");
    }
    told
}

/// What Jasmin calls back with; it has no word for statuses of vendors, and stays silent.
fn of_jasmin(status: Status) -> Option<String> {
    let of_vendor = matches!(status, status::NO_CREDIT | status::BARRED);
    (!of_vendor).then(|| status.to_string())
}

/// Jasmin tries again as often as it is set up to, one after the other, and calls back with what it
/// was answered first.
#[test]
fn d18_jasmin_tries_again_what_may_succeed_and_nothing_else() {
    let Some(python) = python("d18_jasmin_tries_again_what_may_succeed_and_nothing_else") else {
        return;
    };
    let runtime = runtime();
    let (address, submits) = runtime.block_on(Centre::listen());
    let (sink, heard) = sink_saying("ACK/Jasmin");
    let mut jasmin = Jasmin::start(&python);
    jasmin.binds("centre", &address);
    jasmin.user("user", "centre");
    let send = |to: &str| {
        let url = quoted(format!("http://127.0.0.1:{sink}/{to}").as_bytes());
        let dlr = format!("dlr=yes&dlr-level=1&dlr-method=GET&dlr-url={url}");
        jasmin.sends("user", &format!("from=SHOP&to={to}&content=hi&{dlr}"));
    };
    let mut says = 1;
    for (which, status) in statuses().into_iter().enumerate() {
        send(&number(ALWAYS, which));
        says += usize::from(of_jasmin(status).is_some());
        if is_temporary(status) {
            send(&number(ONCE, which));
            says += 1;
        }
    }
    send(LAST);
    let told = called_back(&heard, says);
    // It comes after all others.
    wait_for(|| (count(&submits, LAST) > 0).then_some(()));
    for (which, status) in statuses().into_iter().enumerate() {
        let (always, once) = (number(ALWAYS, which), number(ONCE, which));
        assert_eq!(told.get(&always), of_jasmin(status).as_ref());
        // As often as it is set up to: five times when it is throttled, else twice.
        let tries = match status {
            Status::RTHROTTLED => 5,
            status if is_temporary(status) => 2,
            _ => 1,
        };
        assert_eq!(count(&submits, &always), tries, "{status}");
        if is_temporary(status) {
            assert_eq!(count(&submits, &once), 2, "{status}");
        }
    }
    assert_eq!(count(&submits, LAST), 1);
    drop(jasmin);
}

/// Kannel tries again without an end; each time may be the one that succeeds. What may not is not
/// tried again, and it knows that.
#[test]
fn d18_kannel_tries_again_what_may_succeed_and_nothing_else() {
    const TEST: &str = "d18_kannel_tries_again_what_may_succeed_and_nothing_else";
    if !is_slow(TEST) || !Kannel::is_there(TEST) {
        return;
    }
    let runtime = runtime();
    let (address, submits) = runtime.block_on(Centre::listen());
    let (sink, heard) = sink();
    let directory = tempfile::tempdir().unwrap();
    let kannel = Kannel::start(directory.path(), &address, sink);
    let send = |to: &str| {
        let url = quoted(format!("http://127.0.0.1:{sink}/{to}?type=%d").as_bytes());
        kannel.sends(&format!(
            "from=SHOP&to=%2B{to}&text=hi&dlr-mask=31&dlr-url={url}"
        ));
    };
    let mut wanted = BTreeMap::new();
    for (which, status) in statuses().into_iter().enumerate() {
        let begins = if is_temporary(status) { ONCE } else { ALWAYS };
        let to = number(begins, which);
        send(&to);
        // 8: the centre has taken it; 16: it has refused it.
        let kind = if is_temporary(status) { "8" } else { "16" };
        wanted.insert(
            to,
            (kind.to_owned(), if is_temporary(status) { 2 } else { 1 }),
        );
    }
    let mut got = BTreeMap::new();
    while got.len() < wanted.len() {
        let path = heard.recv_timeout(PATIENCE).unwrap();
        let to = path.split(['/', '?']).nth(1).unwrap().to_owned();
        let kind = parameters(&path)["type"].to_owned();
        let tries = count(&submits, &to);
        assert_eq!(got.insert(to, (kind, tries)), None, "{path}");
    }
    assert_eq!(got, wanted);
    // Those that were tried again have had their turn, and no other had one with them.
    for (to, (_, tries)) in wanted {
        assert_eq!(count(&submits, &to), tries, "{to}");
    }
    drop(kannel);
}

/// The real thing: of more than the account may submit in a second, Jasmin gets each in, and what
/// the account may never submit it gives up at once.
#[test]
fn d18_jasmin_gets_all_into_an_account_that_throttles() {
    let Some(python) = python("d18_jasmin_gets_all_into_an_account_that_throttles") else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    let account = json!({
        "system_id": "shop", "password": "secret08", "messages_per_second": 1, "senders": ["SHOP"],
    });
    let (status, answer) = client.call("POST", "/api/smpp/accounts", &account);
    assert_eq!(status, 201, "{answer}");
    let (sink, heard) = sink_saying("ACK/Jasmin");
    let mut jasmin = Jasmin::start(&python);
    jasmin.binds("zajil", &server.smpp);
    jasmin.user("user", "zajil");
    let send = |from: &str, to: &str| {
        let url = quoted(format!("http://127.0.0.1:{sink}/{to}").as_bytes());
        let dlr = format!("dlr=yes&dlr-level=1&dlr-method=GET&dlr-url={url}");
        jasmin.sends("user", &format!("from={from}&to={to}&content=hi&{dlr}"));
    };
    send("OTHER", "461000");
    for to in 0..8 {
        send("SHOP", &format!("46200{to}"));
    }
    let told = called_back(&heard, 9);
    assert_eq!(told["461000"], "ESME_RINVSRCADR");
    assert!(
        told.values().any(|said| said == "ESME_RTHROTTLED"),
        "{told:?}"
    );
    let come = wait_for(|| {
        let path = "/api/messages?status=pending";
        let (_, list) = client.call("GET", path, &serde_json::Value::Null);
        let all = list["data"].as_array().unwrap().clone();
        (all.len() >= 8).then_some(all)
    });
    let mut numbers: Vec<&str> = Vec::new();
    for message in &come {
        numbers.push(message["destination_msisdn"].as_str().unwrap());
    }
    numbers.sort_unstable();
    let wanted: Vec<String> = (0..8).map(|to| format!("+46200{to}")).collect();
    assert_eq!(numbers, wanted);
    drop(jasmin);
    assert_eq!(server.stop(), Some(0));
}
