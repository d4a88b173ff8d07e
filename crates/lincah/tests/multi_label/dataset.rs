//! Reading labels that may hold together, and every way they can be bad.

use lincah::data::fingerprint::multi_label_fingerprint;
use lincah::data::multi_label::{LabelColumns, MultiLabelDataset, MultiLabelOptions};
use lincah::data::records::ReadOptions;
use proptest::prelude::*;

fn read(name: &str, content: &[u8], labels: LabelColumns, cut: f64) -> Result<MultiLabelDataset, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let options = MultiLabelOptions { text_column: "text".to_owned(), labels, cut };
    let place = format!("{}/", folder.path().display());
    MultiLabelDataset::read(&path, &ReadOptions::default(), &options).map_err(|error| error.to_string().replace(&place, ""))
}

fn each(names: &[&str]) -> LabelColumns {
    LabelColumns::Each(names.iter().map(ToString::to_string).collect())
}

fn list(labels: &[&str]) -> LabelColumns {
    LabelColumns::List { column: "tags".to_owned(), separator: ';', labels: labels.iter().map(ToString::to_string).collect() }
}

#[test]
fn columns_are_cut_at_or_above() {
    let content = b"b,text,a\n0.5,one,0\n0.49,two,1\ntrue,three,0.25\n";
    let data = read("a.csv", content, each(&["a", "b"]), 0.5).unwrap();
    assert_eq!(data.label_names, ["a", "b"]);
    assert_eq!(data.fractions, [[0.0, 0.5], [1.0, 0.49], [0.25, 1.0]]);
    assert_eq!(data.labels, [[false, true], [true, false], [false, true]]);
    assert_eq!((data.positives(0), data.positives(1), data.len()), (1, 2, 3));
    let lower = read("a.csv", content, each(&["a", "b"]), 0.25).unwrap();
    assert_eq!(lower.labels, [[false, true], [true, true], [true, true]]);
    assert_eq!(lower.subset(&[2, 0]).labels, [[true, true], [false, true]]);
    assert_eq!(lower.subset(&[2, 0]).rows, [3, 1]);
    let json = read("a.jsonl", b"{\"text\":\"x\",\"a\":true,\"b\":0.5}\n", each(&["a", "b"]), 0.5).unwrap();
    assert_eq!(json.labels, [[true, true]]);
}

#[test]
fn lists_name_any_number_of_labels() {
    let content = b"text,tags\none,b; a\ntwo,\nthree,c;\n";
    let found = read("a.csv", content, list(&[]), 0.5).unwrap();
    assert_eq!(found.label_names, ["a", "b", "c"]);
    assert_eq!(found.labels, [[true, true, false], [false, false, false], [false, false, true]]);
    let given = read("a.csv", content, list(&["c", "b", "a", "d"]), 0.5).unwrap();
    assert_eq!(given.labels[0], [false, true, true, false]);
    let error = read("a.csv", content, list(&["a", "b"]), 0.5).unwrap_err();
    assert_eq!(error, "a.csv, row 3 (line 4), column `tags`: `c` is not one of the labels `a`, `b`");
    let error = read("a.csv", b"text,tags\none,a\ntwo,\n", list(&[]), 0.5).unwrap_err();
    assert!(error.starts_with("the labels `a` do not make a set"), "{error}");
    let many: String = (0..101).map(|tag| format!("x,t{tag}\n")).collect();
    let error = read("a.csv", format!("text,tags\n{many}").as_bytes(), list(&[]), 0.5).unwrap_err();
    assert!(error.contains("more than 100 distinct values"), "{error}");
}

#[test]
fn bad_cells_are_named_with_their_place() {
    let failure = |content: &str| read("a.csv", content.as_bytes(), each(&["a", "b"]), 0.5).unwrap_err();
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
    assert_eq!(
        failure("text,a,b\n ,0,1\n"),
        "a.csv, row 1 (line 2), column `text`: the text is empty: fill it in or remove the row"
    );
    let names = |names: &[&str]| read("a.csv", b"text,a,b\nx,0,1\n", each(names), 0.5).unwrap_err();
    assert!(names(&["a"]).starts_with("the labels `a` do not make a set"));
    assert!(names(&["a", "a"]).starts_with("the labels `a`, `a` do not make a set"));
    let cut = read("a.csv", b"text,a,b\nx,0,1\n", each(&["a", "b"]), 1.5).unwrap_err();
    assert_eq!(cut, "the cut is 1.5: fractions of annotators are cut at a number from 0 to 1");
}

#[test]
fn a_label_with_one_answer_is_refused_for_training() {
    let check = |content: &[u8]| {
        let data = read("a.csv", content, each(&["a", "b"]), 0.5).unwrap();
        data.check_answers().map_err(|error| error.to_string())
    };
    assert_eq!(check(b"text,a,b\nx,0,1\ny,1,0\n"), Ok(()));
    let none = check(b"text,a,b\nx,1,0\ny,0,0.4\n").unwrap_err();
    assert_eq!(none, "none of the 2 rows has the label `b`, so there is nothing to learn about it: leave it out");
    let all = check(b"text,a,b\nx,1,0\ny,1,1\n").unwrap_err();
    assert!(all.starts_with("every one of the 2 rows has the label `a`"), "{all}");
}

#[test]
fn the_fingerprint_is_of_what_is_trained_on() {
    let of = |content: &[u8], soft: bool| multi_label_fingerprint(&read("a.csv", content, each(&["a", "b"]), 0.5).unwrap(), soft);
    let (first, second) = (b"text,a,b\nx,0.9,0\n", b"text,a,b\nx,0.6,0\n");
    assert_eq!(of(first, false), of(second, false));
    assert_ne!(of(first, true), of(second, true));
    assert_ne!(of(first, false), of(b"text,a,b\nx,0.9,1\n", false));
    assert_ne!(of(first, false), of(b"text,a,b\ny,0.9,0\n", false));
}

proptest! {
    #[test]
    fn whatever_the_bytes_there_is_a_data_set_or_one_line(content in "(text|tags|[ab01.;,\"\n-]){0,80}", lists in any::<bool>()) {
        let labels = if lists { list(&[]) } else { each(&["a", "b"]) };
        for header in ["", "text,a,b\n", "text,tags\n"] {
            match read("a.csv", format!("{header}{content}").as_bytes(), labels.clone(), 0.5) {
                Ok(data) => {
                    prop_assert!(data.len() == data.labels.len() && data.len() == data.fractions.len());
                    prop_assert!(data.label_names.len() >= 2);
                    for (fractions, labels) in data.fractions.iter().zip(&data.labels) {
                        prop_assert_eq!(fractions.len(), data.label_names.len());
                        for (fraction, &label) in fractions.iter().zip(labels) {
                            prop_assert!((0.0..=1.0).contains(fraction) && label == (*fraction >= 0.5));
                        }
                    }
                }
                Err(error) => prop_assert!(!error.contains('\n'), "{}", error),
            }
        }
    }
}

#[test]
#[ignore = "needs the ETHOS files in ../shared/ethos or $LINCAH_ETHOS"]
fn ethos_has_its_authors_labels_and_folds() {
    let beside = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/ethos");
    let folder = std::env::var_os("LINCAH_ETHOS").map_or_else(beside, std::path::PathBuf::from);
    let names = [
        "violence",
        "directed_vs_generalized",
        "gender",
        "race",
        "national_origin",
        "disability",
        "religion",
        "sexual_orientation",
    ];
    let options = MultiLabelOptions { text_column: "comment".to_owned(), labels: each(&names), cut: 0.5 };
    let path = folder.join("Ethos_Dataset_Multi_Label.csv");
    let data = MultiLabelDataset::read(&path, &ReadOptions::default(), &options).unwrap();
    let positives: Vec<usize> = (0..8).map(|label| data.positives(label)).collect();
    assert_eq!((data.len(), positives), (433, vec![142, 135, 86, 76, 74, 53, 81, 73]));
    // What iterative-stratification 0.1.9 makes of RandomState(0), as in the authors' setE.py.
    let fold_of = lincah::data::stratification::multi_label_folds(&data.labels, 10, 0).unwrap();
    assert_eq!(fold_of[..20], [6, 5, 1, 0, 5, 8, 7, 3, 4, 2, 9, 6, 4, 3, 1, 8, 0, 7, 1, 9]);
    let rows: Vec<usize> = (0..10).map(|fold| fold_of.iter().filter(|&&of| of == fold).count()).collect();
    assert_eq!(rows, [44, 44, 44, 43, 42, 44, 43, 42, 43, 44]);
}
