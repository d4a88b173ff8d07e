use std::path::{Path, PathBuf};

use lincah::data::dataset::PositiveAt;
use lincah::data::fingerprint::fingerprint;
use lincah::data::records::ReadOptions;
use lincah::{Dataset, DatasetOptions, LabelColumns};

use crate::message;

fn options(labels: &[&str], positive_at: Option<PositiveAt>) -> DatasetOptions {
    let columns = LabelColumns::one("label", labels.iter().copied());
    DatasetOptions { positive_at, ..DatasetOptions::new("text", columns) }
}

fn load(name: &str, content: &str, labels: &[&str], positive_at: Option<PositiveAt>) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    Dataset::read(&path, &ReadOptions::default(), &options(labels, positive_at)).unwrap()
}

fn classes_of(cells: &[&str], labels: &[&str], positive_at: Option<PositiveAt>) -> Vec<usize> {
    let rows: String = cells.iter().map(|cell| format!("x,{cell}\n")).collect();
    load("a.csv", &format!("text,label\n{rows}"), labels, positive_at).classes()
}

#[test]
fn names() {
    let dataset = load("a.csv", "id,label,text\n9,b,first\n8,a,\" second \"\n", &["a", "b"], None);
    assert_eq!(dataset.texts, ["first", " second "]);
    assert_eq!(dataset.classes(), [1, 0]);
    assert_eq!(dataset.rows, [1, 2]);
    assert_eq!((dataset.fractions, dataset.threshold), (None, None));
}

#[test]
fn inferred_names_are_sorted() {
    let dataset = load("a.tsv", "text\tlabel\nx\tspam\ny\tham\nz\tspam\n", &[], None);
    assert_eq!(dataset.labels.names(), ["ham", "spam"]);
    assert_eq!(dataset.classes(), [1, 0, 1]);
}

#[test]
fn booleans_and_class_numbers() {
    assert_eq!(classes_of(&["0", "1", "1"], &["no", "yes"], None), [0, 1, 1]);
    assert_eq!(classes_of(&["0.0", "1.0", "1"], &["no", "yes"], None), [0, 1, 1]);
    assert_eq!(classes_of(&["True", "false", "TRUE"], &["no", "yes"], None), [1, 0, 1]);
    assert_eq!(classes_of(&["2", "0", "1"], &["a", "b", "c"], None), [2, 0, 1]);
    let json = "{\"text\":\"x\",\"label\":true}\n{\"text\":\"y\",\"label\":false}\n{\"text\":\"z\",\"label\":1}\n";
    assert_eq!(load("a.jsonl", json, &["no", "yes"], None).classes(), [1, 0, 1]);
}

#[test]
fn a_label_that_looks_like_a_number_is_still_a_name() {
    assert_eq!(classes_of(&["0", "1", "1"], &["1", "0"], None), [1, 0, 0]);
    assert_eq!(classes_of(&["true", "maybe"], &["true", "maybe"], None), [0, 1]);
}

#[test]
fn fractions() {
    let cells = ["0.1", "0.4", "0.2", "0.9", "0.4"];
    assert_eq!(classes_of(&cells, &["no", "yes"], Some(PositiveAt::Value(0.4))), [0, 1, 0, 1, 1]);
    let dataset = load("a.csv", "text,label\nx,0.1\ny,0.4\nz,0.2\nw,0.9\n", &["no", "yes"], Some(PositiveAt::Median));
    assert_eq!(dataset.threshold, Some((0.2 + 0.4) / 2.0));
    assert_eq!(dataset.classes(), [0, 1, 0, 1]);
    assert_eq!(dataset.fractions, Some([0.1, 0.4, 0.2, 0.9].map(|number| vec![1.0 - number, number]).to_vec()));
    assert_eq!(classes_of(&cells, &["no", "yes"], Some(PositiveAt::Median)), [0, 1, 0, 1, 1]);
    assert_eq!(" Median ".parse::<PositiveAt>().unwrap(), PositiveAt::Median);
    assert_eq!("0.5".parse::<PositiveAt>().unwrap(), PositiveAt::Value(0.5));
}

#[test]
fn a_subset_keeps_row_numbers() {
    let dataset = load("a.csv", "text,label\nx,0.1\ny,0.4\nz,0.2\n", &["no", "yes"], Some(PositiveAt::Median));
    let subset = dataset.subset(&[2, 0]);
    assert_eq!(subset.texts, ["z", "x"]);
    assert_eq!(subset.rows, [3, 1]);
    assert_eq!(subset.fractions, Some([0.2, 0.1].map(|number| vec![1.0 - number, number]).to_vec()));
    assert_eq!((subset.len(), subset.is_empty(), subset.threshold), (2, false, Some(0.2)));
}

#[test]
fn the_fingerprint_is_of_texts_labels_and_order() {
    let dataset = load("a.csv", "text,label\nab,no\nc,yes\n", &["no", "yes"], None);
    // printf '\2\0\0\0\0\0\0\0ab\2\0\0\0\0\0\0\0no\1\0\0\0\0\0\0\0c\3\0\0\0\0\0\0\0yes' | sha256sum
    assert_eq!(fingerprint(&dataset), "347fbe218bd9cc9ab63ddc0d01ac13132ab9282d296d86790b9106fda036b433");
    assert_eq!(fingerprint(&load("a.csv", "x,label,text\n1,no,ab\n2,yes,c\n", &["no", "yes"], None)), fingerprint(&dataset));
    for other in ["text,label\nc,yes\nab,no\n", "text,label\nab,yes\nc,no\n", "text,label\na,no\nbc,yes\n"] {
        assert_ne!(fingerprint(&load("a.csv", other, &["no", "yes"], None)), fingerprint(&dataset));
    }
}

/// `$LINCAH_ETHOS`, or the folder beside the repository.
pub fn ethos() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/ethos");
    std::env::var_os("LINCAH_ETHOS").map_or_else(beside, PathBuf::from)
}

#[test]
#[ignore = "needs the ETHOS files in ../shared/ethos or $LINCAH_ETHOS"]
fn ethos_has_the_codelabs_classes_and_order() {
    let path = ethos().join("Ethos_Dataset_Binary.csv");
    let columns = LabelColumns::one("isHate", ["Positive", "Negative"]);
    let mut options = DatasetOptions { positive_at: Some(PositiveAt::Median), ..DatasetOptions::new("comment", columns) };
    let dataset = Dataset::read(&path, &ReadOptions::default(), &options).unwrap();
    let positives = |dataset: &Dataset| dataset.positives(1);
    assert_eq!((dataset.len(), positives(&dataset)), (998, 515));
    assert!((dataset.threshold.unwrap() - 1.0 / 3.0).abs() < 1e-9);

    let split = lincah::data::split::holdout(998, 198, 32, None).unwrap();
    let codelab: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(ethos().join("codelab_permutation.json")).unwrap()).unwrap();
    let order: Vec<usize> = [&split.train[..], &split.test[..]].concat();
    assert_eq!(serde_json::json!(order), codelab);
    assert_eq!(positives(&dataset.subset(&split.test)), 113);

    options.positive_at = Some(PositiveAt::Value(0.5));
    assert_eq!(positives(&Dataset::read(&path, &ReadOptions::default(), &options).unwrap()), 433);
    options.positive_at = None;
    let uncut = message(Dataset::read(&path, &ReadOptions::default(), &options));
    assert!(uncut.contains("with --positive-at"), "{uncut}");
}
