//! Frozen matrices.

use super::buffer::{Buffer, Element, View};
use super::device::Cuda;
use super::launch::{each, launch};
use crate::kernels::Kernels;
use std::sync::Arc;

/// Numbers that go to the device at once, where they are converted there.
const STAGED: usize = 1 << 24;
/// Bytes between whose multiples cuBLASLt expects arrays to begin.
const ALIGNMENT: usize = 256;
/// Neighbours that a thread of elementwise.cu takes at once.
const WIDE: usize = 8;

/// A frozen `[O, I]` matrix, row-major.
pub(super) struct Matrix {
    /// Perhaps another's too.
    values: Arc<Buffer>,
    /// Where in them this matrix begins.
    first: usize,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Of what the forward product writes.
    pub(super) product: Element,
}

impl Matrix {
    /// Whether the second lies right behind the first, so that both are one matrix.
    pub(super) fn are_joined([first, second]: [&Self; 2]) -> bool {
        Arc::ptr_eq(&first.values, &second.values) && first.first + first.outputs * first.inputs == second.first
    }
}

impl Cuda {
    /// Numbers in the device's element for factors, one part behind the other.
    pub(super) fn kept(&self, parts: &[&[f32]]) -> Buffer {
        if self.factors == Element::F32 {
            return if let [values] = parts { self.upload(values) } else { self.upload(&parts.concat()) };
        }
        let length = parts.iter().map(|part| part.len()).sum();
        let mut buffer = self.uninitialized(length);
        let mut place = self.output(&mut buffer, length, self.factors);
        for part in parts.iter().flat_map(|part| part.chunks(STAGED)) {
            let staged = self.upload(part);
            launch!(self, "convert", each(part.len()); &(part.len() as u64), &self.view(&staged, part.len()), &place);
            place = place.behind(part.len());
        }
        buffer
    }

    pub(super) fn frozen(&self, values: &[f32], (outputs, inputs): (usize, usize), product: Element) -> Matrix {
        assert_eq!(values.len(), outputs * inputs);
        Matrix { values: Arc::new(self.kept(&[values])), first: 0, outputs, inputs, product }
    }

    /// A matrix, or several that lie one behind the other, `[outputs, I]` together.
    pub(super) fn weights(&self, matrix: &Matrix, outputs: usize) -> View {
        self.view(&matrix.values, matrix.first + outputs * matrix.inputs).behind(matrix.first)
    }

    /// Two of one shape, in one array where they can be.
    pub(super) fn frozen_pair(&self, values: [Vec<f32>; 2], (outputs, inputs): (usize, usize)) -> [Matrix; 2] {
        let size = outputs * inputs;
        // Otherwise the second would not be aligned as cuBLASLt expects, or neighbours that the activation takes at once be of two rows.
        let joins = (size * self.factors.bytes()).is_multiple_of(ALIGNMENT) && outputs.is_multiple_of(WIDE);
        if !joins {
            return values.map(|values| self.frozen(&values, (outputs, inputs), self.factors));
        }
        assert!(values.iter().all(|values| values.len() == size));
        let both = Arc::new(self.kept(&values.each_ref().map(Vec::as_slice)));
        [0, size].map(|first| Matrix { values: both.clone(), first, outputs, inputs, product: self.factors })
    }
}
