//! The engine: the shell that makes the rules happen between the doors and the store.
//!
//! A message enters through [`Engine`] as `Intake`, leaves through it as `Desk`, and is routed by
//! the tables edited through it as `Control`. The rules are `zajil_core`'s and the records are the
//! store's; what lives here is order, time, waiting and the tasks in the background.

mod accept;
mod alert;
mod batch;
mod charge;
mod control;
mod count;
mod handle;
mod hint;
mod many;
mod numbers;
mod offer;
mod policy;
mod receipts;
mod refund;
mod refuse;
mod reply;
mod report;
mod routing;
mod shared;
mod shared_clock;
mod simulate;
mod sweep;
pub mod system;
pub mod tasks;

pub use charge::Charging;
pub use handle::{Engine, Error, Options, Parts};
pub use shared_clock::SharedClock;
