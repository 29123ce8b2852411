//! Who may bind, how often, and from where.

use std::num::NonZeroU32;

use smpp_codec::Status;
use smpp_codec::pdu::Pdu;
use smpp_codec::tlv::Tag;
use zajil_core::clock::Timestamp;
use zajil_core::smpp::password::Hashed;
use zajil_core::smpp::{Account, BindType, Network};
use zajil_smpp::link::Ended;

use crate::bench::{Esme, PATIENCE, account, centre, sm};

#[tokio::test]
async fn who_may_not_bind_is_told_why_and_left() {
    let mut closed = account("closed");
    closed.enabled = false;
    let mut over = account("over");
    over.expires = Some(Timestamp::from_secs(1));
    let mut elsewhere = account("elsewhere");
    elsewhere.networks = vec![Network::parse("192.0.2.0/24").unwrap()];
    let mut writer = account("writer");
    writer.bind_types = vec![BindType::Transmitter];
    let centre = centre(vec![account("shop"), closed, over, elsewhere, writer]).await;
    for (name, password, expected) in [
        ("shop", "secret08", Status::ROK),
        ("shop", "secret08", Status::ROK),
        ("shop", "secret07", Status::RINVPASWD),
        ("shop", "", Status::RINVPASWD),
        ("nobody", "secret08", Status::RINVSYSID),
        ("closed", "secret08", Status::RBINDFAIL),
        ("over", "secret08", Status::RBINDFAIL),
        ("elsewhere", "secret08", Status::RBINDFAIL),
        ("writer", "secret08", Status::RBINDFAIL),
    ] {
        let esme = Esme::connect(&centre).await;
        let status = esme.bind(BindType::Transceiver, name, password).await;
        assert_eq!(status, expected, "{name} {password}");
        if status == Status::ROK {
            esme.handle.leave();
            assert_eq!(esme.ended.await.unwrap(), Ended::Unbound);
        } else {
            assert_eq!(esme.ended.await.unwrap(), Ended::Closed);
        }
    }
}

/// A new password holds at once, although the old one was found right before.
#[tokio::test]
async fn a_changed_password_is_not_remembered() {
    let centre = centre(vec![account("shop")]).await;
    Esme::bound(&centre, "shop").await.handle.leave();
    let mut changed = account("shop");
    changed.password = zajil_core::smpp::password::Hashed::new(b"new", [2; 16]);
    centre.book.put(changed);
    let esme = Esme::connect(&centre).await;
    let old = esme.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(old, Status::RINVPASWD);
    let esme = Esme::connect(&centre).await;
    assert_eq!(
        esme.bind(BindType::Receiver, "shop", "new").await,
        Status::ROK
    );
}

/// 3.3 peers get no optional parameters; the others learn that we speak 5.0.
#[tokio::test]
async fn the_version_is_told_to_those_who_can_read_it() {
    let centre = centre(vec![account("shop")]).await;
    for (said, told) in [
        (0x00, None),
        (0x33, None),
        (0x34, Some(0x50)),
        (0x50, Some(0x50)),
    ] {
        let esme = Esme::connect(&centre).await;
        let (_, pdu) = esme
            .bind_as(BindType::Receiver, ("shop", "secret08"), said)
            .await;
        let Pdu::BindReceiverResp(response) = pdu else {
            panic!("{pdu:?}");
        };
        assert_eq!(
            response.tlvs.u8(Tag::SC_INTERFACE_VERSION),
            told,
            "{said:#x}"
        );
        assert_eq!(response.system_id.to_str(), "zajil");
        esme.handle.leave();
        esme.ended.await.unwrap();
    }
}

/// Peers' complaint 21: a session that lives keeps its place, one that is dead makes room.
#[tokio::test]
async fn a_dead_session_makes_room_for_a_new_one() {
    let mut only_one = account("shop");
    only_one.max_binds = NonZeroU32::MIN;
    let centre = centre(vec![only_one]).await;
    let first = Esme::bound(&centre, "shop").await;
    let second = Esme::connect(&centre).await;
    let status = second.bind(BindType::Transceiver, "shop", "secret08").await;
    assert_eq!(status, Status::RALYBND);
    // A peer whose machine went away: nobody reads, nobody closes.
    let mute = tokio::net::TcpStream::connect(centre.address)
        .await
        .unwrap();
    first.handle.leave();
    first.ended.await.unwrap();
    let mut bind = bytes::BytesMut::new();
    let request = smpp_codec::pdu::Bind {
        system_id: smpp_codec::text::Text::new("shop").unwrap(),
        password: smpp_codec::text::Text::new("secret08").unwrap(),
        interface_version: 0x34,
        ..smpp_codec::pdu::Bind::default()
    };
    Pdu::BindReceiver(request).encode(Status::ROK, 1, &mut bind);
    let mut mute = mute;
    tokio::io::AsyncWriteExt::write_all(&mut mute, &bind)
        .await
        .unwrap();
    let mut response = [0; 16];
    tokio::io::AsyncReadExt::read_exact(&mut mute, &mut response)
        .await
        .unwrap();
    let third = Esme::connect(&centre).await;
    let status = third.bind(BindType::Transceiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
}

/// A connection in the clear is no place for such an account.
#[tokio::test]
async fn an_account_that_needs_tls_does_not_bind_without() {
    let mut shop = account("shop");
    shop.require_tls = true;
    let centre = centre(vec![shop]).await;
    let esme = Esme::connect(&centre).await;
    let status = esme.bind(BindType::Transceiver, "shop", "secret08").await;
    assert_eq!(status, Status::RBINDFAIL);
}

/// Who could not bind any more does not stay bound: not until its own end, and not as an account
/// that is none. What else is changed of an account leaves its sessions alone, and that it cannot
/// be read any more.
#[tokio::test]
async fn who_may_not_bind_any_more_is_unbound() {
    let off = Account {
        enabled: false,
        ..account("off")
    };
    let over = Account {
        expires: Some(Timestamp::from_secs(1)),
        ..account("over")
    };
    let elsewhere = Account {
        networks: vec![Network::parse("192.0.2.0/24").unwrap()],
        ..account("elsewhere")
    };
    let writes = Account {
        bind_types: vec![BindType::Transmitter],
        ..account("writes")
    };
    let changed = [off, over, elsewhere, writes];
    let names = [
        "stays",
        "unread",
        "gone",
        "off",
        "over",
        "elsewhere",
        "writes",
    ];
    let centre = centre(names.map(account).into()).await;
    let stays = Esme::bound(&centre, "stays").await;
    let unread = Esme::bound(&centre, "unread").await;
    centre.book.damage("unread");
    let mut all = vec![Esme::bound(&centre, "gone").await];
    centre.book.remove("gone");
    for account in &changed {
        all.push(Esme::bound(&centre, account.system_id.as_str()).await);
    }
    let other = Account {
        max_binds: NonZeroU32::new(7).unwrap(),
        password: Hashed::new(b"secret09", [1; 16]),
        ..account("stays")
    };
    for account in changed.into_iter().chain([other]) {
        centre.book.put(account);
    }
    for esme in all {
        let ended = tokio::time::timeout(PATIENCE, esme.ended).await;
        assert_eq!(ended.unwrap().unwrap(), Ended::Unbound);
    }
    for stays in [&stays, &unread] {
        let (status, _) = stays.submit(sm("A", "+46709771337", b"hi")).await;
        assert_eq!(status, Status::ROK);
    }
    // Whether it may bind is not known: it may try again.
    let again = Esme::connect(&centre).await;
    let status = again.bind(BindType::Transceiver, "unread", "secret08");
    assert_eq!(status.await, Status::RSYSERR);
    centre.book.remove("unread");
    let ended = tokio::time::timeout(PATIENCE, unread.ended).await;
    assert_eq!(ended.unwrap().unwrap(), Ended::Unbound);
}
