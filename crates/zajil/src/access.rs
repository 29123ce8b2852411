//! What keeps the door's guard up to date: keys, certificates, and the end of old audit entries.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use zajil_api::{Access, AccessOptions, Mode};
use zajil_core::clock::{Clock, Timestamp};
use zajil_engine::tasks::Tasks;
use zajil_store::Store;
use zajil_store::shelf::Kind;
use zajil_telemetry::Telemetry;

use crate::config::{Api, Config};
use crate::issuer::Issuer;
use crate::tls::Certificates;

/// How often the store is asked whether keys have changed.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// How often it is written down when keys were last used.
const WRITE_USES_EVERY: Duration = Duration::from_secs(60);
/// How often old records are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);
/// Records that one transaction removes.
const PURGED_AT_ONCE: u32 = 1_000;
/// How often the files of the certificate are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// From so many days before its end a certificate is warned of, once a day.
const WARN_DAYS: i64 = 14;
const DAY_SECS: i64 = 24 * 60 * 60;

/// The guard of the door, with the keys that are in the store.
pub(crate) async fn open(config: &Config, store: &dyn Store) -> anyhow::Result<Arc<Access>> {
    let api = &config.api;
    let access = Access::new(AccessOptions {
        mode: api.mode(),
        networks: api.allowed_networks.clone(),
        limits: api.limits(),
        tokens: config.oidc.as_ref().map(|oidc| oidc.rules.clone()),
    });
    access.refresh(store).await.context("API keys")?;
    let nobody = access.has_no_keys() && config.oidc.is_none();
    if access.mode() == Mode::Required && nobody {
        if config.store.shared.is_some() {
            tracing::warn!(
                "there is no API key yet, so nobody can call: make one with 'zajil key create \
                 --config FILE --scope admin --name NAME', with the store.url of this node"
            );
        } else {
            tracing::warn!(
                "there is no API key yet, so nobody can call: stop the server, make one with \
                 'zajil key create --data DIR --scope admin --name NAME', and start again"
            );
        }
    }
    Ok(Arc::new(access))
}

/// The certificate of the listener, if it has one.
pub(crate) fn certificates(
    config: &Api,
    telemetry: &Telemetry,
) -> anyhow::Result<Option<Arc<Certificates>>> {
    let Some(files) = config.tls.clone() else {
        return Ok(None);
    };
    let certificates = Certificates::open(files).context("certificate of the API")?;
    telemetry
        .metrics
        .show_certificate(certificates.current().days_left());
    Ok(Some(Arc::new(certificates)))
}

/// Starts what renews the keys of the guard, and removes what is old from the shelf: audit entries
/// by their own setting, multimedia messages and SS7 events as event logs (S8).
pub(crate) fn keep(
    tasks: &mut Tasks,
    access: &Arc<Access>,
    (audit, events): (Duration, Duration),
    (store, clock): (&Arc<dyn Store>, &Arc<dyn Clock>),
) {
    let keeper = Keeper {
        access: Arc::clone(access),
        store: Arc::clone(store),
        clock: Arc::clone(clock),
        kept: [
            (Kind::Audit, audit),
            (Kind::Mms, events),
            (Kind::Ss7Event, events),
        ],
    };
    tasks.spawn("keep keys", move |token| keeper.clone().run(token));
}

/// Starts what fetches the key set of the token issuer, if tokens are taken.
pub(crate) fn follow(tasks: &mut Tasks, access: &Arc<Access>, issuer: Option<Arc<Issuer>>) {
    let Some(issuer) = issuer.filter(|_| access.mode() == Mode::Required) else {
        return;
    };
    let access = Arc::clone(access);
    tasks.spawn("token issuer", move |token| {
        Arc::clone(&issuer).keep(Arc::clone(&access), token)
    });
}

/// Starts what looks after the certificate, if there is one.
pub(crate) fn watch(
    tasks: &mut Tasks,
    certificates: Option<&Arc<Certificates>>,
    telemetry: &Arc<Telemetry>,
) {
    let Some(certificates) = certificates else {
        return;
    };
    let watcher = Watcher {
        certificates: Arc::clone(certificates),
        telemetry: Arc::clone(telemetry),
    };
    tasks.spawn("watch certificates", move |token| {
        watcher.clone().run(token)
    });
}

/// Renews what the guard knows, and writes down what it has learnt.
#[derive(Debug, Clone)]
struct Keeper {
    access: Arc<Access>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// How long after they were last written records are kept.
    kept: [(Kind, Duration); 3],
}

impl Keeper {
    /// Works until the token is cancelled.
    async fn run(self, token: CancellationToken) {
        let mut refresh = tokio::time::interval(REFRESH_EVERY);
        let mut uses = tokio::time::interval(WRITE_USES_EVERY);
        let mut purge = tokio::time::interval(PURGE_EVERY);
        for ticks in [&mut refresh, &mut uses, &mut purge] {
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        let mut well = true;
        loop {
            let done = tokio::select! {
                biased;
                () = token.cancelled() => break,
                _ = purge.tick() => self.purge().await,
                _ = uses.tick() => self.access.write_uses(&*self.store, self.clock.now()).await,
                _ = refresh.tick() => self.access.refresh(&*self.store).await,
            };
            // Told of once: the store has its own ways to say how it is.
            if let (Err(error), true) = (&done, well) {
                tracing::warn!(%error, "API keys are as they were: the store does not answer");
            }
            well = done.is_ok();
        }
        if let Err(error) = self.access.write_uses(&*self.store, self.clock.now()).await {
            tracing::debug!(%error, "the last uses of keys were not written down");
        }
    }

    async fn purge(&self) -> Result<(), zajil_store::Error> {
        for (kind, kept) in self.kept {
            let before = self.clock.now().minus(kept);
            if before == Timestamp::EPOCH {
                continue;
            }
            // What is left goes the next time: a bound on how long this holds up the rest.
            for _ in 0..100 {
                let purge = self.store.purge_shelf(kind, before, PURGED_AT_ONCE);
                if purge.await? < u64::from(PURGED_AT_ONCE) {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Looks after the certificate's files.
#[derive(Debug, Clone)]
struct Watcher {
    certificates: Arc<Certificates>,
    telemetry: Arc<Telemetry>,
}

impl Watcher {
    /// Looks every few seconds and at each SIGHUP, until the token is cancelled.
    async fn run(self, token: CancellationToken) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => Some(hangup),
            Err(error) => {
                tracing::warn!(%error, "certificates are not read again at SIGHUP, but by time");
                None
            }
        };
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut warned_at = None;
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = token.cancelled() => return,
                _ = ticks.tick() => {}
                () = hung_up => {}
            }
            self.look().await;
            self.warn(&mut warned_at);
        }
    }

    async fn look(&self) {
        if !self.certificates.renew("the API").await {
            self.telemetry.metrics.certificate_bad();
        }
        self.telemetry
            .metrics
            .show_certificate(self.certificates.current().days_left());
    }

    fn warn(&self, warned_at: &mut Option<Timestamp>) {
        let days = self.certificates.current().days_left();
        let now = zajil_engine::system::SystemClock.now();
        let due = warned_at.is_none_or(|at| now.secs() - at.secs() >= DAY_SECS);
        if days < WARN_DAYS && due {
            *warned_at = Some(now);
            tracing::warn!(days, "the certificate of the API ends soon");
        }
    }
}
