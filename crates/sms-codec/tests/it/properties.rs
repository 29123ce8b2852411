//! Properties over generated texts and octets.

use proptest::prelude::*;
use sms_codec::gsm7::{self, FillBits, Shift};

use crate::check;

/// Texts that mix ASCII, the default alphabet, national letters and emoji.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[ -~]{0,60}",
        "[a-z€\\[\\]{}|~^\\\\àéñΩ\n]{0,80}",
        "[ğşıİçãõ]{0,20}",
        "[\u{0900}-\u{097F}]{0,40}",
        "[\u{1F600}-\u{1F64F}]{0,20}",
    ];
    (any::<[u8; 2]>(), prop::collection::vec(piece, 0..6)).prop_map(|(choice, pieces)| {
        let mut input = choice.to_vec();
        input.extend(pieces.concat().bytes());
        input
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn septets_survive_packing_at_every_offset(
        septets in prop::collection::vec(0_u8..128, 0..200),
    ) {
        for fill in (0..7).map(|bits| FillBits::new(bits).unwrap()) {
            let mut octets = Vec::new();
            gsm7::pack(&septets, fill, &mut octets);
            prop_assert_eq!(octets.len(), gsm7::packed_len(septets.len(), fill));
            // Bit by bit, as the standard draws it.
            for (index, septet) in septets.iter().enumerate() {
                for bit in 0..7 {
                    let at = usize::from(fill.bits()) + index * 7 + bit;
                    prop_assert_eq!(octets[at / 8] >> (at % 8) & 1, septet >> bit & 1);
                }
            }
            prop_assert_eq!(&gsm7::unpack(&octets, fill, septets.len()).unwrap(), &septets);
        }
    }

    #[test]
    fn parts_join_to_the_text_they_were_split_from(input in any_text()) {
        check::text(&input);
    }

    #[test]
    fn any_text_of_the_default_tables_reads_back(text in "[a-zà€\\[ΩÆß \n]{0,200}") {
        let septets = gsm7::encode(&text, Shift::DEFAULT).unwrap();
        prop_assert_eq!(gsm7::decode(&septets, Shift::DEFAULT), text);
    }

    #[test]
    fn any_octets_are_read_or_refused(input in prop::collection::vec(any::<u8>(), 0..200)) {
        for name in ["tpdu", "rp", "udh", "gsm7", "ucs2", "text"] {
            check::by_name(name).unwrap()(&input);
        }
    }
}
