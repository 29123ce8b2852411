//! The charging system of a run: it keeps the books, and answers, refuses, stalls or breaks off.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use zajil_core::charge::{Call, Failed, Mode, Money, Refused, Verdict};
use zajil_core::port::Charger;

use crate::defect::Defect;
use crate::history::What;
use crate::line::Line;
use crate::rng::Rng;
use crate::stage::Stage;

/// The longest that a charging system may take: the clients of it give up then.
const LONGEST: Duration = Duration::from_secs(6);

/// The charging system as one life of a node reaches it.
#[derive(Debug)]
pub(crate) struct Till {
    pub(crate) stage: Arc<Stage>,
    pub(crate) line: Arc<Line>,
    pub(crate) rng: Rng,
}

impl Till {
    async fn travel(&self) {
        self.line.pass().await;
        sleep(self.rng.millis(1..60)).await;
        self.line.pass().await;
    }

    fn fails(&self) -> u64 {
        if self.stage.is_calm() {
            0
        } else {
            self.rng.below(100)
        }
    }

    fn debit(&self, call: &Call) {
        if self.stage.plan.charging.mode == Mode::Debit {
            self.stage.add(What::Debit(call.message));
            if self.stage.has(Defect::DebitsTwice) {
                self.stage.add(What::Debit(call.message));
            }
        }
    }
}

fn failed(money: Money) -> Failed {
    let why = "no usable answer".to_owned();
    Failed { money, why }
}

impl Charger for Till {
    fn charge<'a>(&'a self, call: &'a Call) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(async move {
            self.travel().await;
            let verdict = match self.fails() {
                0..80 => {
                    self.debit(call);
                    Verdict::Granted
                }
                80..86 => Verdict::Refused(Refused::NoCredit),
                86..90 => Verdict::Failed(failed(Money::Untouched)),
                90..94 => Verdict::Failed(failed(Money::Unknown)),
                fate => {
                    self.debit(call);
                    if fate > 96 {
                        sleep(LONGEST).await;
                    }
                    Verdict::Failed(failed(Money::Unknown))
                }
            };
            self.travel().await;
            verdict
        })
    }

    fn refund<'a>(
        &'a self,
        call: &'a Call,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failed>> + Send + 'a>> {
        Box::pin(async move {
            self.travel().await;
            let answer = match self.fails() {
                0..70 => {
                    self.stage.add(What::Refund(call.message));
                    Ok(())
                }
                70..85 => Err(failed(Money::Untouched)),
                85..92 => Err(failed(Money::Unknown)),
                _ => {
                    self.stage.add(What::Refund(call.message));
                    Err(failed(Money::Unknown))
                }
            };
            self.travel().await;
            answer
        })
    }

    fn unusable(&self) -> Option<Failed> {
        (self.fails() > 96).then(|| failed(Money::Untouched))
    }

    fn health(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
