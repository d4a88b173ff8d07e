//! Adam and the gradients' norm, over all trained arrays in one launch.

use super::device::{Buffer, Cuda, done, grid, launch};
use crate::kernels::{AdamArrays, AdamFactors, AdamStep};
use cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, sys::CUdeviceptr};

/// `Array` of rows.cu: addresses, or 0 for what a kernel does not read.
#[repr(C)]
#[derive(Clone, Copy)]
struct Array {
    gradient: CUdeviceptr,
    first: CUdeviceptr,
    second: CUdeviceptr,
    parameter: CUdeviceptr,
    length: u64,
}

// SAFETY: C layout, plain numbers, the same fields as in rows.cu.
unsafe impl DeviceRepr for Array {}
// SAFETY: as above.
unsafe impl DeviceRepr for AdamFactors {}

impl Cuda {
    fn address(&self, values: &CudaSlice<f32>) -> CUdeviceptr {
        values.device_ptr(&self.stream).0
    }

    fn address_mut(&self, values: &mut CudaSlice<f32>) -> CUdeviceptr {
        values.device_ptr_mut(&self.stream).0
    }

    pub(super) fn sum_of_squares(&self, arrays: &[&Buffer]) -> f64 {
        if arrays.is_empty() {
            return 0.0;
        }
        let describe = |array: &&Buffer| Array {
            gradient: self.address(&array.values),
            first: 0,
            second: 0,
            parameter: 0,
            length: array.length as u64,
        };
        let table = self.send(&arrays.iter().map(describe).collect::<Vec<_>>());
        // SAFETY: the kernel writes every number before they are read.
        let mut norms = done(unsafe { self.stream.alloc::<f64>(arrays.len()) });
        launch!(self, "squared_norms", grid((arrays.len(), 1), 512, 0); &table, &mut norms);
        let norms = done(self.stream.clone_dtoh(&norms));
        done(self.stream.synchronize());
        norms.iter().sum()
    }

    pub(super) fn adam(&self, step: AdamStep, arrays: &mut [AdamArrays<Buffer>]) {
        let describe = |array: &mut AdamArrays<Buffer>| {
            let length = array.parameter.length;
            Array {
                gradient: self.address_mut(array.gradient.of_mut(length)),
                first: self.address_mut(array.first_moment.of_mut(length)),
                second: self.address_mut(array.second_moment.of_mut(length)),
                parameter: self.address_mut(array.parameter.of_mut(length)),
                length: length as u64,
            }
        };
        self.update(step, &arrays.iter_mut().map(describe).collect::<Vec<_>>(), true);
    }

    /// One array, whose gradient stays.
    pub(super) fn adam_on_one(
        &self,
        step: AdamStep,
        gradient: &Buffer,
        (first, second): (&mut Buffer, &mut Buffer),
        parameter: &mut Buffer,
    ) {
        let length = parameter.length;
        let array = Array {
            gradient: self.address(gradient.of(length)),
            first: self.address_mut(first.of_mut(length)),
            second: self.address_mut(second.of_mut(length)),
            parameter: self.address_mut(&mut parameter.values),
            length: length as u64,
        };
        self.update(step, &[array], false);
    }

    /// `clears` says whether the gradients are set to 0.
    fn update(&self, step: AdamStep, arrays: &[Array], clears: bool) {
        let Some(longest) = arrays.iter().map(|array| array.length as usize).max() else { return };
        let blocks = longest.div_ceil(256).clamp(1, 64);
        let table = self.send(arrays);
        launch!(self, "adam_steps", grid((blocks, arrays.len()), 256, 0); &table, &step.factors(), &i32::from(clears));
    }
}
