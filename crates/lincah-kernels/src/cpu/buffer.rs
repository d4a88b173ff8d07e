//! Arrays on the processor, whose memory goes back to a pool: a step would otherwise ask the system for the same pages again and again,
//! and get them zeroed.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shorter arrays are left to the allocator, which keeps them at hand anyway.
const SHORTEST_POOLED: usize = 1 << 12;

/// An array of `f32`.
#[derive(Debug)]
pub struct Buffer {
    /// The numbers, and perhaps more memory behind them.
    values: Vec<f32>,
    length: usize,
}

/// Memory of dropped buffers, by size, and what is counted of the live ones.
struct Pool {
    free: BTreeMap<usize, Vec<Vec<f32>>>,
    /// Numbers that memory is held for, in use or not.
    held: usize,
    /// Numbers of the live arrays, and the most that these ever were: no more is held if that can be helped.
    live: usize,
    most_live: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    const fn new() -> Self {
        Self { free: BTreeMap::new(), held: 0, live: 0, most_live: 0 }
    }

    /// Counts an array, and gives it the smallest free memory that fits and of which it wastes at most half: batches of other sizes use
    /// each other's memory.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        self.live += length;
        self.most_live = self.most_live.max(self.live);
        let (&size, arrays) = self.free.range_mut(length..=2 * length).next()?;
        let values = arrays.pop();
        if arrays.is_empty() {
            self.free.remove(&size);
        }
        values
    }

    /// Counts `size` numbers of new memory, and gives as much back to the system, the smallest arrays first, as is needed to hold no
    /// more than was ever live. Large arrays can serve for small.
    fn hold(&mut self, size: usize) {
        while self.held + size > self.most_live
            && let Some((size, mut arrays)) = self.free.pop_first()
        {
            arrays.pop();
            self.held -= size;
            if !arrays.is_empty() {
                self.free.insert(size, arrays);
            }
        }
        self.held += size;
    }

    fn give(&mut self, values: Vec<f32>, length: usize) {
        self.live -= length;
        self.free.entry(values.len()).or_default().push(values);
    }
}

impl Buffer {
    /// An array whose numbers may be anything.
    pub(super) fn uninitialized(length: usize) -> Self {
        if length < SHORTEST_POOLED {
            return Self { values: vec![0.0; length], length };
        }
        let mut pool = pool();
        if let Some(values) = pool.take(length) {
            return Self { values, length };
        }
        // Eight sizes an octave, so that arrays of nearly equal length can take each other's place.
        let size = length.next_multiple_of(length.next_power_of_two() / 16);
        pool.hold(size);
        drop(pool);
        Self { values: vec![0.0; size], length }
    }

    /// An array of zeros.
    pub(super) fn zeros(length: usize) -> Self {
        let mut buffer = Self::uninitialized(length);
        buffer.fill(0.0);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        if self.length >= SHORTEST_POOLED {
            pool().give(values, self.length);
        }
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        let length = values.len();
        if length >= SHORTEST_POOLED {
            let mut pool = pool();
            pool.live += length;
            pool.held += length;
            pool.most_live = pool.most_live.max(pool.live);
        }
        Self { values, length }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_have_their_length_and_zeros_are_zero_wherever_the_memory_comes_from() {
        for round in 0..3 {
            for length in [0, 1, SHORTEST_POOLED - 1, SHORTEST_POOLED, 5000, 5001, 70_000, 4096 * 17 + 3] {
                let mut buffer = Buffer::uninitialized(length);
                assert_eq!(buffer.len(), length);
                buffer.fill(round as f32 + 1.0);
                drop(buffer);
                let zeros = Buffer::zeros(length);
                assert!(zeros.len() == length && zeros.iter().all(|&number| number == 0.0));
                let own = Buffer::from(vec![2.0; length]);
                assert_eq!(&own[..], vec![2.0; length]);
            }
        }
    }

    #[test]
    fn the_pool_holds_no_more_than_was_ever_live() {
        let mut pool = Pool::new();
        for length in [100, 50] {
            assert!(pool.take(length).is_none());
            pool.hold(length);
        }
        [100, 50].into_iter().for_each(|length| pool.give(vec![0.0; length], length));
        assert_eq!((pool.held, pool.live, pool.most_live), (150, 0, 150));
        assert_eq!(pool.take(51).map(|values| values.len()), Some(100));
        assert_eq!(pool.take(24), None);
        pool.hold(24);
        // The array of 50 had to go, and that of 100 is in use.
        assert_eq!((pool.held, pool.live, pool.most_live, pool.free.len()), (124, 75, 150, 0));
        pool.give(vec![0.0; 100], 51);
        assert_eq!(pool.take(110), None);
        pool.hold(110);
        assert_eq!((pool.held, pool.live, pool.most_live), (134, 134, 150));
    }
}
