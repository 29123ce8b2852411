//! Hints between nodes by LISTEN and NOTIFY: which queues have got something, and that tables have
//! changed. They are never data: all that is lost with one is a second.
//!
//! They go out on a connection of their own, gathered for a moment: a NOTIFY inside the writers'
//! transactions would make all commits of the database wait for each other.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zajil_core::frontend::FrontendName;
use zajil_store::cluster::Hint;

use crate::conn::{Conn, Step, bind};
use crate::error::{Done, Fault};
use crate::lane::Common;
use crate::row::queue;

/// Hints of so long go out together.
const GATHER: Duration = Duration::from_millis(15);
/// A payload has fewer than 8,000 octets.
const LONGEST: usize = 7_000;
/// So many queues are named; beyond it all are meant.
const NAMED: usize = 256;
/// So many hints of others may wait for the engine; what does not fit is found by its scans.
const HEARD: usize = 1_024;
const AGAIN: Duration = Duration::from_millis(500);

/// What is to be told to others, and what they have told.
#[derive(Debug)]
pub(crate) struct Hints {
    session: i64,
    gathered: Mutex<BTreeSet<Hint>>,
    something: Notify,
    told: mpsc::Sender<Hint>,
    heard: tokio::sync::Mutex<mpsc::Receiver<Hint>>,
}

impl Hints {
    pub(crate) fn new(session: i64) -> Self {
        let (told, heard) = mpsc::channel(HEARD);
        Self {
            session,
            gathered: Mutex::default(),
            something: Notify::new(),
            told,
            heard: tokio::sync::Mutex::new(heard),
        }
    }

    fn gathered(&self) -> MutexGuard<'_, BTreeSet<Hint>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A queue has got something.
    pub(crate) fn touch(&self, queue: Option<&FrontendName>) {
        self.add(Hint::Queue(queue.cloned()));
    }

    /// Routing, policies or records have changed.
    pub(crate) fn touch_tables(&self) {
        self.add(Hint::Tables);
    }

    fn add(&self, hint: Hint) {
        let mut gathered = self.gathered();
        let first = gathered.is_empty();
        if gathered.len() < NAMED {
            gathered.insert(hint);
        } else {
            gathered.insert(Hint::Everything);
        }
        if first {
            self.something.notify_one();
        }
    }

    /// The next that another node has told; waits for it.
    pub(crate) async fn next(&self) -> Option<Hint> {
        self.heard.lock().await.recv().await
    }

    fn hear(&self, payload: &str) {
        let mut lines = payload.lines();
        if lines.next().and_then(|line| line.parse().ok()) == Some(self.session) {
            return;
        }
        for hint in lines.filter_map(read) {
            // The engine is behind: its scans find what this would have told.
            drop(self.told.try_send(hint));
        }
    }

    /// As payloads.
    fn take(&self) -> Vec<String> {
        let gathered = std::mem::take(&mut *self.gathered());
        let begin = || format!("{}\n", self.session);
        let mut payloads = Vec::new();
        let mut payload = begin();
        for hint in gathered {
            let line = match hint {
                Hint::Queue(Some(name)) => format!("q{name}\n"),
                Hint::Queue(None) => "q\n".to_owned(),
                Hint::Tables => "t\n".to_owned(),
                Hint::Everything => "*\n".to_owned(),
            };
            if payload.len() + line.len() > LONGEST {
                payloads.push(std::mem::replace(&mut payload, begin()));
            }
            payload.push_str(&line);
        }
        payloads.push(payload);
        payloads
    }
}

fn read(line: &str) -> Option<Hint> {
    match (line, line.strip_prefix('q')) {
        ("t", _) => Some(Hint::Tables),
        ("*", _) => Some(Hint::Everything),
        (_, Some(name)) => queue(name).ok().map(Hint::Queue),
        // Of a later version.
        _ => None,
    }
}

/// Tells and hears until the token is cancelled.
pub(crate) async fn serve(common: Arc<Common>, token: CancellationToken) {
    while !token.is_cancelled() {
        let talk = talk(&common);
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            ended = talk => if let Err(fault) = ended {
                tracing::debug!(error = %fault.into_error(), "no hints for now");
            }
        }
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Until the connection is lost.
async fn talk(common: &Arc<Common>) -> Done<()> {
    const TELL: &str = "SELECT pg_notify($1, $2)";
    let hints = Arc::clone(&common.hints);
    let heard = Box::new(move |_: &str, payload: &str| hints.hear(payload));
    let conn = Conn::open(&common.dial, &common.manners, Some(heard)).await?;
    let channel = format!("zajil_{}", common.manners.schema);
    conn.batch(&format!(
        "SET synchronous_commit = off; LISTEN \"{channel}\""
    ))
    .await?;
    // Whatever was told while nobody listened.
    drop(common.hints.told.try_send(Hint::Everything));
    loop {
        // Also that a dead one is noticed.
        if !tells(conn.next_look(), &common.hints.something).await {
            conn.check().await?;
            if !conn.is_open() {
                return Err(Fault::Silent("stay"));
            }
            continue;
        }
        tokio::time::sleep(GATHER).await;
        for payload in common.hints.take() {
            conn.ask(Step::new(TELL, bind![channel.clone(), payload]))
                .await?;
        }
    }
}

/// Waits for something to tell; `false` when the connection is to be looked at first, however much
/// there is to tell.
async fn tells(next_look: Instant, something: &Notify) -> bool {
    tokio::select! {
        biased;
        () = tokio::time::sleep_until(next_look) => false,
        () = something.notified() => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::LOOK;

    #[tokio::test(start_paused = true)]
    async fn s11_2_the_connection_is_looked_at_however_many_hints_there_are() {
        let hints = Hints::new(1);
        let end = Instant::now() + Duration::from_secs(60);
        let (mut next_look, mut looks, mut told) = (Instant::now() + LOOK, 0, 0);
        while Instant::now() < end {
            hints.touch_tables();
            if tells(next_look, &hints.something).await {
                hints.take();
                told += 1;
                tokio::time::advance(GATHER).await;
            } else {
                looks += 1;
                next_look = Instant::now() + LOOK;
            }
        }
        assert!((11..=12).contains(&looks), "{looks}");
        assert!(told > 3_000, "{told}");
    }

    #[tokio::test]
    async fn hints_of_others_are_heard_and_ones_own_are_not() {
        let name = FrontendName::parse("gw").unwrap();
        let (mine, other) = (Hints::new(1), Hints::new(2));
        mine.touch(Some(&name));
        mine.touch(None);
        mine.touch_tables();
        mine.touch(Some(&name));
        let payloads = mine.take();
        assert_eq!(payloads.len(), 1);
        mine.hear(&payloads[0]);
        other.hear(&payloads[0]);
        other.hear("7\nsomething of a later version\n*\n");
        let mut heard = BTreeSet::new();
        for _ in 0..4 {
            heard.extend(other.next().await);
        }
        let expected = [
            Hint::Queue(None),
            Hint::Queue(Some(name)),
            Hint::Tables,
            Hint::Everything,
        ];
        assert_eq!(heard, expected.into());
        assert!(mine.heard.lock().await.try_recv().is_err());
    }

    #[test]
    fn more_queues_than_fit_are_told_in_several_payloads_of_bounded_size() {
        let hints = Hints::new(1);
        for n in 0..2 * NAMED {
            let name = FrontendName::parse(&format!("{}{n}", "f".repeat(60)));
            hints.touch(Some(&name.unwrap()));
        }
        let payloads = hints.take();
        assert!(payloads.len() > 1);
        assert!(payloads.iter().all(|payload| payload.len() <= LONGEST));
        assert!(payloads.concat().contains("*\n"));
    }
}
