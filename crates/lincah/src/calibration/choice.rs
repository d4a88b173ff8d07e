//! Which map, by cross-validated log loss.

use super::fit::{BinaryRows, joint_temperature};
use super::map::{Calibration, CalibrationMap, log_odds};
use crate::data::split::dealt_folds;
use crate::evaluation::Truth;
use crate::metrics::{MetricError, log_loss};
use crate::task::Task;

/// Folds of the choice.
const FOLDS: usize = 5;
const FOLD_SEED: u32 = 1;

/// How probabilities are to be calibrated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CalibrationChoice {
    /// By the map with the least cross-validated log loss; where two have the same, the one with fewer numbers.
    #[default]
    Best,
    /// Not at all.
    None,
    /// By a temperature.
    Temperature,
    /// By Platt's two numbers.
    Platt,
    /// By rising steps.
    Isotonic,
}

lincah_model::named_choices!(CalibrationChoice, "calibration": Best = "best", None = "none", Temperature = "temperature", Platt = "platt", Isotonic = "isotonic");

/// Fits the maps of a task's labels to scored rows that the model was not trained on.
///
/// Two exclusive labels have one map, that of the last; independent labels one each, chosen each by itself. More exclusive labels have one
/// temperature for all, or a map of one kind per label against the rest.
///
/// # Shapes
/// probabilities `[rows][labels]`.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::TrueLabels`].
pub fn fit_calibration(truth: Truth, probabilities: &[Vec<f64>], choice: CalibrationChoice) -> Result<Calibration, MetricError> {
    crate::metrics::check_lengths(truth.truth.len(), probabilities.len())?;
    if choice == CalibrationChoice::None {
        return Ok(Calibration::default());
    }
    let binary = |label: usize| of_label(truth, probabilities, label);
    let maps = match truth.task {
        Task::SingleLabel if truth.labels.len() == 2 => vec![best_of_two(&binary(1), choice)?],
        Task::MultiLabel => (0..truth.labels.len()).map(|label| best_of_two(&binary(label), choice)).collect::<Result<_, _>>()?,
        Task::SingleLabel => return of_several(truth, probabilities, choice),
    };
    Ok(Calibration { maps })
}

fn of_label(truth: Truth, probabilities: &[Vec<f64>], label: usize) -> BinaryRows {
    // Of two exclusive labels the other probability is known more exactly than as one less this.
    let other = |row: &[f64]| match (truth.task, row) {
        (Task::SingleLabel, &[first, _]) => first,
        _ => 1.0 - row[label],
    };
    BinaryRows {
        truth: truth.of_label(label),
        probabilities: probabilities.iter().map(|row| row[label]).collect(),
        log_odds: probabilities.iter().map(|row| log_odds(row[label], other(row))).collect(),
    }
}

/// The candidates of a choice, those with fewer numbers first.
fn candidates(choice: CalibrationChoice) -> Vec<CalibrationChoice> {
    use CalibrationChoice::{Best, Isotonic, None, Platt, Temperature};
    if choice == Best { vec![None, Temperature, Platt, Isotonic] } else { vec![choice] }
}

fn fitted(rows: &BinaryRows, kind: CalibrationChoice) -> CalibrationMap {
    let positives = rows.truth.iter().filter(|&&truth| truth).count();
    match kind {
        // Of one class alone nothing can be fitted.
        _ if positives == 0 || positives == rows.truth.len() => CalibrationMap::None,
        CalibrationChoice::Temperature => rows.temperature(),
        CalibrationChoice::Platt => rows.platt(),
        CalibrationChoice::Isotonic => rows.isotonic(),
        CalibrationChoice::None | CalibrationChoice::Best => CalibrationMap::None,
    }
}

fn best_of_two(rows: &BinaryRows, choice: CalibrationChoice) -> Result<CalibrationMap, MetricError> {
    let classes: Vec<usize> = rows.truth.iter().map(|&truth| usize::from(truth)).collect();
    let loss = |kind: CalibrationChoice| {
        out_of_fold(&classes, |train, test| {
            let map = fitted(&rows.subset(train), kind);
            let calibrated = test.iter().map(|&row| map.apply(rows.probabilities[row], rows.log_odds[row]));
            calibrated.map(|probability| vec![1.0 - probability, probability]).collect()
        })
    };
    Ok(fitted(rows, best(choice, loss)?))
}

fn of_several(truth: Truth, probabilities: &[Vec<f64>], choice: CalibrationChoice) -> Result<Calibration, MetricError> {
    let classes = truth.classes()?;
    let labels = truth.labels.len();
    let fit = |rows: &[usize], kind: CalibrationChoice| match kind {
        CalibrationChoice::Temperature => {
            let of_rows: Vec<&[f64]> = rows.iter().map(|&row| probabilities[row].as_slice()).collect();
            let classes: Vec<usize> = rows.iter().map(|&row| classes[row]).collect();
            Calibration { maps: vec![joint_temperature(&classes, &of_rows)] }
        }
        CalibrationChoice::Platt | CalibrationChoice::Isotonic => {
            let map = |label: usize| fitted(&of_label(truth, probabilities, label).subset(rows), kind);
            Calibration { maps: (0..labels).map(map).collect() }
        }
        CalibrationChoice::None | CalibrationChoice::Best => Calibration::default(),
    };
    let loss = |kind: CalibrationChoice| {
        out_of_fold(&classes, |train, test| {
            let calibration = fit(train, kind);
            test.iter().map(|&row| calibration.apply(Task::SingleLabel, &probabilities[row])).collect()
        })
    };
    let all: Vec<usize> = (0..classes.len()).collect();
    Ok(fit(&all, best(choice, loss)?))
}

/// The kind with the least loss; the first of equals.
fn best(
    choice: CalibrationChoice,
    loss: impl Fn(CalibrationChoice) -> Result<f64, MetricError>,
) -> Result<CalibrationChoice, MetricError> {
    let candidates = candidates(choice);
    if let [only] = candidates.as_slice() {
        return Ok(*only);
    }
    let mut found = (CalibrationChoice::None, f64::INFINITY);
    for kind in candidates {
        let loss = loss(kind)?;
        if loss < found.1 {
            found = (kind, loss);
        }
    }
    Ok(found.0)
}

/// The log loss of what `calibrated` (rows to fit on, rows to apply to) says of the rows of each fold.
fn out_of_fold(classes: &[usize], calibrated: impl Fn(&[usize], &[usize]) -> Vec<Vec<f64>>) -> Result<f64, MetricError> {
    let fold_of = dealt_folds(classes, FOLDS, FOLD_SEED);
    let folds = fold_of.iter().max().map_or(1, |fold| fold + 1);
    let mut probabilities = vec![Vec::new(); classes.len()];
    for fold in 0..folds {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..classes.len()).partition(|&row| fold_of[row] == fold);
        test.iter().zip(calibrated(&train, &test)).for_each(|(&row, found)| probabilities[row] = found);
    }
    log_loss(classes, &probabilities)
}
