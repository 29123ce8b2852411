//! What the CDR database holds, and that no row is lost or doubled on the way there.

#[cfg(test)]
mod databases;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod tls;
