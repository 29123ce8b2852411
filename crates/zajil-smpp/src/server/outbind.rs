//! `outbind`: where something waits for an application that is not bound, we connect to it, and it
//! binds on that connection (3.4, 2.2.1 and 4.1.7; 5.0, 4.1.1.7).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use smpp_codec::Pdu;
use smpp_codec::pdu::Outbind as Call;
use smpp_codec::text::Text;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use zajil_core::frontend::{FrontendName, FrontendType};
use zajil_core::offer::Asker;
use zajil_core::port::Ask;
use zajil_core::smpp::Account;
use zajil_core::smpp::outbind::Outbind;
use zajil_store::Error;

use super::Server;
use crate::accounts::Peer;
use crate::backoff::Backoff;
use crate::dial::dial;

/// So soon what waits for an application that is called is seen.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long is waited between two calls of an application, at first and at last.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);

/// What became of a call: how long its session lasted, where it was bound.
type Ended = Option<Duration>;

/// How it goes with an application that is called.
#[derive(Debug)]
struct Called {
    /// Where.
    at: Outbind,
    backoff: Backoff,
    /// Not called again before.
    after: Instant,
    /// The call that is under way.
    under_way: Option<task::Id>,
}

impl Called {
    fn not_yet(at: Outbind) -> Self {
        Self {
            at,
            backoff: Backoff::new(SOONEST, LATEST),
            after: Instant::now(),
            under_way: None,
        }
    }
}

/// Everybody who is called, by account.
type All = HashMap<FrontendName, Called>;

impl Server {
    /// Calls applications that something waits for, until `stop`; then takes leave of them.
    pub async fn call(self: Arc<Self>, stop: CancellationToken) {
        let mut all = All::new();
        let mut calls = JoinSet::new();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = calls.join_next_with_id() => self.hung_up(ended, &mut all),
                _ = ticks.tick() => self.look_who_waits(&mut all, &mut calls, &stop).await,
            }
        }
        let leaving = async { while calls.join_next().await.is_some() {} };
        self.within_leave(leaving).await;
    }

    fn hung_up(&self, ended: Result<(task::Id, Ended), JoinError>, all: &mut All) {
        let (id, lasted) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let id = error.id();
                self.ended(Err(error));
                (id, None)
            }
        };
        let Some(called) = all.values_mut().find(|one| one.under_way == Some(id)) else {
            return;
        };
        called.under_way = None;
        if let Some(lasted) = lasted {
            called.backoff.held(lasted);
        }
        called.after = Instant::now() + called.backoff.wait(self.parts.dice.roll());
    }

    async fn look_who_waits(
        self: &Arc<Self>,
        all: &mut All,
        calls: &mut JoinSet<Ended>,
        stop: &CancellationToken,
    ) {
        if self.parts.control.is_draining() {
            return;
        }
        let accounts = self.parts.accounts.called();
        let names: HashSet<_> = accounts.iter().map(|account| &account.system_id).collect();
        let mut elsewhere = None;
        all.retain(|name, called| called.under_way.is_some() || names.contains(name));
        for account in &accounts {
            if stop.is_cancelled() {
                return;
            }
            let Some(outbind) = account.outbind.clone() else {
                continue;
            };
            let called = all.entry(account.system_id.clone());
            let called = called.or_insert_with(|| Called::not_yet(outbind.clone()));
            if called.at != outbind && called.under_way.is_none() {
                // That it failed elsewhere says nothing of this.
                *called = Called::not_yet(outbind.clone());
            }
            let may = called.under_way.is_none() && called.after <= Instant::now();
            if !may || !self.wants(account) {
                continue;
            }
            match self.waits_for(account, &mut elsewhere).await {
                Some(true) => {
                    let (server, stop) = (Arc::clone(self), stop.clone());
                    let call = server.call_one(Arc::clone(account), outbind, stop);
                    called.under_way = Some(calls.spawn(call).id());
                }
                // Whoever was called before has fetched what there was, or is bound elsewhere and
                // fetches it there.
                Some(false) => called.backoff.begin_again(),
                None => {}
            }
        }
    }

    /// Whether an account would be delivered to if it were bound, and is not.
    fn wants(&self, account: &Account) -> bool {
        let name = &account.system_id;
        let in_time = account.expires.is_none_or(|at| at > self.parts.clock.now());
        let receives = account.bind_types.iter().any(|kind| kind.receives());
        account.enabled
            && in_time
            && receives
            && !self.roster.receives(name)
            && self.parts.control.pause(name).is_none()
    }

    /// Whether a message or receipt is due for an account that is bound to no other node, as far as
    /// is known; `elsewhere` is who is, once a look has asked. Takes nothing; none when the store
    /// cannot say.
    async fn waits_for(
        &self,
        account: &Account,
        elsewhere: &mut Option<HashSet<FrontendName>>,
    ) -> Option<bool> {
        let (name, now) = (&account.system_id, self.parts.clock.now());
        let ask = Ask {
            asker: Asker {
                name: name.clone(),
                include_unrouted: false,
            },
            limit: 1,
            lease: None,
            wait: None,
        };
        // The store tells of its own troubles.
        let store = &self.parts.store;
        let is_due = !self.parts.desk.offer(ask).await.ok()?.is_empty()
            || store.receipts_due(name.clone(), now).await.ok()?;
        if !is_due {
            return Some(false);
        }
        let elsewhere = match elsewhere {
            Some(known) => known,
            None => elsewhere.insert(self.bound_elsewhere().await.ok()?),
        };
        Some(!elsewhere.contains(name))
    }

    /// Who is bound to other nodes: each says so every 30 s.
    async fn bound_elsewhere(&self) -> Result<HashSet<FrontendName>, Error> {
        let now = self.parts.clock.now();
        let here = self.options.node.as_str();
        let all = self.parts.store.frontends().await?.into_iter();
        let all = all.filter(|presence| presence.is_active(now));
        let all = all.map(|presence| presence.registration);
        let elsewhere = all.filter(|one| {
            let node = one.hostname.as_deref();
            one.kind == FrontendType::Smpp && node.is_some_and(|node| node != here)
        });
        Ok(elsewhere.map(|one| one.name).collect())
    }

    /// One call, from the connection to its end.
    async fn call_one(
        self: Arc<Self>,
        account: Arc<Account>,
        outbind: Outbind,
        stop: CancellationToken,
    ) -> Ended {
        let (name, host) = (&account.system_id, &outbind.host);
        let tls = outbind.tls(account.require_tls);
        let dialling = async {
            // The semaphore is never closed, so there always is a turn.
            let _turn = self.dialling.acquire().await.ok();
            dial(&tls, host).await
        };
        let dialled = tokio::select! {
            () = stop.cancelled() => return None,
            dialled = dialling => dialled,
        };
        let (stream, peer) = match dialled {
            Ok(dialled) => dialled,
            Err(error) => {
                tracing::warn!(account = %name, %host, %error, "an application is not reached");
                self.outbound("unreached");
                return None;
            }
        };
        // Those who come by themselves go first.
        let Ok(_slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            tracing::warn!(account = %name, "no room for one more SMPP connection");
            self.outbound("no_room");
            return None;
        };
        tracing::info!(account = %name, %host, "an application is asked to bind");
        let from = Peer {
            address: peer.ip(),
            secured: account.require_tls,
        };
        let began = Instant::now();
        let call = (name.clone(), self.invitation(&outbind));
        let kind = self.session((stream, from), Some(call), stop).await;
        self.outbound(if kind.is_some() { "bound" } else { "not_bound" });
        kind.map(|_| began.elapsed())
    }

    fn invitation(&self, outbind: &Outbind) -> Pdu {
        let password = outbind.password.as_ref();
        let password = password.map_or("", |password| password.reveal());
        Pdu::Outbind(Call {
            system_id: Text::until_zero(self.options.system_id.clone()),
            password: Text::until_zero(password.to_owned()),
            ..Call::default()
        })
    }

    fn outbound(&self, outcome: &str) {
        let outbinds = &self.parts.telemetry.metrics.smpp_outbinds;
        outbinds.with_label_values(&[outcome]).inc();
    }
}
