//! Our requests that wait for their responses.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use smpp_codec::{CommandId, Pdu, Status};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

/// The response to a request of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// How it went.
    pub status: Status,
    /// What it says; a `generic_nack` may have come in its place.
    pub pdu: Pdu,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// None came in time: the peer may or may not have done it.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The link ended first: the peer may or may not have done it.
    #[error("the link ended before the answer came")]
    Ended,
    /// The link had ended, or is about to: the request was not sent.
    #[error("the link is not open")]
    Unsent,
    /// What came cannot be read.
    #[error("the answer cannot be read")]
    Unreadable,
}

/// The highest number that a side gives its requests; they begin at 1 again after it.
const LAST_SEQUENCE: u32 = 0x7FFF_FFFF;

/// One that waits.
#[derive(Debug)]
struct Waiting {
    command_id: CommandId,
    answer: Option<oneshot::Sender<Result<Response, Lost>>>,
    /// Gives its place in the window back.
    _place: Option<OwnedSemaphorePermit>,
}

/// All that wait, by number, and in the order of their deadlines.
#[derive(Debug)]
pub(crate) struct Window {
    last: u32,
    response: Duration,
    waiting: HashMap<u32, Waiting>,
    deadlines: VecDeque<(Instant, u32)>,
}

impl Window {
    pub(crate) fn new(response: Duration) -> Self {
        Self {
            last: 0,
            response,
            waiting: HashMap::new(),
            deadlines: VecDeque::new(),
        }
    }

    /// Remembers a request that is about to be sent; answers with its number.
    pub(crate) fn open(
        &mut self,
        command_id: CommandId,
        answer: Option<oneshot::Sender<Result<Response, Lost>>>,
        place: Option<OwnedSemaphorePermit>,
        now: Instant,
    ) -> u32 {
        let sequence = self.pass();
        let waiting = Waiting {
            command_id,
            answer,
            _place: place,
        };
        self.waiting.insert(sequence, waiting);
        self.deadlines.push_back((now + self.response, sequence));
        sequence
    }

    /// The number of a request that is not answered.
    pub(crate) fn pass(&mut self) -> u32 {
        loop {
            self.last = if self.last >= LAST_SEQUENCE {
                1
            } else {
                self.last + 1
            };
            if !self.waiting.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    /// Gives a response to who waits for it; `false` when nobody does.
    pub(crate) fn answer(
        &mut self,
        sequence: u32,
        command_id: CommandId,
        answer: Result<Response, Lost>,
    ) -> bool {
        let fits = |waiting: &Waiting| {
            command_id == waiting.command_id.response() || command_id == CommandId::GENERIC_NACK
        };
        if !self.waiting.get(&sequence).is_some_and(fits) {
            return false;
        }
        if let Some(sender) = self
            .waiting
            .remove(&sequence)
            .and_then(|waiting| waiting.answer)
        {
            // Who asked may have gone away; the peer has done it all the same.
            drop(sender.send(answer));
        }
        true
    }

    /// Gives up what has waited too long; answers how many.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        let mut given_up = 0;
        while let Some((deadline, sequence)) = self.deadlines.front().copied() {
            if self.waiting.contains_key(&sequence) {
                if deadline > now {
                    break;
                }
                self.give_up(sequence, Lost::TimedOut);
                given_up += 1;
            }
            self.deadlines.pop_front();
        }
        given_up
    }

    /// When [`Self::expire`] may have something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The link ends.
    pub(crate) fn end(&mut self) {
        let all: Vec<u32> = self.waiting.keys().copied().collect();
        for sequence in all {
            self.give_up(sequence, Lost::Ended);
        }
    }

    fn give_up(&mut self, sequence: u32, why: Lost) {
        if let Some(sender) = self
            .waiting
            .remove(&sequence)
            .and_then(|waiting| waiting.answer)
        {
            drop(sender.send(Err(why)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn numbers_begin_again_and_pass_over_those_that_still_wait() {
        let now = Instant::now();
        let mut window = Window::new(Duration::from_secs(10));
        let enquire = CommandId::ENQUIRE_LINK;
        assert_eq!(window.open(enquire, None, None, now), 1);
        window.last = LAST_SEQUENCE - 1;
        assert_eq!(window.open(enquire, None, None, now), LAST_SEQUENCE);
        assert_eq!(window.open(enquire, None, None, now), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_reaches_who_asked_and_only_the_right_one_does() {
        let now = Instant::now();
        let mut window = Window::new(Duration::from_secs(10));
        let (sender, mut receiver) = oneshot::channel();
        let sequence = window.open(CommandId::DELIVER_SM, Some(sender), None, now);
        let response = || {
            let status = Status::RMSGQFUL;
            Ok(Response {
                status,
                pdu: Pdu::refusal(CommandId::DELIVER_SM),
            })
        };
        assert!(!window.answer(sequence + 1, CommandId::DELIVER_SM_RESP, response()));
        assert!(!window.answer(sequence, CommandId::SUBMIT_SM_RESP, response()));
        assert!(receiver.try_recv().is_err());
        assert!(window.answer(sequence, CommandId::DELIVER_SM_RESP, response()));
        assert_eq!(receiver.try_recv().unwrap(), response());
        assert!(!window.answer(sequence, CommandId::DELIVER_SM_RESP, response()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_too_long_is_given_up_in_its_order() {
        let now = Instant::now();
        let mut window = Window::new(Duration::from_secs(10));
        let (first, mut gone) = oneshot::channel();
        window.open(CommandId::DELIVER_SM, Some(first), None, now);
        let later = now + Duration::from_secs(5);
        let (second, mut waits) = oneshot::channel();
        window.open(CommandId::DELIVER_SM, Some(second), None, later);
        assert_eq!(window.expire(now + Duration::from_secs(10)), 1);
        assert_eq!(gone.try_recv().unwrap(), Err(Lost::TimedOut));
        assert!(waits.try_recv().is_err());
        assert_eq!(window.deadline(), Some(later + Duration::from_secs(10)));
        window.end();
        assert_eq!(waits.try_recv().unwrap(), Err(Lost::Ended));
        assert!(window.is_empty());
    }
}
