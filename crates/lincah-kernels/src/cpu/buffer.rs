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

/// Memory of dropped buffers, by size.
struct Pool {
    free: BTreeMap<usize, Vec<Vec<f32>>>,
    free_numbers: usize,
    live_numbers: usize,
    /// The most that was ever live: no more than this is held in all.
    most_live: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: BTreeMap::new(), free_numbers: 0, live_numbers: 0, most_live: 0 });

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// The smallest free array that fits and wastes at most half of it: batches of other sizes use each other's arrays.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        let (&capacity, arrays) = self.free.range_mut(length..=2 * length).next()?;
        let values = arrays.pop();
        if arrays.is_empty() {
            self.free.remove(&capacity);
        }
        self.free_numbers -= capacity;
        self.live(capacity);
        values
    }

    fn live(&mut self, capacity: usize) {
        self.live_numbers += capacity;
        self.most_live = self.most_live.max(self.live_numbers);
    }

    /// Gives memory back to the system until `length` more numbers make no new record, the smallest arrays first: large ones can serve
    /// for small.
    fn make_room(&mut self, length: usize) {
        while self.live_numbers + self.free_numbers + length > self.most_live
            && let Some((capacity, mut arrays)) = self.free.pop_first()
        {
            arrays.pop();
            self.free_numbers -= capacity;
            if !arrays.is_empty() {
                self.free.insert(capacity, arrays);
            }
        }
    }
}

impl Buffer {
    /// An array whose numbers may be anything.
    pub(super) fn unset(length: usize) -> Self {
        if length < SHORTEST_POOLED {
            return Self { values: vec![0.0; length], length };
        }
        let mut pool = pool();
        if let Some(values) = pool.take(length) {
            return Self { values, length };
        }
        // Eight sizes an octave, so that arrays of nearly equal length can take each other's place.
        let capacity = length.next_multiple_of(length.next_power_of_two() / 16);
        pool.make_room(capacity);
        pool.live(capacity);
        drop(pool);
        Self { values: vec![0.0; capacity], length }
    }

    /// An array of zeros.
    pub(super) fn zeros(length: usize) -> Self {
        let mut buffer = Self::unset(length);
        buffer.fill(0.0);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        let capacity = values.len();
        if capacity < SHORTEST_POOLED {
            return;
        }
        let mut pool = pool();
        pool.live_numbers -= capacity;
        pool.free_numbers += capacity;
        pool.free.entry(capacity).or_default().push(values);
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        let length = values.len();
        if length >= SHORTEST_POOLED {
            pool().live(length);
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
                let mut buffer = Buffer::unset(length);
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
        let mut pool = Pool { free: BTreeMap::new(), free_numbers: 0, live_numbers: 0, most_live: 0 };
        pool.live(100);
        pool.live(50);
        for capacity in [100, 50] {
            pool.live_numbers -= capacity;
            pool.free_numbers += capacity;
            pool.free.entry(capacity).or_default().push(vec![0.0; capacity]);
        }
        assert!(pool.take(110).is_none() && pool.take(24).is_none());
        assert_eq!(pool.take(51).map(|values| values.len()), Some(100));
        pool.live_numbers -= 100;
        pool.free_numbers += 100;
        pool.free.entry(100).or_default().push(vec![0.0; 100]);
        pool.make_room(120);
        assert_eq!((pool.free_numbers, pool.live_numbers, pool.most_live), (0, 0, 150));
        pool.live(120);
        assert_eq!(pool.most_live, 150);
    }
}
