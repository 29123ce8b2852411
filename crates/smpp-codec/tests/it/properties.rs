//! Properties over generated PDUs and octets, and what another crate makes of them.

use bytes::{BufMut as _, BytesMut};
use proptest::prelude::*;
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength as _;
use smpp_codec::pdu::{Pdu, Tolerance};

use crate::{check, generate};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_as_the_same((header, pdu) in generate::pdu()) {
        let octets = generate::encode(header, &pdu);
        prop_assert_eq!(Pdu::decode(&octets, Tolerance::Strict), Ok((header, pdu)));
    }

    /// Its own reader finds the same operation and writes the same octets again.
    #[test]
    fn rusmpp_reads_what_is_written((header, pdu) in generate::pdu()) {
        let octets = generate::encode(header, &pdu);
        let mut rest = BytesMut::from(&octets[4..]);
        let (command, read) = Command::decode(&mut rest, octets.len() - 4).unwrap();
        prop_assert_eq!(read, octets.len() - 4, "{:?}", command);
        prop_assert_eq!(command.sequence_number, header.sequence);
        let mut again = BytesMut::new();
        again.put_u32(u32::try_from(octets.len()).unwrap());
        rusmpp_core::encode::owned::Encode::encode(&command, &mut again);
        prop_assert_eq!(again, octets);
    }

    #[test]
    fn octets_with_a_mistake_are_read_or_refused(
        (header, pdu) in generate::pdu(),
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        cut in 0..64_usize,
    ) {
        let mut octets = generate::encode(header, &pdu).to_vec();
        let at = at.index(octets.len());
        octets[at] = octet;
        check::pdu(&octets);
        check::stream(&octets);
        octets.truncate(octets.len().saturating_sub(cut));
        let length = u32::try_from(octets.len()).unwrap().to_be_bytes();
        if let Some(field) = octets.first_chunk_mut() {
            *field = length;
        }
        check::pdu(&octets);
        check::stream(&octets);
    }

    #[test]
    fn any_octets_are_read_or_refused(input in prop::collection::vec(any::<u8>(), 0..200)) {
        for name in ["pdu", "stream", "receipt", "time"] {
            check::by_name(name).unwrap()(&input);
        }
    }
}
