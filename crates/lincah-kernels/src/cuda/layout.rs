//! A batch's layout on the device: the tables that tell attention's blocks their rows.

use super::device::Cuda;
use super::pool::Block;
use crate::layout::{RaggedLayout, Segment};
use cudarc::driver::sys::CUdeviceptr;

/// Queries, or keys, of a block: those of `WARPS` warps in attention.cu.
pub(super) const TILE: usize = 16;
/// Most partial sums of the common prefix's gradients.
const MOST_SLOTS: usize = 64;
/// Numbers of `Segment`, `QueryTile` and `KeyTile` of attention.cu.
const SEGMENT: usize = 6;
const QUERY_TILE: usize = 3;
const KEY_TILE: usize = 6;

/// All that a recording depends on: how long the tables are, where each begins, and how many blocks are launched. What the tables hold may
/// be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    rows: usize,
    key_rows: usize,
    prefix_length: usize,
    segments: usize,
}

impl Shape {
    fn of(layout: &RaggedLayout) -> Self {
        let segments = layout.segments().len();
        Self { rows: layout.rows(), key_rows: layout.key_rows(), prefix_length: layout.prefix_length(), segments }
    }

    /// Most tiles of the rows: every segment's last may be a part of one.
    fn most_tiles(self) -> usize {
        self.rows / TILE + self.segments
    }

    /// Segments whose gradients of the common prefix are summed in one slot.
    fn chunk(self) -> usize {
        self.segments.div_ceil(MOST_SLOTS).max(1)
    }

    /// Partial sums of the common prefix's gradients.
    fn slots(self) -> usize {
        if self.prefix_length > 0 { self.segments.div_ceil(self.chunk()) } else { 0 }
    }

    /// Tiles of the common prefix's keys, one behind the other for each slot, and of the rest.
    fn key_tiles(self) -> usize {
        self.prefix_length.div_ceil(TILE) * self.slots() + self.most_tiles()
    }

    /// Where each table begins, in bytes behind the positions' begin.
    fn segments_begin(self) -> usize {
        self.rows * size_of::<i32>()
    }

    fn query_tiles_begin(self) -> usize {
        self.segments_begin() + SEGMENT * self.segments * size_of::<i32>()
    }

    fn key_tiles_begin(self) -> usize {
        self.query_tiles_begin() + QUERY_TILE * self.most_tiles() * size_of::<i32>()
    }
}

/// A batch's layout on the device. The numbers of tiles are the most that batches of its shape have; those that are not needed are empty.
pub(super) struct Layout {
    tables: Block,
    shape: Shape,
    longest: usize,
}

fn number(value: usize) -> i32 {
    i32::try_from(value).expect("a batch has fewer than 2^31 rows")
}

/// The end of the segments whose queries see the rows of segment `index`, the first of them: its group's, or itself alone.
fn last_reader(segments: &[Segment], index: usize) -> usize {
    let keys = segments[index].first_key..segments[index].first_key + segments[index].own.len();
    let others = segments[index + 1..].iter().take_while(|segment| segment.group_prefix == keys);
    index + 1 + others.count()
}

/// Segment, first row and number of rows of each.
fn query_tiles(segments: &[Segment]) -> Vec<i32> {
    let mut tiles = Vec::new();
    for (s, segment) in segments.iter().enumerate() {
        for begin in segment.own.clone().step_by(TILE) {
            tiles.extend([s, begin, TILE.min(segment.own.end - begin)].map(number));
        }
    }
    tiles
}

/// First key row, number of rows, position of the first, first and last of the segments that see them, and the slot of each.
fn key_tiles(layout: &RaggedLayout) -> Vec<i32> {
    let (segments, shape) = (layout.segments(), Shape::of(layout));
    let mut tiles = Vec::new();
    for begin in (0..shape.prefix_length).step_by(TILE) {
        let count = TILE.min(shape.prefix_length - begin);
        for slot in 0..shape.slots() {
            let last = segments.len().min((slot + 1) * shape.chunk());
            tiles.extend([begin, count, begin, slot * shape.chunk(), last].map(number));
            tiles.push(if shape.slots() > 1 { number(slot) } else { -1 });
        }
    }
    for (s, segment) in segments.iter().enumerate() {
        // The common prefix's own rows are among the tiles above.
        if segment.prefix_length < shape.prefix_length {
            continue;
        }
        let last = last_reader(segments, s);
        for begin in (0..segment.own.len()).step_by(TILE) {
            let (count, position) = (TILE.min(segment.own.len() - begin), segment.first_position() + begin);
            tiles.extend([segment.key_row(position), count, position, s, last].map(number));
            tiles.push(-1);
        }
    }
    tiles
}

/// The positions, segments, query tiles and key tiles, one after the other.
fn tables(layout: &RaggedLayout) -> Vec<i32> {
    let (segments, shape) = (layout.segments(), Shape::of(layout));
    let mut tables: Vec<i32> = layout.positions().into_iter().map(number).collect();
    for segment in segments {
        let Segment { prefix_length, group_prefix, own, first_key } = segment;
        tables.extend([segment.first_position(), own.start, own.end, *first_key, *prefix_length, group_prefix.start].map(number));
    }
    let mut query_tiles = query_tiles(segments);
    query_tiles.resize(QUERY_TILE * shape.most_tiles(), 0);
    let mut key_tiles = key_tiles(layout);
    key_tiles.resize(KEY_TILE * shape.key_tiles(), 0);
    tables.extend(query_tiles);
    tables.extend(key_tiles);
    tables
}

impl Layout {
    pub(super) fn new(cuda: &Cuda, layout: &RaggedLayout) -> Self {
        Self { tables: cuda.send(&tables(layout)), shape: Shape::of(layout), longest: layout.longest() }
    }

    /// Another layout with as many rows and segments and as long a common prefix.
    pub(super) fn replace(&mut self, cuda: &Cuda, layout: &RaggedLayout) {
        assert_eq!(Shape::of(layout), self.shape, "a layout of another shape");
        cuda.send_to(&tables(layout), &self.tables);
        self.longest = layout.longest();
    }

    /// N.
    pub(super) fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Rows of keys and values.
    pub(super) fn key_rows(&self) -> usize {
        self.shape.key_rows
    }

    /// P.
    pub(super) fn prefix_length(&self) -> usize {
        self.shape.prefix_length
    }

    /// One more than the highest position. Nothing is launched by it: a recording's rope tables must reach as far as every layout that
    /// takes this one's place.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn query_tile_count(&self) -> usize {
        self.shape.most_tiles()
    }

    pub(super) fn key_tile_count(&self) -> usize {
        self.shape.key_tiles()
    }

    /// Partial sums of the common prefix's gradients.
    pub(super) fn slots(&self) -> usize {
        self.shape.slots()
    }

    /// `[N]`.
    pub(super) fn positions(&self) -> CUdeviceptr {
        self.tables.address
    }

    pub(super) fn segments(&self) -> CUdeviceptr {
        self.tables.address + self.shape.segments_begin() as u64
    }

    pub(super) fn query_tiles(&self) -> CUdeviceptr {
        self.tables.address + self.shape.query_tiles_begin() as u64
    }

    pub(super) fn key_tiles(&self) -> CUdeviceptr {
        self.tables.address + self.shape.key_tiles_begin() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY_TILE, QUERY_TILE, SEGMENT, Shape, TILE, tables};
    use crate::layout::{GroupLayout, RaggedLayout};
    use std::collections::BTreeMap;

    /// Tables as attention.cu reads them.
    struct Device {
        shape: Shape,
        tables: Vec<i32>,
    }

    impl Device {
        fn new(layout: &RaggedLayout) -> Self {
            Self { shape: Shape::of(layout), tables: tables(layout) }
        }

        /// One table's entries, where the kernels are told that it begins and as many as are launched.
        fn entries<const N: usize>(&self, begin: usize, count: usize) -> Vec<[i32; N]> {
            let begin = begin / size_of::<i32>();
            self.tables[begin..begin + N * count].as_chunks().0.to_vec()
        }
    }

    fn key_row_of(segment: [i32; SEGMENT], position: i32) -> i32 {
        let [prefix, _, _, keys, common, group] = segment;
        match position {
            position if position >= prefix => keys + position - prefix,
            position if position < common => position,
            position => group + position - common,
        }
    }

    fn layouts() -> Vec<RaggedLayout> {
        let group = |prefix_length, own_lengths: &[usize]| GroupLayout { prefix_length, own_lengths: own_lengths.to_vec() };
        let groups = [
            vec![group(0, &[1, 3, 17])],
            vec![group(18, &[2, 1, 33])],
            vec![group(3, &[1]), group(0, &[16, 5]), group(40, &[2, 2, 70]), group(1, &[])],
            vec![group(7, &[1; 50]), group(16, &[16; 30])],
        ];
        let all = groups.iter().flat_map(|groups| {
            [0, 5, 33]
                .map(|prefix| [RaggedLayout::with_groups, RaggedLayout::continuing_with_groups].map(|new| new(prefix, groups)))
        });
        all.flatten().collect()
    }

    /// Pairs of a query row and a key row that are to meet.
    fn expected(layout: &RaggedLayout) -> BTreeMap<(i32, i32), usize> {
        let of_segment = |segment: &crate::layout::Segment| {
            let segment = segment.clone();
            segment.own.clone().flat_map(move |row| {
                let position = segment.first_position() + row - segment.own.start;
                let keys: Vec<_> = (0..=position).map(|key| (row as i32, segment.key_row(key) as i32)).collect();
                keys
            })
        };
        layout.segments().iter().flat_map(of_segment).map(|pair| (pair, 1)).collect()
    }

    #[test]
    fn every_query_meets_every_key_that_it_sees_once() {
        for layout in layouts() {
            let device = Device::new(&layout);
            let segments = device.entries::<SEGMENT>(device.shape.segments_begin(), device.shape.segments);
            let (mut by_query, mut by_key) = (BTreeMap::new(), BTreeMap::new());
            for [s, begin, count] in device.entries::<QUERY_TILE>(device.shape.query_tiles_begin(), device.shape.most_tiles()) {
                assert!(count <= TILE as i32);
                let segment = segments[s as usize];
                for row in begin..begin + count {
                    let position = segment[0] + row - segment[1];
                    (0..=position).for_each(|key| *by_query.entry((row, key_row_of(segment, key))).or_default() += 1);
                }
            }
            let mut slots = vec![0; device.shape.slots().max(1)];
            for tile in device.entries::<KEY_TILE>(device.shape.key_tiles_begin(), device.shape.key_tiles()) {
                let [begin, count, position, first, last, slot] = tile;
                assert!(count <= TILE as i32);
                slots[slot.max(0) as usize] += count;
                for segment in &segments[first as usize..last as usize] {
                    for query in segment[0].max(position)..segment[0] + segment[2] - segment[1] {
                        let row = segment[1] + query - segment[0];
                        let keys = (0..count).filter(|key| position + key <= query);
                        keys.for_each(|key| *by_key.entry((row, begin + key)).or_default() += 1);
                    }
                }
            }
            let expected = expected(&layout);
            assert!(!expected.is_empty());
            assert!(by_query == expected, "query tiles of {layout:?}");
            assert!(by_key == expected, "key tiles of {layout:?}");
            // Every gradient of a key is written, in every slot.
            let prefix = layout.prefix_length() as i32;
            assert!(slots[1..].iter().all(|&keys| keys == prefix), "slots of {layout:?}");
            assert_eq!(slots[0], layout.key_rows() as i32, "{layout:?}");
        }
    }
}
