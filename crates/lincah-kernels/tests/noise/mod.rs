//! Reproducible random numbers.

/// A stream of numbers that are multiples of 2⁻²³, the same on every machine (xorshift, Marsaglia 2003).
pub struct Noise(u64);

impl Noise {
    /// Streams of different seeds differ.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next `length` numbers, each in -1..1.
    pub fn take(&mut self, length: usize) -> Vec<f32> {
        (0..length)
            .map(|_| {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }
}
