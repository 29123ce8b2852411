//! Stand-ins for what is outside, in this process and as exact as the real thing where it matters.

pub mod ocs;
