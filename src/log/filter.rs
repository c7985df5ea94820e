//! A Bloom filter: 'surely not here' or 'perhaps here'.
//!
//! One hash, two halves (Kirsch and Mitzenmacher, 'Less hashing, same performance', 2006); seven
//! probes. The bytes are part of the format; how many there are is not, they are read as they come.

use xxhash_rust::xxh64::xxh64;

/// Bits a key for streams: 2 in 10,000 wrong 'perhaps'. A new stream is asked for in every segment, and a
/// wrong answer is a block that is read for nothing.
pub(crate) const STREAM_BITS: usize = 20;
/// Bits a key for ids of commits: 2 in 100,000. Bulk asks for thousands of new ones at once, and a wrong answer
/// is all commits of a segment.
pub(crate) const COMMIT_BITS: usize = 30;
const PROBES: u64 = 7;

/// The filter of some keys, as bytes.
pub(crate) fn build<'a>(bits_per_key: usize, keys: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = vec![0; (keys.len() * bits_per_key).div_ceil(8).max(8)];
    let bits = bytes.len() as u64 * 8;
    for key in keys {
        for bit in probes(key, bits) {
            if let Some(byte) = bytes.get_mut((bit / 8) as usize) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    bytes
}

/// Whether `key` may be among the keys of a filter.
pub(crate) fn may_contain(filter: &[u8], key: &[u8]) -> bool {
    let bits = filter.len() as u64 * 8;
    bits == 0
        || probes(key, bits).all(|bit| {
            filter
                .get((bit / 8) as usize)
                .is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
        })
}

fn probes(key: &[u8], bits: u64) -> impl Iterator<Item = u64> {
    let hash = xxh64(key, 0);
    let (first, step) = (hash & 0xffff_ffff, hash >> 32);
    (0..PROBES).map(move |probe| (first + probe * step) % bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_its_keys_and_few_others() {
        let keys: Vec<String> = (0..1_000).map(|number| format!("account-{number}")).collect();

        for (bits, most) in [(10, 200), (STREAM_BITS, 5), (COMMIT_BITS, 1)] {
            let filter = build(bits, keys.iter().map(std::string::String::as_bytes));

            assert!(keys.iter().all(|key| may_contain(&filter, key.as_bytes())));
            let wrong = (0..10_000)
                .filter(|number| may_contain(&filter, format!("other-{number}").as_bytes()))
                .count();
            assert!(wrong <= most, "{wrong} of 10,000 with {bits} bits");
        }
    }
}
