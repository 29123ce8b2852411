//! A peer that messages are delivered to, as the rest of the message centre sees it: a frontend,
//! registered as long as a session lasts, that leases messages.

use std::time::Duration;

use zajil_core::event::NodeName;
use zajil_core::frontend::{FrontendName, FrontendType, Registration};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::port::{Answer, Ask, Desk};

/// A message comes back after this when nobody has reported on it: a session that ends reports at
/// once, so only a crash waits for it.
const LEASE: Duration = Duration::from_secs(60);
/// A registration lives 90 s (S3.4).
const REGISTER_EVERY: Duration = Duration::from_secs(30);

/// An application's account, or a carrier.
#[derive(Clone, Copy)]
pub(crate) struct Frontend<'a> {
    pub(crate) desk: &'a dyn Desk,
    pub(crate) name: &'a FrontendName,
    /// The node that an application is bound to.
    pub(crate) node: Option<&'a NodeName>,
}

impl<'a> Frontend<'a> {
    /// Leases at most so many messages, and waits for the first.
    pub(crate) fn ask(self, limit: usize, wait: Duration) -> Answer<'a, Vec<Message>> {
        self.desk.offer(Ask {
            asker: Asker {
                name: self.name.clone(),
                include_unrouted: false,
            },
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            lease: Some(LEASE),
            wait: Some(wait),
        })
    }

    /// It is a frontend as long as it can be delivered to (S3.4).
    pub(crate) async fn register(self, configuration: String) {
        let registration = Registration {
            name: self.name.clone(),
            kind: FrontendType::Smpp,
            ip_address: None,
            hostname: self.node.map(NodeName::to_string),
            uptime_seconds: None,
            configuration: Some(configuration),
        };
        if let Err(refusal) = self.desk.register(registration).await {
            tracing::warn!(frontend = %self.name, %refusal, "a session was not registered");
        }
    }

    /// Registers it again and again; never ends.
    pub(crate) async fn stay_registered(self, configuration: String) {
        loop {
            tokio::time::sleep(REGISTER_EVERY).await;
            self.register(configuration.clone()).await;
        }
    }

    /// Reports what became of messages; answers those of which it was not written down.
    pub(crate) async fn report(self, reports: Vec<(MessageId, Report)>) -> Vec<MessageId> {
        let ids: Vec<MessageId> = reports.iter().map(|(id, _)| *id).collect();
        match self.desk.report_many(reports).await {
            Ok(each) => {
                let each = ids.into_iter().zip(each);
                let refused = each.filter_map(|(id, told)| {
                    let refusal = told.err()?;
                    tracing::warn!(%id, %refusal, "a delivery could not be reported");
                    Some(id)
                });
                refused.collect()
            }
            Err(refusal) => {
                let count = ids.len();
                tracing::warn!(count, %refusal, "deliveries could not be reported");
                ids
            }
        }
    }

    /// Ends the lease of a message that was not sent: it is due at once.
    pub(crate) async fn give_back(self, message: &Message) {
        let edit = Edit {
            deliver_after: Some(message.deliver_after.or(Some(message.inserted_at))),
            ..Edit::default()
        };
        if let Err(refusal) = self.desk.edit(message.id, edit).await {
            tracing::warn!(id = %message.id, %refusal, "a message was not given back");
        }
    }
}
