//! Matrix products. Every element is one chain of multiply-adds over the inner dimension in order, whatever the number of rows, the
//! blocking and the threads: a text's scores do not depend on the batch it is in.

use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// Numbers to be packed that are worth a task of their own.
const SMALL: usize = 1 << 15;
/// Multiply-adds of a product that is not shared out: less work than waking a thread.
const SMALL_PRODUCT: usize = 1 << 18;

/// Inner steps of a panel that is turned at once: it stays in the second cache.
const MOST_TURNED: usize = 64 * PANEL;
/// Numbers of a cache line.
const LINE: usize = 16;

/// Columns of a panel: two AVX-512 registers, four AVX2 registers.
pub(super) const PANEL: usize = 32;

/// The left factor, `[rows, inner]` with any strides.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) row_stride: usize,
    pub(super) inner_stride: usize,
}

impl<'a> Left<'a> {
    /// A row-major `[rows, inner]` array.
    pub(super) fn row_major(values: &'a [f32], rows: usize, inner: usize) -> Self {
        Self { values, rows, row_stride: inner, inner_stride: 1 }
    }

    /// The same rows at a distance at which they don't fall into one set of the first cache, copied to `buffer` where they would.
    fn spread<'b>(&self, inner: usize, buffer: &'b mut Vec<f32>) -> Left<'b>
    where
        'a: 'b,
    {
        const SET_PERIOD: usize = 1024;
        const WAYS: usize = 8;
        if self.inner_stride != 1 || !self.row_stride.is_multiple_of(SET_PERIOD) || self.rows <= WAYS {
            return *self;
        }
        let stride = inner + 16;
        buffer.resize(self.rows * stride, 0.0);
        let copies = buffer.chunks_exact_mut(stride).zip(self.values.chunks(self.row_stride));
        copies.for_each(|(copy, row)| copy[..inner].copy_from_slice(&row[..inner]));
        Left { values: buffer, rows: self.rows, row_stride: stride, inner_stride: 1 }
    }

    /// The transpose of a row-major `[inner, rows]` array.
    pub(super) fn transposed(values: &'a [f32], rows: usize) -> Self {
        Self { values, rows, row_stride: 1, inner_stride: rows }
    }
}

/// The right factor, `[inner, columns]`.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    /// Row-major as it is, with this distance from row to row.
    RowMajor(&'a [f32], usize),
    /// Panels of [`PANEL`] columns, each `[inner, PANEL]`, the last padded with zeros.
    Panels(&'a [f32]),
    /// The transpose of what lies in panels, `[columns, inner]`: turned a panel at a time, so that a frozen weight is kept once for both
    /// directions.
    TransposedPanels(&'a [f32]),
}

/// Numbers of the panels of `[inner, columns]`.
pub(super) fn packed_length(columns: usize, inner: usize) -> usize {
    columns.next_multiple_of(PANEL) * inner
}

/// Packs the transpose of row-major `[columns, inner]`, times `factor`, into panels.
pub(super) fn pack_transposed(values: &[f32], columns: usize, inner: usize, factor: f32) -> Vec<f32> {
    let mut panels = vec![0.0; packed_length(columns, inner)];
    pack_transposed_into(values, columns, inner, factor, &mut panels);
    panels
}

/// [`pack_transposed`] into zeros.
pub(super) fn pack_transposed_into(values: &[f32], columns: usize, inner: usize, factor: f32, panels: &mut [f32]) {
    assert_eq!((values.len(), panels.len()), (columns * inner, packed_length(columns, inner)));
    let panels_at_once = SMALL.div_ceil(PANEL * inner);
    panels.par_chunks_mut(PANEL * inner).with_min_len(panels_at_once).enumerate().for_each(|(p, panel)| {
        pack_panel(values, p, inner, factor, panel);
    });
}

/// Panel `panel_index` of the transpose of what lies in `panels` of a `[columns, inner]` factor, whose transpose is `[inner, columns]`.
fn transpose_panel(panels: &[f32], panel_index: usize, (inner, columns): (usize, usize), panel: &mut [f32]) {
    let width = PANEL.min(columns - panel_index * PANEL);
    for (block, target) in panel.chunks_exact_mut(PANEL * PANEL).take(inner.div_ceil(PANEL)).enumerate() {
        let source = &panels[(block * columns + panel_index * PANEL) * PANEL..][..width * PANEL];
        transpose_block(source, PANEL, target);
    }
}

/// `target[o, c] = source[c, o]`. # Shapes: source `[at most PANEL, PANEL]` with rows at this distance, target `[PANEL, PANEL]`, whose
/// other columns are left.
fn transpose_block(source: &[f32], row_stride: usize, target: &mut [f32]) {
    assert_eq!(target.len(), PANEL * PANEL);
    #[cfg(target_arch = "x86_64")]
    if source.len() >= (PANEL - 1) * row_stride + PANEL && super::simd::instruction_set() != super::simd::InstructionSet::Portable
    {
        // SAFETY: both blocks are whole, and the instruction set was detected.
        return unsafe { x86::transpose_block(source.as_ptr(), row_stride, target.as_mut_ptr()) };
    }
    for (c, row) in source.chunks(row_stride).take(PANEL).enumerate() {
        for (o, &value) in row[..PANEL].iter().enumerate() {
            target[o * PANEL + c] = value;
        }
    }
}

/// Packs one panel, by blocks and then the rest of `inner`.
pub(super) fn pack_panel(values: &[f32], panel_index: usize, inner: usize, factor: f32, panel: &mut [f32]) {
    let values = &values[panel_index * PANEL * inner..];
    let columns = PANEL.min(values.len() / inner);
    let values = &values[..columns * inner];
    let (blocks, rest) = panel.as_chunks_mut::<{ PANEL * PANEL }>();
    for (index, block) in blocks.iter_mut().enumerate() {
        transpose_block(&values[index * PANEL..], inner, block);
    }
    let done = blocks.len() * PANEL;
    for (column, row) in values.chunks_exact(inner).enumerate() {
        for (k, &value) in row[done..].iter().enumerate() {
            rest[k * PANEL + column] = value;
        }
    }
    if factor != 1.0 {
        panel.iter_mut().for_each(|value| *value *= factor);
    }
}

/// Packs row-major `[inner, columns]` into panels.
pub(super) fn pack_row_major(values: &[f32], inner: usize, columns: usize) -> Vec<f32> {
    assert_eq!(values.len(), columns * inner);
    let mut panels = vec![0.0; packed_length(columns, inner)];
    let panels_at_once = SMALL.div_ceil(PANEL * inner);
    panels.par_chunks_mut(PANEL * inner).with_min_len(panels_at_once).enumerate().for_each(|(p, panel)| {
        let width = PANEL.min(columns - p * PANEL);
        for (strip, row) in panel.chunks_exact_mut(PANEL).zip(values.chunks_exact(columns)) {
            strip[..width].copy_from_slice(&row[p * PANEL..][..width]);
        }
    });
    panels
}

/// A pointer that threads share, each writing its own part.
#[derive(Clone, Copy)]
pub(super) struct SharedPointer(pub(super) *mut f32);
// SAFETY: every user hands disjoint parts of the array to its threads.
unsafe impl Send for SharedPointer {}
// SAFETY: as above.
unsafe impl Sync for SharedPointer {}

impl SharedPointer {
    pub(super) fn get(self) -> *mut f32 {
        self.0
    }
}

/// A matrix product: its factors, sizes, and whether it adds to what is there.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub(super) left: Left<'a>,
    pub(super) right: Right<'a>,
    pub(super) inner: usize,
    pub(super) columns: usize,
    pub(super) accumulate: bool,
    pub(super) tail: Option<Tail<'a>>,
}

/// A second product with the same rows and columns whose terms follow the first one's in the same sums: LoRA's, in packed form.
#[derive(Clone, Copy)]
pub(super) struct Tail<'a> {
    pub(super) left: Left<'a>,
    pub(super) panels: &'a [f32],
    pub(super) inner: usize,
}

/// `result = left right`, or `+=` where `accumulate`, on all threads. # Shapes: left `[M, inner]`, right `[inner, columns]`, result `[M, columns]` row-major.
pub(super) fn product(left: Left, right: Right, inner: usize, columns: usize, accumulate: bool, result: &mut [f32]) {
    Product { left, right, inner, columns, accumulate, tail: None }.run_on_all_threads(result);
}

/// Calls `task` with every panel of `columns` and, where panels are few or cores many, with groups of the rows that still use a panel
/// often; on all threads unless the product is small.
pub(super) fn for_each_panel(rows: usize, inner: usize, columns: usize, task: impl Fn(usize, Range<usize>) + Sync) {
    let (panels, threads) = (columns.div_ceil(PANEL), rayon::current_num_threads());
    let row_groups =
        if panels >= 2 * threads { 1 } else { (2 * threads).div_ceil(panels).min(rows.div_ceil(4 * MOST_ROWS)).max(1) };
    let group_rows = rows.div_ceil(row_groups);
    let task = |index: usize| {
        let (panel, group) = (index / row_groups, index % row_groups);
        task(panel, group * group_rows..rows.min((group + 1) * group_rows));
    };
    let tasks = panels * row_groups;
    if rows * inner * columns < SMALL_PRODUCT {
        (0..tasks).for_each(task);
    } else {
        (0..tasks).into_par_iter().for_each(task);
    }
}

impl<'a> Product<'a> {
    /// `result += tail` alone.
    pub(super) fn tail_alone(tail: Tail<'a>, columns: usize) -> Self {
        Self { left: tail.left, right: Right::Panels(tail.panels), inner: tail.inner, columns, accumulate: true, tail: None }
    }
}

impl Product<'_> {
    /// The product into row-major `[M, columns]`, on all threads.
    pub(super) fn run_on_all_threads(&self, result: &mut [f32]) {
        let (columns, rows) = (self.columns, self.left.rows);
        assert!(result.len() >= rows * columns);
        if rows == 0 || columns == 0 {
            return;
        }
        self.check();
        let target = SharedPointer(result.as_mut_ptr());
        self.for_each_piece(|piece| {
            for_each_panel(rows, piece.inner, columns, |panel, group| {
                // SAFETY: the factors were checked, `result` holds every row of `columns`, and no other task writes these elements.
                unsafe { piece.panel(panel, group, target.get(), columns) };
            });
        });
    }

    /// The product on this thread, into rows that lie `result_stride` apart.
    ///
    /// # Safety
    /// From `result` on, every row of `columns` elements is writable and nothing else uses it.
    pub(super) unsafe fn run(&self, result: *mut f32, result_stride: usize) {
        self.check();
        self.for_each_piece(|piece| {
            for panel in 0..self.columns.div_ceil(PANEL) {
                // SAFETY: the factors were checked; the caller's promise.
                unsafe { piece.panel(panel, 0..self.left.rows, result, result_stride) };
            }
        });
    }

    /// The product in pieces of the inner dimension, in order, each to be added to the ones before: what has to be turned is turned a piece
    /// at a time, and of many columns on the left, as a vocabulary's, a piece stays in the caches for all panels. Its rows are
    /// [spread](Left::spread).
    fn for_each_piece(&self, mut run: impl FnMut(Product)) {
        let mut buffer = Vec::new();
        let mut run = |piece: Product| run(Product { left: piece.left.spread(piece.inner, &mut buffer), ..piece });
        let Right::TransposedPanels(panels) = self.right else {
            return run(*self);
        };
        for start in (0..self.inner).step_by(MOST_TURNED) {
            let inner = MOST_TURNED.min(self.inner - start);
            run(Product {
                left: Left { values: &self.left.values[start * self.left.inner_stride..], ..self.left },
                right: Right::TransposedPanels(&panels[start * self.columns..]),
                inner,
                accumulate: self.accumulate || start > 0,
                tail: self.tail.filter(|_| start + inner == self.inner),
                ..*self
            });
        }
    }

    /// What the call for block `block` of `blocks` fetches of panel `panel`, the next one.
    fn ahead(&self, panel: usize, block: usize, blocks: usize) -> &[f32] {
        if panel * PANEL >= self.columns {
            return &[];
        }
        match self.right {
            Right::RowMajor(..) => &[],
            Right::Panels(values) => {
                let share = (PANEL * self.inner).div_ceil(blocks).next_multiple_of(LINE);
                let values = &values[panel * PANEL * self.inner..][..PANEL * self.inner];
                &values[(block * share).min(values.len())..((block + 1) * share).min(values.len())]
            }
            Right::TransposedPanels(values) => {
                // A tile of the panel lies in one piece; some calls fetch one.
                let tiles = self.inner.div_ceil(PANEL);
                let (tile, next) = (block * tiles / blocks, (block + 1) * tiles / blocks);
                if tile == next {
                    return &[];
                }
                let width = PANEL.min(self.columns - panel * PANEL);
                &values[(tile * self.columns + panel * PANEL) * PANEL..][..width * PANEL]
            }
        }
    }

    /// Both factors hold the elements that the sizes name.
    pub(super) fn check(&self) {
        let (left, inner, columns) = (self.left, self.inner, self.columns);
        if left.rows == 0 || inner == 0 || columns == 0 {
            return;
        }
        let holds = |left: &Left, inner: usize| {
            inner == 0 || left.values.len() > (left.rows - 1) * left.row_stride + (inner - 1) * left.inner_stride
        };
        assert!(holds(&left, inner));
        if let Some(tail) = &self.tail {
            assert!(tail.left.rows == left.rows && holds(&tail.left, tail.inner));
            assert!(tail.panels.len() >= columns.div_ceil(PANEL) * PANEL * tail.inner);
        }
        match self.right {
            Right::RowMajor(values, stride) => assert!(values.len() >= (inner - 1) * stride + columns),
            Right::Panels(values) => assert!(values.len() >= columns.div_ceil(PANEL) * PANEL * inner),
            Right::TransposedPanels(values) => assert!(values.len() >= inner.div_ceil(PANEL) * PANEL * columns),
        }
    }

    /// Some rows of the left factor times one panel of the right.
    ///
    /// # Safety
    /// [`check`](Self::check) passed, this is a [piece](Self::for_each_piece), and these rows of this panel are writable in `result`, with
    /// nothing else using them.
    pub(super) unsafe fn panel(&self, panel: usize, rows: Range<usize>, result: *mut f32, result_stride: usize) {
        thread_local! {
            static TURNED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
        }
        let Right::TransposedPanels(panels) = self.right else {
            // SAFETY: the caller's promise.
            return unsafe { self.blocks(panel, rows, (result, result_stride), &[]) };
        };
        TURNED.with_borrow_mut(|turned| {
            turned.resize(self.inner.next_multiple_of(PANEL) * PANEL, 0.0);
            transpose_panel(panels, panel, (self.inner, self.columns), turned);
            // SAFETY: the caller's promise.
            unsafe { self.blocks(panel, rows, (result, result_stride), turned) };
        });
    }

    /// [`panel`](Self::panel), with the panel of a factor that had to be turned.
    ///
    /// # Safety
    /// As there; `turned` is the panel where the right factor is [`Right::TransposedPanels`].
    unsafe fn blocks(&self, panel: usize, rows: Range<usize>, (result, result_stride): (*mut f32, usize), turned: &[f32]) {
        let (inner, left) = (self.inner, self.left);
        let width = PANEL.min(self.columns - panel * PANEL);
        let (right, right_stride, padded): (&[f32], usize, bool) = match self.right {
            Right::RowMajor(values, stride) => (&values[panel * PANEL..], stride, false),
            Right::Panels(values) => (&values[panel * PANEL * inner..], PANEL, true),
            Right::TransposedPanels(_) => (turned, PANEL, true),
        };
        let functions = block_functions(width);
        let blocks = rows.len().div_ceil(functions.len());
        let (mut block_index, mut row) = (0, rows.start);
        while row < rows.end {
            let rest = rows.end - row;
            // Blocks of nearly equal size run better than full blocks and a thin rest.
            let count = rest.div_ceil(rest.div_ceil(functions.len()));
            let main = Segment {
                left: left.values[row * left.row_stride..].as_ptr(),
                row_stride: left.row_stride,
                inner_stride: left.inner_stride,
                right: right.as_ptr(),
                right_stride,
                inner,
            };
            let tail = self.tail.map_or(Segment { inner: 0, ..main }, |tail| Segment {
                left: tail.left.values[row * tail.left.row_stride..].as_ptr(),
                row_stride: tail.left.row_stride,
                inner_stride: tail.left.inner_stride,
                right: tail.panels[panel * PANEL * tail.inner..].as_ptr(),
                right_stride: PANEL,
                inner: tail.inner,
            });
            let block = Block {
                segments: [main, tail],
                ahead: self.ahead(panel + 1, block_index, blocks),
                padded,
                // SAFETY: row and panel lie inside the result, by the caller's promise.
                result: unsafe { result.add(row * result_stride + panel * PANEL) },
                result_stride,
                width,
                accumulate: self.accumulate,
            };
            // SAFETY: the block reads rows row..row + count of the left factors and `inner` strips of the right ones, which were checked, and writes `width`
            // columns of the same rows of result, by the caller's promise; the instruction set was detected.
            unsafe { (functions[count - 1])(&block) };
            row += count;
            block_index += 1;
        }
    }
}

/// One call of a micro-kernel: a few rows times one panel.
struct Block<'a> {
    /// What is summed, in this order.
    segments: [Segment; 2],
    /// What later calls will read, to be fetched from memory in the meantime.
    ahead: &'a [f32],
    /// Every strip of the right factors holds [`PANEL`] elements.
    padded: bool,
    result: *mut f32,
    result_stride: usize,
    width: usize,
    accumulate: bool,
}

/// A few rows of a left factor and a panel of a right one.
#[derive(Clone, Copy)]
struct Segment {
    left: *const f32,
    row_stride: usize,
    inner_stride: usize,
    right: *const f32,
    right_stride: usize,
    inner: usize,
}

const MOST_ROWS: usize = 14;
type BlockFunction = unsafe fn(&Block);

/// The micro-kernels for 1, 2, … rows of a panel whose first `width` columns count.
fn block_functions(width: usize) -> &'static [BlockFunction] {
    #[cfg(target_arch = "x86_64")]
    {
        use super::simd::{InstructionSet, instruction_set};
        match (instruction_set(), width) {
            (InstructionSet::Portable, _) => {}
            (_, ..=8) => return &x86::AVX2_NARROW,
            (InstructionSet::Avx512, ..=16) => return &x86::AVX512_NARROW,
            (InstructionSet::Avx512, _) => return &x86::AVX512,
            (InstructionSet::Avx2, _) => return &x86::AVX2,
        }
    }
    let _ = width;
    &[portable::<1>, portable::<2>, portable::<3>, portable::<4>]
}

/// The micro-kernel in plain Rust.
///
/// # Safety
/// The block's pointers hold the elements that its sizes name.
unsafe fn portable<const ROWS: usize>(block: &Block) {
    let mut sums = [[0.0f32; PANEL]; ROWS];
    // SAFETY: the caller's promise.
    unsafe {
        if block.accumulate {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (c, sum) in sums[..block.width].iter_mut().enumerate() {
                    *sum = *block.result.add(r * block.result_stride + c);
                }
            }
        }
        let mut strip = [0.0f32; PANEL];
        for segment in &block.segments {
            for k in 0..segment.inner {
                let right = segment.right.add(k * segment.right_stride);
                for (c, value) in strip[..block.width].iter_mut().enumerate() {
                    *value = *right.add(c);
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let left = *segment.left.add(r * segment.row_stride + k * segment.inner_stride);
                    for c in 0..PANEL {
                        sums[c] += left * strip[c];
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (c, &sum) in sums[..block.width].iter().enumerate() {
                *block.result.add(r * block.result_stride + c) = sum;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reproducible numbers in -1..1.
    pub(crate) fn noise(length: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    #[test]
    fn every_form_of_the_right_factor_gives_the_same_bits_for_any_number_of_rows() {
        for (rows, inner, columns) in
            [(1, 1, 1), (3, 7, 5), (14, 16, 32), (15, 33, 40), (29, 64, 100), (61, 129, 31), (9, 1024, 40), (7, 4500, 33)]
        {
            let (x, w) = (noise(rows * inner, 1), noise(columns * inner, 2));
            let transposed: Vec<f32> = (0..inner * columns).map(|i| w[(i % columns) * inner + i / columns]).collect();
            let (packed, packed_row_major) =
                (pack_transposed(&w, columns, inner, 1.0), pack_row_major(&transposed, inner, columns));
            let run = |left: Left, right: Right| {
                let mut y = vec![0.5; left.rows * columns];
                product(left, right, inner, columns, true, &mut y);
                y
            };
            let left = Left::row_major(&x, rows, inner);
            let expected = run(left, Right::Panels(&packed));
            let turned = pack_row_major(&w, columns, inner);
            for right in
                [Right::RowMajor(&transposed, columns), Right::Panels(&packed_row_major), Right::TransposedPanels(&turned)]
            {
                assert_eq!(expected, run(left, right));
            }
            let mut overwritten = vec![f32::NAN; rows * columns];
            product(left, Right::Panels(&packed), inner, columns, false, &mut overwritten);
            let mut from_zero = vec![0.0; rows * columns];
            product(left, Right::Panels(&packed), inner, columns, true, &mut from_zero);
            assert_eq!(overwritten, from_zero);
            let x_transposed: Vec<f32> = (0..inner * rows).map(|i| x[(i % rows) * inner + i / rows]).collect();
            assert_eq!(expected, run(Left::transposed(&x_transposed, rows), Right::Panels(&packed)));
            let first_row = run(Left::row_major(&x, 1, inner), Right::Panels(&packed));
            assert_eq!(expected[..columns], first_row[..]);
            for n in 0..rows {
                for o in 0..columns {
                    let exact: f64 =
                        0.5 + (0..inner).map(|i| f64::from(x[n * inner + i]) * f64::from(w[o * inner + i])).sum::<f64>();
                    assert!((exact - f64::from(expected[n * columns + o])).abs() < 1e-5 * (inner as f64).sqrt());
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_instruction_sets_agree_with_the_portable_kernel() {
        let inner = 37;
        let tail_inner = 5;
        let (x, panel) = (noise(4 * inner, 3), noise(inner * PANEL, 4));
        let (h, tail_panel) = (noise(4 * tail_inner, 5), noise(tail_inner * PANEL, 6));
        let run = |function: BlockFunction, width: usize| {
            let mut y = vec![0.25f32; 4 * width];
            let segment = |left: &[f32], right: &[f32], inner: usize| Segment {
                left: left.as_ptr(),
                row_stride: inner,
                inner_stride: 1,
                right: right.as_ptr(),
                right_stride: PANEL,
                inner,
            };
            let block = Block {
                segments: [segment(&x, &panel, inner), segment(&h, &tail_panel, tail_inner)],
                ahead: &panel,
                padded: true,
                result: y.as_mut_ptr(),
                result_stride: width,
                width,
                accumulate: true,
            };
            // SAFETY: the arrays hold 4 rows and as many strips of a panel for each segment, and 4 rows of `width`; callers check the
            // instruction set.
            unsafe { function(&block) };
            y
        };
        let check = |function: BlockFunction, width: usize| {
            let (y, expected) = (run(function, width), run(portable::<4>, width));
            assert!(y.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "width {width}");
        };
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            [1, 7, 8].into_iter().for_each(|width| check(x86::AVX2_NARROW[3], width));
            [9, 16, 27, 32].into_iter().for_each(|width| check(x86::AVX2[3], width));
        }
        if is_x86_feature_detected!("avx512f") {
            [9, 16].into_iter().for_each(|width| check(x86::AVX512_NARROW[3], width));
            [17, 27, 32].into_iter().for_each(|width| check(x86::AVX512[3], width));
        }
    }
}
