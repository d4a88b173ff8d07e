//! Attention on the device.

use super::buffer::{Buffer, Element, View};
use super::device::Cuda;
use super::launch::{each_one, grid, launch};
use super::layout::{Layout, TILE};
use crate::shapes::{AttentionGradients, AttentionSaved, AttentionShape};
use cudarc::driver::DeviceRepr;

/// Rows of the tile that a block walks over.
const LANES: usize = 32;
const THREADS: usize = 128;
/// Warps of a block on tensor cores, each 16 queries of a head.
const TENSOR_WARPS: usize = 4;
/// Teams of such warps in a block whose keys are a tile.
const TEAMS: usize = 2;
/// `AttentionShape` of attention.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct DeviceShape {
    heads: i32,
    key_value_heads: i32,
    width: i32,
    window: i32,
    causal: i32,
    scale: f32,
    soft_cap: f32,
}

// SAFETY: C layout, plain numbers, the same fields as in attention.cu.
unsafe impl DeviceRepr for DeviceShape {}

impl DeviceShape {
    fn new(shape: AttentionShape) -> Self {
        assert!(shape.head_dimension <= 256, "heads of {} channels; CUDA attention has 256 at most", shape.head_dimension);
        assert!(shape.window != Some(0), "a window of 0 sees nothing");
        assert!(shape.causal || shape.window.is_none(), "a window is of causal attention");
        Self {
            heads: shape.heads as i32,
            key_value_heads: shape.key_value_heads as i32,
            width: shape.head_dimension as i32,
            window: shape.window.map_or(0, |window| window.min(1 << 30) as i32),
            causal: i32::from(shape.causal),
            scale: shape.scale,
            soft_cap: shape.soft_cap.unwrap_or(0.0),
        }
    }
}

/// Head dimension over 32, of the kernels that there are.
fn channels(width: usize) -> usize {
    width.div_ceil(LANES).next_power_of_two()
}

/// Channels of the tensor cores' kernels for arrays all in bfloat16 (attention_bf16.cu); `None` where those for f32 are to be taken.
fn tensor_channels(width: usize, arrays: &[View]) -> Option<usize> {
    let all = arrays.iter().all(|array| array.element() == Element::Bf16);
    (all && width.is_multiple_of(16)).then(|| width.next_power_of_two().max(16))
}

/// Bytes of shared memory for `rows` rows of so many channels in bfloat16, eight apart.
fn tensor_bytes(channels: usize, rows: usize) -> usize {
    rows * (channels + 8) * size_of::<u16>()
}

/// Blocks that the heads of a group are spread over, a head a warp.
fn head_blocks(shape: AttentionShape) -> usize {
    shape.key_value_heads * (shape.heads / shape.key_value_heads).div_ceil(TENSOR_WARPS)
}

/// Bytes of shared memory for rows that all lanes share and rows that are a lane's own.
fn shared_bytes(width: usize, shared_rows: usize, own_rows: usize) -> usize {
    let full = width.next_multiple_of(4);
    (shared_rows * full + own_rows * (full + 4)) * size_of::<f32>()
}

/// Of queries, keys, and sums: N H C, N K C (or (P + N) K C), N H.
fn lengths(shape: AttentionShape, layout: &Layout) -> [usize; 3] {
    let rows = layout.rows();
    let keys = layout.key_rows() * shape.key_value_heads * shape.head_dimension;
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
        let (query, key, value) = (self.view(query, queries), self.view(key, keys), self.view(value, keys));
        let (output, log_sum) = (self.output(output, queries, query.element()), self.output(log_sum, sums, Element::F32));
        let (name, blocks, bytes) = match tensor_channels(shape.head_dimension, &[query, key, value, output]) {
            Some(channels) => {
                let rows = TENSOR_WARPS * TILE + 2 * LANES;
                (format!("tensor_attention_{channels}"), head_blocks(shape), tensor_bytes(channels, rows))
            }
            None => {
                let bytes = shared_bytes(shape.head_dimension, TILE, LANES);
                (format!("attention_{}", channels(shape.head_dimension)), shape.heads, bytes)
            }
        };
        self.allow_shared_memory(&name, bytes);
        if layout.query_tile_count() > 0 {
            launch!(self, &name, grid((layout.query_tile_count(), blocks), THREADS, bytes);
                &DeviceShape::new(shape), &layout.segments(), &layout.query_tiles(), &query, &key, &value, &output,
                &log_sum.address);
        }
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
        let [query, output, d_output] = [saved.query, saved.output, d_output].map(|buffer| self.view(buffer, queries));
        let [key, value] = [saved.key, saved.value].map(|buffer| self.view(buffer, keys));
        let log_sum = self.numbers_of(saved.log_sum, sums);
        let element = query.element();
        let d_query = self.output(gradients.query, queries, element);
        let [d_key, d_value] = [gradients.key, gradients.value].map(|buffer| self.output(buffer, keys, element));
        if layout.query_tile_count() == 0 {
            return;
        }
        let tensor = tensor_channels(width, &[query, key, value, output, d_output, d_query, d_key, d_value]);
        let mut delta = self.uninitialized(sums);
        let delta = self.output(&mut delta, sums, Element::F32).address;
        let (name, blocks) = match tensor {
            Some(_) => ("tensor_attention_delta", grid((sums.div_ceil(256 / LANES), 1), 256, 0)),
            None => ("attention_delta", each_one(sums)),
        };
        launch!(self, name, blocks; &(sums as u64), &(width as i32), &d_output, &output, &delta);

        let of_query = || {
            let (name, blocks, bytes) = match tensor {
                Some(channels) => {
                    let rows = 2 * (TENSOR_WARPS * TILE + LANES);
                    (format!("tensor_attention_d_query_{channels}"), head_blocks(shape), tensor_bytes(channels, rows))
                }
                None => (format!("attention_d_query_{}", channels(width)), shape.heads, shared_bytes(width, 2 * TILE, LANES)),
            };
            self.allow_shared_memory(&name, bytes);
            launch!(self, &name, grid((layout.query_tile_count(), blocks), THREADS, bytes);
                &device_shape, &layout.segments(), &layout.query_tiles(), &query, &key, &value, &log_sum, &delta, &d_output, &d_query);
        };
        let of_key_and_value = || {
            let prefix = layout.prefix_length() * shape.key_value_heads * width;
            let mut parts = [(); 2].map(|()| self.uninitialized(layout.slots() * prefix));
            let [key_parts, value_parts] =
                parts.each_mut().map(|part| self.output(part, layout.slots() * prefix, Element::F32).address);
            let (name, threads, bytes) = match tensor {
                Some(channels) => {
                    let team = tensor_bytes(channels, 2 * LANES) + tensor_bytes(LANES, 2 * TILE);
                    let bytes = tensor_bytes(channels, 2 * TILE) + TEAMS * team;
                    (format!("tensor_attention_d_key_value_{channels}"), TEAMS * THREADS, bytes)
                }
                None => {
                    let bytes = shared_bytes(width, 2 * TILE, 2 * LANES);
                    (format!("attention_d_key_value_{}", channels(width)), THREADS, bytes)
                }
            };
            self.allow_shared_memory(&name, bytes);
            launch!(self, &name, grid((layout.key_tile_count(), shape.key_value_heads), threads, bytes);
                &device_shape, &layout.segments(), &layout.key_tiles(), &(layout.prefix_length() as i32), &query, &key, &value, &log_sum,
                &delta, &d_output, &d_key, &d_value, &key_parts, &value_parts);
            if prefix > 0 && layout.slots() > 1 {
                launch!(self, "attention_add_partial_sums", each_one(2 * prefix);
                    &(prefix as u64), &(layout.slots() as i32), &key_parts, &value_parts, &d_key, &d_value);
            }
        };
        // A few blocks each where texts are few.
        self.fork_join(of_query, of_key_and_value);
    }
}
