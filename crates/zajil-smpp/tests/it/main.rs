//! The message centre over real connections, with the engine and the store's model behind it.

#[cfg(test)]
mod alerts;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod binds;
#[cfg(test)]
mod carrier_receipts;
#[cfg(test)]
mod carrier_tls;
#[cfg(test)]
mod carrier_wire;
#[cfg(test)]
mod carriers;
#[cfg(test)]
mod check;
#[cfg(test)]
mod drawn;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod outbind;
#[cfg(test)]
mod own;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod tshark;
