//! One event: what happened, to what, where and when.

use std::sync::OnceLock;

use zajil_core::clock::Timestamp;
use zajil_core::event::NodeName;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::message::Message;

use super::json;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message.
    Message,
    /// A frontend.
    Frontend,
    /// The tables that route messages.
    Route,
    /// The worker that writes CDRs.
    Cdr,
    /// The node itself, and what it works with.
    Node,
    /// What peers say on the wire. Told only while somebody watches one of them.
    Wire,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Message,
        Self::Frontend,
        Self::Route,
        Self::Cdr,
        Self::Node,
        Self::Wire,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Frontend => "frontend",
            Self::Route => "route",
            Self::Cdr => "cdr",
            Self::Node => "node",
            Self::Wire => "wire",
        }
    }

    /// The kind of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A PDU on the wire, without the texts and passwords in it.
#[derive(Debug, Clone)]
pub struct Wire {
    /// The operation.
    pub command: String,
    /// `command_status`, in the words of the standard.
    pub status: String,
    /// `sequence_number`.
    pub sequence: u32,
    /// Its fields; of texts and numbers only how long they are.
    pub fields: String,
    /// All of it in hexadecimal; none where there is a password in it.
    pub hex: Option<String>,
}

/// What is known of whatever an event is about. No text of a message is ever in it (S10.4).
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// `message_id`.
    pub message: Option<MessageId>,
    /// `source_msisdn`, in full.
    pub source: Option<Box<str>>,
    /// `destination_msisdn`, in full.
    pub destination: Option<Box<str>>,
    /// `source_smsc`.
    pub source_smsc: Option<FrontendName>,
    /// `dest_smsc`.
    pub dest_smsc: Option<FrontendName>,
    /// `status` of a message.
    pub status: Option<&'static str>,
    /// `delivery_attempts`.
    pub attempts: Option<u32>,
    /// `message_parts`.
    pub parts: Option<u32>,
    /// `route_id`.
    pub route: Option<u64>,
    /// `frontend_name`.
    pub frontend: Option<FrontendName>,
    /// How many things it is about.
    pub count: Option<u64>,
    /// A sentence, as in the event log (S8).
    pub description: Option<Box<str>>,
    /// What was on the wire.
    pub wire: Option<Box<Wire>>,
}

impl Subject {
    /// What a message shows of itself.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        let content = &message.content;
        let source = Some(content.source.as_str()).filter(|source| !source.is_empty());
        Self {
            message: Some(message.id),
            source: source.map(Into::into),
            destination: Some(content.destination.as_str().into()),
            source_smsc: content.source_smsc.clone(),
            dest_smsc: message.dest_smsc.clone(),
            status: Some(message.status().as_str()),
            attempts: Some(message.attempts.get()),
            parts: Some(content.parts.get()),
            ..Self::default()
        }
    }

    /// A message of which only the id is known.
    #[must_use]
    pub fn message(id: MessageId) -> Self {
        Self {
            message: Some(id),
            ..Self::default()
        }
    }

    /// A frontend.
    #[must_use]
    pub fn frontend(name: &FrontendName) -> Self {
        Self {
            frontend: Some(name.clone()),
            ..Self::default()
        }
    }

    /// With a sentence; an empty one says nothing.
    #[must_use]
    pub fn described(mut self, sentence: impl Into<Box<str>>) -> Self {
        self.description = Some(sentence.into()).filter(|sentence| !sentence.is_empty());
        self
    }
}

/// Whether numbers are shown in full (S10.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// As `GET /api/messages` shows them.
    Full,
    /// Without their last four characters, as `GET /api/cdrs?masked=true` shows them.
    Masked,
    /// In full, and with the octets of what was on the wire.
    Octets,
}

/// Something that happened.
#[derive(Debug)]
pub struct Event {
    /// Its place among all events of the process.
    pub id: u64,
    /// When it was told.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// What happened: where S8 has a word for it, that word.
    pub name: &'static str,
    /// The node that tells it.
    pub node: NodeName,
    /// What it is about, in detail.
    pub subject: Subject,
    full: OnceLock<Box<str>>,
    masked: OnceLock<Box<str>>,
    octets: OnceLock<Box<str>>,
}

impl Event {
    pub(super) fn new(
        (id, at): (u64, Timestamp),
        (kind, name): (Kind, &'static str),
        node: NodeName,
        subject: Subject,
    ) -> Self {
        Self {
            id,
            at,
            kind,
            name,
            node,
            subject,
            full: OnceLock::new(),
            masked: OnceLock::new(),
            octets: OnceLock::new(),
        }
    }

    /// The event as an object of JSON on one line, written once for all who hear it.
    #[must_use]
    pub fn json(&self, numbers: Numbers) -> &str {
        let written = match numbers {
            Numbers::Full => &self.full,
            Numbers::Masked => &self.masked,
            Numbers::Octets => &self.octets,
        };
        written.get_or_init(|| json::write(self, numbers).into())
    }
}
