//! Adam and the gradients' norm, over all trained arrays in few launches.

use super::buffer::Buffer;
use super::device::Cuda;
use super::launch::{grid, launch};
use super::pool::Block;
use crate::shapes::{AdamArrays, AdamFactors, AdamStep};
use cudarc::driver::{DeviceRepr, sys::CUdeviceptr};

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

/// Sums of squares on the device: one an array, and behind them their total.
struct Norms {
    block: Block,
    arrays: usize,
}

impl Norms {
    fn total(&self) -> CUdeviceptr {
        self.block.address + (self.arrays * size_of::<f64>()) as u64
    }
}

impl Cuda {
    pub(super) fn sum_of_squares(&self, arrays: &[&Buffer]) -> f64 {
        // Zeros that are not in memory have no square to add.
        let written = arrays.iter().filter(|array| array.written().is_some());
        let describe = |array: &&Buffer| {
            let gradient = self.numbers_of(array, array.length);
            Array { gradient, first: 0, second: 0, parameter: 0, length: array.length as u64 }
        };
        let arrays: Vec<Array> = written.map(describe).collect();
        if arrays.is_empty() {
            return 0.0;
        }
        let norms = self.norms(&self.send(&arrays), arrays.len());
        self.receive::<f64>(norms.block.address, arrays.len()).iter().sum()
    }

    fn norms(&self, table: &Block, arrays: usize) -> Norms {
        // Behind the sums: their total, and the factor of clipping.
        let norms = Norms { block: self.block((arrays + 2) * size_of::<f64>()), arrays };
        launch!(self, "squared_norms", grid((arrays, 1), 512, 0); &table.address, &norms.block.address);
        norms
    }

    pub(super) fn adam(&self, step: AdamStep, arrays: &mut [AdamArrays<Buffer>]) {
        let table = self.described(arrays);
        self.update(step, &self.send(&table), (&table, 0), true);
    }

    /// The clipping factor is worked out and used on the device; the norm comes back when all is done.
    pub(super) fn clipped_adam(&self, step: AdamStep, clip_norm: Option<f64>, arrays: &mut [AdamArrays<Buffer>]) -> f64 {
        let table = self.described(arrays);
        if table.is_empty() {
            return 0.0;
        }
        let on_device = self.send(&table);
        let norms = self.norms(&on_device, table.len());
        let (total, factor) = (norms.total(), norms.total() + size_of::<f64>() as u64);
        launch!(self, "gradient_factor", grid((1, 1), 32, 0);
            &(table.len() as i32), &clip_norm.unwrap_or(0.0), &norms.block.address, &total, &factor);
        self.update(step, &on_device, (&table, factor), true);
        self.receive::<f64>(total, 1)[0].sqrt()
    }

    fn described(&self, arrays: &mut [AdamArrays<Buffer>]) -> Vec<Array> {
        let describe = |array: &mut AdamArrays<Buffer>| {
            let length = array.parameter.length;
            Array {
                gradient: self.numbers(array.gradient, length),
                first: self.numbers(array.first_moment, length),
                second: self.numbers(array.second_moment, length),
                parameter: self.numbers(array.parameter, length),
                length: length as u64,
            }
        };
        arrays.iter_mut().map(describe).collect()
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
            gradient: self.numbers_of(gradient, length),
            first: self.numbers(first, length),
            second: self.numbers(second, length),
            parameter: self.numbers(parameter, length),
            length: length as u64,
        };
        self.update(step, &self.send(&[array]), (&[array], 0), false);
    }

    /// `factor` is where another factor of the gradients is, or 0; `clears` says whether the gradients are set to 0.
    fn update(&self, step: AdamStep, table: &Block, (arrays, factor): (&[Array], CUdeviceptr), clears: bool) {
        let Some(longest) = arrays.iter().map(|array| array.length as usize).max() else { return };
        let blocks = longest.div_ceil(256).clamp(1, 64);
        launch!(self, "adam_steps", grid((blocks, arrays.len()), 256, 0);
            &table.address, &step.factors(), &factor, &i32::from(clears));
    }
}
