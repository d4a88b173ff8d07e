use lincah::data::split::{holdout, numpy_permutation, stratified_folds, validation_split};
use lincah::data::stratification::{iterative_stratification, multi_label_folds, multi_label_validation_split};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

#[test]
fn the_permutation_is_numpys() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/numpy_permutation.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 30);
    for case in cases {
        let seed = u32::try_from(case["seed"].as_u64().unwrap()).unwrap();
        let order = numpy_permutation(seed, case["n"].as_u64().unwrap() as usize);
        assert_eq!(serde_json::json!(&order[..order.len().min(20)]), case["first"], "n {} seed {seed}", order.len());
        let bytes: Vec<u8> = order.iter().flat_map(|&index| (index as u32).to_le_bytes()).collect();
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, case["sha256"].as_str().unwrap(), "n {} seed {seed}", order.len());
    }
}

#[test]
fn the_holdout_is_the_end_of_the_permutation() {
    let order = numpy_permutation(32, 998);
    let split = holdout(998, 198, 32, None).unwrap();
    assert_eq!((&split.train[..], &split.test[..]), order.split_at(800));
    let smaller = holdout(998, 198, 32, Some(200)).unwrap();
    assert_eq!((&smaller.train[..], &smaller.test), (&order[..200], &split.test));
}

#[test]
fn a_validation_split_has_its_share_of_each_class() {
    let labels: Vec<usize> = (0..100).map(|row| if row % 10 == 0 { 2 } else { 0 }).collect();
    let split = validation_split(&labels, 0.2, 7).unwrap();
    assert_eq!(split.test.iter().filter(|&&row| labels[row] == 2).count(), 2);
    assert_eq!(split.test.iter().filter(|&&row| labels[row] == 0).count(), 18);
    assert_ne!(split.test, validation_split(&labels, 0.2, 8).unwrap().test);
}

#[test]
fn folds_are_scikit_learns() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/statistics.json")).unwrap();
    let indices = |value: &serde_json::Value| -> Vec<usize> { serde_json::from_value(value.clone()).unwrap() };
    for case in golden["folds"].as_array().unwrap() {
        let (folds, seed) = (case["folds"].as_u64().unwrap() as usize, case["seed"].as_u64().unwrap() as u32);
        let found = stratified_folds(&indices(&case["labels"]), folds, seed).unwrap();
        assert_eq!(found, indices(&case["fold_of"]), "{folds} folds, seed {seed}");
    }
    let message = |folds| stratified_folds(&[0, 1, 0, 1, 1], folds, 1).unwrap_err().to_string();
    assert_eq!(message(3), "3 folds: give at least 2, and no more than the 2 rows of the smallest class");
    assert_eq!(message(1), "1 folds: give at least 2, and no more than the 2 rows of the smallest class");
}

/// Whether each row has each label.
fn truth(case: &serde_json::Value) -> Vec<Vec<bool>> {
    let rows: Vec<Vec<u8>> = serde_json::from_value(case["truth"].clone()).unwrap();
    rows.into_iter().map(|row| row.into_iter().map(|label| label == 1).collect()).collect()
}

#[test]
fn folds_are_those_of_iterative_stratification() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/multi_label.json")).unwrap();
    for case in golden["folds"].as_array().unwrap() {
        let (truth, seed) = (truth(case), case["seed"].as_u64().unwrap() as u32);
        let expected: Vec<usize> = serde_json::from_value(case["fold_of"].clone()).unwrap();
        assert_eq!(multi_label_folds(&truth, case["folds"].as_u64().unwrap() as usize, seed).unwrap(), expected);
        let shares: Vec<f64> = serde_json::from_value(case["shares"].clone()).unwrap();
        let expected: Vec<usize> = serde_json::from_value(case["parts"].clone()).unwrap();
        assert_eq!(iterative_stratification(&truth, &shares, seed), expected);
    }
    let rows = vec![vec![true, false]; 3];
    assert!(multi_label_folds(&rows, 1, 0).unwrap_err().to_string().starts_with("1 folds"));
    assert!(multi_label_folds(&rows, 4, 0).unwrap_err().to_string().contains("no more than the 3 rows"));
    assert!(multi_label_validation_split(&rows, 1.0, 0).is_err());
    assert!(multi_label_validation_split(&rows[..1], 0.2, 0).is_err());
}

proptest! {
    #[test]
    fn a_validation_split_loses_no_row_and_has_every_class_on_both_sides(
        mut labels in prop::collection::vec(0_usize..4, 8..200), fraction in 0.001_f64..0.999, seed: u32
    ) {
        labels.extend([0, 0, 1, 1, 2, 2, 3, 3]);
        let split = validation_split(&labels, fraction, seed).unwrap();
        prop_assert_eq!(&split, &validation_split(&labels, fraction, seed).unwrap());
        let mut all = [&split.train[..], &split.test[..]].concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..labels.len()));
        for side in [&split.train, &split.test] {
            prop_assert!(side.is_sorted());
            for class in 0..4 {
                prop_assert!(side.iter().any(|&row| labels[row] == class));
            }
        }
    }

    #[test]
    fn folds_share_out_rows_and_the_rarest_label(
        rows in prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 2..60), folds in 2_usize..6, seed in any::<u32>(),
    ) {
        prop_assume!(folds <= rows.len());
        let fold_of = multi_label_folds(&rows, folds, seed).unwrap();
        prop_assert_eq!(fold_of.len(), rows.len());
        prop_assert!(fold_of.iter().all(|&fold| fold < folds));
        prop_assert_eq!(&fold_of, &multi_label_folds(&rows, folds, seed).unwrap());
        // The rarest label is dealt out first, so that no two folds differ by more than one of its rows.
        let count = |label: usize| rows.iter().filter(|row| row[label]).count();
        if let Some(rarest) = (0..3).filter(|&label| count(label) > 0).min_by_key(|&label| count(label))
            && (0..3).filter(|&label| count(label) == count(rarest)).count() == 1
        {
            let of_fold = |fold: usize| rows.iter().zip(&fold_of).filter(|(row, of)| row[rarest] && **of == fold).count();
            let counts: Vec<usize> = (0..folds).map(of_fold).collect();
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
        }
        let split = multi_label_validation_split(&rows, 0.5, seed);
        if let Ok(split) = split {
            let mut all: Vec<usize> = split.train.iter().chain(&split.test).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>());
        }
    }
}
