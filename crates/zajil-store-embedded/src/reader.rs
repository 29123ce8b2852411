//! Readers: connections of their own that see the last commit and never wait for the writer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;
use zajil_store::Error;

use crate::error::Done;

/// How many look-ups may wait for a reader; beyond it callers are refused with [`Error::Busy`].
const QUEUE: usize = 4_096;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The handle to the reader threads.
#[derive(Debug)]
pub(crate) struct Readers {
    jobs: Mutex<Option<SyncSender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts one thread for each connection.
    pub(crate) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let (send, receive) = sync_channel::<Job>(QUEUE);
        let receive = Arc::new(Mutex::new(receive));
        let mut threads = Vec::new();
        for (number, db) in connections.into_iter().enumerate() {
            let receive = Arc::clone(&receive);
            let thread = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || serve(&db, &receive))?;
            threads.push(thread);
        }
        Ok(Self {
            jobs: Mutex::new(Some(send)),
            threads: Mutex::new(threads),
        })
    }

    /// Runs `work` on a reader, inside one read transaction.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Done<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |db| drop(reply.send(snapshot(db, work))));
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            match jobs.as_ref().ok_or(Error::Closed)?.try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(Error::Busy),
                Err(TrySendError::Disconnected(_)) => return Err(Error::Closed),
            }
        }
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Ends the threads after what waits is done. Blocks; a second call does nothing.
    pub(crate) fn stop(&self) {
        drop(
            self.jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reader thread of the store panicked");
            }
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Several statements of one look-up must see one state.
fn snapshot<T>(db: &Connection, work: impl FnOnce(&Connection) -> Done<T>) -> Result<T, Error> {
    let begin = |sql| {
        db.prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
    };
    begin("BEGIN").map_err(|error| crate::error::meaning(&error))?;
    let result = work(db);
    let ended = begin("COMMIT");
    if ended.is_err() && !db.is_autocommit() {
        // Or the connection would read this one state for ever.
        if let Err(error) = db.execute_batch("ROLLBACK") {
            tracing::error!(%error, "a reader cannot end its transaction");
        }
    }
    let value = result.map_err(crate::error::Fault::into_error)?;
    ended.map_err(|error| crate::error::meaning(&error))?;
    Ok(value)
}

fn serve(db: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(db),
            Err(_) => return,
        }
    }
}
