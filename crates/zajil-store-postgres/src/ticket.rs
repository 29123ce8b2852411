//! What a caller and a writer share of a job: who has it, and the answer.
//!
//! A caller that has waited too long withdraws its job. That works only before the writer has begun
//! with it; afterwards the caller knows that it does not know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use zajil_store::Error;

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// The writer's half.
#[derive(Debug)]
pub(crate) struct Ticket<T> {
    state: Arc<AtomicU8>,
    reply: oneshot::Sender<Result<T, Error>>,
}

/// The caller's half.
#[derive(Debug)]
pub(crate) struct Claim<T> {
    state: Arc<AtomicU8>,
    answer: oneshot::Receiver<Result<T, Error>>,
}

pub(crate) fn ticket<T>() -> (Ticket<T>, Claim<T>) {
    let state = Arc::new(AtomicU8::new(WAITING));
    let (reply, answer) = oneshot::channel();
    let ticket = Ticket {
        state: Arc::clone(&state),
        reply,
    };
    (ticket, Claim { state, answer })
}

impl<T> Ticket<T> {
    /// Takes the job; `false` when nobody wants it any more.
    pub(crate) fn begin(&self) -> bool {
        // A caller that went away wants nothing: a lease would only hold messages.
        !self.reply.is_closed() && self.moves(WAITING, BEGUN)
    }

    fn moves(&self, from: u8, to: u8) -> bool {
        let moved = self
            .state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        moved.is_ok()
    }

    pub(crate) fn answer(self, result: Result<T, Error>) {
        // A caller that no longer waits needs no answer.
        drop(self.reply.send(result));
    }
}

impl<T> Claim<T> {
    /// Waits for the answer: `patience` until the job is begun, and `grace` longer once it is.
    pub(crate) async fn redeem(mut self, patience: Duration, grace: Duration) -> Result<T, Error> {
        if let Ok(answer) = tokio::time::timeout(patience, &mut self.answer).await {
            return answer.unwrap_or(Err(Error::Closed));
        }
        let withdrawn =
            self.state
                .compare_exchange(WAITING, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire);
        if withdrawn.is_ok() {
            return Err(Error::Down("the database is away or too slow".into()));
        }
        match tokio::time::timeout(grace, &mut self.answer).await {
            Ok(answer) => answer.unwrap_or(Err(Error::Closed)),
            Err(_) => Err(Error::Unknown("the database does not answer".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_job_that_nobody_began_is_withdrawn_and_one_that_was_begun_is_unknown() {
        let (ticket_of, claim) = ticket::<()>();
        let withdrawn = claim.redeem(SOON, SOON).await;
        assert!(matches!(withdrawn, Err(Error::Down(_))));
        assert!(!ticket_of.begin(), "nobody wants it any more");
        let (begun, claim) = ticket::<()>();
        assert!(begun.begin());
        let unknown = claim.redeem(SOON, SOON).await;
        assert!(matches!(unknown, Err(Error::Unknown(_))));
    }

    #[tokio::test]
    async fn an_answer_is_handed_over_and_a_lost_writer_is_a_closed_store() {
        let (ticket_of, claim) = ticket();
        assert!(ticket_of.begin());
        ticket_of.answer(Ok(7));
        assert_eq!(claim.redeem(SOON, SOON).await, Ok(7));
        let (ticket_of, claim) = ticket::<()>();
        drop(ticket_of);
        assert_eq!(claim.redeem(SOON, SOON).await, Err(Error::Closed));
    }
}
