//! Records that cannot be read, beside those that can.

use zajil_core::clock::Timestamp;
use zajil_store::memory::MemoryStore;
use zajil_store::record::decode_smpp_carrier;
use zajil_store::shelf::{Change, Shelf as _};

use super::*;

/// As a later version would write it.
const LATER: &str = r#"{"v":99}"#;

/// As version 1 has written one.
const CARRIER: &str = r#"{"v":1,"name":"NAME","enabled":true,"hosts":["smsc.example.net:2775"],
    "system_id":"zajil","password":"secret08","version":52,"bind":"pair","binds":2,
    "destination_plan":[1,null],"alphabet":"latin1","text_coding":3,"long_text":"sar",
    "send_validity":true,"window":10,"rate":50,"enquire_link_ms":30000,
    "response_ms":10000,"delivered_at":"receipt","receipt_timeout_ms":1000,
    "without_receipt":"again","errors":{"0x45":"temporary","receipt:11":"absent"}}"#;

/// As version 1 has written one.
fn account(name: &str) -> String {
    let (salt, hash) = ("01".repeat(16), "ab".repeat(32));
    format!(
        r#"{{"v":1,"system_id":"{name}","password":"pbkdf2-sha256$100000${salt}${hash}",
        "enabled":true,"bind_types":["transceiver"],"max_binds":2,"window":50,
        "alphabet":"gsm7","long_text":"udh"}}"#
    )
}

async fn write(store: &MemoryStore, name: &str, body: String) {
    let (kind, base) = (Kind::SmppAccount, None);
    let known = store.shelf_named(kind, name.to_owned()).await.unwrap();
    let change = match known.map(|record| record.id) {
        Some(id) => Change::Set {
            kind,
            id,
            base,
            body,
        },
        None => Change::Add {
            kind,
            name: Some(name.to_owned()),
            body,
        },
    };
    let written = store.change_shelf(vec![change], Timestamp::EPOCH);
    written.await.unwrap();
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_not_one_that_is_gone() {
    let memory = Arc::new(MemoryStore::new());
    let store: Arc<dyn Store> = memory.clone();
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let book = Book::new(&store, &telemetry);
    for name in ["shop", "other"] {
        write(&memory, name, account(name)).await;
    }
    let unreadable = || {
        let text = telemetry.metrics.render();
        let name = r#"zajil_smpp_unreadable_records{kind="account"} "#;
        let of = |line: &str| line.strip_prefix(name).map(str::to_owned);
        text.lines().find_map(of)
    };
    book.read().await.unwrap();
    assert!(book.find("shop").is_some() && !book.is_unreadable("shop"));
    write(&memory, "shop", LATER.to_owned()).await;
    book.read().await.unwrap();
    assert!(book.find("shop").is_none() && book.is_unreadable("shop"));
    assert!(book.find("other").is_some() && !book.is_unreadable("other"));
    assert!(!book.is_unreadable("nobody"));
    assert_eq!(unreadable().as_deref(), Some("1"));
    write(&memory, "shop", account("shop")).await;
    book.read().await.unwrap();
    assert!(book.find("shop").is_some() && !book.is_unreadable("shop"));
    assert_eq!(unreadable().as_deref(), Some("0"));
}

/// It is bound to as before.
#[test]
fn a_carrier_that_cannot_be_read_stays_as_it_was() {
    let carrier = |name: &str| {
        let text = CARRIER.replace("NAME", name);
        decode_smpp_carrier(&text).unwrap()
    };
    let names = |all: &Carriers| -> Vec<String> {
        all.iter().map(|carrier| carrier.name.to_string()).collect()
    };
    let read = |all: &[&str], unreadable: &[&str]| Reading {
        revision: 1,
        all: all.iter().map(|name| carrier(name)).collect(),
        unreadable: unreadable.iter().map(|&name| name.to_owned()).collect(),
    };
    let before = carriers(&Carriers::default(), read(&["up", "down", "gone"], &[]));
    assert_eq!(names(&before), ["up", "down", "gone"]);
    let after = carriers(&before, read(&["down"], &["up", "new"]));
    assert_eq!(names(&after), ["down", "up"]);
    assert!(Arc::ptr_eq(&after[1], &before[0]));
}
