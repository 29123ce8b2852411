//! The loop of a link: what comes is acted on, what is due is sent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use smpp_codec::frame::{self, Frame};
use smpp_codec::pdu::Bare;
use smpp_codec::session::{self, Side, State};
use smpp_codec::{CommandId, Header, Pdu, Status};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::handle::{Awaits, Request, Requests};
use super::timers::{Bound, Due, Timers};
use super::window::{Lost, Response, Window};
use super::{Answer, Answered, Coming, Ended, Handler, Link, Next, Options, Reaction};
use crate::tap::{Tap, Way};

/// Nothing more is read while so many octets wait to be sent.
const MOST_UNSENT: usize = 256 * 1_024;
/// Room for what comes, in octets: little while little comes, since most links are idle most of the
/// time, and more while reads fill it.
const LEAST_ROOM: usize = 512;
const MOST_ROOM: usize = 64 * 1_024;
/// So many PDUs in a row that cannot be used, and the link ends.
const MOST_FAULTS: u32 = 100;
/// Leave is taken so soon, whatever is under way, and the link ends so long after that, whatever
/// comes: both in less than a server that stops waits for its sessions.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
const LEFT_WITHIN: Duration = Duration::from_secs(4);
/// So many requests of ours in a row without a response, and the link ends.
const MOST_UNANSWERED: usize = 3;

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

/// Work that has come to its end.
#[expect(clippy::large_enum_variant, reason = "made, returned and used at once")]
enum Done {
    One(Header, Answer),
    Many(Answered),
}

/// A link at work.
pub(super) struct Running<H> {
    options: Options,
    tap: Arc<dyn Tap>,
    requests: Requests,
    leave: CancellationToken,
    handler: H,
    state: State,
    timers: Timers,
    window: Window,
    working: FuturesUnordered<Work>,
    /// Requests of the peer without an answer.
    under_way: usize,
    input: BytesMut,
    /// How much room is made for what comes.
    room: usize,
    out: BytesMut,
    /// How many octets were put into `out`.
    put: u64,
    /// Who waits until so many were taken from it.
    told: VecDeque<(u64, oneshot::Sender<()>)>,
    faults: u32,
    unanswered: usize,
    leaving: Leaving,
    /// When the next step of leave-taking comes, whatever is under way.
    leave_by: Option<Instant>,
    /// When the link ends at the latest once leave is taken.
    gone_by: Option<Instant>,
    /// When octets were last sent, or began to wait.
    progress: Instant,
    /// The link ends with this once everything is sent.
    last: Option<Ended>,
}

/// How far leave-taking has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// We want to, and wait for what is under way. Nothing new is begun from here on: it could be
    /// accepted, and its answer come too late.
    Soon,
    /// `unbind` is sent, with this number.
    Asked(u32),
    /// It is answered, and something is under way still.
    Agreed,
    /// The peer's `unbind` with this number has come; it is answered last.
    Told(u32),
}

impl<H: Handler> Running<H> {
    pub(super) fn new(link: Link, handler: H) -> Self {
        let Link {
            options,
            tap,
            requests,
            leave,
            ended: _,
        } = link;
        Self {
            timers: Timers::new(options.limits, Instant::now()),
            window: Window::new(options.limits.response),
            options,
            tap,
            requests,
            leave,
            handler,
            state: State::Open,
            working: FuturesUnordered::new(),
            under_way: 0,
            input: BytesMut::new(),
            room: LEAST_ROOM,
            out: BytesMut::new(),
            put: 0,
            told: VecDeque::new(),
            faults: 0,
            unanswered: 0,
            leaving: Leaving::No,
            leave_by: None,
            gone_by: None,
            progress: Instant::now(),
            last: None,
        }
    }

    pub(super) async fn run<S>(mut self, stream: S) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let ended = loop {
            if let Some(ended) = self.turn(&mut reader, &mut writer).await {
                break ended;
            }
        };
        self.set_state(State::Closed);
        self.requests.close();
        while let Ok(Request { answer, .. }) = self.requests.try_recv() {
            unsent(answer);
        }
        self.window.end();
        // The peer may have gone already; then there is nobody to take leave of.
        drop(timeout(self.options.limits.response, writer.shutdown()).await);
        ended
    }

    /// Waits for the next thing to happen, and does it.
    async fn turn<R, W>(&mut self, reader: &mut R, writer: &mut W) -> Option<Ended>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if self.last.is_none() {
            self.take_leave();
        }
        if self.out.is_empty()
            && let Some(ended) = self.last.take()
        {
            return Some(ended);
        }
        let wake = match self.time_passes() {
            Ok(wake) => wake,
            Err(ended) => return Some(ended),
        };
        let goes_on = self.last.is_none() && self.out.len() < MOST_UNSENT;
        let has_room = goes_on && self.has_room();
        let is_asked = self.leaving == Leaving::No;
        let free = self.make_room();
        tokio::select! {
            sent = send(writer, &mut self.out), if !self.out.is_empty() => match sent {
                Ok(()) => self.progress = Instant::now(),
                Err(error) => return Some(Ended::Failed(error.to_string())),
            },
            read = reader.read_buf(&mut self.input), if has_room => match read {
                Ok(0) => return Some(Ended::Closed),
                Ok(count) => {
                    self.timers.heard(Instant::now());
                    self.room = match count {
                        _ if count >= free => (self.room * 4).min(MOST_ROOM),
                        _ if count < self.room / 8 => (self.room / 2).max(LEAST_ROOM),
                        _ => self.room,
                    };
                }
                Err(error) => return Some(Ended::Failed(error.to_string())),
            },
            Some(done) = self.working.next(), if goes_on => self.done(done),
            Some(request) = self.requests.recv(), if goes_on => self.ask(request),
            () = self.leave.cancelled(), if is_asked => {}
            () = sleep_until(wake) => {}
        }
        // Before anything that has come is begun.
        if self.leaving == Leaving::No && self.leave.is_cancelled() {
            self.leaving = Leaving::Soon;
            let within = self.options.limits.response.min(LEAVE_WITHIN);
            let leave_by = Instant::now() + within;
            self.leave_by = Some(leave_by);
            self.gone_by = Some(leave_by + LEFT_WITHIN);
        }
        self.say_what_was_written();
        self.take_what_is_ready();
        None
    }

    /// Makes room for what comes; answers how much there is. What was needed for a burst is given
    /// back when it is over.
    fn make_room(&mut self) -> usize {
        if self.input.is_empty() && self.input.capacity() > 4 * self.room {
            self.input = BytesMut::new();
        }
        if self.input.capacity() - self.input.len() < self.room / 4 {
            self.input.reserve(self.room);
        }
        self.input.capacity() - self.input.len()
    }

    /// Everything that can be done without waiting, up to the bounds.
    fn take_what_is_ready(&mut self) {
        while self.out.len() < MOST_UNSENT && self.last.is_none() {
            if let Some(Some(done)) = self.working.next().now_or_never() {
                self.done(done);
                continue;
            }
            if let Ok(request) = self.requests.try_recv() {
                self.ask(request);
                continue;
            }
            if self.has_room() && self.cut() {
                continue;
            }
            // Begun at once, so that the answer can come while the link waits for more.
            let Some(answers) = self.handler.gathered() else {
                return;
            };
            self.working.push(Box::pin(answers.map(Done::Many)));
        }
    }

    /// Whether one more request of the peer may be worked on. While leave is taken none is.
    fn has_room(&self) -> bool {
        self.leaving != Leaving::No || self.under_way < self.options.window_in.max(1)
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::One(header, answer) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.answer(header, answer);
            }
            Done::Many(Answered { now, later }) => {
                for (header, answer) in now {
                    self.under_way = self.under_way.saturating_sub(1);
                    self.answer(header, answer);
                }
                for (header, coming) in later {
                    self.wait_for(header, coming);
                }
            }
        }
    }

    /// Acts on the next PDU of what has come; `false` when there is none.
    fn cut(&mut self) -> bool {
        match frame::cut(&mut self.input, self.options.longest_pdu) {
            Ok(None) => false,
            Ok(Some(frame)) => {
                self.see(Way::In, &frame);
                self.act(&frame);
                true
            }
            Err(bad) => {
                let nack = Pdu::GenericNack(Bare::default());
                self.write(&nack, Status::RINVCMDLEN, bad.sequence);
                self.last = Some(Ended::Garbage(bad.to_string()));
                false
            }
        }
    }

    fn act(&mut self, frame: &Frame) {
        let header = frame.header;
        let id = header.command_id;
        match self.leaving {
            Leaving::Told(_) if !id.is_response() => return self.come_too_late(header),
            // Both took leave, at one time.
            Leaving::Agreed if id == CommandId::UNBIND => {
                self.leaving = Leaving::Told(header.sequence);
                return;
            }
            Leaving::Agreed if !id.is_response() && id != CommandId::ENQUIRE_LINK => {
                return self.come_too_late(header);
            }
            _ => {}
        }
        let pdu = match Pdu::read_frame(frame, self.options.tolerance) {
            Ok(pdu) => pdu,
            Err(refused) => {
                if id.is_response() {
                    self.window
                        .answer(header.sequence, id, Err(Lost::Unreadable));
                    self.hear_of_unbind(header.sequence);
                }
                return self.refuse(header, refused.status(), &refused.to_string());
            }
        };
        if let Err(status) = session::check(self.state, self.options.side.other(), id) {
            return self.refuse(header, status, "not in this state");
        }
        self.faults = 0;
        if id.is_response() {
            return self.take_response(header, pdu);
        }
        match pdu {
            Pdu::EnquireLink(_) => {
                let response = Pdu::EnquireLinkResp(Bare::default());
                self.write(&response, Status::ROK, header.sequence);
            }
            Pdu::Unbind(_) => self.leaving = Leaving::Told(header.sequence),
            request @ (Pdu::AlertNotification(_) | Pdu::Outbind(_)) => self.work(header, request),
            _ if self.leaving != Leaving::No => self.put_off(header),
            request => self.work(header, request),
        }
    }

    /// Refuses what comes after `unbind`: one part of the peer has answered or sent that, another
    /// goes on. No fault of its own, so that what is under way is still answered.
    fn come_too_late(&mut self, header: Header) {
        self.handler
            .refused(header, Status::RINVBNDSTS, "after unbind");
        let answer = Pdu::refusal(header.command_id);
        self.write(&answer, Status::RINVBNDSTS, header.sequence);
    }

    /// Refuses what comes while we take leave, so that the peer sends it again later. No fault of
    /// its own.
    fn put_off(&mut self, header: Header) {
        let status = match self.options.side {
            Side::Centre => Status::RTHROTTLED,
            Side::Esme => Status::RX_T_APPN,
        };
        self.handler.refused(header, status, "leaving");
        let answer = Pdu::refusal(header.command_id);
        self.write(&answer, status, header.sequence);
    }

    fn work(&mut self, header: Header, request: Pdu) {
        if let Pdu::Outbind(_) = request {
            self.set_state(State::Outbound);
        }
        match self.handler.request(header, request) {
            Reaction::Now(answer) => self.answer(header, answer),
            Reaction::Later(answer) => {
                self.under_way += 1;
                self.wait_for(header, answer);
            }
            Reaction::Together => self.under_way += 1,
            Reaction::Never => {}
        }
    }

    fn wait_for(&self, header: Header, coming: Coming) {
        let one = coming.map(move |answer| Done::One(header, answer));
        self.working.push(Box::pin(one));
    }

    fn take_response(&mut self, header: Header, pdu: Pdu) {
        let Header {
            command_id,
            status,
            sequence,
        } = header;
        self.unanswered = 0;
        let response = Response { status, pdu };
        if self.window.answer(sequence, command_id, Ok(response)) {
            self.set_state(session::after(self.state, command_id, status));
        }
        self.hear_of_unbind(sequence);
    }

    /// Whatever it says: a response to our `unbind` is leave.
    fn hear_of_unbind(&mut self, sequence: u32) {
        if self.leaving == Leaving::Asked(sequence) {
            self.leaving = Leaving::Agreed;
            self.leave_by = self.gone_by;
        }
    }

    fn refuse(&mut self, header: Header, status: Status, why: &str) {
        self.handler.refused(header, status, why);
        self.faults += 1;
        if self.faults >= MOST_FAULTS {
            self.last = Some(Ended::Garbage(format!(
                "{MOST_FAULTS} PDUs in a row: {why}"
            )));
        }
        // A response is not answered, or two peers could nack each other for ever.
        if !header.command_id.is_response() {
            let answer = Pdu::refusal(header.command_id);
            self.write(&answer, status, header.sequence);
        }
    }

    fn answer(&mut self, header: Header, mut answer: Answer) {
        let load = self.under_way * 100 / self.options.window_in.max(1);
        let load = u8::try_from(load.min(100)).unwrap_or(100);
        self.handler.answers(&mut answer, load);
        let Answer { status, pdu, next } = answer;
        self.write(&pdu, status, header.sequence);
        self.set_state(session::after(self.state, pdu.command_id(), status));
        if next == Next::Close {
            self.last = Some(Ended::Refused);
        }
    }

    fn ask(&mut self, request: Request) {
        let Request { pdu, answer, place } = request;
        let id = pdu.command_id();
        let is_late = !matches!(self.leaving, Leaving::No | Leaving::Soon);
        if is_late || session::check(self.state, self.options.side, id).is_err() {
            return unsent(answer);
        }
        match answer {
            Awaits::Response(answer) => {
                let now = Instant::now();
                let sequence = self.window.open(id, Some(answer), Some(place), now);
                self.write(&pdu, Status::ROK, sequence);
            }
            Awaits::Written { begun, written } => {
                if begun.send(()).is_err() {
                    // Who asked has given it up, and says it again.
                    return;
                }
                let sequence = self.window.pass();
                self.write(&pdu, Status::ROK, sequence);
                self.told.push_back((self.put, written));
            }
            Awaits::Nothing => {
                let sequence = self.window.pass();
                self.write(&pdu, Status::ROK, sequence);
            }
        }
        self.set_state(session::after(self.state, id, Status::ROK));
    }

    fn say_what_was_written(&mut self) {
        let written = self.put.saturating_sub(octets(self.out.len()));
        while let Some((_, answer)) = self.told.pop_front_if(|(end, _)| *end <= written) {
            // Who asked may have gone away.
            answer.send(()).unwrap_or_default();
        }
    }

    /// Goes on with leave-taking, where nothing is under way any more. A peer that goes on sending
    /// does not put it off for ever.
    fn take_leave(&mut self) {
        let is_told = matches!(self.leaving, Leaving::Told(_));
        let is_late = !is_told && self.leave_by.is_some_and(|by| by <= Instant::now());
        if self.leaving == Leaving::No || (self.under_way > 0 && !is_late) {
            return;
        }
        match self.leaving {
            Leaving::Agreed => self.last = Some(Ended::Unbound),
            Leaving::Told(sequence) => {
                let response = Pdu::UnbindResp(Bare::default());
                self.write(&response, Status::ROK, sequence);
                self.last = Some(Ended::Unbound);
            }
            Leaving::Soon if !self.state.is_bound() => self.last = Some(Ended::Unbound),
            Leaving::Soon if self.window.is_empty() || is_late => {
                let unbind = Pdu::Unbind(Bare::default());
                let now = Instant::now();
                let sequence = self.window.open(CommandId::UNBIND, None, None, now);
                self.write(&unbind, Status::ROK, sequence);
                self.leaving = Leaving::Asked(sequence);
                let answer_by = now + self.options.limits.response;
                self.leave_by = self.gone_by.map(|by| by.min(answer_by));
            }
            Leaving::Asked(_) if is_late => self.last = Some(Ended::Unbound),
            Leaving::No | Leaving::Soon | Leaving::Asked(_) => {}
        }
    }

    /// Does what is due, and says when to look again.
    fn time_passes(&mut self) -> Result<Instant, Ended> {
        let now = Instant::now();
        self.unanswered += self.window.expire(now);
        // Whoever takes leave has a time of its own.
        let leaves = self.leaving != Leaving::No;
        if self.unanswered >= MOST_UNANSWERED && !leaves {
            return Err(Ended::Unanswered);
        }
        let bound = if self.state.is_bound() || leaves {
            Bound::Yes
        } else {
            Bound::NotYet
        };
        let wake = match self.timers.due(bound, now) {
            Due::Nothing(until) => until,
            Due::NotBound => return Err(Ended::NotBound),
            Due::Inactive => return Err(Ended::Inactive),
            Due::Enquire if leaves => {
                self.timers.asked(now);
                now
            }
            Due::Enquire => {
                self.timers.asked(now);
                let sequence = self.window.open(CommandId::ENQUIRE_LINK, None, None, now);
                let enquire = Pdu::EnquireLink(Bare::default());
                self.write(&enquire, Status::ROK, sequence);
                now
            }
        };
        let wake = self
            .window
            .deadline()
            .map_or(wake, |deadline| wake.min(deadline));
        let is_over = self.last.is_some() || matches!(self.leaving, Leaving::Told(_));
        let leave_by = self.leave_by.filter(|_| !is_over);
        let wake = leave_by.map_or(wake, |by| wake.min(by));
        if self.out.is_empty() {
            return Ok(wake);
        }
        // A peer that does not read would hold what it is sent for ever.
        let stalled = self.progress + self.options.limits.response;
        if stalled <= now {
            Err(Ended::Stalled)
        } else {
            Ok(wake.min(stalled))
        }
    }

    fn write(&mut self, pdu: &Pdu, status: Status, sequence: u32) {
        if self.out.is_empty() {
            self.progress = Instant::now();
        }
        let start = self.out.len();
        pdu.encode(status, sequence, &mut self.out);
        self.put += octets(self.out.len() - start);
        if self.tap.is_open()
            && let Some((header, body)) = self
                .out
                .get(start..)
                .and_then(|octets| octets.split_at_checked(Header::LENGTH))
            && let Some((_, header)) = Header::read(header)
        {
            self.tap.pdu(Way::Out, &header, body);
        }
    }

    fn see(&self, way: Way, frame: &Frame) {
        if self.tap.is_open() {
            self.tap.pdu(way, &frame.header, &frame.body);
        }
    }

    fn set_state(&mut self, state: State) {
        if state != self.state {
            self.state = state;
            self.handler.state(state);
        }
    }
}

/// Sends some of what waits.
async fn send<W: AsyncWrite + Unpin>(writer: &mut W, out: &mut BytesMut) -> std::io::Result<()> {
    writer.write_buf(out).await?;
    // Below TLS octets may wait for more; a dropped flush is made up for by the next.
    writer.flush().await
}

fn octets(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// It was not sent; who waits for its octets learns it when `answer` is dropped.
fn unsent(answer: Awaits) {
    if let Awaits::Response(answer) = answer {
        // Who asked may have gone away.
        drop(answer.send(Err(Lost::Unsent)));
    }
}
