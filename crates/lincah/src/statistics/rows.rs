//! Intervals and paired differences of every metric of a task, all from the same resamples.

use super::bootstrap::{RESAMPLES, each_resample, percentile_interval};
use super::paired::Difference;
use crate::metrics::{
    ConfusionMatrix, Metric, MetricError, MultiLabelCounts, MultiLabelScores, check_lengths, check_probability,
};
use crate::task::Task;
use std::collections::HashMap;

/// What belongs to each metric of a task; absent where the metric is not defined.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValues<T = f64> {
    /// In the order of [`Metric::of`].
    pub metrics: Vec<Option<T>>,
    /// Each label against the rest, in the order of [`Metric::of_label`]; no labels of two exclusive ones, which need no more than the above.
    pub per_label: Vec<Vec<Option<T>>>,
}

/// The intervals of every metric, and how far they can be trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricIntervals {
    /// 95 % intervals, each `[low, high]`.
    pub intervals: MetricValues<[f64; 2]>,
    /// Resamples on which the task's areas have no value, as a class is missing: the areas' intervals are of the others.
    pub without_areas: usize,
    /// The same of each label.
    pub without_label_areas: Vec<usize>,
}

/// Rows of a task with true labels, labels given and probabilities, sorted once for all resamples.
#[derive(Debug, Clone)]
pub struct ScoredRows {
    task: Task,
    outcomes: Outcomes,
    /// For each label the rows by descending probability, those of one probability together, each with whether it has the label.
    tied: Vec<Vec<Vec<(usize, bool)>>>,
    /// For each label, whether any row lacks it or is not given it; and whether any has it or is given it.
    occurs: Vec<[bool; 2]>,
}

/// The different pairs of true labels and labels given, which are few where the labels are exclusive.
#[derive(Debug, Clone)]
struct Outcomes {
    truth: Vec<Vec<bool>>,
    given: Vec<Vec<bool>>,
    /// The pair of each row.
    of_row: Vec<usize>,
}

impl Outcomes {
    /// Independent labels keep a pair per row: means over rows are then summed in the order of the rows.
    fn of(task: Task, truth: &[Vec<bool>], given: &[Vec<bool>]) -> Self {
        if task == Task::MultiLabel {
            return Self { truth: truth.to_vec(), given: given.to_vec(), of_row: (0..truth.len()).collect() };
        }
        let mut places = HashMap::new();
        let mut found = Self { truth: Vec::new(), given: Vec::new(), of_row: Vec::with_capacity(truth.len()) };
        for (truth, given) in truth.iter().zip(given) {
            let place = *places.entry((truth, given)).or_insert(found.truth.len());
            if place == found.truth.len() {
                found.truth.push(truth.clone());
                found.given.push(given.clone());
            }
            found.of_row.push(place);
        }
        found
    }

    fn counted(&self, counts: &[u32]) -> MultiLabelCounts {
        let mut weights = vec![0; self.truth.len()];
        self.of_row.iter().zip(counts).for_each(|(&place, &count)| weights[place] += count);
        MultiLabelCounts::of(&self.truth, &self.given, &weights)
    }
}

/// The areas under the ROC curve and, by steps, under the precision-recall curve.
type Areas = (f64, f64);

impl ScoredRows {
    /// Rows of `task`. # Shapes: truth, given and probabilities `[rows][labels]`. The last of two exclusive labels is the positive class.
    ///
    /// # Errors
    /// [`MetricError::Empty`], [`MetricError::Lengths`]; [`MetricError::TrueLabels`] where a row has not exactly one of the exclusive labels;
    /// [`MetricError::Probability`] for a number that is none, NaN among them.
    pub fn new<P: AsRef<[f64]>>(
        task: Task,
        truth: &[Vec<bool>],
        given: &[Vec<bool>],
        probabilities: &[P],
    ) -> Result<Self, MetricError> {
        check_lengths(truth.len(), given.len())?;
        check_lengths(truth.len(), probabilities.len())?;
        let labels = truth[0].len();
        for (row, ((truth, given), probabilities)) in truth.iter().zip(given).zip(probabilities).enumerate() {
            check_lengths(labels, truth.len())?;
            check_lengths(labels, given.len())?;
            check_lengths(labels, probabilities.as_ref().len())?;
            let found = truth.iter().filter(|&&is| is).count();
            if task == Task::SingleLabel && found != 1 {
                return Err(MetricError::TrueLabels { row, found });
            }
            probabilities.as_ref().iter().try_for_each(|&probability| check_probability(row, probability).map(drop))?;
        }
        let order = |label: usize| {
            let score = |row: usize| probabilities[row].as_ref()[label];
            let mut order: Vec<usize> = (0..truth.len()).collect();
            order.sort_by(|&left, &right| score(right).total_cmp(&score(left)));
            let tied = order.chunk_by(|&left, &right| score(left) == score(right));
            tied.map(|rows| rows.iter().map(|&row| (row, truth[row][label])).collect()).collect()
        };
        let tied = (0..labels).map(order).collect();
        let occurs =
            (0..labels).map(|label| [false, true].map(|is| truth.iter().chain(given).any(|row| row[label] == is))).collect();
        Ok(Self { task, outcomes: Outcomes::of(task, truth, given), tied, occurs })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.outcomes.of_row.len()
    }

    /// The number of labels.
    pub fn labels(&self) -> usize {
        self.occurs.len()
    }

    /// Whether the labels are two exclusive ones, of which the last says all.
    fn two_classes(&self) -> bool {
        self.task == Task::SingleLabel && self.labels() == 2
    }

    /// The metrics where row i occurs `counts[i]` times.
    ///
    /// A macro average of F1, precision or recall is over the labels that some row of the resample has or is given: a label that the draw
    /// left out has no F1, and counted as 0 it would drag the interval below every value. A label that none of the rows has or is given
    /// counts as 0 here as it does in the metric itself.
    pub fn values(&self, counts: &[u32]) -> MetricValues {
        let counted = self.outcomes.counted(counts);
        let skipped = if self.two_classes() { 1 } else { 0 };
        let areas: Vec<Option<Areas>> = self.tied.iter().skip(skipped).map(|tied| areas(tied, counts)).collect();
        let task = TaskCounts { rows: self, labels: counted.labels(), scores: counted.scores(), areas: &areas };
        let metrics = Metric::of(self.task, self.labels()).into_iter().map(|metric| task.value(metric)).collect();
        let of_label = |label: usize| {
            let (matrix, occurs) = (&counted.labels()[label], self.occurs[label]);
            Metric::of_label().into_iter().map(|metric| label_value(metric, (matrix, occurs), areas[label])).collect()
        };
        let per_label = if self.two_classes() { Vec::new() } else { (0..self.labels()).map(of_label).collect() };
        MetricValues { metrics, per_label }
    }

    /// 95 % percentile bootstrap intervals: B = 2000 times n rows are drawn from the n rows with replacement, whatever their labels, and
    /// every metric is computed on them; an interval goes from the 2.5th to the 97.5th percentile of its B values.
    ///
    /// Where all resamples have the same value, as with rows that are all right, the interval has no width and says nothing about chance;
    /// [`exact_interval`](super::exact_interval) does.
    ///
    /// Source: Efron and Tibshirani 1993, *An Introduction to the Bootstrap*, chapter 13.
    pub fn intervals(&self) -> MetricIntervals {
        let resampled = each_resample(self.rows(), |counts| self.values(counts));
        let without = |values: &dyn Fn(&MetricValues) -> Option<f64>| RESAMPLES - resampled.iter().filter_map(values).count();
        let area = Metric::of(self.task, self.labels()).iter().position(|metric| metric.is_area()).unwrap_or_default();
        let label_area = Metric::of_label().iter().position(|metric| metric.is_area()).unwrap_or_default();
        let labels = resampled[0].per_label.len();
        MetricIntervals {
            intervals: gathered(&resampled, percentile_interval),
            without_areas: without(&|values| values.metrics[area]),
            without_label_areas: (0..labels).map(|label| without(&|values| values.per_label[label][label_area])).collect(),
        }
    }
}

/// What the metrics of a task are made of.
struct TaskCounts<'a> {
    rows: &'a ScoredRows,
    labels: &'a [ConfusionMatrix],
    scores: MultiLabelScores,
    /// Of each label, of two exclusive ones the last alone.
    areas: &'a [Option<Areas>],
}

impl TaskCounts<'_> {
    fn value(&self, metric: Metric) -> Option<f64> {
        let (labels, scores) = (self.labels, &self.scores);
        let area = |of: fn(&Areas) -> f64| self.areas[0].as_ref().map(of);
        match metric {
            Metric::F1 => Some(labels[1].f1(1)),
            Metric::Precision => Some(labels[1].precision(1)),
            Metric::Recall => Some(labels[1].recall(1)),
            // Of exclusive labels all are right where the one given is.
            Metric::Accuracy | Metric::SubsetAccuracy => Some(scores.subset_accuracy),
            Metric::RocAuc => area(|areas| areas.0),
            Metric::PrAuc => area(|areas| areas.1),
            Metric::MicroF1 => Some(scores.micro_f1),
            Metric::MicroPrecision => Some(scores.micro_precision),
            Metric::MicroRecall => Some(scores.micro_recall),
            Metric::MacroF1 => self.mean(ConfusionMatrix::f1),
            Metric::MacroPrecision => self.mean(ConfusionMatrix::precision),
            Metric::MacroRecall => self.mean(ConfusionMatrix::recall),
            Metric::WeightedF1 => {
                let weighted = labels.iter().map(|label| label.support(1) as f64 * label.f1(1)).sum::<f64>();
                Some(weighted / labels.iter().map(|label| label.support(1)).sum::<u64>().max(1) as f64)
            }
            Metric::ExampleF1 => Some(scores.example_f1),
            Metric::ExamplePrecision => Some(scores.example_precision),
            Metric::ExampleRecall => Some(scores.example_recall),
            Metric::HammingLoss => Some(scores.hamming_loss),
            Metric::MacroRocAuc => self.mean_area(|areas| areas.0),
            Metric::MacroPrAuc => self.mean_area(|areas| areas.1),
        }
    }

    /// Over the labels that occur in the resample, and those that occur in none of the rows.
    fn mean(&self, metric: fn(&ConfusionMatrix, usize) -> f64) -> Option<f64> {
        let labels = self.labels.iter().zip(&self.rows.occurs);
        mean(labels.filter(|(label, occurs)| !occurs[1] || label.occurs(1)).map(|(label, _)| metric(label, 1)))
    }

    fn mean_area(&self, area: fn(&Areas) -> f64) -> Option<f64> {
        let areas: Option<Vec<f64>> = self.areas.iter().map(|areas| areas.as_ref().map(area)).collect();
        areas.and_then(|areas| mean(areas.into_iter()))
    }
}

/// A metric of one label against the rest, with whether the classes without and with it occur among all rows.
fn label_value(metric: Metric, (matrix, occurs): (&ConfusionMatrix, [bool; 2]), areas: Option<Areas>) -> Option<f64> {
    match metric {
        Metric::F1 => Some(matrix.f1(1)),
        Metric::Precision => Some(matrix.precision(1)),
        Metric::Recall => Some(matrix.recall(1)),
        Metric::Accuracy => Some(matrix.accuracy()),
        Metric::RocAuc => areas.map(|areas| areas.0),
        Metric::PrAuc => areas.map(|areas| areas.1),
        Metric::MacroF1 => mean((0..2).filter(|&class| !occurs[class] || matrix.occurs(class)).map(|class| matrix.f1(class))),
        _ => None,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Both areas in one walk down the probabilities: trapezes under the ROC curve, steps under the precision-recall curve; none of one class.
fn areas(tied: &[Vec<(usize, bool)>], counts: &[u32]) -> Option<Areas> {
    let (mut true_positives, mut false_positives) = (0.0, 0.0);
    let (mut doubled_area, mut precision_area) = (0.0, 0.0);
    for rows in tied {
        let (mut positives, mut negatives) = (0.0, 0.0);
        for &(row, has) in rows {
            *(if has { &mut positives } else { &mut negatives }) += f64::from(counts[row]);
        }
        doubled_area += negatives * (2.0 * true_positives + positives);
        true_positives += positives;
        false_positives += negatives;
        if positives > 0.0 {
            precision_area += positives * true_positives / (true_positives + false_positives);
        }
    }
    let both_classes = true_positives > 0.0 && false_positives > 0.0;
    both_classes.then(|| (doubled_area / (2.0 * true_positives * false_positives), precision_area / true_positives))
}

/// What `of` makes of each metric's values over the resamples that have one.
fn gathered<T>(resampled: &[MetricValues], of: impl Fn(Vec<f64>) -> Option<T>) -> MetricValues<T> {
    let of = |value: &dyn Fn(&MetricValues) -> Option<f64>| of(resampled.iter().filter_map(value).collect());
    let first = &resampled[0];
    let per_label = first.per_label.iter().enumerate();
    MetricValues {
        metrics: (0..first.metrics.len()).map(|metric| of(&|values| values.metrics[metric])).collect(),
        per_label: per_label
            .map(|(label, metrics)| (0..metrics.len()).map(|metric| of(&|values| values.per_label[label][metric])).collect())
            .collect(),
    }
}

/// The differences, `second` less `first`, of every metric that both have, by a paired bootstrap: each resample has the same rows for both.
///
/// `first` and `second` are of the same task, rows and labels in the same order.
///
/// # Errors
/// [`MetricError::Lengths`] where they have other numbers of rows or labels.
///
/// Source: Efron and Tibshirani 1993, chapter 13, with the rows as the units that are drawn.
pub fn paired_differences(first: &ScoredRows, second: &ScoredRows) -> Result<MetricValues<Difference>, MetricError> {
    check_lengths(first.rows(), second.rows())?;
    check_lengths(first.labels(), second.labels())?;
    let difference = |counts: &[u32]| {
        let (first, second) = (first.values(counts), second.values(counts));
        joined(&first, &second, |first, second| second - first)
    };
    let found = difference(&vec![1; first.rows()]);
    let intervals = gathered(&each_resample(first.rows(), difference), percentile_interval);
    Ok(joined(&found, &intervals, |&value, &interval| Difference { value, interval }))
}

/// What `of` makes of the entries that both have.
fn joined<T, U, V>(first: &MetricValues<T>, second: &MetricValues<U>, of: impl Fn(&T, &U) -> V) -> MetricValues<V> {
    let each = |first: &[Option<T>], second: &[Option<U>]| -> Vec<Option<V>> {
        first.iter().zip(second).map(|(first, second)| first.as_ref().zip(second.as_ref()).map(|(a, b)| of(a, b))).collect()
    };
    MetricValues {
        metrics: each(&first.metrics, &second.metrics),
        per_label: first.per_label.iter().zip(&second.per_label).map(|(first, second)| each(first, second)).collect(),
    }
}
