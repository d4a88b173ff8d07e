//! What every ragged layout keeps to.

use lincah_kernels::RaggedLayout;
use proptest::prelude::*;

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
    #[should_panic(expected = "at least one row")]
    fn a_text_without_a_row_is_refused(prefix in 0usize..50, mut own in prop::collection::vec(1usize..40, 1..12), at in 0usize..12) {
        let at = at % own.len();
        own[at] = 0;
        RaggedLayout::new(prefix, &own);
    }
}
