//! One data set for exclusive and independent labels: what it reads, refuses and leaves out, how it splits, reports and is recognized.

use lincah::Task;
use lincah::data::dataset::{Dataset, DatasetOptions, LabelColumns, PositiveAt};
use lincah::data::fingerprint::{fingerprint, training_fingerprint};
use lincah::data::label_map::LabelMap;
use lincah::data::records::ReadOptions;
use lincah::data::report::{DataReport, SplitOverlap};
use lincah::data::skipped::{SkipReason, SkippedRow, summary};
use lincah::data::split::{Sides, holdout, sides, stratified_folds, validation_split};
use lincah::data::stratification::{multi_label_folds, multi_label_validation_split};
use lincah::data::text_columns::TextColumns;
use proptest::prelude::*;

use crate::message;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn one(labels: &[&str]) -> DatasetOptions {
    DatasetOptions::new("text", LabelColumns::one("label", names(labels)))
}

fn each(columns: &[&str]) -> DatasetOptions {
    DatasetOptions::new("text", LabelColumns::Each(names(columns)))
}

fn list(labels: &[&str]) -> DatasetOptions {
    DatasetOptions::new("text", LabelColumns::List { column: "tags".to_owned(), separator: ';', labels: names(labels) })
}

fn mapped(options: DatasetOptions, map: &str) -> DatasetOptions {
    DatasetOptions { label_map: map.parse().unwrap(), ..options }
}

fn with_positive(options: DatasetOptions, positive: &str) -> DatasetOptions {
    DatasetOptions { positive: Some(positive.to_owned()), ..options }
}

/// The data set, or the message without the file's folder.
fn try_read(name: &str, content: &str, options: &DatasetOptions) -> Result<Dataset, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let place = format!("{}/", folder.path().display());
    Dataset::read(&path, &ReadOptions::default(), options).map_err(|error| message::<()>(Err(error)).replace(&place, ""))
}

fn read(content: &str, options: &DatasetOptions) -> Dataset {
    try_read("a.csv", content, options).unwrap()
}

fn refused(content: &str, options: &DatasetOptions) -> String {
    try_read("a.csv", content, options).unwrap_err()
}

const HATE: &str = "text,label\nx,hate\ny,not_hate\nz,hate\n";

#[test]
fn exclusive_labels() {
    let data = read("text,label\nx,b\ny,c\nz,a\nw,c\n", &one(&[]));
    assert_eq!((data.labels.names(), data.task), (&names(&["a", "b", "c"])[..], Task::SingleLabel));
    assert_eq!(data.truth, [[false, true, false], [false, false, true], [true, false, false], [false, false, true]]);
    assert_eq!((data.classes(), data.class_of(2), data.label_rows()), (vec![1, 2, 0, 2], 0, vec![1, 1, 2]));
    assert_eq!((&data.fractions, data.threshold, data.skipped.len()), (&None, None, 0));
    let cut = DatasetOptions { positive_at: Some(PositiveAt::Median), ..one(&["no", "yes"]) };
    let data = read("text,label\nx,0.25\ny,0.75\nz,1\n", &cut);
    assert_eq!((data.classes(), data.threshold), (vec![0, 1, 1], Some(0.75)));
    assert_eq!(data.soft_targets().unwrap(), [[0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]);
    assert_eq!(data.subset(&[2, 0]).fractions.unwrap(), [[0.0, 1.0], [0.75, 0.25]]);
}

#[test]
fn independent_labels() {
    let content = "b,text,a\n0.5,one,0\n0.49,two,1\ntrue,three,0.25\n";
    let data = read(content, &each(&["a", "b"]));
    assert_eq!((data.labels.names(), data.task, data.threshold), (&names(&["a", "b"])[..], Task::MultiLabel, Some(0.5)));
    assert_eq!(data.truth, [[false, true], [true, false], [false, true]]);
    assert_eq!(data.soft_targets().unwrap(), [[0.0, 0.5], [1.0, 0.49], [0.25, 1.0]]);
    assert_eq!((data.label_rows(), data.positives(1)), (vec![1, 2], 2));
    let lower = DatasetOptions { positive_at: Some(PositiveAt::Value(0.25)), ..each(&["a", "b"]) };
    let lower = read(content, &lower);
    assert_eq!((lower.threshold, &lower.truth[..]), (Some(0.25), &[vec![false, true], vec![true, true], vec![true, true]][..]));
    let subset = lower.subset(&[2, 0]);
    assert_eq!((subset.truth, subset.rows), (vec![vec![true, true], vec![false, true]], vec![3, 1]));
    let json = try_read("a.jsonl", "{\"text\":\"x\",\"a\":true,\"b\":0.5}\n", &each(&["a", "b"])).unwrap();
    assert_eq!(json.truth, [[true, true]]);
}

#[test]
fn lists_of_independent_labels() {
    let content = "text,tags\none,b; a\ntwo,\nthree,c;\n";
    let lists = read(content, &list(&[]));
    assert_eq!(lists.labels.names(), ["a", "b", "c"]);
    assert_eq!(lists.truth, [[true, true, false], [false; 3], [false, false, true]]);
    assert!(message(lists.soft_targets()).starts_with("soft labels are fractions, and the data have none"));
    let json = "{\"text\":\"x\",\"tags\":[\"a\",\"b;c\"]}\n{\"text\":\"y\",\"tags\":null}\n{\"text\":\"z\",\"tags\":[\"a\"]}\n";
    let arrays = try_read("a.jsonl", json, &list(&[])).unwrap();
    assert_eq!(arrays.labels.names(), ["a", "b;c"]);
    assert_eq!(arrays.truth, [[true, true], [false, false], [true, false]]);
    assert_eq!(read(content, &list(&["c", "b", "a", "d"])).truth[0], [false, true, true, false]);
    let error = refused(content, &list(&["a", "b"]));
    assert_eq!(error, "a.csv, row 3 (line 4), column `tags`: `c` is not one of the labels `a`, `b`");
    let error = refused("text,tags\none,a\ntwo,\n", &list(&[]));
    assert!(error.starts_with("the labels `a` do not make a set"), "{error}");
    let many: String = (0..101).map(|tag| format!("x,t{tag}\n")).collect();
    let error = refused(&format!("text,tags\n{many}"), &list(&[]));
    assert!(error.contains("more than 100 distinct values"), "{error}");
}

#[test]
fn bad_cells_of_independent_labels_are_named_with_their_place() {
    let failure = |content: &str| refused(content, &DatasetOptions { strict: true, ..each(&["a", "b"]) });
    for value in ["1.5", "-0.1", "NaN", "inf", "maybe"] {
        let expected = format!(
            "a.csv, row 2 (line 3), column `b`: `{value}` is not 0, 1, a boolean or a fraction between; is it a label's column?"
        );
        assert_eq!(failure(&format!("text,a,b\nx,0,1\ny,1,{value}\n")), expected);
    }
    assert_eq!(
        failure("text,a,b\nx,0,1\ny,,1\n"),
        "a.csv, row 2 (line 3), column `a`: the label is missing: fill it in or remove the row"
    );
    assert_eq!(failure("text,a\nx,0\n"), "a.csv has no column `b`; its columns are `text`, `a`");
    let names = |names: &[&str]| refused("text,a,b\nx,0,1\n", &each(names));
    assert!(names(&["a"]).starts_with("the labels `a` do not make a set"));
    assert!(names(&["a", "a"]).starts_with("the labels `a`, `a` do not make a set"));
    let cut = DatasetOptions { positive_at: Some(PositiveAt::Value(1.5)), ..each(&["a", "b"]) };
    let cut = refused("text,a,b\nx,0,1\n", &cut);
    assert_eq!(cut, "the cut is 1.5: fractions of annotators are cut at a number from 0 to 1");
}

#[test]
fn unusable_rows_are_left_out_and_counted() {
    let content = "text,label\nx,no\n ,yes\ny,yes\nz,\n\"\",\nw,no\n";
    let data = read(content, &one(&["no", "yes"]));
    assert_eq!((data.texts.clone(), data.rows.clone()), (names(&["x", "y", "w"]), vec![1, 3, 6]));
    let skipped = [(2, SkipReason::EmptyText), (4, SkipReason::MissingLabel), (5, SkipReason::EmptyText)];
    assert_eq!(data.skipped, skipped.map(|(row, reason)| SkippedRow { row, reason }));
    assert_eq!(
        data.skipped_summary().unwrap(),
        "3 of 6 rows were left out: the text is empty in 2 (rows 2, 5), the label is missing in 1 (row 4)"
    );
    assert_eq!(read(HATE, &one(&[])).skipped_summary(), None);
    let strict = DatasetOptions { strict: true, ..one(&["no", "yes"]) };
    assert_eq!(
        refused(content, &strict),
        "a.csv, row 2 (line 3), column `text`: the text is empty: fill it in or remove the row"
    );
    assert_eq!(
        refused("text,label\n ,yes\n", &one(&["no", "yes"])),
        "a.csv has no row that can be used: 1 of 1 rows was left out: the text is empty in 1 (row 1)"
    );
    let each_data = read("text,a,b\nx,0,1\ny,,1\nz,1,0\n", &each(&["a", "b"]));
    assert_eq!((each_data.rows, each_data.skipped[0].reason), (vec![1, 3], SkipReason::MissingLabel));
    let lists = read("text,tags\nx,a\ny,\n,b\nz,b\n", &list(&[]));
    assert_eq!((lists.rows, lists.skipped.len()), (vec![1, 2, 4], 1));
    let many: Vec<_> = (1..9).map(|row| SkippedRow { row, reason: SkipReason::EmptyText }).collect();
    assert!(summary(&many, 9).unwrap().ends_with("the text is empty in 8 (rows 1, 2, 3, 4, 5 and 3 more)"));
    // What is wrong in another way is not left out.
    assert!(refused("text,label\nx,no\ny,maybe\n", &one(&["no", "yes"])).contains("`maybe` is not one of the labels"));
}

#[test]
fn the_positive_class_is_put_last() {
    let labels = |options: &DatasetOptions| {
        let data = read(HATE, options);
        (data.labels.names().to_vec(), data.classes())
    };
    assert_eq!(labels(&one(&[])), (names(&["hate", "not_hate"]), vec![0, 1, 0]));
    assert!(read(HATE, &one(&[])).labels.looks_negated().is_some());
    for given in [one(&[]), one(&["hate", "not_hate"]), one(&["not_hate", "hate"])] {
        assert_eq!(labels(&with_positive(given, "hate")), (names(&["not_hate", "hate"]), vec![1, 0, 1]));
    }
    assert_eq!(labels(&with_positive(one(&[]), "not_hate")).1, [0, 1, 0]);
    let refusal = |labels: &str, positive: &str| {
        format!(
            "`{positive}` cannot be made the positive class: that takes two exclusive labels, it being one of them, and here are {labels}"
        )
    };
    assert_eq!(refused(HATE, &with_positive(one(&[]), "Hate")), refusal("`hate`, `not_hate`", "Hate"));
    assert_eq!(refused("text,label\nx,a\ny,b\nz,c\n", &with_positive(one(&[]), "c")), refusal("`a`, `b`, `c`", "c"));
    assert_eq!(refused("text,a,b\nx,0,1\n", &with_positive(each(&["a", "b"]), "b")), refusal("`a`, `b`", "b"));
    // Where the order of labels says what 0 and 1, or numbers, mean, it is not changed behind somebody's back.
    let numbers = "text,label\nx,0\ny,1\n";
    assert_eq!(
        refused(numbers, &with_positive(one(&["no", "yes"]), "no")),
        "the label column holds numbers or booleans, so the last label `yes` is positive: to make it `no`, change the labels' order"
    );
    assert_eq!(read(numbers, &with_positive(one(&["no", "yes"]), "yes")).classes(), [0, 1]);
}

#[test]
fn several_columns_make_a_text() {
    let mut options = one(&[]);
    options.text_columns = TextColumns::new(["title", "body"]);
    let content = "body,label,title\nfirst,a,One\n,b,Two\nthird, a,\n , a, \n";
    let data = read(&content.replace(", a,", ",a,"), &options);
    assert_eq!((data.texts, data.rows, data.skipped.len()), (names(&["One\nfirst", "Two", "third"]), vec![1, 2, 3], 1));
    options.text_columns.separator = " — ".to_owned();
    assert_eq!(read("body,label,title\nx,a,y\nz,b,w\n", &options).texts, ["y — x", "w — z"]);
    assert_eq!(options.text_columns.join([" a ", "", "\t", "b"]), " a  — b");
    options.strict = true;
    assert_eq!(
        refused("body,label,title\n,a,\n", &options),
        "a.csv, row 1 (line 2), column `title`, `body`: the text is empty: fill it in or remove the row"
    );
    options.text_columns.columns.clear();
    assert_eq!(refused("", &options), "no column of texts is named: name one or more");
}

#[test]
fn one_column_for_texts_and_labels_is_refused() {
    let expected = "the column `label` is named for texts and for labels: name two columns";
    assert_eq!(refused(HATE, &DatasetOptions::new("label", LabelColumns::one("label", names(&[])))), expected);
    assert_eq!(refused(HATE, &DatasetOptions::new("label", LabelColumns::Each(names(&["x", "label"])))), expected);
}

#[test]
fn labels_are_renamed() {
    let content = "text,label\nx,hateful\ny,non-hateful\nz,abusive\n";
    let map = "hateful=Negative, non-hateful=Positive,abusive=Negative";
    let data = read(content, &mapped(one(&["Positive", "Negative"]), map));
    assert_eq!((data.labels.names(), data.classes()), (&names(&["Positive", "Negative"])[..], vec![1, 0, 1]));
    assert_eq!(read(content, &mapped(one(&[]), map)).labels.names(), ["Negative", "Positive"]);
    assert_eq!(read("text,label\nx,0\ny,1\n", &mapped(one(&[]), "0=good,1=bad")).labels.names(), ["bad", "good"]);
    let columns = mapped(each(&["a", "b"]), "a=rude");
    assert_eq!(read("text,a,b\nx,0,1\n", &columns).labels.names(), ["rude", "b"]);
    let lists = mapped(list(&[]), "a=rude,c=rude");
    assert_eq!(read("text,tags\nx,a;b\ny,c\n", &lists).truth, [[true, true], [false, true]]);
    let map: LabelMap = "x=rude,y=calm,z=rude".parse().unwrap();
    assert_eq!(map.sources(&names(&["calm", "rude", "other"])), ["y", "x", "other"]);

    let refused = |labels: &[&str], map: &str| refused(content, &mapped(one(labels), map));
    assert_eq!(
        refused(&[], "Hateful=Negative"),
        "the label map renames `Hateful`, which is not among the labels of a.csv: `abusive`, `hateful`, `non-hateful`"
    );
    assert_eq!(
        refused(&["Positive", "Negative"], "hateful=Neg"),
        "the label map makes `Neg` of a label, which is not one of the labels `Positive`, `Negative`"
    );
    assert_eq!(
        crate::message("a=b,a=c".parse::<LabelMap>()),
        "`a=c` is no part of a label map: give OLD=NEW, several with commas between them, each OLD once"
    );
    assert!(["", "a", "a=", "=b", "a=b,"].iter().all(|map| map.parse::<LabelMap>().is_err()));
    let numbers = DatasetOptions { positive_at: Some(PositiveAt::Median), ..mapped(one(&["a", "b"]), "0=a") };
    assert!(try_read("a.csv", "text,label\nx,0\n", &numbers).unwrap_err().starts_with("a label map renames labels"));
    assert!(try_read("a.csv", "text,a,b\n", &mapped(each(&["a", "b"]), "c=d")).unwrap_err().contains("renames `c`"));
    assert!(try_read("a.csv", "text,a,b\n", &mapped(each(&["a", "b"]), "a=b")).unwrap_err().contains("do not make a set"));
}

#[test]
fn nothing_to_learn_is_refused_before_training() {
    let check = |data: Dataset| data.check_trainable().map_err(|error| error.to_string());
    let three = |rows: &[usize]| read("text,label\nx,a\ny,b\nz,c\nw,a\n", &one(&[])).subset(rows);
    assert_eq!(check(three(&[0, 1, 2])), Ok(()));
    assert_eq!(check(three(&[0, 3])).unwrap_err(), "all 2 training rows are `a`: training needs rows of every label");
    let without = check(three(&[0, 1])).unwrap_err();
    assert_eq!(without, "none of the 2 rows has the label `c`, so there is nothing to learn about it: leave it out");
    assert_eq!(check(three(&[])).unwrap_err(), "there are no rows to train on");
    let given = read("text,label\nx,A\ny,B\n", &one(&["A", "B", "C"]));
    assert!(check(given).unwrap_err().starts_with("none of the 2 rows has the label `C`"));
    let independent = read("text,a,b\nx,1,0\ny,1,1\n", &each(&["a", "b"]));
    assert!(check(independent).unwrap_err().starts_with("every one of the 2 rows has the label `a`"));
    assert_eq!(check(read("text,a,b\nx,0,1\ny,1,0\n", &each(&["a", "b"]))), Ok(()));
    let below = check(read("text,a,b\nx,1,0\ny,0,0.4\n", &each(&["a", "b"]))).unwrap_err();
    assert_eq!(below, "none of the 2 rows has the label `b`, so there is nothing to learn about it: leave it out");
    let medians = DatasetOptions { positive_at: Some(PositiveAt::Median), ..each(&["a", "b"]) };
    assert_eq!(
        refused("text,a,b\nx,0,1\n", &medians),
        "independent labels are given at or above one number: give --positive-at a number, not median"
    );
}

#[test]
fn too_many_labels_are_refused_at_once() {
    let rows: String = (0..2000).map(|label| format!("x,label {label}\n")).collect();
    let labels: Vec<String> = (0..2000).map(|label| format!("label {label}")).collect();
    let options = DatasetOptions::new("text", LabelColumns::one("label", labels));
    assert_eq!(refused("", &options), "2000 labels were given; a classifier has at most 1000", "before the file is read");
    assert!(refused(&format!("text,label\n{rows}"), &one(&[])).contains("more than 1000 distinct values"));
    // More than a hundred values are labels where each has two rows, and else rather texts.
    let rows = |labels: usize| (0..300).map(|row| format!("x,label {}\n", row % labels)).collect::<String>();
    assert!(refused(&format!("text,label\n{}", rows(151)), &one(&[])).contains("more than 100 distinct values"));
    assert_eq!(read(&format!("text,label\n{}", rows(150)), &one(&[])).labels.len(), 150);
}

#[test]
fn sides_of_a_split_with_and_without_a_holdout() {
    let split = holdout(10, 3, 7, Some(5)).unwrap();
    assert_eq!(sides(10, Some(3), 7, Some(5)).unwrap(), Sides { train: split.train, test: Some(split.test) });
    assert_eq!(sides(4, None, 7, None).unwrap(), Sides { train: vec![0, 1, 2, 3], test: None });
    assert_eq!(sides(4, None, 7, Some(2)).unwrap(), Sides { train: vec![0, 1], test: None });
    assert_eq!(message(sides(4, None, 7, Some(0))), "cannot take 0 training rows: 4 are there");
    assert_eq!(message(sides(4, None, 7, Some(5))), "cannot take 5 training rows: 4 are there");
    assert_eq!(message(sides(4, Some(4), 7, None)), "cannot hold out 4 of 4 rows: both parts need at least one row");
}

#[test]
fn a_report_of_independent_labels_and_of_labels_that_are_nearly_the_same() {
    let data = read("text,Bug,bug\nx,1,0\nX,1,0\nx ,0,1\ny,1,1\n", &each(&["Bug", "bug"]));
    let report = DataReport::of(&data);
    assert_eq!(report.classes.iter().map(|class| class.rows).collect::<Vec<_>>(), [3, 2]);
    assert_eq!((report.conflicting_labels, report.similar_labels), (vec![vec![1, 2, 3]], vec![names(&["Bug", "bug"])]));
    let overlap = SplitOverlap::between(&data.subset(&[0, 3]), &data.subset(&[1]));
    assert_eq!(overlap.pairs, [(1, 2)]);
    assert!(DataReport::of(&read(HATE, &one(&[]))).similar_labels.is_empty());
}

#[test]
fn a_label_with_a_line_break_is_shown_on_one_line() {
    assert_eq!(refused("text,label\ntext,\"\n\"text", &one(&[])), "a.csv: all 1 rows are `\\ntext`: two classes are needed");
}

#[test]
fn a_small_class_is_named_when_it_cannot_be_split() {
    let data = read("text,label\nx,a\ny,b\nz,a\n", &one(&[]));
    assert_eq!(
        message(data.validation_split(0.5, 1)),
        "the label `b` has one training row, and a validation split needs two: add rows, or train without --validation"
    );
}

/// A data set of `truth`.
fn synthetic(task: Task, truth: Vec<Vec<bool>>) -> Dataset {
    Dataset {
        texts: (0..truth.len()).map(|row| format!("text {row}")).collect(),
        rows: (1..=truth.len() as u64).collect(),
        labels: lincah::LabelSet::new((0..truth[0].len()).map(|label| format!("label {label}"))).unwrap(),
        task,
        fractions: None,
        threshold: Some(0.5),
        skipped: Vec::new(),
        columns: Vec::new(),
        weights: None,
        truth,
    }
}

proptest! {
    #[test]
    fn exclusive_labels_split_by_class(positive in prop::collection::vec(any::<bool>(), 4..60), seed: u32) {
        let positive = [positive, vec![true, true, false, false]].concat();
        let data = synthetic(Task::SingleLabel, positive.iter().map(|&has| vec![!has, has]).collect());
        let classes: Vec<usize> = positive.iter().map(|&has| usize::from(has)).collect();
        prop_assert_eq!(data.folds(2, seed).unwrap(), stratified_folds(&classes, 2, seed).unwrap());
        prop_assert_eq!(data.validation_split(0.25, seed).unwrap(), validation_split(&classes, 0.25, seed).unwrap());
    }

    #[test]
    fn independent_labels_split_by_each(truth in prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 8..60), seed: u32) {
        let data = synthetic(Task::MultiLabel, truth.clone());
        prop_assert_eq!(data.folds(3, seed).unwrap(), multi_label_folds(&truth, 3, seed).unwrap());
        let split = multi_label_validation_split(&truth, 0.25, seed).unwrap();
        prop_assert_eq!(data.validation_split(0.25, seed).unwrap(), split);
        let both_answers = |label: usize| [false, true].iter().all(|answer| truth.iter().any(|row| row[label] == *answer));
        prop_assert_eq!(data.check_trainable().is_ok(), (0..3).all(both_answers));
    }

    #[test]
    fn whatever_the_bytes_there_is_a_data_set_or_one_line(content in "(text|label|tags|[ab01.;,\"\n-]){0,80}", positive: bool, strict: bool) {
        let headers = [("text,label\n", one(&[])), ("text,a,b\n", each(&["a", "b"])), ("text,tags\n", list(&[])), ("", one(&[]))];
        for (header, options) in headers {
            let mut options = DatasetOptions { strict, ..options };
            options.positive = (positive && header == "text,label\n").then(|| "a".to_owned());
            match try_read("a.csv", &format!("{header}{content}"), &options) {
                Ok(data) => {
                    prop_assert!(!data.is_empty() && data.len() == data.truth.len() && data.len() == data.rows.len());
                    prop_assert!(data.truth.iter().all(|row| row.len() == data.labels.len()));
                    if data.task == Task::SingleLabel {
                        prop_assert!(data.truth.iter().all(|row| row.iter().filter(|&&has| has).count() == 1));
                    }
                    for (fractions, truth) in data.fractions.iter().flatten().zip(&data.truth) {
                        let above: Vec<bool> = fractions.iter().map(|&fraction| fraction >= 0.5).collect();
                        prop_assert!(above == *truth && fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction)));
                    }
                    prop_assert!(data.labels.len() >= 2 && (data.skipped.is_empty() || !strict));
                    prop_assert!(!positive || data.task == Task::MultiLabel || data.labels.positive() == "a");
                }
                Err(error) => prop_assert!(!error.contains('\n'), "{}", error),
            }
        }
    }
}

const SOFT: &str = "1eee3ce2c600462d64945c7dcaac4484b8f4134a3a0f404263c6ce8973c01dc6";
const INDEPENDENT: &str = "84304ab8ae4246c6f23228d95d25c5ea6f55e8d75f078f6637781150675af4b1";
const INDEPENDENT_SOFT: &str = "496983730c864108e6ceea74386e3b1fd669d67bb52bf4125b0083d9b8283035";

/// SHA-256 of the bytes that the documentation of `fingerprint` names, by Python's hashlib: what stored classifiers are recognized by.
#[test]
fn stored_fingerprints_are_found_again() {
    let cut = DatasetOptions { positive_at: Some(PositiveAt::Value(0.5)), ..one(&["no", "yes"]) };
    let numbers = read("text,label\nab,0.25\nc,0.75\n", &cut);
    let independent = read("text,a,b\nx,0.9,0\ny,0.25,1\n", &each(&["a", "b"]));
    let lists = read("text,tags\nx,a\ny,b\n", &list(&[]));
    let found = [
        fingerprint(&read("text,label\nab,no\nc,yes\n", &one(&[]))),
        fingerprint(&numbers),
        training_fingerprint(&numbers, true),
        fingerprint(&independent),
        training_fingerprint(&independent, true),
        training_fingerprint(&lists, true),
    ];
    let of_names = "347fbe218bd9cc9ab63ddc0d01ac13132ab9282d296d86790b9106fda036b433";
    assert_eq!(found, [of_names, of_names, SOFT, INDEPENDENT, INDEPENDENT_SOFT, INDEPENDENT]);
}

#[test]
fn the_fingerprint_is_of_what_is_trained_on() {
    let of = |content: &str, soft: bool| training_fingerprint(&read(content, &each(&["a", "b"])), soft);
    let (first, second) = ("text,a,b\nx,0.9,0\n", "text,a,b\nx,0.6,0\n");
    assert_eq!(of(first, false), of(second, false));
    assert_ne!(of(first, true), of(second, true));
    assert_ne!(of(first, false), of("text,a,b\nx,0.9,1\n", false));
    assert_ne!(of(first, false), of("text,a,b\ny,0.9,0\n", false));
}

#[test]
#[ignore = "needs the ETHOS files in ../shared/ethos or $LINCAH_ETHOS"]
fn ethos_has_its_authors_labels_and_folds() {
    let columns = [
        "violence",
        "directed_vs_generalized",
        "gender",
        "race",
        "national_origin",
        "disability",
        "religion",
        "sexual_orientation",
    ];
    let options = DatasetOptions::new("comment", LabelColumns::Each(names(&columns)));
    let path = super::dataset::ethos().join("Ethos_Dataset_Multi_Label.csv");
    let data = Dataset::read(&path, &ReadOptions::default(), &options).unwrap();
    assert_eq!((data.len(), data.label_rows()), (433, vec![142, 135, 86, 76, 74, 53, 81, 73]));
    // What iterative-stratification 0.1.9 makes of RandomState(0), as in the authors' setE.py.
    let fold_of = data.folds(10, 0).unwrap();
    assert_eq!(fold_of[..20], [6, 5, 1, 0, 5, 8, 7, 3, 4, 2, 9, 6, 4, 3, 1, 8, 0, 7, 1, 9]);
    let rows: Vec<usize> = (0..10).map(|fold| fold_of.iter().filter(|&&of| of == fold).count()).collect();
    assert_eq!(rows, [44, 44, 44, 43, 42, 44, 43, 42, 43, 44]);
}
