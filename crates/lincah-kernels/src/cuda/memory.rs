//! How arrays get memory and numbers.

use super::buffer::{Buffer, Content, Element, View};
use super::device::Cuda;
use super::launch::{done, each, launch};
use super::pool::Block;
use cudarc::driver::{DeviceRepr, result, sys::CUdeviceptr};

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
