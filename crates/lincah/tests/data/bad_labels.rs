//! Every bad label, text or split with the exact message it ends in.

use lincah::data::dataset::PositiveAt;
use lincah::data::records::ReadOptions;
use lincah::data::split::{holdout, validation_split};
use lincah::{Dataset, DatasetOptions, LabelColumns};

use crate::message;

/// The message about data of which no row may be left out.
fn failure(name: &str, content: &str, labels: &[&str], positive_at: Option<PositiveAt>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let columns = LabelColumns::one("label", labels.iter().copied());
    let options = DatasetOptions { positive_at, strict: true, ..DatasetOptions::new("text", columns) };
    let folder = format!("{}/", folder.path().display());
    message(Dataset::read(&path, &ReadOptions::default(), &options)).replace(&folder, "")
}

#[test]
fn a_label_outside_the_set() {
    assert_eq!(
        failure("a.csv", "text,label\nx,no\ny,yes\nz,Yes\n", &["no", "yes"], None),
        "a.csv, row 3 (line 4), column `label`: `Yes` is not one of the labels `no`, `yes`"
    );
}

#[test]
fn missing_labels_and_texts() {
    assert_eq!(
        failure("a.csv", "text,label\nx,no\ny, \n", &["no", "yes"], None),
        "a.csv, row 2 (line 3), column `label`: the label is missing: fill it in or remove the row"
    );
    assert_eq!(
        failure("a.jsonl", "{\"text\":\"x\",\"label\":1}\n{\"text\":\"y\"}\n", &["no", "yes"], None),
        "a.jsonl, row 2 (line 2), column `label`: the label is missing: fill it in or remove the row"
    );
    assert_eq!(
        failure("a.csv", "text,label\nx,no\n\"  \n\",yes\n", &["no", "yes"], None),
        "a.csv, row 2 (line 3), column `text`: the text is empty: fill it in or remove the row"
    );
    assert_eq!(
        failure("a.jsonl", "{\"text\":7,\"label\":1}\n", &["no", "yes"], None),
        "a.jsonl, row 1 (line 1), column `text`: 7 is not text: name the column that holds the texts"
    );
}

#[test]
fn labels_that_are_no_finite_numbers() {
    for value in ["NaN", "nan", "inf", "-inf", "maybe"] {
        let content = format!("text,label\nx,0.0\ny,{value}\n");
        let expected = format!(
            "a.csv, row 2 (line 3), column `label`: `{value}` is not a finite number, as the labels in this column must be"
        );
        assert_eq!(failure("a.csv", &content, &["no", "yes"], Some(PositiveAt::Median)), expected);
        assert_eq!(failure("a.csv", &content, &["no", "yes"], None), expected);
    }
}

#[test]
fn numbers_without_a_cut() {
    assert_eq!(
        failure("a.csv", "text,label\nx,0\ny,1\nz,0.25\n", &["no", "yes"], None),
        "a.csv, row 3 (line 4), column `label`: the number 0.25 is not one of 0 to 1: \
         say from which value on a row is `yes` with --positive-at (a number, or median)"
    );
}

#[test]
fn numbers_without_names() {
    assert_eq!(
        failure("a.csv", "text,label\nx,0\ny,1\n", &[], None),
        "a.csv, column `label` holds numbers or booleans: name their classes in order with --labels, for example --labels civil,uncivil"
    );
}

#[test]
fn label_sets() {
    let rows = "text,label\nx,a\ny,b\n";
    let expected = |labels| format!("the labels {labels} do not make a set: give two or more, all different and none empty");
    assert_eq!(failure("a.csv", rows, &["a"], None), expected("`a`"));
    assert_eq!(failure("a.csv", rows, &["a", "a"], None), expected("`a`, `a`"));
    assert_eq!(failure("a.csv", rows, &["a", ""], None), expected("`a`, ``"));
    assert_eq!(
        failure("a.csv", rows, &["a", "b", "c"], Some(PositiveAt::Value(0.5))),
        "a cut (--positive-at) makes two classes, and the labels are `a`, `b`, `c`: give two"
    );
}

#[test]
fn cuts() {
    let expected = |found| format!("`{found}` is no cut: give --positive-at a finite number, or median");
    assert_eq!(failure("a.csv", "", &["a", "b"], Some(PositiveAt::Value(f64::NAN))), expected("NaN"));
    assert_eq!(message("half".parse::<PositiveAt>()), expected("half"));
    assert_eq!(message("inf".parse::<PositiveAt>()), expected("inf"));
}

#[test]
fn too_many_labels() {
    let rows: String = (0..101).map(|index| format!("x,label {index}\n")).collect();
    assert_eq!(
        failure("a.csv", &format!("text,label\n{rows}"), &[], None),
        "a.csv, column `label` has more than 100 distinct values: is it the label column? name the labels with --labels"
    );
}

#[test]
fn one_class_only() {
    assert_eq!(
        failure("a.csv", "text,label\nx,yes\ny,yes\n", &["no", "yes"], None),
        "a.csv: all 2 rows are `yes`: two classes are needed"
    );
    assert_eq!(
        failure("a.csv", "text,label\nx,0.5\ny,0.5\n", &["no", "yes"], Some(PositiveAt::Median)),
        "a.csv: all 2 rows are `yes`: two classes are needed"
    );
    assert_eq!(failure("a.csv", "text,label\nx,yes\n", &[], None), "a.csv: all 1 rows are `yes`: two classes are needed");
}

#[test]
fn splits() {
    let expected = |holdout| format!("cannot hold out {holdout} of 10 rows: both parts need at least one row");
    assert_eq!(message(holdout(10, 10, 1, None)), expected(10));
    assert_eq!(message(holdout(10, 0, 1, None)), expected(0));
    assert_eq!(message(holdout(10, 3, 1, Some(8))), "cannot take 8 training rows: 7 are there");
    assert_eq!(message(holdout(10, 3, 1, Some(0))), "cannot take 0 training rows: 7 are there");
    assert_eq!(message(validation_split(&[0, 1], 1.0, 1)), "the validation fraction is 1: give a number above 0 and below 1");
    assert_eq!(
        message(validation_split(&[0, 0, 1, 0], 0.25, 1)),
        "class 1 has 1 training row(s), and a validation split needs two of each class: add rows, or train without --validation"
    );
}
