//! LoRA's products: a launch forward, three backward.

use super::buffer::{Buffer, Element, View};
use super::device::Cuda;
use super::launch::{each_one, grid, launch};
use crate::shapes::{LoraGradients, LoraSaved, LoraShape};
use cudarc::driver::{DeviceRepr, sys::CUdeviceptr};

const THREADS: usize = 256;
/// Columns of a block of `lora_columns`.
const COLUMNS: usize = 256;
const COLUMN_THREADS: usize = 128;
/// Ranks that a block of `lora_columns` sums at once.
const RANKS: usize = 8;
/// Most parts that the rows are summed in.
const MOST_CHUNKS: usize = 64;

/// `Factor` of lora.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Factor {
    values: CUdeviceptr,
    rank_stride: u64,
    position_stride: u64,
}

/// `LoraRows` of lora.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Rows {
    rows: u32,
    inputs: u32,
    outputs: u32,
    rank: u32,
    hidden_scale: f32,
    scale: f32,
    adds: u64,
}

/// `LoraGradient` of lora.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Gradient {
    x: View,
    left: CUdeviceptr,
    gradient: CUdeviceptr,
    parts: CUdeviceptr,
    rank_stride: u64,
    column_stride: u64,
    columns: u32,
    blocks: u32,
    scale: f32,
    padding: u32,
}

// SAFETY: C layout, plain numbers, the same fields as in lora.cu.
unsafe impl DeviceRepr for Factor {}
// SAFETY: as above.
unsafe impl DeviceRepr for Rows {}
// SAFETY: as above.
unsafe impl DeviceRepr for Gradient {}

impl Cuda {
    pub(super) fn lora_forward(&self, shape: LoraShape, x: &Buffer, (a, b): (&Buffer, &Buffer), h: &mut Buffer, y: &mut Buffer) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        let down = self.factor_a(a, rank, inputs);
        let up = self.factor_b(b, rank, outputs);
        let hidden = self.output(h, rows * rank, Element::F32).address;
        let (y, adds) = self.sum(y, rows * outputs, self.factors);
        let size = |size: usize| size as u32;
        let sizes = Rows {
            rows: size(rows),
            inputs: size(inputs),
            outputs: size(outputs),
            rank: size(rank),
            hidden_scale: 1.0,
            scale,
            adds: u64::from(adds),
        };
        self.lora_rows(sizes, self.view(x, rows * inputs), (down, up), hidden, y);
    }

    fn factor_a(&self, a: &Buffer, rank: usize, inputs: usize) -> Factor {
        Factor { values: self.numbers_of(a, rank * inputs), rank_stride: inputs as u64, position_stride: 1 }
    }

    fn factor_b(&self, b: &Buffer, rank: usize, outputs: usize) -> Factor {
        Factor { values: self.numbers_of(b, rank * outputs), rank_stride: 1, position_stride: rank as u64 }
    }

    fn lora_rows(&self, sizes: Rows, x: View, (down, up): (Factor, Factor), hidden: CUdeviceptr, y: View) {
        if sizes.rows == 0 {
            return;
        }
        // Few rows are spread over more blocks.
        let (name, rows) = if sizes.rows < 1024 { ("lora_rows_2", 2) } else { ("lora_rows_8", 8) };
        let bytes = rows * sizes.rank as usize * size_of::<f32>();
        self.allow_shared_memory(name, bytes);
        launch!(self, name, grid(((sizes.rows as usize).div_ceil(rows), 1), THREADS, bytes); &sizes, &x, &down, &hidden, &up, &y);
    }

    pub(super) fn lora_gradients(
        &self,
        shape: LoraShape,
        saved: LoraSaved<Buffer>,
        dy: &Buffer,
        gradients: LoraGradients<Buffer>,
    ) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        if rows == 0 {
            return;
        }
        let (x, dy) = (self.view(saved.input, rows * inputs), self.view(dy, rows * outputs));
        let size = |size: usize| size as u32;
        let mut d_hidden = self.uninitialized(rows * rank);
        let d_hidden = self.output(&mut d_hidden, rows * rank, Element::F32).address;
        let (dx, adds) = self.sum(gradients.input, rows * inputs, self.factors);
        let sizes = Rows {
            rows: size(rows),
            inputs: size(outputs),
            outputs: size(inputs),
            rank: size(rank),
            hidden_scale: scale,
            scale: 1.0,
            adds: u64::from(adds),
        };
        let factors = (self.factor_b(saved.b, rank, outputs), self.factor_a(saved.a, rank, inputs));
        self.lora_rows(sizes, dy, factors, d_hidden, dx);

        let chunk = rows.div_ceil(MOST_CHUNKS).next_multiple_of(16);
        let chunks = rows.div_ceil(chunk);
        let mut parts = self.uninitialized(chunks * rank * (inputs + outputs));
        let parts = self.output(&mut parts, chunks * rank * (inputs + outputs), Element::F32).address;
        let blocks = |columns: usize| columns.div_ceil(COLUMNS);
        let a = Gradient {
            x,
            left: d_hidden,
            gradient: self.numbers(gradients.a, rank * inputs),
            parts,
            rank_stride: inputs as u64,
            column_stride: 1,
            columns: size(inputs),
            blocks: size(blocks(inputs)),
            scale: 1.0,
            padding: 0,
        };
        let b = Gradient {
            x: dy,
            left: self.numbers_of(saved.hidden, rows * rank),
            gradient: self.numbers(gradients.b, rank * outputs),
            parts: parts + (chunks * rank * inputs * size_of::<f32>()) as u64,
            rank_stride: 1,
            column_stride: rank as u64,
            columns: size(outputs),
            blocks: size(blocks(outputs)),
            scale,
            padding: 0,
        };
        let mut configuration = grid((blocks(inputs) + blocks(outputs), chunks), COLUMN_THREADS, 0);
        configuration.grid_dim.2 = rank.div_ceil(RANKS) as u32;
        launch!(self, "lora_columns", configuration; &size(rows), &size(rank), &size(chunk), &a, &b);
        launch!(self, "lora_add_columns", each_one(rank * (inputs + outputs)); &size(rank), &size(chunks), &a, &b);
    }
}
