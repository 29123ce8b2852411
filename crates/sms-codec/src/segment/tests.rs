//! Limits of 3GPP TS 23.040 9.2.3.24.1 and what must not be cut.

use super::*;

fn plan(text: &str, options: &Options) -> (bool, usize, u32) {
    let plan = count(text, options);
    assert_eq!(cut(text, &plan).count(), plan.parts.get() as usize);
    (
        matches!(plan.alphabet, Alphabet::Gsm7(_)),
        plan.units,
        plan.parts.get(),
    )
}

#[test]
fn one_message_holds_160_septets_or_70_units() {
    assert_eq!(plan("", &Options::PLAIN), (true, 0, 1));
    assert_eq!(plan(&"a".repeat(160), &Options::PLAIN), (true, 160, 1));
    assert_eq!(plan(&"a".repeat(161), &Options::PLAIN), (true, 161, 2));
    assert_eq!(plan(&"é".repeat(160), &Options::PLAIN), (true, 160, 1));
    assert_eq!(plan(&"я".repeat(70), &Options::PLAIN), (false, 70, 1));
    assert_eq!(plan(&"я".repeat(71), &Options::PLAIN), (false, 71, 2));
}

#[test]
fn parts_hold_153_or_152_septets_and_67_or_66_units() {
    let wide = Options {
        reference: ReferenceSize::Bits16,
        ..Options::PLAIN
    };
    assert_eq!(plan(&"a".repeat(306), &Options::PLAIN).2, 2);
    assert_eq!(plan(&"a".repeat(307), &Options::PLAIN).2, 3);
    assert_eq!(plan(&"a".repeat(304), &wide).2, 2);
    assert_eq!(plan(&"a".repeat(305), &wide).2, 3);
    assert_eq!(plan(&"я".repeat(134), &Options::PLAIN).2, 2);
    assert_eq!(plan(&"я".repeat(135), &Options::PLAIN).2, 3);
    assert_eq!(plan(&"я".repeat(132), &wide).2, 2);
    assert_eq!(plan(&"я".repeat(133), &wide).2, 3);
}

#[test]
fn an_escape_pair_moves_to_the_next_part_as_a_whole() {
    let text = format!("{}€{}", "a".repeat(152), "b".repeat(151));
    assert_eq!(plan(&text, &Options::PLAIN), (true, 305, 2));
    let text = format!("{}€{}", "a".repeat(152), "b".repeat(152));
    assert_eq!(plan(&text, &Options::PLAIN), (true, 306, 3));
    let euros = "€".repeat(153);
    assert_eq!(plan(&euros, &Options::PLAIN), (true, 306, 3));
}

#[test]
fn a_surrogate_pair_moves_to_the_next_part_as_a_whole() {
    let text = format!("{}\u{1F600}{}", "я".repeat(66), "я".repeat(65));
    assert_eq!(plan(&text, &Options::PLAIN), (false, 133, 2));
    let text = format!("{}\u{1F600}{}", "я".repeat(66), "я".repeat(66));
    assert_eq!(plan(&text, &Options::PLAIN), (false, 134, 3));
}

#[test]
fn other_elements_take_their_room() {
    let ports = Options {
        other_elements: 6,
        ..Options::PLAIN
    };
    assert_eq!(plan(&"a".repeat(152), &ports).2, 1);
    assert_eq!(plan(&"a".repeat(153), &ports).2, 2);
}

#[test]
fn ucs2_can_be_asked_for() {
    let options = Options {
        choice: Choice::Ucs2,
        ..Options::PLAIN
    };
    assert_eq!(plan("abc", &options), (false, 3, 1));
}

#[test]
fn tables_can_be_asked_for() {
    let turkish = Shift {
        locking: Language::Default,
        single: Language::Turkish,
    };
    let options = Options {
        choice: Choice::Gsm7(turkish),
        ..Options::PLAIN
    };
    let count = |text: &str| count(text, &options);
    assert_eq!(
        count("abc").alphabet,
        Alphabet::Gsm7(turkish),
        "needed or not"
    );
    assert_eq!(count("ışık").units, 7, "three of them are escaped");
    assert_eq!(
        count(&"a".repeat(155)).parts.get(),
        1,
        "160 less the header of 4 octets"
    );
    assert_eq!(count(&"a".repeat(156)).parts.get(), 2);
    assert_eq!(
        count("Привет").alphabet,
        Alphabet::Ucs2,
        "no other tables are tried"
    );
}
