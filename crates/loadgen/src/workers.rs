//! The connections of a run, dealt out to threads, and what the run cost.

use std::pin::Pin;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::process;
use crate::report::Cpu;

/// One connection's share of a run.
pub(crate) type Worker<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Deals the workers out to the threads, each with a runtime of its own.
pub(crate) fn spawn<T: Send + 'static>(
    workers: Vec<Worker<T>>,
    threads: usize,
) -> Result<mpsc::Receiver<Result<T>>> {
    let (send, finished) = mpsc::channel(workers.len().max(1));
    let mut shares: Vec<Vec<Worker<T>>> = (0..threads).map(|_| Vec::new()).collect();
    for (at, worker) in workers.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(at % threads) {
            share.push(worker);
        }
    }
    for share in shares {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let send = send.clone();
        std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let mut tasks: JoinSet<Result<T>> = share.into_iter().collect();
                    while let Some(ended) = tasks.join_next().await {
                        let outcome = ended.context("a connection's task broke").flatten();
                        if send.send(outcome).await.is_err() {
                            break; // The run was given up; dropping the tasks ends them.
                        }
                    }
                });
            })?;
    }
    Ok(finished)
}

/// What this process and those of the server have used so far.
pub(crate) fn cpu_times(server: &[u32]) -> Result<Cpu> {
    let client = process::cpu_time(std::process::id())?;
    let times = server.iter().map(|pid| process::cpu_time(*pid));
    let sum = times.reduce(|sum, time| Ok(sum? + time?));
    let server = sum.transpose()?;
    Ok(Cpu { client, server })
}
