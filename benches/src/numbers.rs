//! Numbers that look random and are the same for the same seed (splitmix64).

/// A generator.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts from a seed and what the numbers are for, so that one use does not shift another's.
    pub fn of(seed: u64, purpose: &str) -> Self {
        let bytes = purpose.bytes();
        Self(bytes.fold(seed, |state, byte| Self(state ^ u64::from(byte)).draw()))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % limit).unwrap_or(0)
    }

    /// Bytes that no compressor shortens.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        for part in bytes.chunks_mut(8) {
            let number = self.draw().to_be_bytes();
            part.iter_mut()
                .zip(number)
                .for_each(|(byte, random)| *byte = random);
        }
        bytes
    }

    /// 32 bytes.
    pub fn array(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.draw().to_be_bytes());
        }
        bytes
    }

    /// `count` different numbers below `limit`, or all there are.
    pub fn choose(&mut self, count: usize, limit: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..limit).collect();
        let count = count.min(limit);
        for place in 0..count {
            let other = place + self.below(limit - place);
            all.swap(place, other);
        }
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut one, mut other) = (Numbers::of(7, "bodies"), Numbers::of(7, "bodies"));
        assert_eq!(one.bytes(100), other.bytes(100));
        assert_ne!(one.draw(), Numbers::of(7, "faults").draw());
        let chosen = one.choose(3, 10);
        assert_eq!((chosen.len(), one.choose(9, 4).len()), (3, 4));
        assert!(chosen.iter().all(|place| *place < 10) && chosen[0] != chosen[1] && chosen[1] != chosen[2]);
    }
}
