//! Attention over ragged sequences with shared prefixes. A task is one sequence (or a prefix) and one head, and its scores are products
//! of a few rows of queries with all the keys that any of them sees; those that a query does not see get the weight 0, which changes no
//! bit of a sum. So every query's sums run over its keys in order, whatever else is in the batch.

use super::buffer::Buffer;
use super::matmul::{Left, PANEL, Product, Right, SharedPointer, pack_panel};
use super::simd::{dot, exp, exponentials_of_differences, tanh, vectorized};
use crate::layout::{RaggedLayout, Segment};
use crate::shapes::{AttentionGradients, AttentionSaved, AttentionShape};
use rayon::prelude::*;
use std::ops::Range;

/// Queries of one product: few, so that little is computed above the diagonal.
const QUERIES: usize = 12;

/// One head's rows of a segment, gathered: `[length, C]`.
fn gather(segment: &Segment, (heads, head): (usize, usize), width: usize, from: &[f32]) -> Vec<f32> {
    let mut gathered = Vec::with_capacity(segment.length() * width);
    for position in 0..segment.length() {
        gathered.extend_from_slice(&from[(segment.key_row(position) * heads + head) * width..][..width]);
    }
    gathered
}

/// The transpose of gathered rows, in panels.
fn panels(gathered: &[f32], width: usize) -> Vec<f32> {
    let mut panels = vec![0.0; (gathered.len() / width).div_ceil(PANEL) * PANEL * width];
    for (p, panel) in panels.chunks_exact_mut(PANEL * width).enumerate() {
        pack_panel(gathered, p, width, 1.0, panel);
    }
    panels
}

/// A few query rows, and the keys that any of them sees.
struct Stretch {
    rows: Range<usize>,
    /// Rounded down to a panel's begin.
    first_key: usize,
    keys: usize,
    first_position: usize,
    /// Positions of the segment.
    length: usize,
}

impl Stretch {
    fn all(shape: AttentionShape, segment: &Segment) -> impl Iterator<Item = Stretch> {
        segment.own.clone().step_by(QUERIES).map(move |start| {
            let end = segment.own.end.min(start + QUERIES);
            let first_position = segment.first_position() + start - segment.own.start;
            let (last_position, length) = (first_position + (end - start) - 1, segment.length());
            let first_key = shape.visible(first_position, length).start / PANEL * PANEL;
            let keys = shape.visible(last_position, length).end - first_key;
            Stretch { rows: start..end, first_key, keys, first_position, length }
        })
    }

    /// Each query's row, with the range of its keys among the stretch's.
    fn visible(&self, shape: AttentionShape) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.rows.clone().enumerate().map(move |(i, row)| {
            let seen = shape.visible(self.first_position + i, self.length);
            (row, seen.start - self.first_key..seen.end - self.first_key)
        })
    }

    /// `result[i, j] = rows[i] · columns[j]` for each query i and key j, where `rows` has H heads and `columns` are gathered keys or values in panels.
    fn dots(&self, shape: AttentionShape, head: usize, rows: &[f32], columns: &[f32], result: &mut [f32]) {
        let width = shape.head_dimension;
        let product = Product {
            left: self.queries(shape, head, rows),
            right: Right::Panels(&columns[self.first_key * width..]),
            inner: width,
            columns: self.keys,
            accumulate: false,
            tail: None,
        };
        assert!(result.len() >= self.rows.len() * self.keys);
        // SAFETY: the result holds a row of `keys` elements for each query.
        unsafe { product.run(result.as_mut_ptr(), self.keys) };
    }

    /// `result[i] = Σ_j weights[i, j] columns[j]`, into rows of H heads.
    ///
    /// # Safety
    /// The queries' rows and this head belong to the caller alone, and lie inside the array behind `result`.
    unsafe fn combine(&self, shape: AttentionShape, head: usize, weights: &[f32], columns: &[f32], result: SharedPointer) {
        let width = shape.head_dimension;
        let product = Product {
            left: Left::row_major(weights, self.rows.len(), self.keys),
            right: Right::RowMajor(&columns[self.first_key * width..], width),
            inner: self.keys,
            columns: width,
            accumulate: false,
            tail: None,
        };
        // SAFETY: the caller's promise.
        unsafe { product.run(result.get().add((self.rows.start * shape.heads + head) * width), shape.heads * width) };
    }

    /// `result[j] += Σ_i weights[i, j] rows[i]`, where `rows` has H heads and `result` is gathered.
    fn combine_transposed(&self, shape: AttentionShape, head: usize, weights: &[f32], rows: &[f32], result: &mut [f32]) {
        let width = shape.head_dimension;
        let queries = self.queries(shape, head, rows);
        let product = Product {
            left: Left::transposed(weights, self.keys),
            right: Right::RowMajor(queries.values, queries.row_stride),
            inner: self.rows.len(),
            columns: width,
            accumulate: true,
            tail: None,
        };
        let result = &mut result[self.first_key * width..][..self.keys * width];
        // SAFETY: the result holds a row of `width` elements for each key.
        unsafe { product.run(result.as_mut_ptr(), width) };
    }

    /// This stretch's rows of one of H heads.
    fn queries<'a>(&self, shape: AttentionShape, head: usize, rows: &'a [f32]) -> Left<'a> {
        let (width, stride) = (shape.head_dimension, shape.heads * shape.head_dimension);
        let values = &rows[self.rows.start * stride + head * width..];
        Left { values, rows: self.rows.len(), row_stride: stride, inner_stride: 1 }
    }
}

vectorized! {
    /// Scales scores and caps them softly where asked.
    fn scale_and_cap(shape: AttentionShape, scores: &mut [f32]) {
        for score in scores.iter_mut() {
            *score *= shape.scale;
        }
        if let Some(cap) = shape.soft_cap {
            for score in scores.iter_mut() {
                *score = cap * tanh(*score / cap);
            }
        }
    }
}

vectorized! {
    /// Turns scores into probabilities in place; returns the logarithm of the denominator.
    fn softmax(scores: &mut [f32]) -> f32 {
        let (highest, sum) = exponentials_of_differences(scores);
        let factor = 1.0 / sum;
        for score in scores.iter_mut() {
            *score *= factor;
        }
        highest + sum.ln()
    }
}

vectorized! {
    /// Capped scores to probabilities, with the logarithm of the denominator known.
    fn exponentials(scores: &[f32], log_sum: f32, result: &mut [f32]) {
        for (p, s) in result.iter_mut().zip(scores) {
            *p = exp(s - log_sum);
        }
    }
}

vectorized! {
    /// Turns d_probabilities into d_scores in place.
    fn softmax_backward(probabilities: &[f32], capped: &[f32], shape: AttentionShape, mean: f32, d: &mut [f32]) {
        for (d, p) in d.iter_mut().zip(probabilities) {
            *d = p * (*d - mean) * shape.scale;
        }
        if let Some(cap) = shape.soft_cap {
            for (d, s) in d.iter_mut().zip(capped) {
                *d *= 1.0 - (s / cap) * (s / cap);
            }
        }
    }
}

/// Sets what a query does not see to zero.
fn clear_unseen(row: &mut [f32], seen: &Range<usize>) {
    row[..seen.start].fill(0.0);
    row[seen.end..].fill(0.0);
}

fn tasks(segments: usize, heads: usize) -> impl IndexedParallelIterator<Item = (usize, usize)> {
    (0..segments * heads).into_par_iter().map(move |task| (task / heads, task % heads))
}

pub(super) fn forward(
    shape: AttentionShape,
    layout: &RaggedLayout,
    (query, key, value): (&[f32], &[f32], &[f32]),
    output: &mut [f32],
    log_sum: &mut [f32],
) {
    let (width, group, segments) = (shape.head_dimension, shape.heads / shape.key_value_heads, layout.segments());
    assert!(output.len() >= layout.rows() * shape.heads * width && log_sum.len() >= layout.rows() * shape.heads);
    let (output, log_sum) = (SharedPointer(output.as_mut_ptr()), SharedPointer(log_sum.as_mut_ptr()));
    tasks(segments.len(), shape.key_value_heads).for_each(|(segment, kv_head)| {
        let segment = &segments[segment];
        let of = (shape.key_value_heads, kv_head);
        let keys = panels(&gather(segment, of, width, key), width);
        let values = gather(segment, of, width, value);
        let mut scores = vec![0.0; QUERIES * segment.length()];
        for head in kv_head * group..(kv_head + 1) * group {
            for stretch in Stretch::all(shape, segment) {
                stretch.dots(shape, head, query, &keys, &mut scores);
                for ((row, seen), scores) in stretch.visible(shape).zip(scores.chunks_exact_mut(stretch.keys)) {
                    clear_unseen(scores, &seen);
                    scale_and_cap(shape, &mut scores[seen.clone()]);
                    let log_sum_of_row = softmax(&mut scores[seen]);
                    // SAFETY: row and head belong to this task alone, and lie inside the array by the assertion above.
                    unsafe { *log_sum.get().add(row * shape.heads + head) = log_sum_of_row };
                }
                // SAFETY: as above.
                unsafe { stretch.combine(shape, head, &scores, &values, output) };
            }
        }
    });
}

/// Gradients of one task's gathered keys and values, `[length, C]` each.
struct TaskGradients {
    segment: usize,
    head: usize,
    key: Vec<f32>,
    value: Vec<f32>,
}

pub(super) fn backward(
    shape: AttentionShape,
    layout: &RaggedLayout,
    saved: AttentionSaved<Buffer>,
    d_output: &[f32],
    gradients: AttentionGradients<Buffer>,
) {
    let (width, segments) = (shape.head_dimension, layout.segments());
    assert!(gradients.query.len() >= layout.rows() * shape.heads * width);
    let d_query = SharedPointer(gradients.query.as_mut_ptr());
    let parts: Vec<TaskGradients> = tasks(segments.len(), shape.key_value_heads)
        .map(|(segment, head)| {
            let (key, value) = backward_task(shape, &segments[segment], head, &saved, d_output, d_query);
            TaskGradients { segment, head, key, value }
        })
        .collect();
    gradients.key.fill(0.0);
    gradients.value.fill(0.0);
    for part in &parts {
        let segment = &segments[part.segment];
        for position in 0..segment.length() {
            let at = (segment.key_row(position) * shape.key_value_heads + part.head) * width;
            let from = position * width..(position + 1) * width;
            gradients.key[at..at + width].iter_mut().zip(&part.key[from.clone()]).for_each(|(y, x)| *y += x);
            gradients.value[at..at + width].iter_mut().zip(&part.value[from]).for_each(|(y, x)| *y += x);
        }
    }
}

fn backward_task(
    shape: AttentionShape,
    segment: &Segment,
    kv_head: usize,
    saved: &AttentionSaved<Buffer>,
    d_output: &[f32],
    d_query: SharedPointer,
) -> (Vec<f32>, Vec<f32>) {
    let (width, group) = (shape.head_dimension, shape.heads / shape.key_value_heads);
    let keys = gather(segment, (shape.key_value_heads, kv_head), width, saved.key);
    let key_panels = panels(&keys, width);
    let value_panels = panels(&gather(segment, (shape.key_value_heads, kv_head), width, saved.value), width);
    let (mut d_key, mut d_value) = (vec![0.0; keys.len()], vec![0.0; keys.len()]);
    let [mut capped, mut probabilities, mut d_scores] = [(); 3].map(|()| vec![0.0; QUERIES * segment.length()]);
    for head in kv_head * group..(kv_head + 1) * group {
        for stretch in Stretch::all(shape, segment) {
            stretch.dots(shape, head, saved.query, &key_panels, &mut capped);
            stretch.dots(shape, head, d_output, &value_panels, &mut d_scores);
            for (i, (row, seen)) in stretch.visible(shape).enumerate() {
                let [capped, probabilities, d_scores] = [&mut capped, &mut probabilities, &mut d_scores]
                    .map(|buffer| &mut buffer[i * stretch.keys..][..stretch.keys]);
                clear_unseen(probabilities, &seen);
                clear_unseen(d_scores, &seen);
                let [capped, probabilities, d_scores] = [capped, probabilities, d_scores].map(|buffer| &mut buffer[seen.clone()]);
                scale_and_cap(shape, capped);
                exponentials(capped, saved.log_sum[row * shape.heads + head], probabilities);
                let mean = dot(probabilities, d_scores);
                softmax_backward(probabilities, capped, shape, mean, d_scores);
            }
            // SAFETY: these rows and this head belong to this task alone, and lie inside the array by the caller's assertion.
            unsafe { stretch.combine(shape, head, &d_scores, &keys, d_query) };
            stretch.combine_transposed(shape, head, &d_scores, saved.query, &mut d_key);
            stretch.combine_transposed(shape, head, &probabilities, d_output, &mut d_value);
        }
    }
    (d_key, d_value)
}
