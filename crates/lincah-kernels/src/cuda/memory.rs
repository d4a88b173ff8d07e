//! Arrays on the device, whose elements are f32 or bfloat16, and the memory they share.

use super::device::{Cuda, EXCLUSIVE, done, each, launch};
use cudarc::driver::{CudaContext, DeviceRepr, DriverError, result, sys::CUdeviceptr};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of what an array's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    F32,
    Bf16,
}

impl Element {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// What an array holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Nothing yet: whoever writes it first chooses the element.
    Unset,
    /// Zeros that are not in memory yet: whoever adds to it first writes instead, and chooses the element.
    Zeros,
    Numbers(Element),
}

/// `View` of elementwise.cu.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) address: CUdeviceptr,
    bf16: u64,
}

// SAFETY: C layout, plain numbers, the same fields as in elementwise.cu.
unsafe impl DeviceRepr for View {}

impl View {
    /// No array.
    pub(super) fn none() -> Self {
        Self { address: 0, bf16: 0 }
    }

    /// What lies behind so many numbers.
    pub(super) fn behind(self, numbers: usize) -> Self {
        Self { address: self.address + (numbers * self.element().bytes()) as u64, ..self }
    }

    pub(super) fn element(self) -> Element {
        if self.bf16 == 0 { Element::F32 } else { Element::Bf16 }
    }
}

/// Memory of the device, which goes back to the pool it came from, on whichever thread it is dropped. The pool's handle orders its next use
/// after its own last use only: whoever drops what another handle's stream may still read synchronizes that handle first.
pub(super) struct Block {
    pub(super) address: CUdeviceptr,
    bytes: usize,
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

/// An array, and somewhat more memory than it needs.
pub(super) struct Buffer {
    block: Option<Block>,
    content: Content,
    /// The same numbers in bfloat16, where whoever wrote them knew that a product would read them so.
    rounded: Option<Block>,
    pub(super) length: usize,
}

impl Buffer {
    pub(super) fn new(length: usize) -> Self {
        Self { block: None, content: Content::Unset, rounded: None, length }
    }

    fn element(&self) -> Element {
        match self.content {
            Content::Numbers(element) => element,
            Content::Unset | Content::Zeros => Element::F32,
        }
    }

    /// The element, if there are numbers.
    pub(super) fn written(&self) -> Option<Element> {
        match self.content {
            Content::Numbers(element) => Some(element),
            Content::Unset | Content::Zeros => None,
        }
    }

    /// The first `length` numbers in bfloat16, if they are at hand.
    pub(super) fn rounded(&self, length: usize) -> Option<View> {
        self.check(length);
        self.rounded.as_ref().map(|block| View { address: block.address, bf16: 1 })
    }

    /// Forgets the numbers: they are zeros now.
    pub(super) fn forget(&mut self) {
        self.rounded = None;
        self.content = Content::Zeros;
    }

    fn check(&self, length: usize) {
        assert!(self.length >= length, "an array of {} numbers is shorter than its shape, {length}", self.length);
    }
}

impl Cuda {
    /// Memory for `bytes` bytes.
    pub(super) fn block(&self, bytes: usize) -> Block {
        let pool = self.pool();
        done(Block::new(&pool, bytes).or_else(|error| {
            if self.is_recording() {
                return Err(error);
            }
            // Out of memory, perhaps because of what is kept in other sizes, or for other handles.
            self.opened.pools().iter().for_each(|pool| pool.empty());
            Block::new(&pool, bytes)
        }))
    }

    /// An array of zeros, in memory as soon as that matters.
    pub(super) fn zeroed(&self, length: usize) -> Buffer {
        Buffer { block: None, content: Content::Zeros, rounded: None, length }
    }

    /// The array to read, known to have at least `length` numbers.
    ///
    /// # Panics
    /// If it was never written.
    pub(super) fn view(&self, buffer: &Buffer, length: usize) -> View {
        buffer.check(length);
        let block = buffer.block.as_ref();
        assert!(buffer.written().is_some() && block.is_some(), "an array that was never written is read");
        View { address: block.map_or(0, |block| block.address), bf16: u64::from(buffer.element() == Element::Bf16) }
    }

    /// The array to be overwritten, in `element` if it holds nothing yet.
    pub(super) fn output(&self, buffer: &mut Buffer, length: usize, element: Element) -> View {
        buffer.check(length);
        let element = buffer.written().unwrap_or(element);
        let bytes = buffer.length * element.bytes();
        if buffer.block.as_ref().is_none_or(|block| block.bytes < bytes) {
            buffer.block = Some(self.block(bytes));
        }
        buffer.content = Content::Numbers(element);
        buffer.rounded = None;
        self.view(buffer, length)
    }

    /// The array to be added to, and whether there is anything to add to; if not, it must be written over the whole `length`, in
    /// `element`. What lies behind is zero.
    pub(super) fn sum(&self, buffer: &mut Buffer, length: usize, element: Element) -> (View, bool) {
        if buffer.written().is_some() || length < buffer.length {
            (self.settled(buffer, length, element), true)
        } else {
            (self.output(buffer, length, element), false)
        }
    }

    /// Where the numbers that are being written go in bfloat16 too.
    pub(super) fn rounded_output(&self, buffer: &mut Buffer) -> View {
        let block = self.block(buffer.length * Element::Bf16.bytes());
        let view = View { address: block.address, bf16: 1 };
        buffer.rounded = Some(block);
        view
    }

    /// The array to be changed, its zeros in memory, in `element` if it holds no numbers yet.
    pub(super) fn settled(&self, buffer: &mut Buffer, length: usize, element: Element) -> View {
        if buffer.content == Content::Zeros {
            let whole = buffer.length;
            let view = self.output(buffer, whole, element);
            self.fill_with_zeros(view.address, whole * element.bytes());
        }
        buffer.rounded = None;
        self.view(buffer, length)
    }

    /// The f32 numbers of an array that holds such or zeros.
    pub(super) fn numbers(&self, buffer: &mut Buffer, length: usize) -> CUdeviceptr {
        let view = self.settled(buffer, length, Element::F32);
        assert_eq!(view.element(), Element::F32, "the array is kept in bfloat16");
        view.address
    }

    /// The same of an array that is only read.
    pub(super) fn numbers_of(&self, buffer: &Buffer, length: usize) -> CUdeviceptr {
        let view = self.view(buffer, length);
        assert_eq!(view.element(), Element::F32, "the array is kept in bfloat16");
        view.address
    }

    pub(super) fn fill_with_zeros(&self, address: CUdeviceptr, bytes: usize) {
        done(self.stream().context().bind_to_thread());
        // SAFETY: the callers own so many bytes at the address.
        done(unsafe { result::memset_d8_async(address, 0, bytes, self.stream().cu_stream()) });
    }

    /// The first `length` numbers in another element.
    pub(super) fn converted(&self, from: View, length: usize, element: Element) -> Buffer {
        let mut buffer = Buffer::new(length);
        let to = self.output(&mut buffer, length, element);
        launch!(self, "convert", each(length); &(length as u64), &from, &to);
        buffer
    }

    /// Copies numbers of any kind over memory of at least their size.
    pub(super) fn send_to<T: DeviceRepr>(&self, values: &[T], block: &Block) {
        assert!(block.bytes >= size_of_val(values), "more numbers than there is memory for");
        assert!(!self.is_recording(), "a recording takes nothing from the host");
        if !values.is_empty() {
            done(self.stream().context().bind_to_thread());
            // SAFETY: the block is as large as asserted; the driver copies pageable memory before it returns.
            done(unsafe { result::memcpy_htod_async(block.address, values, self.stream().cu_stream()) });
        }
    }

    /// Copies numbers over those of an f32 array.
    pub(super) fn set_numbers(&self, values: &[f32], buffer: &mut Buffer) {
        self.numbers(buffer, values.len());
        if let Some(block) = &buffer.block {
            self.send_to(values, block);
        }
    }

    /// Copies numbers of any kind to the device.
    pub(super) fn send<T: DeviceRepr>(&self, values: &[T]) -> Block {
        let block = self.block(size_of_val(values));
        self.send_to(values, &block);
        block
    }

    /// Copies from the device, and waits.
    pub(super) fn receive<T: DeviceRepr + Clone + Default>(&self, address: CUdeviceptr, length: usize) -> Vec<T> {
        let mut values = vec![T::default(); length];
        done(self.stream().context().bind_to_thread());
        // SAFETY: the callers own so many numbers at the address; the copy has ended when the stream is synchronized.
        done(unsafe { result::memcpy_dtoh_async(&mut values, address, self.stream().cu_stream()) });
        done(self.stream().synchronize());
        values
    }

    pub(super) fn copy_on_device(&self, from: CUdeviceptr, to: CUdeviceptr, bytes: usize) {
        done(self.stream().context().bind_to_thread());
        // SAFETY: the callers own so many bytes at both addresses.
        done(unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream().cu_stream()) });
    }
}
