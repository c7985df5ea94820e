//! A Bloom filter: 'surely not here' or 'perhaps here', in ten bits a key.
//!
//! One hash, two halves (Kirsch and Mitzenmacher, 'Less hashing, same performance', 2006); seven
//! probes, about 1 % of wrong 'perhaps'. The bytes are part of the format.

use xxhash_rust::xxh64::xxh64;

const BITS_PER_KEY: usize = 10;
const PROBES: u64 = 7;

/// The filter of some keys, as bytes.
pub(crate) fn build<'a>(keys: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = vec![0; (keys.len() * BITS_PER_KEY).div_ceil(8).max(8)];
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

        let filter = build(keys.iter().map(std::string::String::as_bytes));

        assert!(keys.iter().all(|key| may_contain(&filter, key.as_bytes())));
        let wrong = (0..10_000)
            .filter(|number| may_contain(&filter, format!("other-{number}").as_bytes()))
            .count();
        assert!(wrong < 200, "{wrong} of 10,000");
    }
}
