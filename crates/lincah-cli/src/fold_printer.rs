//! What a person sees of a cross-validation, whatever kind its classifiers are.

use crate::printer::TrainingProgress;
use lincah::Error;
use lincah::cross_validation::{CrossValidationEvent, FoldResult};
use lincah::statistics::mean_deviation;
use std::path::Path;

/// Draws what happens in the folds' trainings.
pub(crate) struct FoldProgress<'a> {
    folds: usize,
    out: &'a Path,
    training: TrainingProgress,
}

impl<'a> FoldProgress<'a> {
    /// Of so many folds, kept in `out`.
    pub(crate) fn new(folds: usize, out: &'a Path) -> Self {
        Self { folds, out, training: TrainingProgress::new() }
    }

    pub(crate) fn show<E>(&mut self, event: &CrossValidationEvent<E>, print_fold: fn(&FoldResult<E>, bool)) {
        match event {
            CrossValidationEvent::Training(fold, event) => {
                if event.step() == 0 {
                    eprintln!("fold {}/{}", fold + 1, self.folds);
                    self.training = TrainingProgress::new();
                }
                self.training.show(event);
            }
            CrossValidationEvent::Fold(result, before) => print_fold(result, *before),
            _ => {}
        }
    }

    /// Says what is left of a cross-validation that was stopped.
    pub(crate) fn tell_kept<T>(&self, results: &Result<T, Error>) {
        if let Err(Error::Interrupted { .. }) = results {
            eprintln!("the finished folds are kept in {}; the same command goes on", self.out.display());
        }
    }
}

/// A metric of an evaluation, where it has it.
pub(crate) type Metric<E> = fn(&E) -> Option<f64>;

/// Mean and standard deviation of each metric over the folds, beside the baseline's.
pub(crate) fn print_means<E>(results: &[FoldResult<E>], metrics: &[(&str, Metric<E>)]) {
    let folds: Vec<&FoldResult<E>> = results.iter().filter(|result| result.fold.is_some()).collect();
    println!("mean ± standard deviation over {} folds; beside it TF-IDF + logistic regression on the same folds", folds.len());
    let width = metrics.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(10);
    for (name, metric) in metrics {
        let of = |evaluation: fn(&FoldResult<E>) -> &E| {
            let values: Vec<f64> = folds.iter().filter_map(|fold| metric(evaluation(fold))).collect();
            mean_deviation(&values).map_or(String::from("undefined"), |found| {
                format!("{:.3} ± {:.3}", found.mean, found.deviation.unwrap_or(f64::NAN))
            })
        };
        println!("  {name:<width$} {}   {}", of(|fold| &fold.evaluation), of(|fold| &fold.tfidf));
    }
}
