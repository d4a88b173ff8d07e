//! Memory of the device, kept for reuse.

use cudarc::driver::{CudaContext, DriverError, result, sys::CUdeviceptr};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Held while a recording is made, and by other handles for what would break it: giving memory back, which waits for the device, and the
/// first use of a product's kernels, whose loading may wait for it. A capture in relaxed mode allows all else meanwhile: to allocate, copy
/// and launch, to open streams, to destroy streams and graphs, and to wait for a stream of one's own.
pub(super) static EXCLUSIVE: Mutex<()> = Mutex::new(());

/// Memory of the device, which goes back to the pool it came from, on whichever thread it is dropped. The pool's handle orders its next use
/// after its own last use only: whoever drops what another handle's stream may still read synchronizes that handle first.
pub(super) struct Block {
    pub(super) address: CUdeviceptr,
    pub(super) bytes: usize,
    pool: Arc<Pool>,
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool.free().entry(self.bytes).or_default().push(self.address);
    }
}

impl Block {
    /// `bytes` bytes of the pool's, or of the driver's.
    pub(super) fn new(pool: &Arc<Pool>, bytes: usize) -> Result<Self, DriverError> {
        let bytes = Pool::size(bytes);
        let reused = pool.free().get_mut(&bytes).and_then(Vec::pop);
        let address = match reused {
            Some(address) => address,
            None => {
                pool.context.bind_to_thread()?;
                // SAFETY: the context is bound.
                unsafe { result::malloc_sync(bytes)? }
            }
        };
        Ok(Self { address, bytes, pool: pool.clone() })
    }
}

/// Memory by size.
type FreeBlocks = BTreeMap<usize, Vec<CUdeviceptr>>;

/// Memory of dropped arrays, for the next arrays: the stream orders their uses. What is recorded has a pool of its own, since a
/// recording writes to its arrays' memory whenever it is replayed, and each of a recording's two branches has one.
pub(super) struct Pool {
    free: Mutex<FreeBlocks>,
    context: Arc<CudaContext>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.empty();
    }
}

impl Pool {
    pub(super) fn new(context: &Arc<CudaContext>) -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), context: context.clone() })
    }

    fn free(&self) -> MutexGuard<'_, FreeBlocks> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Eight sizes an octave, 1 KiB at least.
    fn size(bytes: usize) -> usize {
        let step = (bytes.next_power_of_two() / 16).max(1 << 10);
        bytes.next_multiple_of(step).max(step)
    }

    pub(super) fn free_bytes(&self) -> usize {
        self.free().iter().map(|(bytes, blocks)| bytes * blocks.len()).sum()
    }

    /// Leaves nothing to be had until it is [added](Self::add) again.
    pub(super) fn take(&self) -> FreeBlocks {
        std::mem::take(&mut *self.free())
    }

    pub(super) fn add(&self, blocks: FreeBlocks) {
        let mut free = self.free();
        blocks.into_iter().for_each(|(bytes, addresses)| free.entry(bytes).or_default().extend(addresses));
    }

    /// Gives all back to the driver.
    pub(super) fn empty(&self) {
        let blocks = self.take();
        if blocks.is_empty() {
            return;
        }
        let _exclusive = EXCLUSIVE.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.context.bind_to_thread();
        for address in blocks.into_values().flatten() {
            // SAFETY: the address came from the driver, and no array has it any more; the context is bound. The driver waits for the
            // work that uses it.
            let _ = unsafe { result::free_sync(address) };
        }
    }
}
