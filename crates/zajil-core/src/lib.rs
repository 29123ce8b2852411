//! The vocabulary and the rules of the SMS centre: values in, values out.
//!
//! Nothing here reads a clock, rolls dice or does I/O: time, chance and outside answers are
//! arguments, so that each rule can be tested, simulated and explained by calling it.

pub mod cdr;
pub mod charge;
pub mod civil;
pub mod clock;
pub mod concatenation;
pub mod diagnose;
pub mod enum_query;
pub mod event;
pub mod frontend;
pub mod id;
pub mod lifecycle;
pub mod location;
pub mod message;
pub mod number;
pub mod offer;
pub mod outcome;
pub mod policy;
pub mod port;
pub mod queue;
pub mod receipt;
pub mod retry;
pub mod route;
pub mod smpp;
pub mod status;
pub mod tables;
pub mod translate;
pub mod webhook;
