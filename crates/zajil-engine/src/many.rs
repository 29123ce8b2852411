//! Many submits in one call (D7): decided one by one, stored in one transaction.

use std::sync::Arc;

use futures_util::future::join_all;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Accepted, Submission};
use zajil_telemetry::Stopwatch;

use crate::accept::{Decided, Handed, Turned};
use crate::charge::When;
use crate::refuse;
use crate::shared::Shared;

/// A submit on which all is decided that comes before the store.
enum Prepared {
    /// Nothing is stored of it.
    Refused(Refusal),
    /// It goes into the transaction; rejected by charging, or not.
    Ready(Decided, Option<Box<Turned>>),
    /// Money moves: it has transactions of its own, as a single submit has.
    Alone(Decided),
}

impl Shared {
    /// To its end also when the client goes away: once the store has them, their queues must hear
    /// of them, and the refusals among them must be written down.
    pub(crate) async fn submit_many_to_the_end(
        self: &Arc<Self>,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Result<Accepted, Refusal>>, Refusal> {
        let shared = Arc::clone(self);
        let errand = self
            .errands
            .run(async move { shared.submit_many(submissions).await });
        errand.await.unwrap_or_else(|| Err(refuse::internal()))
    }

    /// One answer for each submit, in order. Those of which money moves are stored, each on its
    /// own, after the others.
    ///
    /// # Errors
    /// When the store took nothing.
    async fn submit_many(
        self: &Arc<Self>,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Result<Accepted, Refusal>>, Refusal> {
        let prepared = self.prepare_all(submissions).await;
        let mut drafts = Vec::with_capacity(prepared.len());
        let mut alone = Vec::new();
        let mut waiting = Vec::with_capacity(prepared.len());
        for prepared in prepared {
            waiting.push(match prepared {
                Prepared::Refused(refusal) => Waiting::Refused(refusal),
                Prepared::Ready(decided, turned) => {
                    Waiting::Stored(Handed::of(decided, &mut drafts), turned)
                }
                Prepared::Alone(decided) => {
                    alone.push(self.charge_to_the_end(decided));
                    Waiting::Charged
                }
            });
        }
        let mut places = Vec::new().into_iter();
        if !drafts.is_empty() {
            let now = self.parts.clock.now();
            let accepted = self.parts.store.accept(drafts, now).await;
            places = accepted
                .map_err(|error| refuse::failed(error, "record"))?
                .into_iter();
        }
        let mut charged = join_all(alone).await.into_iter();
        let mut answers = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            answers.push(match waiting {
                Waiting::Refused(refusal) => Err(refusal),
                Waiting::Charged => charged.next().unwrap_or_else(|| Err(refuse::internal())),
                Waiting::Stored(handed, turned) => match self.placed(handed, &mut places).await {
                    Ok(stored) => self.answer(stored, turned.map(|turned| *turned)).await,
                    Err(refusal) => Err(refusal),
                },
            });
        }
        Ok(answers)
    }

    async fn prepare_all(self: &Arc<Self>, submissions: Vec<Submission>) -> Vec<Prepared> {
        // Together, so that ENUM and charging are waited for once, not once for each.
        if self.parts.lookup.is_some() || self.parts.charger.is_some() {
            return join_all(submissions.into_iter().map(|s| self.prepare(s))).await;
        }
        // Where nothing is waited for, keeping hundreds of them half done only costs.
        let at_once = |submission| match self.decide_at_once(submission, Stopwatch::start()) {
            Ok(mut decided) => {
                self.draft_reply_to(&mut decided);
                Prepared::Ready(decided, None)
            }
            Err(refusal) => Prepared::Refused(refusal),
        };
        submissions.into_iter().map(at_once).collect()
    }

    async fn prepare(self: &Arc<Self>, submission: Submission) -> Prepared {
        let mut decided = match self.decide(submission, Stopwatch::start()).await {
            Ok(decided) => decided,
            Err(refusal) => return Prepared::Refused(refusal),
        };
        let rejected = match self.charging(&decided) {
            None => None,
            Some(When::Never(failed)) => self.leave_uncharged(&mut decided, failed),
            Some(When::BeforeItIsStored) => self.authorize(&mut decided).await,
            Some(When::OnceItIsStored) => return Prepared::Alone(decided),
        };
        if rejected.is_none() {
            self.draft_reply_to(&mut decided);
        }
        let turned = rejected.map(|why| Box::new(Turned::away(&decided, why)));
        Prepared::Ready(decided, turned)
    }
}

/// A submit between the store's call and its answer.
enum Waiting {
    Refused(Refusal),
    Stored(Handed, Option<Box<Turned>>),
    /// Charged and stored by itself.
    Charged,
}
