//! Attention on the device, and the tables that tell its blocks their rows.

use super::device::{Buffer, Cuda, each, grid, launch};
use crate::kernels::{AttentionGradients, AttentionSaved, AttentionShape};
use crate::layout::RaggedLayout;
use cudarc::driver::{CudaSlice, CudaView, DeviceRepr};

/// Queries, or keys, of a block: those of `WARPS` warps in attention.cu.
const TILE: usize = 16;
/// Rows of the tile that a block walks over.
const LANES: usize = 32;
const THREADS: usize = 128;
/// Most partial sums of the prefix's gradients.
const MOST_SLOTS: usize = 32;

/// A batch's layout on the device.
pub(super) struct Layout {
    tables: CudaSlice<i32>,
    rows: usize,
    key_rows: usize,
    prefix_length: usize,
    longest: usize,
    segments: usize,
    query_tiles: usize,
    key_tiles: usize,
    slots: usize,
}

impl Layout {
    pub(super) fn new(cuda: &Cuda, layout: &RaggedLayout) -> Self {
        let number = |value: usize| i32::try_from(value).expect("a batch has fewer than 2^31 rows");
        let segments = layout.segments();
        let (mut query_tiles, mut key_tiles) = (Vec::new(), Vec::new());
        let chunk = segments.len().div_ceil(MOST_SLOTS).max(1);
        let prefix_length = layout.prefix_length();
        let slots = if prefix_length > 0 { segments.len().div_ceil(chunk) } else { 0 };
        for begin in (0..prefix_length).step_by(TILE) {
            let count = TILE.min(prefix_length - begin);
            for slot in 0..slots {
                let last = segments.len().min((slot + 1) * chunk);
                key_tiles.extend([begin, count, begin, slot * chunk, last, slot].map(number));
            }
        }
        for (s, segment) in segments.iter().enumerate() {
            for begin in segment.own.clone().step_by(TILE) {
                let count = TILE.min(segment.own.end - begin);
                query_tiles.extend([s, begin, count].map(number));
                let is_prefix = segment.prefix_length < prefix_length;
                if !is_prefix {
                    let position = prefix_length + begin - segment.own.start;
                    key_tiles.extend([segment.key_row(position), count, position, s, s + 1].map(number));
                    key_tiles.push(-1);
                }
            }
        }
        let mut tables: Vec<i32> = layout.positions().into_iter().map(number).collect();
        tables.extend(segments.iter().flat_map(|s| [s.prefix_length, s.own.start, s.own.end, s.first_key]).map(number));
        tables.extend(&query_tiles);
        tables.extend(&key_tiles);
        Self {
            tables: cuda.send(&tables),
            rows: layout.rows(),
            key_rows: layout.key_rows(),
            prefix_length,
            longest: layout.longest(),
            segments: segments.len(),
            query_tiles: query_tiles.len() / 3,
            key_tiles: key_tiles.len() / 6,
            slots,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// One more than the highest position.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// `[N]`.
    pub(super) fn positions(&self) -> CudaView<'_, i32> {
        self.tables.slice(..self.rows)
    }

    fn segments(&self) -> CudaView<'_, i32> {
        self.tables.slice(self.rows..)
    }

    fn query_tiles(&self) -> CudaView<'_, i32> {
        self.tables.slice(self.rows + 4 * self.segments..)
    }

    fn key_tiles(&self) -> CudaView<'_, i32> {
        self.tables.slice(self.rows + 4 * self.segments + 3 * self.query_tiles..)
    }
}

/// `AttentionShape` of attention.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct DeviceShape {
    heads: i32,
    key_value_heads: i32,
    width: i32,
    window: i32,
    scale: f32,
    soft_cap: f32,
}

// SAFETY: C layout, plain numbers, the same fields as in attention.cu.
unsafe impl DeviceRepr for DeviceShape {}

impl DeviceShape {
    fn new(shape: AttentionShape) -> Self {
        assert!(shape.head_dimension <= 256, "heads of {} channels; CUDA attention has 256 at most", shape.head_dimension);
        assert!(shape.window != Some(0), "a window of 0 sees nothing");
        Self {
            heads: shape.heads as i32,
            key_value_heads: shape.key_value_heads as i32,
            width: shape.head_dimension as i32,
            window: shape.window.map_or(0, |window| window.min(1 << 30) as i32),
            scale: shape.scale,
            soft_cap: shape.soft_cap.unwrap_or(0.0),
        }
    }
}

/// Head dimension over 32, of the kernels that there are.
fn channels(width: usize) -> usize {
    width.div_ceil(LANES).next_power_of_two()
}

/// Bytes of shared memory for rows that all lanes share and rows that are a lane's own.
fn shared_bytes(width: usize, shared_rows: usize, own_rows: usize) -> usize {
    let full = width.next_multiple_of(4);
    (shared_rows * full + own_rows * (full + 4)) * size_of::<f32>()
}

/// Of queries, keys, and sums: N H C, N K C (or (P + N) K C), N H.
fn lengths(shape: AttentionShape, layout: &Layout) -> [usize; 3] {
    let rows = layout.rows;
    let keys = layout.key_rows * shape.key_value_heads * shape.head_dimension;
    [rows * shape.heads * shape.head_dimension, keys, rows * shape.heads]
}

impl Cuda {
    pub(super) fn attention_forward(
        &self,
        shape: AttentionShape,
        layout: &Layout,
        (query, key, value): (&Buffer, &Buffer, &Buffer),
        output: &mut Buffer,
        log_sum: &mut Buffer,
    ) {
        let [queries, keys, sums] = lengths(shape, layout);
        let name = format!("attention_{}", channels(shape.head_dimension));
        let bytes = shared_bytes(shape.head_dimension, TILE, LANES);
        self.allow_shared_memory(&name, bytes);
        launch!(self, &name, grid((layout.query_tiles, shape.heads), THREADS, bytes);
            &DeviceShape::new(shape), &layout.segments(), &layout.query_tiles(), query.of(queries), key.of(keys), value.of(keys),
            output.of_mut(queries), log_sum.of_mut(sums));
    }

    pub(super) fn attention_gradients(
        &self,
        shape: AttentionShape,
        layout: &Layout,
        saved: AttentionSaved<Buffer>,
        d_output: &Buffer,
        gradients: AttentionGradients<Buffer>,
    ) {
        let [queries, keys, sums] = lengths(shape, layout);
        let (width, device_shape) = (shape.head_dimension, DeviceShape::new(shape));
        let [query, d_output] = [saved.query, d_output].map(|buffer| buffer.of(queries));
        let [key, value] = [saved.key, saved.value].map(|buffer| buffer.of(keys));
        let log_sum = saved.log_sum.of(sums);
        let mut delta = self.unset(sums);
        launch!(self, "attention_delta", each(sums);
            &(sums as u64), &(width as i32), d_output, saved.output.of(queries), &mut *delta.values);

        let name = format!("attention_d_query_{}", channels(width));
        let bytes = shared_bytes(width, 2 * TILE, LANES);
        self.allow_shared_memory(&name, bytes);
        launch!(self, &name, grid((layout.query_tiles, shape.heads), THREADS, bytes);
            &device_shape, &layout.segments(), &layout.query_tiles(), query, key, value, log_sum, &*delta.values, d_output,
            gradients.query.of_mut(queries));

        let prefix = layout.prefix_length * shape.key_value_heads * width;
        let [mut key_parts, mut value_parts] = [(); 2].map(|()| self.unset(layout.slots * prefix));
        let name = format!("attention_d_key_value_{}", channels(width));
        let bytes = shared_bytes(width, 2 * TILE, 2 * LANES);
        self.allow_shared_memory(&name, bytes);
        let (d_key, d_value) = (gradients.key.of_mut(keys), gradients.value.of_mut(keys));
        launch!(self, &name, grid((layout.key_tiles, shape.key_value_heads), THREADS, bytes);
            &device_shape, &layout.segments(), &layout.key_tiles(), &(layout.prefix_length as i32), query, key, value, log_sum,
            &*delta.values, d_output, &mut *d_key, &mut *d_value, &mut *key_parts.values, &mut *value_parts.values);
        if prefix > 0 {
            launch!(self, "attention_add_partial_sums", each(prefix);
                &(prefix as u64), &(layout.slots as i32), &*key_parts.values, &*value_parts.values, d_key, d_value);
        }
    }
}
