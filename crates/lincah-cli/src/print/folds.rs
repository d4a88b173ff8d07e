//! What a person sees of a cross-validation.

use super::evaluation::{headline, print_evaluation, print_tfidf};
use super::{TrainingProgress, device_lost, note, result_line};
use lincah::cross_validation::{CrossValidationEvent, FoldResult};
use lincah::statistics::mean_deviation;
use lincah::{Error, Evaluation};
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

    pub(crate) fn show(&mut self, event: &CrossValidationEvent) {
        match event {
            CrossValidationEvent::Training(fold, event) => {
                if event.step() == 0 {
                    note!("fold {}/{}", fold + 1, self.folds);
                    self.training = TrainingProgress::new();
                }
                self.training.show(event);
            }
            CrossValidationEvent::Fold(result, before) => {
                let before = if *before { "  (was finished)" } else { "" };
                let (fold, tfidf) = (result.fold.map_or(0, |fold| fold + 1), headline(&result.tfidf));
                note!("fold {fold}: {}  (TF-IDF: {tfidf}){before}", headline(&result.evaluation));
            }
            CrossValidationEvent::Lost(error) => device_lost(error),
            _ => {}
        }
    }

    /// Says what is left of a cross-validation that was stopped.
    pub(crate) fn tell_kept<T>(&self, results: &Result<T, Error>) {
        if let Err(Error::Interrupted { .. }) = results {
            note!("the finished folds are kept in {}; the same command goes on", self.out.display());
        }
    }
}

/// Mean and standard deviation of each metric over the folds, beside the baseline's; then all rows together.
pub(crate) fn print_folds(results: &[FoldResult]) {
    let folds: Vec<&FoldResult> = results.iter().filter(|result| result.fold.is_some()).collect();
    let Some(pooled) = results.iter().find(|result| result.fold.is_none()) else { return };
    result_line!(
        "mean ± standard deviation over {} folds; beside it TF-IDF + logistic regression on the same folds",
        folds.len()
    );
    let metrics: Vec<_> = pooled.evaluation.scores.iter().map(|score| score.metric).collect();
    let width = metrics.iter().map(|metric| metric.name().len()).max().unwrap_or(0).max(10);
    for metric in metrics {
        let of = |evaluation: fn(&FoldResult) -> &Evaluation| {
            let values: Vec<f64> = folds.iter().filter_map(|fold| evaluation(fold).value(metric)).collect();
            mean_deviation(&values).map_or(String::from("undefined"), |found| {
                format!("{:.3} ± {:.3}", found.mean, found.deviation.unwrap_or(f64::NAN))
            })
        };
        result_line!("  {:<width$} {}   {}", metric.name(), of(|fold| &fold.evaluation), of(|fold| &fold.tfidf));
    }
    result_line!();
    result_line!("all folds together (for the areas, scores of different classifiers are put in one order):");
    print_evaluation(&pooled.evaluation);
    print_tfidf(&pooled.tfidf);
}
