//! The TF-IDF baseline against scikit-learn's pipeline.

use lincah::baseline::TfidfBaseline;
use lincah::{Dataset, LabelSet, Task};
use serde_json::Value;

#[test]
fn probabilities_are_scikit_learns() {
    let golden: Value = serde_json::from_str(include_str!("golden/statistics.json")).unwrap();
    for case in golden["baseline"].as_array().unwrap() {
        let texts = |key: &str| serde_json::from_value::<Vec<String>>(case[key].clone()).unwrap();
        let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap();
        let expected: Vec<Vec<f64>> = serde_json::from_value(case["probabilities"].clone()).unwrap();
        let classes = expected[0].len();
        let data = Dataset {
            rows: (1..=labels.len() as u64).collect(),
            texts: texts("train"),
            labels: LabelSet::new((0..classes).map(|class| class.to_string())).unwrap(),
            task: Task::SingleLabel,
            truth: labels.iter().map(|&label| (0..classes).map(|class| class == label).collect()).collect(),
            fractions: None,
            threshold: None,
            skipped: Vec::new(),
            columns: Vec::new(),
            weights: None,
        };
        let baseline = TfidfBaseline::fit(&data);
        assert_eq!(Some(baseline.features() as u64), case["features"].as_u64());
        for (found, expected) in baseline.predict(&texts("test")).iter().zip(&expected) {
            for (found, expected) in found.probabilities.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
            }
        }
    }
}
