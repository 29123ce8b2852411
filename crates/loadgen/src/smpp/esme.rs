//! One bound connection of a run: submits while its window has room, takes what comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use smpp_codec::frame::{self, Frame};
use smpp_codec::pdu::{Bare, Sm, SmResp, Tolerance};
use smpp_codec::{Header, Pdu, Status, flags, receipt};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Run;
use super::bind::{Bound, LONGEST};
use crate::clock;
use crate::schedule::Claim;

/// Longer than any response worth waiting for.
const ANSWER: Duration = Duration::from_secs(30);
/// While nothing happens it is looked so often whether the run is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Room for what comes.
const READ_AT_ONCE: usize = 64 * 1024;
/// No more is written while so much has not been sent.
const MOST_UNSENT: usize = 256 * 1024;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Submits,
    Hears,
}

#[derive(Debug)]
pub(super) struct Esme {
    bound: Bound,
    out: BytesMut,
    /// What has come and was not opened, and what is sealed and not sent.
    came: BytesMut,
    sealed: BytesMut,
    in_flight: HashMap<u32, Instant>,
    claimed: Option<Claim>,
    submitting: bool,
    heard: Instant,
    run: Arc<Run>,
}

impl Esme {
    pub(super) fn new(bound: Bound, role: Role, run: Arc<Run>) -> Self {
        Self {
            bound,
            out: BytesMut::new(),
            came: BytesMut::new(),
            sealed: BytesMut::new(),
            in_flight: HashMap::new(),
            claimed: None,
            submitting: role == Role::Submits,
            heard: clock::now(),
            run,
        }
    }

    /// Until nothing more is to be submitted or expected. A connection that falls ends the run.
    pub(super) async fn run(mut self) -> Result<()> {
        let stream = self.bound.stream.try_clone()?;
        let mut stream = TcpStream::from_std(stream)?;
        let (mut reader, mut writer) = stream.split();
        loop {
            let now = clock::now();
            let wake = self.fill(now);
            if self.is_over(now) {
                break;
            }
            if self.came.capacity() - self.came.len() < READ_AT_ONCE / 4 {
                self.came.reserve(READ_AT_ONCE);
            }
            if !self.out.is_empty() && self.sealed.len() < MOST_UNSENT {
                self.bound.cipher.seal(&mut self.out, &mut self.sealed)?;
            }
            tokio::select! {
                read = reader.read_buf(&mut self.came) => {
                    let count = read.context("cannot receive")?;
                    ensure!(count > 0, "the server closed the connection");
                    let input = &mut self.bound.input;
                    self.bound.cipher.open(&mut self.came, input)?;
                    self.take()?;
                }
                sent = writer.write_buf(&mut self.sealed), if !self.sealed.is_empty() => {
                    sent.context("cannot send")?;
                }
                () = tokio::time::sleep_until(wake.into()) => {
                    let waits = now.saturating_duration_since(self.heard);
                    let is_answered = self.in_flight.is_empty() || waits < ANSWER;
                    ensure!(is_answered, "no response in 30 seconds");
                }
            }
        }
        self.write(&Pdu::Unbind(Bare::default()), self.bound.sequence + 1);
        // The run is over: whether the server hears of it changes nothing.
        writer.write_all(&self.sealed).await.ok();
        self.sealed.clear();
        self.bound.cipher.seal(&mut self.out, &mut self.sealed)?;
        writer.write_all(&self.sealed).await.ok();
        Ok(())
    }

    /// Writes what is due while there is room; answers when to look again.
    fn fill(&mut self, now: Instant) -> Instant {
        let look = now + LOOK_EVERY;
        if !self.submitting {
            return look;
        }
        while self.in_flight.len() < self.run.window && self.out.len() < MOST_UNSENT {
            let Some(claim) = self.claimed.take().or_else(|| self.run.schedule.claim()) else {
                return self.submit_no_more(look);
            };
            if claim.due > now {
                self.claimed = Some(claim);
                return claim.due.min(look);
            }
            let Some(ticket) = self.run.schedule.admit(claim.number, claim.due, now) else {
                return self.submit_no_more(look);
            };
            self.bound.sequence = self.bound.sequence % 0x7FFF_FFFF + 1;
            let parts = u64::try_from(self.run.templates.len()).unwrap_or(1);
            let part = usize::try_from(ticket.number % parts).unwrap_or_default();
            if let Some(template) = self.run.templates.get(part) {
                template.write(ticket.number / parts, self.bound.sequence, &mut self.out);
            }
            self.in_flight.insert(self.bound.sequence, ticket.since);
        }
        look
    }

    /// The schedule has nothing more for anybody.
    fn submit_no_more(&mut self, look: Instant) -> Instant {
        if self.in_flight.is_empty() {
            self.submitting = false;
            self.run.submitters.fetch_sub(1, Ordering::AcqRel);
        }
        look
    }

    fn is_over(&self, now: Instant) -> bool {
        !self.submitting
            && self.out.is_empty()
            && self.sealed.is_empty()
            && self.run.submitters.load(Ordering::Acquire) == 0
            && self
                .run
                .book()
                .is_settled(self.run.sinks, self.run.patience, now)
    }

    /// Everything that has come whole.
    fn take(&mut self) -> Result<()> {
        let now = clock::now();
        self.heard = now;
        let run = Arc::clone(&self.run);
        let mut book = run.book();
        while let Some(frame) = frame::cut(&mut self.bound.input, LONGEST)? {
            let pdu = Pdu::read_frame(&frame, Tolerance::Lenient)?;
            let Frame { header, .. } = frame;
            match pdu {
                Pdu::SubmitSmResp(response) => {
                    let since = self.in_flight.remove(&header.sequence);
                    let since = since.context("a response to nothing that was submitted")?;
                    if header.status.is_ok() {
                        book.accepted(response.message_id.octets(), since, now);
                    } else {
                        book.refused(header.status, now);
                    }
                }
                Pdu::DeliverSm(sm) => {
                    deliver(&mut book, &sm, now);
                    self.write(&Pdu::DeliverSmResp(SmResp::default()), header.sequence);
                }
                Pdu::EnquireLink(_) => {
                    self.write(&Pdu::EnquireLinkResp(Bare::default()), header.sequence);
                }
                Pdu::EnquireLinkResp(_) | Pdu::AlertNotification(_) => {}
                other => unexpected(header, &other)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, pdu: &Pdu, sequence: u32) {
        pdu.encode(Status::ROK, sequence, &mut self.out);
    }
}

fn deliver(book: &mut super::Book, sm: &Sm, now: Instant) {
    match sm.esm_class.kind() {
        flags::EsmClass::RECEIPT => match receipt::parse(sm.short_message.octets()) {
            Some(receipt) => book.receipted(&receipt, now),
            None => book.unreadable(),
        },
        // On the way: no end of anything.
        flags::EsmClass::INTERMEDIATE => {}
        _ => book.delivered(now),
    }
}

fn unexpected(header: Header, pdu: &Pdu) -> Result<()> {
    anyhow::bail!(
        "the server sent {} ({}): {pdu:?}",
        header.command_id,
        header.status
    )
}
