//! The engine over the store model: timelines in, events and CDRs out.

#[cfg(test)]
mod batch;
#[cfg(test)]
mod charge;
#[cfg(test)]
mod control;
#[cfg(test)]
mod edit;
#[cfg(test)]
mod fallback;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod life;
#[cfg(test)]
mod moody;
#[cfg(test)]
mod outside;
mod promised;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod sweeps;
#[cfg(test)]
mod waiting;
