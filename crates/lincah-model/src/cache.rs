//! Keys and values of the tokens that were read, so that what follows them need not compute them again.

use lincah_kernels::{AttentionShape, Kernels};

/// One layer's keys and values, `[positions, K, C]` each: `rows` of them hold tokens, the others are zero.
pub(crate) struct KeyValueCache<K: Kernels> {
    key: K::Buffer,
    value: K::Buffer,
    /// `K · C`.
    width: usize,
    rows: usize,
}

impl<K: Kernels> KeyValueCache<K> {
    /// Room for the keys and values of so many positions.
    pub(crate) fn new(kernels: &K, shape: AttentionShape, positions: usize) -> Self {
        let width = shape.key_value_heads * shape.head_dimension;
        Self { key: kernels.zeros(positions * width), value: kernels.zeros(positions * width), width, rows: 0 }
    }

    /// A copy of the first `rows` of them, with room for so many positions.
    pub(crate) fn first(&self, kernels: &K, rows: usize, positions: usize) -> Self {
        let places = kernels.indices(&(0..rows).collect::<Vec<_>>());
        let copy = |from: &K::Buffer| {
            let mut to = kernels.zeros(positions * self.width);
            kernels.scatter_add_rows(self.width, &places, from, &mut to);
            to
        };
        Self { key: copy(&self.key), value: copy(&self.value), width: self.width, rows }
    }

    /// Puts `rows` more keys and values behind those that are there; gives all.
    pub(crate) fn append(
        &mut self,
        kernels: &K,
        rows: usize,
        (key, value): (&K::Buffer, &K::Buffer),
    ) -> (&K::Buffer, &K::Buffer) {
        let places = kernels.indices(&(self.rows..self.rows + rows).collect::<Vec<_>>());
        // The places are zero, so adding writes.
        kernels.scatter_add_rows(self.width, &places, key, &mut self.key);
        kernels.scatter_add_rows(self.width, &places, value, &mut self.value);
        self.rows += rows;
        (&self.key, &self.value)
    }
}
