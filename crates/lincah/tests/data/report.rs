use lincah::data::report::{ClassCount, DataReport, Duplicates, LengthQuantiles, SplitOverlap};
use lincah::{Dataset, LabelSet, Task};

fn dataset(rows: &[(&str, usize)]) -> Dataset {
    Dataset {
        texts: rows.iter().map(|(text, _)| text.to_string()).collect(),
        rows: (1..=rows.len() as u64).collect(),
        labels: LabelSet::new(["no", "yes"]).unwrap(),
        task: Task::SingleLabel,
        truth: rows.iter().map(|&(_, class)| vec![class == 0, class == 1]).collect(),
        fractions: None,
        threshold: None,
        skipped: Vec::new(),
        columns: Vec::new(),
        weights: None,
    }
}

#[test]
fn sizes_duplicates_and_conflicts() {
    let report = DataReport::of(&dataset(&[
        ("One text", 0),
        ("another", 1),
        ("one  TEXT ", 1),
        ("another", 1),
        ("alone", 0),
        ("One text", 0),
    ]));
    let count = |label: &str, rows| ClassCount { label: label.to_owned(), rows };
    assert_eq!(
        report,
        DataReport {
            rows: 6,
            classes: vec![count("no", 3), count("yes", 3)],
            characters: LengthQuantiles { minimum: 5, quarter: 7, median: 7, three_quarters: 8, percentile_95: 10, maximum: 10 },
            exact_duplicates: Duplicates { extra_rows: 2, groups: vec![vec![1, 6], vec![2, 4]] },
            normalized_duplicates: Duplicates { extra_rows: 3, groups: vec![vec![1, 3, 6], vec![2, 4]] },
            conflicting_labels: vec![vec![1, 3, 6]],
            similar_labels: Vec::new(),
        }
    );
}

#[test]
fn quantiles_are_of_characters_by_nearest_rank() {
    let texts: Vec<String> = (1..=100).map(|length| "ß".repeat(length)).collect();
    let rows: Vec<(&str, usize)> = texts.iter().map(|text| (text.as_str(), 0)).collect();
    let expected = LengthQuantiles { minimum: 1, quarter: 25, median: 50, three_quarters: 75, percentile_95: 95, maximum: 100 };
    assert_eq!(DataReport::of(&dataset(&rows)).characters, expected);
    assert_eq!(DataReport::of(&dataset(&[])).characters, LengthQuantiles::default());
}

#[test]
fn texts_on_both_sides_of_a_split() {
    let all = dataset(&[("one", 0), ("two", 1), ("ONE", 0), ("three", 1), ("two ", 0), ("four", 1)]);
    let (train, test) = (all.subset(&[0, 1, 2]), all.subset(&[5, 4, 3]));
    assert_eq!(SplitOverlap::between(&train, &test), SplitOverlap { rows: 1, pairs: vec![(2, 5)] });
    assert_eq!(SplitOverlap::between(&test, &all.subset(&[0])), SplitOverlap::default());
}
