//! Identity areas against scikit-learn's, Fisher's test against SciPy's (`tools/golden/audit.py`).

use lincah::audit::{
    Audit, AuditPlan, Drift, estimated_prevalences, fisher_exact, kolmogorov_smirnov, population_stability_index,
};
use lincah::{Dataset, DatasetOptions, LabelColumns, Prediction, Task};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    identity: Vec<Identity>,
    fisher: Vec<Fisher>,
    drift: Vec<Drifted>,
}

#[derive(Deserialize)]
struct Drifted {
    probabilities: Vec<Vec<f64>>,
    prevalences: Vec<f64>,
    before: Vec<f64>,
    after: Vec<f64>,
    statistic: f64,
    p_value: f64,
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

#[test]
fn drift_is_scipys_and_numpys() {
    for case in golden().drift {
        let rows: Vec<&[f64]> = case.probabilities.iter().map(Vec::as_slice).collect();
        let labels = rows[0].len();
        let found = estimated_prevalences(Task::SingleLabel, &vec![1.0 / labels as f64; labels], &rows);
        let near = found.iter().zip(&case.prevalences).all(|(found, expected)| (found - expected).abs() < 1e-5);
        assert!(near, "{found:?} and not {:?}", case.prevalences);
        // An independent label is the same as two exclusive ones.
        if labels == 2 {
            let second: Vec<&[f64]> = rows.iter().map(|row| &row[1..]).collect();
            let alone = estimated_prevalences(Task::MultiLabel, &[0.5], &second);
            assert!((alone[0] - found[1]).abs() < 1e-9);
        }
        let (statistic, p_value) = kolmogorov_smirnov(&case.before, &case.after);
        assert!((statistic - case.statistic).abs() < 1e-12 && (p_value - case.p_value).abs() < 1e-9, "{statistic} {p_value}");
        assert_eq!(kolmogorov_smirnov(&case.before, &case.before), (0.0, 1.0));
        assert_eq!(population_stability_index(&case.before, &case.before), 0.0);
        assert!(population_stability_index(&case.before, &case.after) > 0.0);
    }
}

#[test]
fn no_texts_drift_nowhere() {
    let labels = lincah::LabelSet::new(["no", "yes"]).unwrap();
    let some = [Prediction::new(Task::SingleLabel, vec![0.4, 0.6], 0)];
    assert!(Drift::of((Task::SingleLabel, &labels), &[0.5, 0.5], &some, &[]).is_err());
    let found = Drift::of((Task::SingleLabel, &labels), &[0.5, 0.5], &some, &some).unwrap();
    assert_eq!((found.labels[1].given, found.texts), ([1.0; 2], [1; 2]));
}
