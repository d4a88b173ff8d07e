//! What every ragged layout keeps to.

use lincah_kernels::{GroupLayout, RaggedLayout};
use proptest::prelude::*;

fn groups() -> impl Strategy<Value = Vec<GroupLayout>> {
    let group = (0usize..20, prop::collection::vec(1usize..20, 0..5));
    let group = group.prop_map(|(prefix_length, own_lengths)| GroupLayout { prefix_length, own_lengths });
    prop::collection::vec(group, 0..6)
}

proptest! {
    #[test]
    fn the_rows_are_the_prefix_and_then_each_text_in_order(prefix in 0usize..50, own in prop::collection::vec(1usize..40, 0..12)) {
        let layout = RaggedLayout::new(prefix, &own);
        prop_assert_eq!(layout.prefix_length(), prefix);
        prop_assert_eq!(layout.sequences(), own.len());
        prop_assert_eq!(layout.rows(), prefix + own.iter().sum::<usize>());
        let mut next = prefix;
        for (s, &length) in own.iter().enumerate() {
            prop_assert_eq!(layout.own_rows(s), next..next + length);
            next += length;
        }
        prop_assert_eq!(next, layout.rows());
    }

    #[test]
    fn positions_run_on_from_the_prefix_in_every_text(prefix in 0usize..50, own in prop::collection::vec(1usize..40, 0..12)) {
        let layout = RaggedLayout::new(prefix, &own);
        let positions = layout.positions();
        prop_assert_eq!(positions.len(), layout.rows());
        prop_assert!(positions[..prefix].iter().copied().eq(0..prefix));
        for (s, &length) in own.iter().enumerate() {
            prop_assert!(positions[layout.own_rows(s)].iter().copied().eq(prefix..prefix + length));
        }
        prop_assert_eq!(layout.longest(), positions.iter().map(|position| position + 1).max().unwrap_or(0));
        let last: Vec<usize> = (0..own.len()).map(|s| layout.own_rows(s).end - 1).collect();
        prop_assert_eq!(layout.last_rows(), last);
    }

    #[test]
    fn a_continuing_layout_is_the_whole_one_without_the_prefix_rows(prefix in 0usize..50, own in prop::collection::vec(1usize..40, 0..12)) {
        let (whole, continuing) = (RaggedLayout::new(prefix, &own), RaggedLayout::continuing(prefix, &own));
        prop_assert_eq!((continuing.rows(), continuing.key_rows()), (whole.rows() - prefix, whole.rows()));
        prop_assert_eq!((continuing.longest(), continuing.prefix_length()), (whole.longest(), prefix));
        prop_assert_eq!(continuing.positions(), &whole.positions()[prefix..]);
        for s in 0..own.len() {
            let rows = continuing.own_rows(s);
            prop_assert_eq!(rows.start + prefix..rows.end + prefix, whole.own_rows(s));
        }
        let last: Vec<usize> = whole.last_rows().into_iter().map(|row| row - prefix).collect();
        prop_assert_eq!(continuing.last_rows(), last);
    }

    #[test]
    fn the_rows_of_groups_are_their_prefix_and_then_each_sequence(prefix in 0usize..50, groups in groups()) {
        let layout = RaggedLayout::with_groups(prefix, &groups);
        let (mut next, mut sequence, mut longest) = (prefix, 0, prefix);
        let mut positions: Vec<usize> = (0..prefix).collect();
        for group in &groups {
            let shared = next..next + group.prefix_length;
            next = shared.end;
            positions.extend((prefix..).take(group.prefix_length));
            longest = longest.max(prefix + group.prefix_length);
            for &length in &group.own_lengths {
                prop_assert_eq!(layout.group_prefix(sequence), if shared.is_empty() { 0..0 } else { shared.clone() });
                prop_assert_eq!(layout.own_rows(sequence), next..next + length);
                positions.extend((prefix + group.prefix_length..).take(length));
                longest = longest.max(prefix + group.prefix_length + length);
                next += length;
                sequence += 1;
            }
        }
        let prefixes = groups.iter().filter(|group| group.prefix_length > 0).count() + usize::from(prefix > 0);
        prop_assert_eq!((layout.rows(), layout.key_rows(), layout.sequences()), (next, next, sequence));
        prop_assert_eq!((layout.segment_count(), layout.longest()), (sequence + prefixes, longest));
        prop_assert_eq!(layout.positions(), positions);
        let last: Vec<usize> = (0..sequence).map(|s| layout.own_rows(s).end - 1).collect();
        prop_assert_eq!(layout.last_rows(), last);
    }

    #[test]
    fn groups_after_an_earlier_prefix_are_the_whole_layout_without_its_rows(prefix in 0usize..50, groups in groups()) {
        let whole = RaggedLayout::with_groups(prefix, &groups);
        let continuing = RaggedLayout::continuing_with_groups(prefix, &groups);
        prop_assert_eq!((continuing.rows(), continuing.key_rows()), (whole.rows() - prefix, whole.rows()));
        prop_assert_eq!((continuing.longest(), continuing.prefix_length()), (whole.longest(), prefix));
        prop_assert_eq!(continuing.segment_count(), whole.segment_count() - usize::from(prefix > 0));
        prop_assert_eq!(continuing.positions(), &whole.positions()[prefix..]);
        for s in 0..whole.sequences() {
            let (own, shared) = (continuing.own_rows(s), continuing.group_prefix(s));
            prop_assert_eq!(own.start + prefix..own.end + prefix, whole.own_rows(s));
            if shared.is_empty() {
                prop_assert!(whole.group_prefix(s).is_empty());
            } else {
                prop_assert_eq!(shared.start + prefix..shared.end + prefix, whole.group_prefix(s));
            }
        }
    }

    #[test]
    fn groups_without_a_prefix_are_sequences(prefix in 0usize..50, own in prop::collection::vec(1usize..40, 0..12), cut in 0usize..12) {
        let (first, second) = own.split_at(cut.min(own.len()));
        let groups = [first, second].map(|own| GroupLayout { prefix_length: 0, own_lengths: own.to_vec() });
        prop_assert_eq!(RaggedLayout::with_groups(prefix, &groups), RaggedLayout::new(prefix, &own));
        prop_assert_eq!(RaggedLayout::continuing_with_groups(prefix, &groups), RaggedLayout::continuing(prefix, &own));
    }

    #[test]
    #[should_panic(expected = "at least one row")]
    fn a_text_without_a_row_is_refused(prefix in 0usize..50, mut own in prop::collection::vec(1usize..40, 1..12), at in 0usize..12) {
        let at = at % own.len();
        own[at] = 0;
        RaggedLayout::new(prefix, &own);
    }
}
