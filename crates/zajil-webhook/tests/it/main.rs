//! Webhooks with real receivers: slow, failing, dead, hostile, behind TLS.
#![cfg(test)]

mod node;
mod outages;
mod places;
mod receiver;
mod shared;
mod told;
