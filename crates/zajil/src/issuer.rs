//! The key set of the token issuer: fetched, handed to the guard, and how that goes (S3.8).
//!
//! One task fetches, so however many tokens ask for a newer set at once, there is one request; and
//! none within `min_refresh_seconds` of the last. A good set stays while the issuer is away.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use zajil_api::{Access, AccessOptions, MOST_JWKS_OCTETS, Mode};

use crate::client::trust;
use crate::config::{KeySet, Oidc};

/// How long a fetch may take in all.
const WITHIN: Duration = Duration::from_secs(5);
/// The first pause after a failure; it doubles up to `min_refresh_seconds`.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// An issuer, and how the last fetch went.
#[derive(Debug)]
pub(crate) struct Issuer {
    options: Oidc,
    /// The number of keys, or why there are none; none = it has not ended yet.
    state: watch::Sender<Option<Result<usize, String>>>,
}

impl Issuer {
    /// Of this configuration; nothing has been fetched yet.
    pub(crate) fn new(options: Oidc) -> Self {
        Self {
            options,
            state: watch::Sender::new(None),
        }
    }

    /// How the last fetch went; waits for the first.
    pub(crate) async fn health(&self) -> Result<(), String> {
        let mut state = self.state.subscribe();
        let known = state.wait_for(Option::is_some).await;
        match known.as_deref() {
            Ok(Some(Err(why))) => Err(why.clone()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Keeps the guard's key set fresh until the token is cancelled.
    pub(crate) async fn keep(self: Arc<Self>, access: Arc<Access>, token: CancellationToken) {
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            let (issuer, guard) = (Arc::clone(&self), Arc::clone(&access));
            // Files and names are looked up by calls that block.
            let fetched = tokio::task::spawn_blocking(move || issuer.renew(&guard));
            let fetched = tokio::select! {
                () = token.cancelled() => return,
                fetched = fetched => fetched,
            };
            failures = match fetched {
                Ok(true) => 0,
                Ok(false) | Err(_) => failures.saturating_add(1),
            };
            let pause = self.pause(failures);
            let asked = async {
                access.key_set_wanted().await;
                sleep_until(began + self.options.least).await;
            };
            tokio::select! {
                () = token.cancelled() => return,
                () = sleep_until(began + pause) => {}
                () = asked => {}
            }
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => self.options.refresh,
            Some(before) => FIRST_PAUSE
                .saturating_mul(1 << before.min(16))
                .min(self.options.least),
        }
    }

    /// Fetches once; whether that went well.
    fn renew(&self, access: &Access) -> bool {
        let fetched = fetch(&self.options.key_set).map_err(|error| format!("{error:#}"));
        let now = fetched.and_then(|octets| access.trust_issuer(&octets));
        let went_well = now.is_ok();
        let changed = self.state.borrow().as_ref() != Some(&now);
        // Told when it changes: the same words every 30 seconds help nobody.
        match &now {
            Ok(keys) if changed => {
                tracing::info!(keys, "the key set of the token issuer is in use");
            }
            Err(why) if changed => {
                tracing::warn!(
                    why,
                    "the token issuer's key set cannot be had; a former one stays"
                );
            }
            Ok(_) | Err(_) => {}
        }
        self.state.send_replace(Some(now));
        went_well
    }
}

/// Fetches the key set and reads it, for `zajil doctor`; answers with the number of its keys.
pub(crate) fn look(options: &Oidc) -> anyhow::Result<usize> {
    let octets = fetch(&options.key_set)?;
    let access = Access::new(AccessOptions {
        mode: Mode::Required,
        tokens: Some(options.rules.clone()),
        ..AccessOptions::default()
    });
    access.trust_issuer(&octets).map_err(anyhow::Error::msg)
}

fn fetch(key_set: &KeySet) -> anyhow::Result<Vec<u8>> {
    // One more than is taken: so that too large is told from just large enough.
    let most = MOST_JWKS_OCTETS as u64 + 1;
    let mut octets = Vec::new();
    match key_set {
        KeySet::File(path) => {
            let shown = || path.display().to_string();
            let file = std::fs::File::open(path).with_context(shown)?;
            file.take(most)
                .read_to_end(&mut octets)
                .with_context(shown)?;
        }
        KeySet::Url(url, authorities) => {
            let mut config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_global(Some(WITHIN));
            if url.starts_with("https:") {
                config = config.tls_config(trust::tls(authorities.as_ref(), None)?);
            }
            let agent: ureq::Agent = config.build().into();
            let request = agent.get(url).header("accept", "application/json");
            let answer = request.call().with_context(|| url.clone())?;
            let status = answer.status();
            ensure!(status == 200, "{url} answered {status}");
            let body = answer.into_body().into_reader();
            body.take(most)
                .read_to_end(&mut octets)
                .with_context(|| url.clone())?;
        }
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zajil_api::TokenRules;

    #[test]
    fn s3_8_a_failed_fetch_is_repeated_slower_and_slower() {
        let issuer = Issuer::new(Oidc {
            rules: TokenRules::new("https://idp.example", "zajil"),
            key_set: KeySet::File("nowhere".into()),
            refresh: Duration::from_secs(600),
            least: Duration::from_secs(30),
        });
        let pauses: Vec<_> = (0..8).map(|n| issuer.pause(n).as_secs()).collect();
        assert_eq!(pauses, [600, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(issuer.pause(u32::MAX).as_secs(), 30);
    }
}
