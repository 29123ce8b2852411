//! Carriers that are one account of one peer, which sends the receipts of all of them to any of
//! their sessions (D19).

use std::sync::Arc;

use zajil_core::frontend::FrontendName;
use zajil_core::smpp::carrier::{Carrier, DeliveredAt};

use super::Upstream;
use super::ledger::Found;
use super::said::Said;
use super::settle::Again;
use super::standing::Standing;

/// Those whose receipts may come to `carrier`. How they decide about deliveries now does not
/// matter: it may have been another way when a message was taken.
fn of<'a>(carrier: &'a Carrier, all: &'a [Arc<Carrier>]) -> impl Iterator<Item = &'a Arc<Carrier>> {
    all.iter().filter(|other| {
        other.name != carrier.name
            && other.system_id == carrier.system_id
            && other.hosts.iter().any(|host| carrier.hosts.contains(host))
    })
}

impl Upstream {
    /// Whose receipts may come here, besides this carrier's.
    pub(super) fn sisters(&self) -> Vec<FrontendName> {
        let all = self.carriers.borrow();
        of(&self.carrier, &all)
            .map(|one| one.name.clone())
            .collect()
    }

    /// Whether receipts may come here that decide about a message: this carrier's, or a sister's.
    pub(super) fn is_told_by_receipts(&self) -> bool {
        let decides = |carrier: &Arc<Carrier>| carrier.delivered_at == DeliveredAt::Receipt;
        decides(&self.carrier) || of(&self.carrier, &self.carriers.borrow()).any(decides)
    }

    /// Parts were taken whose receipts decide about nothing: one that comes is known as such, and
    /// is not kept as one that belongs to nothing.
    pub(super) fn decided(&self, destination: &str, ids: &[String]) {
        if self.carrier.delivered_at == DeliveredAt::Response && self.is_told_by_receipts() {
            self.ledger.decided(self.name(), (destination, ids));
        }
    }

    /// Whose message a receipt ends that is none of this carrier's, and what that is: the first
    /// whose number agrees, or else the first.
    pub(super) async fn sister(&self, said: &Said) -> Result<Option<(Self, Found)>, Again> {
        let all = self.carriers.borrow().clone();
        let mut likeliest = None;
        for sister in of(&self.carrier, &all) {
            let found = self.ledger.find(sister, said).await?;
            if found.agrees(said) {
                return Ok(Some((self.as_sister(sister), found)));
            }
            if likeliest.is_none() && !matches!(found, Found::Nothing) {
                likeliest = Some((sister, found));
            }
        }
        Ok(likeliest.map(|(sister, found)| (self.as_sister(sister), found)))
    }

    fn as_sister(&self, sister: &Arc<Carrier>) -> Self {
        let (ledger, carriers) = (Arc::clone(&self.ledger), self.carriers.clone());
        let standing = Standing::default();
        Self::new(self.parts.clone(), ledger, (sister, carriers), standing)
    }
}

#[cfg(test)]
mod tests {
    use zajil_core::smpp::carrier::{Host, Password};

    use super::*;

    fn carrier(name: &str, system_id: &str, host: &str) -> Arc<Carrier> {
        let us = (system_id.to_owned(), Password::new("secret08".to_owned()));
        let name = FrontendName::parse(name).unwrap();
        Arc::new(Carrier {
            delivered_at: DeliveredAt::Receipt,
            ..Carrier::new(name, Host::parse(host).unwrap(), us)
        })
    }

    #[test]
    fn sisters_are_one_account_of_one_peer() {
        let us = carrier("us", "shop", "192.0.2.1:2775");
        let all = [
            Arc::clone(&us),
            carrier("sister", "shop", "192.0.2.1:2775"),
            carrier("another-account", "depot", "192.0.2.1:2775"),
            carrier("another-peer", "shop", "192.0.2.2:2775"),
            Arc::new(Carrier {
                delivered_at: DeliveredAt::Response,
                ..Carrier::clone(&carrier("by-response", "shop", "192.0.2.1:2775"))
            }),
        ];
        let names: Vec<&str> = of(&us, &all).map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["sister", "by-response"]);
    }
}
