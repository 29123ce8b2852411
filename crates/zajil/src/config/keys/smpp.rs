//! The keys of the section `smpp`.

use super::{Key, key};

pub(super) const KEYS: &[Key] = &[
    key(
        "smpp",
        "enabled",
        "true",
        "Whether applications can bind over SMPP.",
    ),
    key(
        "smpp",
        "listen",
        "\"127.0.0.1:2775\"",
        "Address and port of SMPP; if this default is taken, there is none.",
    ),
    key(
        "smpp",
        "tls_listen",
        "<none>",
        "Address and port of SMPP over TLS, 3550 by custom; needs a certificate.",
    ),
    key(
        "smpp",
        "tls_cert_path",
        "<none>",
        "Certificate chain (PEM), the server's own first; read again when it changes.",
    ),
    key("smpp", "tls_key_path", "<none>", "Its private key (PEM)."),
    key(
        "smpp",
        "system_id",
        "\"zajil\"",
        "Our own name in the responses to binds.",
    ),
    key(
        "smpp",
        "max_connections",
        "1000",
        "More connections wait until one closes.",
    ),
    key(
        "smpp",
        "session_init_seconds",
        "10",
        "A connection that has not bound by then is closed.",
    ),
    key(
        "smpp",
        "enquire_link_seconds",
        "30",
        "A session that is silent for so long is asked whether it is there.",
    ),
    key(
        "smpp",
        "inactivity_seconds",
        "90",
        "A session that stays silent for so long is closed.",
    ),
    key(
        "smpp",
        "response_seconds",
        "10",
        "A delivery that is not answered by then has failed.",
    ),
];
