//! The grammars against the parsers that they describe.

use regex::Regex;
use zajil_core::frontend::FrontendName;
use zajil_core::number::prefix::{check_called, check_calling};
use zajil_core::number::{Given, Sender};
use zajil_core::smpp::carrier::{Host, Tls};

use super::*;
use crate::access::Network;

/// Words of every kind; each grammar is asked about all of them.
const WORDS: &[&str] = &[
    " ",
    "+",
    "++1",
    "1",
    "+1",
    " 15 ",
    "+1 (555) 123-4567",
    "+(1)",
    "0123456789012345678",
    "01234567890123456789",
    "012345678901234567890",
    "1.2.3.4",
    "*100#",
    "+*",
    "Bank",
    "My Bank",
    "ElevenChars",
    "TwelveLetter",
    "Ärzte&Co",
    "Bank[1]",
    "بنك",
    "@x",
    "a\tb",
    "a\u{85}b",
    "\u{3000}",
    "\u{1f600}",
    "voip.example.com",
    "a.b..",
    "..",
    "a b.c",
    "[::1]:2775",
    "10.0.0.1:2775",
    "smsc.example.com:65535",
    "smsc:65536",
    "smsc:0",
    "smsc:080",
    "smsc:+80",
    "smsc",
    ":80",
    "[::1]",
    "[smsc]:80",
    "::",
    "::1",
    "1::",
    "2001:db8::1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "12345::",
    "127.0.0.1",
    "127.0.0.01",
    "256.0.0.1",
    "10.0.0.0/8",
    "10.0.0.0/33",
    "2001:db8::/32",
    "::/129",
    "10.0.0.0/",
];

/// A grammar takes those words that the server takes.
fn takes(grammar: &str, server: impl Fn(&str) -> bool) {
    let grammar = Regex::new(&format!("^({grammar})$")).unwrap();
    for word in WORDS {
        assert_eq!(grammar.is_match(word), server(word), "{word:?} {grammar}");
    }
}

fn given(word: &str) -> Option<Given> {
    Given::parse(word).ok()
}

#[test]
fn d8_numbers_and_senders_are_what_the_server_takes() {
    takes(&name(), |word| given(word).is_some());
    takes(&sender(), |word| {
        given(word).is_some_and(|given| Sender::parse(&given).is_ok())
    });
    takes(&digits(), |word| {
        let key = zajil_core::number::key(word.trim()).into_owned();
        !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_digit())
    });
}

#[test]
fn s4_1_prefixes_are_what_the_server_takes() {
    let checked = |word: &str, check: fn(&str) -> bool| {
        given(word).is_some_and(|given| check(given.as_str()))
    };
    takes(&called_prefix(), |word| {
        checked(word, |text| check_called(text).is_ok())
    });
    takes(&calling_prefix(), |word| {
        checked(word, |text| check_calling(text).is_ok())
    });
}

#[test]
fn names_hosts_and_networks_are_what_the_server_takes() {
    takes(&name(), |word| FrontendName::parse(word).is_ok());
    takes(&host(), |word| Host::parse(word).is_ok());
    takes(&server_name(), |word| Tls::server_name(word).is_ok());
    takes(&network(), |word| word.parse::<Network>().is_ok());
    takes(&address(), |word| word.parse::<std::net::IpAddr>().is_ok());
}

#[test]
fn s3_8_scopes_are_what_the_server_takes() {
    let scopes = [
        "admin",
        "frontend:",
        "frontend: gw",
        "frontend:\t",
        "Admin",
        "readx",
    ];
    let grammar = Regex::new(&format!("^({})$", scope())).unwrap();
    for word in scopes {
        let taken = crate::access::Scopes::parse([word]).is_ok();
        assert_eq!(grammar.is_match(word), taken, "{word}");
    }
}

#[test]
fn an_integer_as_text_has_the_bounds_of_the_number() {
    for (least, most) in [
        (0, 0),
        (0, 9),
        (1, 255),
        (7, 1_000),
        (13, 87),
        (99, 10_500),
        (0, 16_384),
    ] {
        let grammar = Regex::new(&format!("^({})$", integer(least, most))).unwrap();
        for number in 0..20_000 {
            let within = (least..=most).contains(&number);
            for text in [
                format!("{number}"),
                format!("+00{number}"),
                format!("-{number}"),
            ] {
                let taken = within && (!text.starts_with('-') || number == 0);
                assert_eq!(
                    grammar.is_match(&text),
                    taken,
                    "{text} of {least} to {most}"
                );
            }
        }
    }
    let widest = Regex::new(&format!("^({})$", integer(1, i64::MAX.unsigned_abs()))).unwrap();
    assert!(widest.is_match("9223372036854775807") && !widest.is_match("9223372036854775808"));
}
