//! The form in which comparisons are stored: that of the first lincah, with keys added since.

use super::{Comparison, Flip, LabelComparison, MetricDifference};
use crate::evaluation::Evaluation;
use crate::metrics::Metric;
use crate::statistics::{Difference, McNemar};
use crate::task::Task;
use serde::Serialize;
use serde_json::{Map, Value, json};

#[derive(Debug, Serialize)]
pub(super) struct StoredComparison {
    n: usize,
    first: Evaluation,
    second: Evaluation,
    mcnemar: McNemar,
    /// By the metrics' keys; of exclusive labels those that are not in `named`.
    differences: Map<String, Value>,
    /// `f1_difference` and the like.
    #[serde(flatten)]
    named: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    per_label: Vec<StoredLabel>,
    flips: Vec<StoredFlip>,
    verdict: String,
}

#[derive(Debug, Serialize)]
struct StoredLabel {
    label: String,
    mcnemar: McNemar,
    adjusted_p_value: f64,
    f1_difference: Option<Difference>,
    roc_auc_difference: Option<Difference>,
    differences: Map<String, Value>,
}

/// Labels as an array or, of exclusive ones, as one string: null where nothing was decided.
#[derive(Debug, Serialize)]
struct StoredFlip {
    row: u64,
    truth: Value,
    first: Value,
    second: Value,
}

fn by_key(differences: &[MetricDifference]) -> Map<String, Value> {
    differences.iter().map(|of| (of.metric.key().to_string(), json!(of.difference))).collect()
}

impl From<LabelComparison> for StoredLabel {
    fn from(of: LabelComparison) -> Self {
        Self {
            f1_difference: of.difference(Metric::F1).copied(),
            roc_auc_difference: of.difference(Metric::RocAuc).copied(),
            differences: by_key(&of.differences),
            label: of.label,
            mcnemar: of.mcnemar,
            adjusted_p_value: of.adjusted_p_value,
        }
    }
}

fn stored_flip(flip: Flip, task: Task) -> StoredFlip {
    let labels = |labels: Vec<String>| match task {
        Task::MultiLabel => json!(labels),
        Task::SingleLabel => labels.into_iter().next().map_or(Value::Null, Value::String),
    };
    StoredFlip { row: flip.row, truth: labels(flip.truth), first: labels(flip.first), second: labels(flip.second) }
}

impl From<Comparison> for StoredComparison {
    fn from(of: Comparison) -> Self {
        let task = of.first.task;
        let named = match task {
            Task::SingleLabel => {
                let f1 = of.first.headline()[0];
                vec![("f1_difference", of.difference(f1)), ("roc_auc_difference", of.difference(Metric::RocAuc))]
            }
            Task::MultiLabel => vec![("macro_roc_auc_difference", of.difference(Metric::MacroRocAuc))],
        };
        Self {
            named: named.into_iter().map(|(name, difference)| (name.to_string(), json!(difference))).collect(),
            differences: by_key(&of.differences),
            n: of.n,
            mcnemar: of.mcnemar,
            per_label: of.per_label.into_iter().map(StoredLabel::from).collect(),
            flips: of.flips.into_iter().map(|flip| stored_flip(flip, task)).collect(),
            verdict: of.verdict,
            first: of.first,
            second: of.second,
        }
    }
}
