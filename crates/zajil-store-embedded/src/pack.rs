//! Many places of an order in one row: what is written together is kept together.
//!
//! A place is an instant and the id of a message. Places that are written in one transaction lie
//! close to each other, so that one takes a few octets instead of a row of its own.

use zajil_store::Error;

use crate::error::Done;

/// The most places of one pack: it is written anew when some of them go.
const MOST: usize = 256;

/// When, and which message: the order of offers and that of turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// In milliseconds.
    pub(crate) at: i64,
    pub(crate) id: i64,
}

/// Some places, in their order; the first stands in the key of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) first: Place,
    /// How many there are, the first included.
    pub(crate) count: usize,
    /// The highest id.
    pub(crate) top: i64,
    /// What lies between each of the others and the one before it.
    pub(crate) rest: Vec<u8>,
}

impl Pack {
    /// Packs places that are in order, none twice; nothing of nothing.
    pub(crate) fn of(places: &[Place]) -> Option<Self> {
        let first = *places.first()?;
        let mut rest = Vec::new();
        let (mut last, mut top) = (first, first.id);
        for place in places.iter().skip(1) {
            put(&mut rest, place.at.wrapping_sub(last.at));
            put(&mut rest, place.id.wrapping_sub(last.id));
            (last, top) = (*place, top.max(place.id));
        }
        Some(Self {
            first,
            count: places.len(),
            top,
            rest,
        })
    }

    /// Packs places in order into as few as it takes; those of one are at most so far apart.
    pub(crate) fn all(places: &[Place], apart: i64) -> impl Iterator<Item = Self> {
        let mut left = places;
        std::iter::from_fn(move || {
            let first = left.first()?;
            let end = first.at.saturating_add(apart);
            let near = left.iter().take(MOST).take_while(|place| place.at <= end);
            let (these, others) = left.split_at(near.count());
            left = others;
            Self::of(these)
        })
    }

    /// Adds the places of a row to others.
    ///
    /// # Errors
    /// [`Error::Damaged`]: the octets are not those of so many places.
    pub(crate) fn unpack(
        places: &mut Vec<Place>,
        first: Place,
        count: i64,
        mut rest: &[u8],
    ) -> Done<()> {
        let damaged = || Error::Damaged("a pack of places that cannot be read".into());
        places.push(first);
        let mut last = first;
        for _ in 1..count {
            let (at, id) = take(&mut rest).zip(take(&mut rest)).ok_or_else(damaged)?;
            last = Place {
                at: last.at.wrapping_add(at),
                id: last.id.wrapping_add(id),
            };
            places.push(last);
        }
        match rest {
            [] if count > 0 => Ok(()),
            _ => Err(damaged().into()),
        }
    }
}

/// Seven bits an octet, the lowest first; numbers near zero on either side are short.
fn put(octets: &mut Vec<u8>, number: i64) {
    let mut left = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    while left >= 0x80 {
        octets.push(u8::try_from(left & 0x7F).unwrap_or(0) | 0x80);
        left >>= 7;
    }
    octets.push(u8::try_from(left).unwrap_or(0));
}

fn take(octets: &mut &[u8]) -> Option<i64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (octet, others) = octets.split_first()?;
        *octets = others;
        number |= u64::from(octet & 0x7F) << shift;
        if octet & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at: i64, id: i64) -> Place {
        Place { at, id }
    }

    fn read(pack: &Pack) -> Vec<Place> {
        let mut places = Vec::new();
        let count = i64::try_from(pack.count).unwrap();
        Pack::unpack(&mut places, pack.first, count, &pack.rest)
            .ok()
            .unwrap();
        places
    }

    #[test]
    fn a_pack_holds_what_was_put_in() {
        let mut places = vec![
            place(i64::MIN, i64::MAX),
            place(-1, 3),
            place(0, 0),
            place(1_800_000_000_000, 9_007_199_254_740_991),
            place(1_800_000_000_001, 1),
            place(i64::MAX, i64::MIN),
        ];
        places.sort_unstable();
        let pack = Pack::of(&places).unwrap();
        assert_eq!((pack.count, pack.top), (6, i64::MAX));
        assert_eq!(read(&pack), places);
        assert_eq!(Pack::of(&[]), None);
    }

    #[test]
    fn places_of_one_moment_take_two_octets_each() {
        let places: Vec<Place> = (0..100).map(|n| place(1_800_000_000_000, n)).collect();
        assert_eq!(Pack::of(&places).unwrap().rest.len(), 99 * 2);
    }

    #[test]
    fn packs_are_short_and_of_one_time() {
        let mut places: Vec<Place> = (0..600).map(|n| place(n / 300 * 1_000, n)).collect();
        places.push(place(60_000, 1));
        let packs: Vec<Pack> = Pack::all(&places, 999).collect();
        let counts: Vec<usize> = packs.iter().map(|pack| pack.count).collect();
        assert_eq!(counts, [256, 44, 256, 44, 1]);
        assert_eq!(packs.iter().flat_map(read).collect::<Vec<_>>(), places);
    }

    #[test]
    fn octets_that_are_no_pack_are_refused() {
        let good = Pack::of(&[place(1, 1), place(2, 300)]).unwrap();
        for (count, rest) in [
            (2, &good.rest[..1]),
            (2, &[][..]),
            (3, &good.rest[..]),
            (1, &good.rest[..]),
            (0, &[][..]),
            (-1, &[][..]),
            (i64::MAX, &good.rest[..]),
            (2, &[0xFF; 12][..]),
        ] {
            let read = Pack::unpack(&mut Vec::new(), good.first, count, rest);
            assert!(read.is_err(), "{count} of {rest:?}");
        }
    }
}
