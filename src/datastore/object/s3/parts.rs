//! Into which parts an object is cut.
//!
//! S3 takes 10,000 parts at most, of 5 MiB to 5 GiB, and objects of up to 5 TiB ("Amazon S3 multipart
//! upload limits"). Parts begin small, so that little is on its way at once, and grow with the object.

/// The length of the first parts.
pub(super) const PART: u64 = 8 << 20;
/// After this many parts their length doubles.
const DOUBLES_AFTER: u64 = 1000;

/// A part: its number, from 1, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) number: i32,
    pub(super) at: u64,
    pub(super) len: usize,
}

/// The parts of an object of `total` bytes.
pub(super) fn cuts(total: u64) -> impl Iterator<Item = Cut> {
    let mut at = 0;
    (0..).map_while(move |index: u64| {
        let len = (PART << (index / DOUBLES_AFTER)).min(total - at);
        let cut = Cut {
            number: index as i32 + 1,
            at,
            len: len as usize,
        };
        at += len;
        (len > 0).then_some(cut)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_object_and_s3_takes_them() {
        for total in [1, PART - 1, PART, PART + 1, 3 * PART, 40 << 30, 5 << 40] {
            let all: Vec<_> = cuts(total).collect();
            let mut end = 0;
            for (index, cut) in all.iter().enumerate() {
                assert_eq!((cut.number as usize, cut.at), (index + 1, end));
                end += cut.len as u64;
                assert!(cut.len as u64 <= 5 << 30);
                assert!(cut.len as u64 >= PART || index + 1 == all.len());
            }
            assert_eq!(end, total);
            assert!(all.len() <= 10_000, "{total}: {}", all.len());
        }
        assert_eq!(cuts(0).count(), 0);
    }
}
