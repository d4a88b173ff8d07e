//! Identity areas against scikit-learn's, Fisher's test against SciPy's (`tools/golden/audit.py`).

use lincah::audit::{Audit, AuditPlan, fisher_exact};
use lincah::{Dataset, DatasetOptions, LabelColumns, Prediction, Task};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    identity: Vec<Identity>,
    fisher: Vec<Fisher>,
}

#[derive(Deserialize)]
struct Identity {
    group: Vec<String>,
    truth: Vec<u8>,
    scores: Vec<f64>,
    areas: BTreeMap<String, [f64; 3]>,
    means: [f64; 3],
}

#[derive(Deserialize)]
struct Fisher {
    table: [[u64; 2]; 2],
    p_value: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/audit.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn identity_areas_are_scikit_learns() {
    for case in golden().identity {
        let mut csv = String::from("text,label,whom\n");
        for (row, (truth, group)) in case.truth.iter().zip(&case.group).enumerate() {
            csv += &format!("text {row},{truth},{group}\n");
        }
        let labels = LabelColumns::one("label", ["no", "yes"]);
        let options = DatasetOptions { keep_columns: vec!["whom".into()], ..DatasetOptions::new("text", labels) };
        let data = Dataset::from_reader("rows", Box::new(std::io::Cursor::new(csv)), &Default::default(), &options).unwrap();
        let prediction = |&score: &f64| Prediction::new(Task::SingleLabel, vec![1.0 - score, score], 0);
        let predictions: Vec<Prediction> = case.scores.iter().map(prediction).collect();
        let plan = AuditPlan { group: Some("whom".into()), ..AuditPlan::default() };
        let found = Audit::of(&data, &predictions, &plan).unwrap();
        let [identity] = found.identity.as_slice() else { panic!("one label is scored") };
        assert_eq!(identity.label, "yes");
        for group in &identity.groups {
            let areas =
                [group.subgroup, group.background_positive_subgroup_negative, group.background_negative_subgroup_positive];
            match case.areas.get(&group.group) {
                Some(expected) => {
                    for (area, expected) in areas.iter().zip(expected) {
                        assert!((area.unwrap() - expected).abs() < 1e-12, "{}: {areas:?} and not {expected:?}", group.group);
                    }
                }
                None => assert_eq!((group.group.as_str(), areas), ("few", [None; 3])),
            }
        }
        for (mean, expected) in identity.means().iter().zip(case.means) {
            assert!((mean.unwrap() - expected).abs() < 1e-12);
        }
        // Texts about `two` score too high, so others' positives are not told from its negatives.
        assert_eq!(identity.groups.iter().find(|group| group.subgroup.is_some()).unwrap().group, "two");
    }
}

#[test]
fn fishers_test_is_scipys() {
    for case in golden().fisher {
        let found = fisher_exact(case.table);
        assert!(
            (found - case.p_value).abs() < 1e-9 * case.p_value.max(1e-3),
            "{:?}: {found} and not {}",
            case.table,
            case.p_value
        );
    }
}
