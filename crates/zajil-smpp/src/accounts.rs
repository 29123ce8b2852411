//! Who may bind, and who is bound.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use smpp_codec::Status;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::smpp::{Account, BindType};

use crate::link::Handle;

/// Finds accounts. Asked at every bind, so it answers from memory.
pub trait Accounts: Send + Sync + fmt::Debug {
    /// The account of this `system_id`, as it is now.
    fn find(&self, system_id: &str) -> Option<Arc<Account>>;

    /// Whether there is one that is not found since it cannot be read: nobody binds as it, and who
    /// is bound stays.
    fn is_unreadable(&self, system_id: &str) -> bool;

    /// The accounts that are called when something waits for them (`outbind`). Asked every two
    /// seconds, so it answers from memory.
    fn called(&self) -> Vec<Arc<Account>>;
}

/// Where somebody comes from, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub address: IpAddr,
    /// Whether it came over TLS.
    pub secured: bool,
}

/// Whether an account may bind in this way from there, its password and the number of its
/// sessions aside.
///
/// # Errors
/// What the answer says.
pub fn admit(account: &Account, kind: BindType, from: Peer, now: Timestamp) -> Result<(), Status> {
    let here = account.networks.is_empty()
        || account
            .networks
            .iter()
            .any(|network| network.holds(from.address));
    let in_time = account.expires.is_none_or(|until| until > now);
    let secured = from.secured || !account.require_tls;
    if account.enabled && secured && in_time && here && account.bind_types.contains(&kind) {
        Ok(())
    } else {
        Err(Status::RBINDFAIL)
    }
}

/// Passwords that were found right, so that the next bind need not hash them again. What is kept is
/// a digest of hash and password; a new password changes the hash, so the old one is forgotten.
#[derive(Debug)]
pub(crate) struct Verified {
    known: Mutex<HashMap<FrontendName, [u8; 32]>>,
    /// Hashing takes a core for some tens of milliseconds: no more of them at a time than this.
    hashing: Semaphore,
}

const HASHING_AT_ONCE: usize = 2;
/// More accounts than this have to hash again.
const MOST_KNOWN: usize = 100_000;

impl Default for Verified {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            hashing: Semaphore::new(HASHING_AT_ONCE),
        }
    }
}

impl Verified {
    pub(crate) async fn is_right(&self, account: &Arc<Account>, password: &[u8]) -> bool {
        let mut digest = Sha256::new();
        digest.update(account.password.as_str());
        digest.update(b"\0");
        digest.update(password);
        let digest: [u8; 32] = digest.finalize().into();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known().get(&account.system_id) == Some(&digest) {
            return true;
        }
        let Ok(_turn) = self.hashing.acquire().await else {
            return false;
        };
        let (hashed, password) = (account.password.clone(), password.to_vec());
        let right = tokio::task::spawn_blocking(move || hashed.is_of(&password)).await;
        let right = right.unwrap_or(false);
        if right {
            let mut known = known();
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(account.system_id.clone(), digest);
        }
        right
    }
}

/// One session that is bound.
#[derive(Debug, Clone)]
pub(crate) struct Bind {
    pub(crate) number: u64,
    pub(crate) handle: Handle,
    /// Whether it is delivered to.
    pub(crate) receives: bool,
    /// Whether it can be alerted once it is open: it receives, and its version knows alerts.
    pub(crate) is_alerted: bool,
    /// Whether its bind was answered.
    pub(crate) is_open: bool,
}

/// An account's sessions, and how much it has submitted of late.
#[derive(Debug, Default)]
struct Seats {
    binds: Vec<Bind>,
    bucket: Option<Bucket>,
    searching: Option<Arc<Semaphore>>,
}

/// Who is bound, by account.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    seats: Mutex<HashMap<FrontendName, Seats>>,
}

impl Roster {
    fn with<T>(&self, name: &FrontendName, change: impl FnOnce(&mut Seats) -> T) -> T {
        let mut all = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seats = all.entry(name.clone()).or_default();
        let answer = change(seats);
        // Who leaves and comes back has no more than its rate: that is remembered of every account
        // that has one.
        if seats.binds.is_empty() && seats.bucket.is_none() {
            all.remove(name);
        }
        answer
    }

    /// Takes a session in, unless there are as many as the account may have: then answers the
    /// oldest, which may be dead without our knowing.
    pub(crate) fn enter(&self, account: &Account, bind: Bind) -> Result<(), Bind> {
        let most = usize::try_from(account.max_binds.get()).unwrap_or(usize::MAX);
        self.with(&account.system_id, |seats| {
            seats.binds.retain(|bind| !bind.handle.is_leaving());
            match seats.binds.first() {
                Some(oldest) if seats.binds.len() >= most => Err(oldest.clone()),
                _ => {
                    seats.binds.push(bind);
                    Ok(())
                }
            }
        })
    }

    /// The bind of a session was answered.
    pub(crate) fn open(&self, name: &FrontendName, number: u64) {
        self.with(name, |seats| {
            let seat = seats.binds.iter_mut().find(|bind| bind.number == number);
            if let Some(seat) = seat {
                seat.is_open = true;
            }
        });
    }

    /// The newest session of the account that can be alerted: the oldest may be dead without our
    /// knowing.
    pub(crate) fn alerted(&self, name: &FrontendName) -> Option<Handle> {
        self.with(name, |seats| {
            let here = |bind: &&Bind| bind.is_alerted && bind.is_open && !bind.handle.is_leaving();
            seats
                .binds
                .iter()
                .rev()
                .find(here)
                .map(|bind| bind.handle.clone())
        })
    }

    /// Whether a session of the account is delivered to.
    pub(crate) fn receives(&self, name: &FrontendName) -> bool {
        self.with(name, |seats| {
            let here = |bind: &Bind| bind.receives && !bind.handle.is_leaving();
            seats.binds.iter().any(here)
        })
    }

    pub(crate) fn leave(&self, name: &FrontendName, number: u64) {
        self.with(name, |seats| {
            seats.binds.retain(|bind| bind.number != number)
        });
    }

    /// The account's turn to search what waits.
    pub(crate) fn search(&self, name: &FrontendName) -> Arc<Semaphore> {
        self.with(name, |seats| {
            let turn = seats
                .searching
                .get_or_insert_with(|| Semaphore::new(1).into());
            Arc::clone(turn)
        })
    }

    /// Whether the account may submit one more message now.
    pub(crate) fn may_submit(&self, account: &Account, now: Instant) -> bool {
        let Some(rate) = account.rate else {
            return true;
        };
        self.with(&account.system_id, |seats| {
            let bucket = seats
                .bucket
                .get_or_insert_with(|| Bucket::full(rate.get(), now));
            bucket.take(rate.get(), now)
        })
    }
}

/// Lets a rate through, with a burst of one second.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// A token is a thousand of them.
    thousandths: u64,
    filled: Instant,
}

impl Bucket {
    fn full(rate: u32, now: Instant) -> Self {
        Self {
            thousandths: u64::from(rate) * 1_000,
            filled: now,
        }
    }

    fn take(&mut self, rate: u32, now: Instant) -> bool {
        let rate = u64::from(rate);
        let passed = u64::try_from((now - self.filled).as_millis()).unwrap_or(u64::MAX);
        if passed > 0 {
            let grown = self.thousandths.saturating_add(passed.saturating_mul(rate));
            self.thousandths = grown.min(rate * 1_000);
            self.filled = now;
        }
        let enough = self.thousandths >= 1_000;
        if enough {
            self.thousandths -= 1_000;
        }
        enough
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use smpp_codec::session::Side;
    use zajil_core::smpp::password::Hashed;
    use zajil_core::smpp::{DefaultAlphabet, IdForm, LongText};

    use super::*;
    use crate::link::{self, Link};

    /// An account that may do anything.
    pub(crate) fn account(alphabet: DefaultAlphabet) -> Account {
        Account {
            system_id: FrontendName::parse("shop").unwrap(),
            password: Hashed::new(b"secret08", [1; 16]),
            enabled: true,
            expires: None,
            bind_types: BindType::ALL.to_vec(),
            max_binds: NonZeroU32::MIN,
            networks: Vec::new(),
            require_tls: false,
            senders: Vec::new(),
            forced_sender: None,
            rate: None,
            window: NonZeroU32::MIN,
            alphabet,
            long_text: LongText::Udh,
            idempotent: false,
            by_address: false,
            response_ids: IdForm::Decimal,
            receipt_ids: IdForm::Decimal,
            outbind: None,
        }
    }

    /// The oldest may be dead without our knowing, and one whose bind was not answered is not told.
    #[test]
    fn the_newest_session_that_is_open_is_alerted() {
        let (roster, mut account) = (Roster::default(), account(DefaultAlphabet::Gsm7));
        account.max_binds = NonZeroU32::new(4).unwrap();
        let name = &account.system_id;
        let mut handles = Vec::new();
        for number in 0..4 {
            let (_, handle) = Link::new(link::Options::new(Side::Centre));
            handles.push(handle.clone());
            let seat = Bind {
                number,
                handle,
                receives: true,
                is_alerted: number != 3,
                is_open: false,
            };
            roster.enter(&account, seat).unwrap();
        }
        assert!(roster.alerted(name).is_none());
        for number in [0, 1, 3] {
            roster.open(name, number);
        }
        // Who is leaving is none any more.
        let is = |number: usize| {
            roster.alerted(name).unwrap().leave();
            handles[number].is_leaving()
        };
        assert!(is(1));
        assert!(is(0));
        assert!(roster.alerted(name).is_none());
        assert!(!handles[2].is_leaving() && !handles[3].is_leaving());
    }

    /// Whoever binds anew for each burst would submit as much as it likes.
    #[tokio::test]
    async fn a_new_session_is_no_new_burst() {
        let (roster, mut account) = (Roster::default(), account(DefaultAlphabet::Gsm7));
        account.rate = NonZeroU32::new(3);
        let now = Instant::now();
        let mut taken = 0;
        for number in 0..5 {
            let (_, handle) = Link::new(link::Options::new(Side::Centre));
            let seat = Bind {
                number,
                handle,
                receives: false,
                is_alerted: false,
                is_open: true,
            };
            roster.enter(&account, seat).unwrap();
            taken += (0..5).filter(|_| roster.may_submit(&account, now)).count();
            roster.leave(&account.system_id, number);
        }
        assert_eq!(taken, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_lets_its_rate_through_with_a_burst_of_a_second() {
        let mut now = Instant::now();
        let mut bucket = Bucket::full(10, now);
        let mut taken = |now, tries: u32| (0..tries).filter(|_| bucket.take(10, now)).count();
        assert_eq!(taken(now, 50), 10);
        now += Duration::from_millis(350);
        assert_eq!(taken(now, 50), 3);
        now += Duration::from_secs(60);
        assert_eq!(taken(now, 50), 10);
    }
}
