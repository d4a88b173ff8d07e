//! Calibration, thresholds and what they come to.

use super::{bracketed, note, number, result_line};
use lincah::calibration::{CalibrationFigure, CalibrationMap};
use lincah::decisions::{AtPrevalence, OperatingPoint, OperatingPoints};
use lincah::statistics::Proportion;
use lincah::{ClassifierRecord, DecisionRecord, DecisionSource};

/// What was chosen for a classifier, and what it reaches; nothing where nothing was.
pub(crate) fn print_decisions(record: &ClassifierRecord) {
    let Some(decisions) = &record.decisions else { return };
    let rows = match decisions.source {
        DecisionSource::OutOfFold => "out-of-fold scores of the training rows",
        DecisionSource::Validation => "the validation rows",
        DecisionSource::Rows => "rows of their own",
    };
    result_line!("decisions, chosen on {rows} ({}); each figure is of rows that did not choose:", decisions.rows);
    print_calibration(record, decisions);
    print_points(&decisions.points);
    for label in &decisions.out_of_reach {
        note!("warning: no threshold reaches the target of {label} on these rows; the nearest is taken");
    }
    for line in decisions.points.labels.iter().filter_map(OperatingPoint::too_few_rows) {
        note!("note: {line}");
    }
    result_line!();
    result_line!("  {}", decisions.points.sentence());
    result_line!();
}

fn print_calibration(record: &ClassifierRecord, decisions: &DecisionRecord) {
    let maps = record.calibration.iter().flat_map(|calibration| &calibration.maps);
    let mut names: Vec<&str> = maps.map(CalibrationMap::name).collect();
    names.dedup();
    let names = if names.is_empty() { String::from("none") } else { names.join(", ") };
    result_line!("  calibration: {names}");
    let figure = |figure: &CalibrationFigure| format!("{:.3} {}", figure.value, bracketed(Some(figure.interval)));
    let (before, after) = (&decisions.before, &decisions.after);
    result_line!("  {:<30}{:<24}after", "", "before");
    for (name, before, after) in [
        ("expected calibration error", &before.expected_calibration_error, &after.expected_calibration_error),
        ("the same, bins of equal rows", &before.adaptive_calibration_error, &after.adaptive_calibration_error),
        ("Brier score", &before.brier, &after.brier),
        ("log loss", &before.log_loss, &after.log_loss),
    ] {
        result_line!("  {name:<30}{:<24}{}", figure(before), figure(after));
    }
}

/// The decisions about each label on rows, with exact intervals.
pub(crate) fn print_points(points: &OperatingPoints) {
    let header = ["label", "target", "threshold", "review", "precision", "recall", "false positives", "flagged", "reviewed"];
    let rate = |rate: Proportion| format!("{} {}", number(rate.value()), bracketed(Some(rate.interval())));
    let share = |rate: Proportion| rate.value().map_or(String::new(), |share| format!("{:.1} %", 100.0 * share));
    let row = |point: &OperatingPoint| {
        [
            point.label.clone(),
            point.target.clone().unwrap_or_default(),
            point.threshold.map_or(String::from("most probable"), |threshold| format!("{threshold:.4}")),
            point.review.map_or(String::new(), |[low, high]| format!("{low:.4} to {high:.4}")),
            rate(point.precision()),
            rate(point.recall()),
            rate(point.false_positive_rate()),
            share(point.flagged()),
            share(point.reviewed()),
        ]
    };
    let rows: Vec<[String; 9]> = std::iter::once(header.map(String::from)).chain(points.labels.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    // A column that says nothing about any label is left out.
    let is_said = |column: usize| rows.iter().skip(1).any(|row| !row[column].is_empty());
    result_line!();
    for row in &rows {
        let cells =
            (0..header.len()).filter(|&column| is_said(column)).map(|column| format!("{:<w$}", row[column], w = width(column)));
        result_line!("{}", format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end());
    }
    result_line!("  in brackets exact 95 % intervals");
}

/// The decisions at the traffic's prevalences; a sentence each, but for that which was `said` already.
pub(crate) fn print_at_prevalence(found: &[AtPrevalence], said: &str) {
    for of_label in found {
        result_line!();
        if of_label.sentence != said {
            result_line!("  {}", of_label.sentence);
        }
        let (recall, rate) = (&of_label.recall, &of_label.false_positive_rate);
        result_line!(
            "  {} at {} %: recall {} {}, false-positive rate {} {}; per million texts {:.0} flags, {:.0} of them wrong, {:.0} misses, {:.0} reviews",
            of_label.label,
            (of_label.prevalence * 1e6).round() / 1e4,
            number(recall.value),
            bracketed(Some(recall.interval)),
            number(rate.value),
            bracketed(Some(rate.interval)),
            of_label.per_million.flags,
            of_label.per_million.false_flags,
            of_label.per_million.misses,
            of_label.per_million.reviews
        );
    }
}
