//! Which payments are copied how often, and what tells a copy from its original.
//!
//! A copy has the amounts and dates of its original. Its id and time of creation lie between the original and the payment
//! that was created next, so that in every order of the list that ends with the id the copies of a payment stand directly
//! beside it. A page of payments that are not copied is thus the same page, however many copies there are.

use std::collections::HashSet;

use uuid::Uuid;

/// Milliseconds from a payment to the next, from which on it is copied. Each of its copies takes one of its own.
const ROOM: u64 = 10_000;

/// How often a payment is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// The place of the payment in the list.
    pub(super) original: usize,
    /// How many copies it gets.
    pub(super) count: u64,
    /// Milliseconds to the next payment.
    room: u64,
}

impl Share {
    /// Milliseconds by which a copy is younger than the original; copies are numbered from 1 to `count`.
    pub(super) fn shift(&self, number: u64) -> u64 {
        self.room * number / (self.count + 1)
    }
}

/// Shares `copies` out among payments, evenly over the list, and leaves out the spared ones. `ids` are UUIDv7 in
/// ascending order.
///
/// # Errors
/// When there are more copies than have room, or nothing to be copied.
pub(super) fn shares(ids: &[Uuid], spared: &HashSet<Uuid>, copies: u64) -> Result<Vec<Share>, String> {
    // The last has none after it.
    let rooms: Vec<(usize, u64)> = ids
        .iter()
        .zip(ids.iter().skip(1))
        .enumerate()
        .filter(|(_, (id, _))| !spared.contains(*id))
        .map(|(original, (id, next))| (original, milliseconds(*next).saturating_sub(milliseconds(*id))))
        .filter(|(_, room)| *room >= ROOM)
        .collect();
    let originals = rooms.len() as u64;
    if originals == 0 || copies.div_ceil(originals) >= ROOM {
        return Err(format!("{originals} payments can be copied, each less than {ROOM} times: not {copies} in all"));
    }
    let up_to = |share: u64| share * copies / originals;
    let shares = rooms.into_iter().zip(0_u64..);
    Ok(shares.map(|((original, room), at)| Share { original, count: up_to(at + 1) - up_to(at), room }).collect())
}

/// The same id, made so many milliseconds later.
pub(super) fn later(id: Uuid, milliseconds: u64) -> Uuid {
    Uuid::from_u128(id.as_u128().wrapping_add(u128::from(milliseconds) << 80))
}

/// When an id was made, in milliseconds since 1970: the first 48 bits of it.
fn milliseconds(id: Uuid) -> u64 {
    (id.as_u128() >> 80) as u64
}

#[cfg(test)]
mod tests {
    use uuid::Builder;

    use super::*;

    /// Payments with so many milliseconds between them.
    fn ids(gaps: &[u64]) -> Vec<Uuid> {
        let mut at = 1_790_000_000_000;
        let id = |at: u64, number: usize| {
            // The later the smaller, so that the time alone makes ids rise.
            let rest = [u8::try_from(250 - number).unwrap(); 10];
            Builder::from_unix_timestamp_millis(at, &rest).into_uuid()
        };
        let mut ids = vec![id(at, 0)];
        for (number, gap) in (1..).zip(gaps) {
            at += gap;
            ids.push(id(at, number));
        }
        ids
    }

    /// The ids of the copies of one payment, in their order.
    fn copied(ids: &[Uuid], share: &Share) -> Vec<Uuid> {
        (1..=share.count).map(|number| later(ids[share.original], share.shift(number))).collect()
    }

    /// This is what keeps a page the same page: nothing gets between a payment and its copies.
    #[test]
    fn copies_stand_between_their_original_and_the_next() {
        let ids = ids(&[10_000, 1_860_000, 12_345, 50_001, 900_000]);
        let shares = shares(&ids, &HashSet::new(), 40_000).unwrap();
        assert_eq!(shares.len(), 5);
        for share in &shares {
            let mut row = vec![ids[share.original]];
            row.extend(copied(&ids, share));
            row.push(ids[share.original + 1]);
            let times: Vec<u64> = row.iter().map(|id| milliseconds(*id)).collect();
            assert!(times.is_sorted_by(|one, next| one < next), "{share:?}");
            assert!(row.is_sorted_by(|one, next| one < next), "{share:?}");
            assert!(row.iter().all(|id| id.get_version_num() == 7), "{share:?}");
        }
    }

    /// No id twice, and as many copies as were asked for, shared out evenly from the first to the last.
    #[test]
    fn copies_are_as_many_as_asked_for() {
        let ids = ids(&[60_000; 100]);
        for count in [0, 1, 50, 99, 100, 12_345] {
            let shares = shares(&ids, &HashSet::new(), count).unwrap();
            let all: HashSet<Uuid> = shares.iter().flat_map(|share| copied(&ids, share)).collect();
            assert_eq!(all.len() as u64, count);
            let half: u64 = shares.iter().take(50).map(|share| share.count).sum();
            assert_eq!(half, count / 2, "{count}");
        }
    }

    /// What a page shows is not copied, and neither is what has no room before the next.
    #[test]
    fn the_spared_and_the_crowded_are_not_copied() {
        let ids = ids(&[60_000, 60_000, 9_999, 60_000]);
        let spared = HashSet::from([ids[1]]);
        let places: Vec<usize> = shares(&ids, &spared, 10).unwrap().iter().map(|share| share.original).collect();
        assert_eq!(places, [0, 3]);
    }

    #[test]
    fn copies_without_room_are_refused() {
        let ids = ids(&[60_000, 60_000]);
        assert!(shares(&ids, &HashSet::new(), 2 * 9_999).is_ok());
        assert!(shares(&ids, &HashSet::new(), 2 * 9_999 + 1).is_err());
        assert!(shares(&ids[..1], &HashSet::new(), 1).is_err());
        assert!(shares(&ids, &ids.iter().copied().collect(), 1).is_err());
    }
}
