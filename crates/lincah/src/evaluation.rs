//! A classifier of either task against rows with known labels.

mod constant;
mod in_full;
mod stored;

use crate::error::Error;
use crate::label::LabelSet;
use crate::metrics::{self, Metric, MetricError, check_lengths};
use crate::prediction::{Decision, DecisionRule, Prediction};
use crate::statistics::{MetricIntervals, MetricValues, ScoredRows, exact_interval};
use crate::task::Task;
use constant::{constant_answers, constant_label};
use serde::{Deserialize, Serialize};
use stored::StoredEvaluation;

pub use in_full::{EvaluatedRows, FullEvaluation, MemberFigures};

/// What is true of some rows.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// Whether the labels are exclusive.
    pub task: Task,
    /// The labels; the last of two exclusive ones is the positive class.
    pub labels: &'a LabelSet,
    /// Whether each row has each label, `[rows][labels]`; exactly one if they are exclusive.
    pub truth: &'a [Vec<bool>],
}

impl Truth<'_> {
    /// The true class of every row of exclusive labels.
    ///
    /// # Errors
    /// [`MetricError::TrueLabels`] for a row that has not exactly one label.
    pub fn classes(&self) -> Result<Vec<usize>, MetricError> {
        let class = |(row, truth): (usize, &Vec<bool>)| {
            let mut labels = (0..truth.len()).filter(|&label| truth[label]);
            match (labels.next(), labels.count()) {
                (Some(label), 0) => Ok(label),
                (first, others) => Err(MetricError::TrueLabels { row, found: usize::from(first.is_some()) + others }),
            }
        };
        self.truth.iter().enumerate().map(class).collect()
    }

    /// For each row whether it has the label.
    pub fn of_label(&self, label: usize) -> Vec<bool> {
        self.truth.iter().map(|row| row[label]).collect()
    }

    /// The rows with what a classifier made of them, sorted for resampling.
    ///
    /// # Errors
    /// As [`ScoredRows::new`]; [`MetricError::Lengths`] where truth and labels differ in number.
    pub fn scored_rows(&self, predictions: &[Prediction]) -> Result<ScoredRows, MetricError> {
        check_lengths(self.truth.len(), predictions.len())?;
        self.truth.iter().try_for_each(|row| check_lengths(self.labels.len(), row.len()))?;
        let given: Vec<Vec<bool>> = predictions.iter().map(Prediction::given).collect();
        let probabilities: Vec<&[f64]> = predictions.iter().map(|prediction| prediction.probabilities.as_slice()).collect();
        ScoredRows::new(self.task, self.truth, &given, &probabilities)
    }
}

/// A metric of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Which.
    pub metric: Metric,
    /// Its value; absent where it is not defined, as the areas are if a label has no rows or all.
    pub value: Option<f64>,
    /// 95 % bootstrap interval `[low, high]` over the rows; absent where no resample has a value, and from what an earlier lincah wrote.
    pub interval: Option<[f64; 2]>,
    /// What the same answer for every row reaches. Exclusive labels: with the label that is best for the metric. Independent ones: with each
    /// label's more frequent answer (no, where both are equal); a label by itself: by always having it. An area: by chance.
    pub constant_answer: Option<f64>,
}

impl Score {
    /// Whether every resample has the same value, so that the interval has no width. That is no certainty: see
    /// [`Evaluation::exact_interval`].
    pub fn is_degenerate(&self) -> bool {
        self.interval.is_some_and(|[low, high]| low == high)
    }
}

/// The metrics of one label against the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelEvaluation {
    /// The label.
    pub label: String,
    /// Rows that have it.
    pub rows: u64,
    /// The metrics of [`Metric::of_label`], in that order.
    pub scores: Vec<Score>,
    /// Rows without and with the label, by not given and given.
    pub confusion_matrix: [[u64; 2]; 2],
    /// Mean of `-log p(has it or not)`; absent for exclusive labels from what an earlier lincah wrote.
    pub log_loss: Option<f64>,
    /// Resamples on which the areas have no value, as all rows have the label or none; the areas' intervals are of the others.
    pub resamples_without_areas: usize,
}

/// The metrics of a classifier on some rows, with scikit-learn's definitions.
///
/// It is stored as it always was: the metrics by their [`Metric::key`] (those of the macro averages of three or more exclusive labels also as
/// `f1`, `precision` and `recall`), `intervals` by the same keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "StoredEvaluation", try_from = "StoredEvaluation")]
pub struct Evaluation {
    /// Rows.
    pub n: usize,
    /// Whether the labels are exclusive.
    pub task: Task,
    /// The labels' order.
    pub labels: LabelSet,
    /// The metrics of [`Metric::of`], in that order.
    pub scores: Vec<Score>,
    /// Each label against the rest, in the labels' order; empty with two exclusive labels, whose scores are those of the last.
    pub per_label: Vec<LabelEvaluation>,
    /// Rows true, columns given, in the labels' order; rows on which nothing was decided are not in it. Empty for independent labels.
    pub confusion_matrix: Vec<Vec<u64>>,
    /// Mean of `-log p(true label)`; of independent labels, of the true answers over all rows and labels.
    pub log_loss: f64,
    /// What made decisions of the probabilities.
    pub rule: DecisionRule,
    /// Rows on which nothing was decided; they count as given no label.
    pub abstained: usize,
    /// Texts whose end did not fit into the prompt.
    pub truncated_texts: usize,
    /// Speed of the scoring.
    pub texts_per_second: f64,
    /// Resamples on which the areas have no value, as a label has no rows or all; the areas' intervals are of the others.
    pub resamples_without_areas: usize,
}

impl Evaluation {
    /// Compares the decisions and probabilities of `predictions` with what is true of the same rows. `rule` is what decided; `seconds` is
    /// what the scoring took.
    ///
    /// # Errors
    /// No rows; predictions that are not of these rows and labels; a row of exclusive labels with none or several; a probability that is not
    /// a finite number from 0 to 1.
    pub fn of(predictions: &[Prediction], truth: Truth, rule: &DecisionRule, seconds: f64) -> Result<Self, Error> {
        let rows = truth.scored_rows(predictions)?;
        let values = rows.values(&vec![1; rows.rows()]);
        let MetricIntervals { intervals, without_areas, without_label_areas } = rows.intervals();
        let columns = Columns { predictions, truth };
        let label = |label: usize| {
            let (values, intervals) = (&values.per_label[label], &intervals.per_label[label]);
            columns.evaluation(label, (values, intervals), without_label_areas[label])
        };
        let per_label = (0..values.per_label.len()).map(label).collect::<Result<Vec<_>, MetricError>>()?;
        Ok(Self {
            n: rows.rows(),
            task: truth.task,
            labels: truth.labels.clone(),
            scores: columns.scores(&values, &intervals)?,
            confusion_matrix: columns.confusion_matrix()?,
            log_loss: columns.log_loss(&per_label)?,
            per_label,
            rule: rule.clone(),
            abstained: predictions.iter().filter(|prediction| prediction.decision == Decision::Abstain).count(),
            truncated_texts: predictions.iter().filter(|prediction| prediction.truncated_characters > 0).count(),
            texts_per_second: rows.rows() as f64 / seconds.max(1e-9),
            resamples_without_areas: without_areas,
        })
    }

    /// A metric, if the task has it.
    pub fn score(&self, metric: Metric) -> Option<&Score> {
        self.scores.iter().find(|score| score.metric == metric)
    }

    /// The value of a metric, if the task has it and it is defined.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.score(metric)?.value
    }

    /// The metrics of [`Metric::headline`]: the one that stands for all others, and a second.
    pub fn headline(&self) -> [Metric; 2] {
        Metric::headline(self.task, self.labels.len())
    }

    /// Whether the labels are two exclusive ones, of which the last is the positive class.
    pub fn has_positive_class(&self) -> bool {
        self.task == Task::SingleLabel && self.labels.len() == 2
    }

    /// What can be said instead of the bootstrap interval of a share of rows that are all right, or all wrong: an exact interval, by
    /// [`exact_interval`]. None of other metrics and values.
    pub fn exact_interval(&self, metric: Metric) -> Option<[f64; 2]> {
        let n = self.n as u64;
        match (metric, self.value(metric)?) {
            (Metric::Accuracy | Metric::SubsetAccuracy, 1.0) => Some(exact_interval(n, n, 0.95)),
            (Metric::Accuracy | Metric::SubsetAccuracy, 0.0) => Some(exact_interval(0, n, 0.95)),
            _ => None,
        }
    }

    /// For each label the rows that have it.
    pub fn label_rows(&self) -> Vec<u64> {
        match self.per_label.as_slice() {
            [] => self.confusion_matrix.iter().map(|row| row.iter().sum()).collect(),
            labels => labels.iter().map(|label| label.rows).collect(),
        }
    }
}

impl LabelEvaluation {
    /// A metric.
    pub fn score(&self, metric: Metric) -> Option<&Score> {
        self.scores.iter().find(|score| score.metric == metric)
    }

    /// The value of a metric, if it is defined.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.score(metric)?.value
    }
}

/// The constant answer to set beside a value.
fn beside(value: Option<f64>, metric: Metric, constants: &[(Metric, f64)]) -> Option<f64> {
    value.and_then(|_| constants.iter().find(|(other, _)| *other == metric).map(|(_, constant)| *constant))
}

/// Predictions and truth, label by label.
struct Columns<'a> {
    predictions: &'a [Prediction],
    truth: Truth<'a>,
}

impl Columns<'_> {
    fn scores(&self, values: &MetricValues, intervals: &MetricValues<[f64; 2]>) -> Result<Vec<Score>, MetricError> {
        let constants = constant_answers(self.truth);
        let metrics = Metric::of(self.truth.task, self.truth.labels.len()).into_iter().enumerate();
        metrics
            .map(|(index, metric)| {
                let value = match values.metrics[index] {
                    Some(_) if metric == Metric::PrAuc => Some(self.average_precision(1)?),
                    value => value,
                };
                Ok(Score {
                    metric,
                    value,
                    interval: intervals.metrics[index],
                    constant_answer: beside(value, metric, &constants),
                })
            })
            .collect()
    }

    fn evaluation(
        &self,
        label: usize,
        (values, intervals): (&[Option<f64>], &[Option<[f64; 2]>]),
        resamples_without_areas: usize,
    ) -> Result<LabelEvaluation, MetricError> {
        let (has, yes) = (self.truth.of_label(label), self.probabilities(label));
        let mut counts = [[0; 2]; 2];
        for (has, prediction) in has.iter().zip(self.predictions) {
            counts[usize::from(*has)][usize::from(prediction.given()[label])] += 1;
        }
        let constants = constant_label(counts);
        let score = |(index, metric): (usize, Metric)| {
            let value = match values[index] {
                Some(_) if metric == Metric::PrAuc => Some(self.average_precision(label)?),
                value => value,
            };
            Ok(Score { metric, value, interval: intervals[index], constant_answer: beside(value, metric, &constants) })
        };
        let answers: Vec<[f64; 2]> = yes.iter().map(|yes| [1.0 - yes, *yes]).collect();
        let classes: Vec<usize> = has.iter().map(|&has| usize::from(has)).collect();
        Ok(LabelEvaluation {
            label: self.truth.labels.names()[label].clone(),
            rows: counts[1].iter().sum(),
            scores: Metric::of_label().into_iter().enumerate().map(score).collect::<Result<_, MetricError>>()?,
            confusion_matrix: counts,
            log_loss: Some(metrics::log_loss(&classes, &answers)?),
            resamples_without_areas,
        })
    }

    fn probabilities(&self, label: usize) -> Vec<f64> {
        self.predictions.iter().map(|prediction| prediction.probabilities[label]).collect()
    }

    /// Summed from the lowest threshold up, as scikit-learn does; a resample's is summed from the highest down.
    fn average_precision(&self, label: usize) -> Result<f64, MetricError> {
        metrics::average_precision(&self.truth.of_label(label), &self.probabilities(label))
    }

    fn confusion_matrix(&self) -> Result<Vec<Vec<u64>>, MetricError> {
        if self.truth.task == Task::MultiLabel {
            return Ok(Vec::new());
        }
        let labels = self.truth.labels.len();
        let mut counts = vec![vec![0; labels]; labels];
        for (class, prediction) in self.truth.classes()?.into_iter().zip(self.predictions) {
            if let Decision::Label(given) = prediction.decision {
                counts[class][given] += 1;
            }
        }
        Ok(counts)
    }

    fn log_loss(&self, per_label: &[LabelEvaluation]) -> Result<f64, MetricError> {
        match self.truth.task {
            Task::SingleLabel => {
                let probabilities: Vec<&[f64]> =
                    self.predictions.iter().map(|prediction| prediction.probabilities.as_slice()).collect();
                metrics::log_loss(&self.truth.classes()?, &probabilities)
            }
            Task::MultiLabel => Ok(per_label.iter().filter_map(|label| label.log_loss).sum::<f64>() / per_label.len() as f64),
        }
    }
}
