//! Rotary embedding and attention over ragged layouts.

use super::{FORMULA, GUARD, Outputs, SUM, poisoned};
use crate::noise::Noise;
use lincah_kernels::{AttentionGradients, AttentionSaved, AttentionShape, GroupLayout, Kernels, RaggedLayout};

/// Groups of the lengths of their prefixes and of their sequences.
pub fn groups(lengths: &[(usize, &[usize])]) -> Vec<GroupLayout> {
    lengths.iter().map(|&(prefix_length, own)| GroupLayout { prefix_length, own_lengths: own.to_vec() }).collect()
}

/// With prefixes of groups: odd sizes, groups without a prefix, one group only, a prefix longer than a tile and than all windows but one.
pub fn grouped_layouts() -> Vec<RaggedLayout> {
    let grouped = [
        (0, groups(&[(3, &[1, 2])])),
        (5, groups(&[(17, &[2, 1, 18]), (0, &[3]), (1, &[1, 1])])),
        (21, groups(&[(34, &[1, 5, 1]), (7, &[])])),
    ];
    let layouts = grouped.iter().flat_map(|(prefix, groups)| {
        [RaggedLayout::with_groups, RaggedLayout::continuing_with_groups].map(|layout| layout(*prefix, groups))
    });
    layouts.collect()
}

fn layouts() -> Vec<RaggedLayout> {
    let whole = [(0, &[1][..]), (0, &[1, 3, 17]), (5, &[2, 1, 17, 3]), (33, &[1, 61]), (4, &[])];
    let continuing = [(1, &[1][..]), (70, &[1]), (33, &[18]), (21, &[2, 1, 17])];
    let whole = whole.map(|(prefix, own)| RaggedLayout::new(prefix, own));
    let continuing = continuing.map(|(prefix, own)| RaggedLayout::continuing(prefix, own));
    whole.into_iter().chain(continuing).chain(grouped_layouts()).collect()
}

/// `(H, K)`.
const HEADS: [(usize, usize); 4] = [(1, 1), (3, 1), (3, 3), (6, 2)];
const HEAD_DIMENSIONS: [usize; 4] = [16, 20, 64, 256];

/// Frequencies of a head of `width`, as of RoPE's paper with base 10,000.
fn inverse_frequencies(width: usize) -> Vec<f32> {
    (0..width / 2).map(|i| 1e4f32.powf(-2.0 * i as f32 / width as f32)).collect()
}

pub fn rope<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(6);
    for layout in layouts() {
        for (heads, width) in [(1, 16), (3, 20), (9, 64), (1, 256)] {
            let table = device.rope_table(&inverse_frequencies(width), layout.longest() + 3);
            let on_device = device.layout(&layout);
            let length = layout.rows() * heads * width;
            for backward in [false, true] {
                let mut x = device.upload(&noise.take(length + GUARD));
                match backward {
                    false => device.rope(&table, &on_device, heads, &mut x),
                    true => device.rope_backward(&table, &on_device, heads, &mut x),
                }
                let name = format!("rope backward {backward} heads {heads} width {width} {layout:?}");
                outputs.push(device, FORMULA, length, name, &x);
            }
        }
    }
    outputs
}

/// One layout and shape, as `(layout, shape)`.
fn cases() -> Vec<(RaggedLayout, AttentionShape)> {
    let mut cases = Vec::new();
    for layout in layouts() {
        for window in [None, Some(1), Some(4), Some(19), Some(1000)] {
            for soft_cap in [None, Some(1.5)] {
                let (heads, key_value_heads, head_dimension, scale) = (6, 2, 20, 0.4);
                let causal = AttentionShape { heads, key_value_heads, head_dimension, scale, soft_cap, window, causal: true };
                cases.push((layout.clone(), causal));
                if window.is_none() {
                    cases.push((layout.clone(), AttentionShape { causal: false, ..causal }));
                }
            }
        }
    }
    for (heads, key_value_heads) in HEADS {
        for head_dimension in HEAD_DIMENSIONS {
            let scale = 1.3 / (head_dimension as f32).sqrt();
            let soft_cap = Some(2.0);
            let causal =
                AttentionShape { heads, key_value_heads, head_dimension, scale, soft_cap, window: Some(9), causal: true };
            for shape in [causal, AttentionShape { window: None, causal: false, ..causal }] {
                cases.push((RaggedLayout::new(5, &[2, 1, 17, 3]), shape));
                cases.push((RaggedLayout::with_groups(5, &groups(&[(18, &[2, 17]), (2, &[3])])), shape));
            }
        }
    }
    cases
}

/// One case's inputs and forward results on a device.
struct Forward<K: Kernels> {
    lengths: [usize; 3],
    layout: K::Layout,
    query: K::Buffer,
    key: K::Buffer,
    value: K::Buffer,
    output: K::Buffer,
    log_sum: K::Buffer,
}

fn forward<K: Kernels>(device: &K, noise: &mut Noise, layout: &RaggedLayout, shape: AttentionShape) -> Forward<K> {
    let queries = layout.rows() * shape.heads * shape.head_dimension;
    let keys = layout.key_rows() * shape.key_value_heads * shape.head_dimension;
    let sums = layout.rows() * shape.heads;
    let mut forward = Forward {
        lengths: [queries, keys, sums],
        layout: device.layout(layout),
        query: device.upload(&noise.take(queries)),
        key: device.upload(&noise.take(keys)),
        value: device.upload(&noise.take(keys)),
        output: poisoned(device, queries),
        log_sum: poisoned(device, sums),
    };
    let inputs = (&forward.query, &forward.key, &forward.value);
    device.attention(shape, &forward.layout, inputs, &mut forward.output, &mut forward.log_sum);
    forward
}

pub fn attention<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(7);
    for (layout, shape) in cases() {
        let forward = forward(device, &mut noise, &layout, shape);
        let [queries, _, sums] = forward.lengths;
        outputs.push(device, SUM, queries, format!("attention output {shape:?} {layout:?}"), &forward.output);
        outputs.push(device, SUM, sums, format!("attention log_sum {shape:?} {layout:?}"), &forward.log_sum);
    }
    outputs
}

pub fn attention_backward<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(8);
    for (layout, shape) in cases() {
        let forward = forward(device, &mut noise, &layout, shape);
        let [queries, keys, _] = forward.lengths;
        let d_output = device.upload(&noise.take(queries));
        let [mut d_query, mut d_key, mut d_value] = [queries, keys, keys].map(|length| device.upload(&vec![f32::NAN; length]));
        let saved = AttentionSaved {
            query: &forward.query,
            key: &forward.key,
            value: &forward.value,
            output: &forward.output,
            log_sum: &forward.log_sum,
        };
        let gradients = AttentionGradients { query: &mut d_query, key: &mut d_key, value: &mut d_value };
        device.attention_backward(shape, &forward.layout, saved, &d_output, gradients);
        for (name, length, gradient) in [("query", queries, &d_query), ("key", keys, &d_key), ("value", keys, &d_value)] {
            outputs.push(device, SUM, length, format!("attention_backward {name} {shape:?} {layout:?}"), gradient);
        }
    }
    outputs
}
