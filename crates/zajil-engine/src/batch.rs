//! Asynchronous submits: a bounded intake, stored in batches, kept while the store is away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Accepted, Submission};
use zajil_store::contract::{Draft, Error, Placed};
use zajil_telemetry::{Fact, Stopwatch};

use crate::accept::Decided;
use crate::charge::When;
use crate::shared::Shared;
use crate::{charge, refuse};

/// At most this many submits are stored at once.
const MOST: usize = 500;
/// What the submits of the intake, and those that wait for room, may hold together, in octets.
pub(crate) const MOST_HELD: usize = 256 << 20;
/// How long a submit waits for room in a full intake before it is refused.
const ROOM_WITHIN: Duration = Duration::from_millis(250);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The far end of the intake. What has been taken out stays in `batch` until it is stored, so that
/// a restarted worker goes on where the former stopped.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) intake: mpsc::Receiver<Decided>,
    pub(crate) batch: Vec<Decided>,
}

impl Shared {
    /// Like a synchronous submit up to the store. Only for submits without `dedupe`: a repetition
    /// cannot be told before it is stored (D6). Where money moves the store is waited for too.
    pub(crate) async fn submit_async(
        self: &Arc<Self>,
        submission: Submission,
    ) -> Result<Accepted, Refusal> {
        let watch = Stopwatch::start();
        let octets = submission.body.len() + submission.raw_pdu.as_ref().map_or(0, Vec::len);
        let load = self.intake_scales.put(octets).ok_or_else(full)?;
        let place = self.place_in_intake().await?;
        let mut decided = self.decide(submission, watch).await?;
        decided.load = Some(load);
        let rejected = match self.charging(&decided) {
            None => None,
            Some(When::Never(failed)) => self.leave_uncharged(&mut decided, failed),
            Some(When::BeforeItIsStored) => self.authorize(&mut decided).await,
            Some(When::OnceItIsStored) => return self.charge_to_the_end(decided).await,
        };
        if rejected.is_none() {
            self.draft_reply_to(&mut decided);
        }
        let message = Arc::clone(&decided.draft.message);
        self.telemetry().metrics.intake.inc();
        place.send(decided);
        if let Some((reason, why)) = rejected {
            return Err(charge::refusal(message.id, reason, &why));
        }
        Ok(Accepted {
            message,
            repeated: false,
        })
    }
}

impl Shared {
    /// A place in the intake, waited for if need be.
    ///
    /// To refuse a request costs nearly what it costs to take it. A caller that is told so at once
    /// asks again at once, and at three times what the store can do most of the processor went into
    /// refusals; one that waits asks for nothing meanwhile.
    async fn place_in_intake(&self) -> Result<mpsc::Permit<'_, Decided>, Refusal> {
        match self.intake.try_reserve() {
            Ok(place) => return Ok(place),
            Err(mpsc::error::TrySendError::Closed(())) => return Err(refuse::stopping()),
            Err(mpsc::error::TrySendError::Full(())) => {}
        }
        let _counted = self.telemetry().metrics.waits_for_intake();
        tokio::select! {
            biased;
            place = self.intake.reserve() => place.map_err(|_| refuse::stopping()),
            () = self.stopping.cancelled() => Err(refuse::stopping()),
            () = tokio::time::sleep(ROOM_WITHIN) => Err(full()),
        }
    }
}

fn full() -> Refusal {
    Refusal::new(Reason::Overloaded, "the intake is full: try again")
}

/// Stores what comes in until the token is cancelled and the intake is empty.
pub(crate) async fn work(shared: Arc<Shared>, queue: Arc<Mutex<Queue>>, token: CancellationToken) {
    let mut queue = queue.lock().await;
    let Queue { intake, batch } = &mut *queue;
    loop {
        if batch.is_empty() {
            tokio::select! {
                biased;
                taken = intake.recv_many(batch, MOST) => if taken == 0 { return },
                () = token.cancelled(), if !intake.is_closed() => {
                    intake.close();
                    continue;
                }
            }
        }
        store(&shared, batch).await;
    }
}

/// Stores a batch whatever it takes, and leaves it empty.
async fn store(shared: &Shared, batch: &mut Vec<Decided>) {
    if let Err(error) = place(shared, batch).await {
        tracing::warn!(%error, count = batch.len(), "a batch was refused; storing one by one");
        for decided in batch.iter() {
            store_one(shared, decided).await;
        }
    }
    let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
    shared.telemetry().metrics.intake.sub(count);
    batch.clear();
}

async fn store_one(shared: &Shared, decided: &Decided) {
    let id = decided.draft.message.id;
    if let Err(error) = place(shared, std::slice::from_ref(decided)).await {
        tracing::error!(%id, %error, "an accepted message was not stored");
    }
}

/// Stores submits in one transaction, again and again while the store cannot.
///
/// Fails only when the drafts themselves are at fault.
async fn place(shared: &Shared, batch: &[Decided]) -> Result<(), Error> {
    let mut pause = FIRST_PAUSE;
    // Whether an attempt before may have stored them.
    let mut unsure = false;
    loop {
        let tried = if unsure {
            store_unless_stored(shared, batch).await
        } else {
            store_now(shared, batch).await
        };
        match tried {
            Ok(()) => return Ok(()),
            // Another worker's attempt, or one that was cut short, may have been ours.
            Err(Error::Conflict(_)) if !unsure && batch.len() == 1 => {
                unsure = true;
                continue;
            }
            Err(error @ (Error::Conflict(_) | Error::Damaged(_) | Error::NotFound)) => {
                return Err(error);
            }
            Err(
                error @ (Error::Busy
                | Error::Full(_)
                | Error::Down(_)
                | Error::Unknown(_)
                | Error::Closed),
            ) => {
                unsure |= matches!(error, Error::Unknown(_));
                tracing::warn!(%error, count = batch.len(), "the intake waits for the store");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn store_now(shared: &Shared, batch: &[Decided]) -> Result<(), Error> {
    // Copies: the store keeps what it is given, and may have to be asked again.
    let drafts = batch.iter().flat_map(drafts).cloned().collect();
    let storing = Stopwatch::start();
    let now = shared.parts.clock.now();
    let places = shared.parts.store.accept(drafts, now).await?;
    settle(shared, batch, (places, storing.elapsed()));
    Ok(())
}

/// After an attempt whose outcome is not known: its messages may be there, and may also have been
/// delivered or removed since. To store one again under its id would make it end twice.
async fn store_unless_stored(shared: &Shared, batch: &[Decided]) -> Result<(), Error> {
    for decided in batch {
        if !is_stored(shared, decided).await? {
            // None is, or the store refuses the whole and they are stored one by one.
            return store_now(shared, batch).await;
        }
    }
    for decided in batch {
        let id = decided.draft.message.id;
        if let Some(message) = shared.parts.store.message(id).await? {
            shared.stored(&message, message.dest_smsc.as_ref(), decided.watch);
        }
    }
    Ok(())
}

/// Whether this very submit was stored: its log stays when the message is removed, and begins with
/// when and where it was taken, which no other message under its id has in common with it.
async fn is_stored(shared: &Shared, decided: &Decided) -> Result<bool, Error> {
    let Draft {
        message, events, ..
    } = &decided.draft;
    let lines = shared.parts.store.events(message.id).await?;
    Ok(events.first().is_some_and(|first| lines.contains(first)))
}

fn drafts(decided: &Decided) -> impl Iterator<Item = &Draft> {
    std::iter::once(&decided.draft).chain(decided.reply.as_deref())
}

fn settle(shared: &Shared, batch: &[Decided], (places, took): (Vec<Placed>, Duration)) {
    let submits = |decided: &Decided| decided.draft.message.id;
    let each = batch.iter().flat_map(|decided| {
        drafts(decided).map(|draft| (draft, (submits(decided), decided.watch)))
    });
    for ((draft, (submit, watch)), place) in each.zip(places) {
        let (id, message) = (draft.message.id, &draft.message);
        match place {
            Placed::Stored(queued_for) if id == submit => {
                shared.record(&Fact::Stored { id, took });
                shared.stored(message, queued_for.as_ref(), watch);
            }
            Placed::Stored(queued_for) => shared.replied(message, queued_for.as_ref()),
            Placed::Repeated(first) => tracing::info!(%id, %first, "repeated submit not stored"),
            Placed::KeyReused => tracing::warn!(%id, "submit under a used key not stored"),
        }
    }
}
