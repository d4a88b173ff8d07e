//! Memory of frozen weights, in large pages where the system has them. A pass reads all weights once: in pages of 4 KB it would look up
//! another page's address every 32 rows of a panel.

use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Bytes of a large page on x86-64, and on ARM with small pages of 4 KB.
const LARGE_PAGE: usize = 2 << 20;
/// Bytes that small arrays share: what is not used of them is never backed by memory.
const CHUNK: usize = 64 << 20;
/// Arrays start at multiples of this, a cache line.
const ALIGNMENT: usize = 64;

/// Numbers of which zero bytes are a valid zero.
pub(super) trait Number: Copy + Send + Sync {}
impl Number for f32 {}
impl Number for i8 {}

/// A mapping that arrays lie in.
struct Chunk {
    /// Keeps the mapping; the arrays reach it through `start`.
    _memory: MmapMut,
    start: *mut u8,
    length: usize,
}

// SAFETY: the pointer is only used through arrays, whose ranges do not overlap.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(length: usize) -> Self {
        let mapped = length + LARGE_PAGE;
        let Ok(mut memory) = MmapMut::map_anon(mapped) else {
            let layout = std::alloc::Layout::from_size_align(mapped, ALIGNMENT).expect("a length below the address space's");
            std::alloc::handle_alloc_error(layout);
        };
        // A system without large pages refuses, and small ones will do.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        let base = memory.as_mut_ptr();
        let start = base.wrapping_add(base.align_offset(LARGE_PAGE).min(LARGE_PAGE));
        Self { _memory: memory, start, length }
    }
}

/// The chunk that is being filled, and its bytes in use. Arrays keep chunks alive, this does not.
static OPEN: Mutex<(Weak<Chunk>, usize)> = Mutex::new((Weak::new(), 0));

/// Where `bytes` are free.
fn place(bytes: usize) -> (Arc<Chunk>, usize) {
    if bytes > CHUNK / 4 {
        return (Arc::new(Chunk::new(bytes)), 0);
    }
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (chunk, offset) = match open.0.upgrade() {
        Some(chunk) if open.1 + bytes <= chunk.length => (chunk, open.1),
        _ => (Arc::new(Chunk::new(CHUNK)), 0),
    };
    *open = (Arc::downgrade(&chunk), offset + bytes);
    (chunk, offset)
}

/// An array of fixed length.
pub(super) struct LargePages<T> {
    _chunk: Arc<Chunk>,
    start: *mut T,
    length: usize,
}

// SAFETY: an array owns its range of the chunk, as a `Vec` owns its memory.
unsafe impl<T: Number> Send for LargePages<T> {}
// SAFETY: as above.
unsafe impl<T: Number> Sync for LargePages<T> {}

impl<T: Number> LargePages<T> {
    pub(super) fn zeros(length: usize) -> Self {
        let (chunk, offset) = place((length * size_of::<T>()).next_multiple_of(ALIGNMENT));
        let start = chunk.start.wrapping_add(offset).cast();
        Self { _chunk: chunk, start, length }
    }
}

impl<T: Number> Deref for LargePages<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the mapping is zeroed, aligned and alive, and this range of it is this array's own.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl<T: Number> DerefMut for LargePages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl<T> std::fmt::Debug for LargePages<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LargePages of {} numbers", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_zero_apart_and_aligned() {
        let lengths = [0, 1, 100, 5 << 20, CHUNK / 4, CHUNK / 16, CHUNK / 16 + 1, CHUNK / 4, CHUNK / 4];
        let mut arrays: Vec<LargePages<f32>> = lengths.iter().map(|&length| LargePages::zeros(length)).collect();
        for (value, array) in arrays.iter_mut().enumerate() {
            assert!(array.iter().all(|&number| number == 0.0) && array.as_ptr().addr().is_multiple_of(ALIGNMENT));
            array.fill(value as f32);
        }
        for (value, (array, &length)) in arrays.iter().zip(&lengths).enumerate() {
            assert!(array.len() == length && array.iter().all(|&number| number == value as f32));
        }
    }

    #[test]
    fn memory_used_before_is_zero_again() {
        for _ in 0..3 {
            let mut array = LargePages::<i8>::zeros(1000);
            assert!(array.iter().all(|&number| number == 0));
            array.fill(7);
        }
    }
}
