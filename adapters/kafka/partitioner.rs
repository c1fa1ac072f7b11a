//! The partition of a key: the one that Kafka's Java client chooses (murmur2). The publisher chooses it from the number of
//! partitions that it has checked. If the client chose it, partitions that are added would move keys unnoticed.

/// The seed and the constants of Kafka's murmur2 (`org.apache.kafka.common.utils.Utils`).
const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;

/// The partition of a key among so many.
pub(crate) fn partition_of(key: &[u8], partitions: usize) -> i32 {
    let Ok(partitions @ 1..) = u32::try_from(partitions) else { return 0 };
    i32::try_from((murmur2(key) & 0x7fff_ffff) % partitions).unwrap_or(0)
}

fn murmur2(bytes: &[u8]) -> u32 {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(SEED ^ length, |hash, word| {
        let k = u32::from_le_bytes(*word).wrapping_mul(M);
        hash.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M)
    });
    if !rest.is_empty() {
        let mut last = [0; 4];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own test, `UtilsTest.testMurmur2`.
    #[test]
    fn a_key_has_the_partition_that_the_java_client_chooses() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash.cast_unsigned(), "{key}");
            let partition = partition_of(key.as_bytes(), 7);
            assert_eq!(partition, (hash & 0x7fff_ffff) % 7);
        }
        assert_eq!(partition_of(b"x", 0), 0);
    }
}
