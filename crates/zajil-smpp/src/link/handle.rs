//! Sends requests of ours over a link, as many at a time as the window allows.

use std::sync::Arc;
use std::time::Duration;

use smpp_codec::Pdu;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::window::{Lost, Response};

/// A request of ours on its way to the link.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) pdu: Pdu,
    pub(crate) answer: Awaits,
    pub(crate) place: OwnedSemaphorePermit,
}

/// What who asked waits for.
#[derive(Debug)]
pub(crate) enum Awaits {
    /// The response.
    Response(oneshot::Sender<Result<Response, Lost>>),
    /// That it was taken up, and that it was written, where there is no response. Not sent where
    /// nobody waits for the first any longer; never written when the second is dropped.
    Written {
        begun: oneshot::Sender<()>,
        written: oneshot::Sender<()>,
    },
    /// Nothing.
    Nothing,
}

/// Room in the window for one PDU.
#[derive(Debug)]
pub(crate) struct Room {
    requests: mpsc::Sender<Request>,
    place: OwnedSemaphorePermit,
}

impl Room {
    /// Sends what is never answered: `outbind` and `alert_notification`. Waits until its last octet
    /// was written to the connection: what the link has not taken up in this time is not sent, what
    /// it has is waited for, as long as the link lasts. Whoever gives this up does not know which.
    ///
    /// # Errors
    /// [`Lost::Unsent`]: not all of it was, and it never is.
    pub(crate) async fn tell(self, pdu: Pdu, within: Duration) -> Result<(), Lost> {
        let ((begun, mut begins), (written, writes)) = (oneshot::channel(), oneshot::channel());
        let (answer, place) = (Awaits::Written { begun, written }, self.place);
        // There is a place in the queue for everybody who has one in the window.
        let sent = self.requests.try_send(Request { pdu, answer, place });
        sent.map_err(|_| Lost::Unsent)?;
        if tokio::time::timeout(within, &mut begins).await.is_err() {
            begins.close();
            // Unless it was taken up just now.
            begins.try_recv().map_err(|_| Lost::Unsent)?;
        }
        writes.await.map_err(|_| Lost::Unsent)
    }
}

/// The link's end.
pub(crate) type Requests = mpsc::Receiver<Request>;

/// Sends requests over a link. Clones share the window.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    window: Arc<Semaphore>,
    leave: CancellationToken,
    ended: CancellationToken,
}

pub(crate) fn channel(window: usize) -> (Requests, Handle) {
    let window = window.max(1);
    let (sender, receiver) = mpsc::channel(window);
    let handle = Handle {
        requests: sender,
        window: Arc::new(Semaphore::new(window)),
        leave: CancellationToken::new(),
        ended: CancellationToken::new(),
    };
    (receiver, handle)
}

impl Handle {
    /// Sends a request once the window has room, and waits for its response, at the most as long as
    /// the link's response timer. Giving up the future takes nothing back.
    ///
    /// # Errors
    /// [`Lost`]; only [`Lost::Unsent`] says that the peer cannot have seen it.
    pub async fn request(&self, pdu: Pdu) -> Result<Response, Lost> {
        let (sender, receiver) = oneshot::channel();
        self.send(pdu, Awaits::Response(sender)).await?;
        receiver.await.unwrap_or(Err(Lost::Ended))
    }

    /// Hands what is never answered to the link once the window has room: it may not have begun.
    /// [`Room::tell`] waits until it was written.
    ///
    /// # Errors
    /// [`Lost::Unsent`].
    pub(crate) async fn tell(&self, pdu: Pdu) -> Result<(), Lost> {
        self.send(pdu, Awaits::Nothing).await
    }

    /// Room for a PDU that is never answered, if there is some now.
    pub(crate) fn try_room(&self) -> Option<Room> {
        if self.is_leaving() {
            return None;
        }
        let place = Arc::clone(&self.window).try_acquire_owned().ok()?;
        let requests = self.requests.clone();
        Some(Room { requests, place })
    }

    async fn send(&self, pdu: Pdu, answer: Awaits) -> Result<(), Lost> {
        let sent = async {
            let window = Arc::clone(&self.window);
            let place = window.acquire_owned().await.ok()?;
            let request = Request { pdu, answer, place };
            self.requests.send(request).await.ok()
        };
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(Lost::Unsent),
            () = self.leave.cancelled() => Err(Lost::Unsent),
            sent = sent => sent.ok_or(Lost::Unsent),
        }
    }

    /// How many requests can be sent at once now.
    #[must_use]
    pub fn room(&self) -> usize {
        self.window.available_permits()
    }

    /// Takes leave: what is being worked on is answered, what was sent is waited for, `unbind` is
    /// exchanged, and the link ends.
    pub fn leave(&self) {
        self.leave.cancel();
    }

    /// Waits until the link has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Whether the link has ended or is about to.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leave.is_cancelled() || self.ended.is_cancelled()
    }

    pub(crate) fn leave_token(&self) -> CancellationToken {
        self.leave.clone()
    }

    pub(crate) fn ended_token(&self) -> CancellationToken {
        self.ended.clone()
    }
}
