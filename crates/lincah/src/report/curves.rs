//! The plots of two-label scores: ROC, precision and recall, the scores by class, calibration.

use super::chart::{Axis, Chart, Drawing, Key, Sign};
use super::{decimals, short};
use crate::error::Error;
use crate::metrics::{
    CalibrationBin, average_precision, calibration_bins, precision_recall_curve, roc_auc, roc_curve, threshold_for_precision,
};
use maud::{Markup, html};

/// Bars of the histogram.
const BARS: usize = 20;
/// Bins of the calibration plot and of its error.
pub(super) const BINS: usize = 10;

/// True classes and probabilities of the positive class.
#[derive(Clone, Copy)]
pub(super) struct Binary<'a> {
    pub(super) truth: &'a [bool],
    pub(super) scores: &'a [f64],
    /// Those of TF-IDF with logistic regression for the same rows.
    pub(super) baseline: Option<&'a [f64]>,
    pub(super) names: (&'a str, &'a str),
}

const BASELINE: &str = "TF-IDF + logistic regression";

impl Binary<'_> {
    fn positives(&self) -> usize {
        self.truth.iter().filter(|&&positive| positive).count()
    }

    fn negatives(&self) -> usize {
        self.truth.len() - self.positives()
    }

    /// Rows that score above one half and are positive; and those that are not.
    fn above_half(&self) -> (usize, usize) {
        let of =
            |class: bool| self.truth.iter().zip(self.scores).filter(|&(&truth, &score)| truth == class && score > 0.5).count();
        (of(true), of(false))
    }

    /// Keys of classifier, baseline and chance, with each one's area.
    fn keys(&self, area: &str, areas: (f64, Option<f64>), chance: &str) -> Vec<Key> {
        let text = |name: &str, value: f64| format!("{name}, {area} {}", decimals(value));
        let mut keys = vec![Key::new("s1", Sign::Line(""), text("classifier", areas.0))];
        keys.extend(areas.1.map(|value| Key::new("s2", Sign::Line("thin dashed"), text(BASELINE, value))));
        keys.push(Key::new("chance", Sign::Line("thin dotted"), chance));
        keys.push(Key::new("s1", Sign::Dot, "classifier's decisions, threshold 0.5"));
        keys
    }
}

/// The ROC curve beside the baseline's.
///
/// # Errors
/// One class only.
pub(super) fn roc(rows: Binary) -> Result<Drawing, Error> {
    let areas = (roc_auc(rows.truth, rows.scores)?, rows.baseline.map(|scores| roc_auc(rows.truth, scores)).transpose()?);
    let keys = rows.keys("area", areas, "chance, area 0.500");
    let positive = short(rows.names.1, 24);
    let chart = Chart { x: Axis::share("false positive rate"), y: Axis::share("true positive rate (recall)"), keys };
    let curve = |class: &str, scores: &[f64]| -> Result<Markup, Error> {
        let curve = roc_curve(rows.truth, scores)?;
        Ok(chart.line(class, curve.false_positive_rate.into_iter().zip(curve.true_positive_rate)))
    };
    let (right, wrong) = rows.above_half();
    let point = (wrong as f64 / rows.negatives() as f64, right as f64 / rows.positives() as f64);
    let at = format!("threshold 0.5: false positive rate {}, recall {}", decimals(point.0), decimals(point.1));
    let marks = html! {
        (chart.line("chance thin dotted", [(0.0, 0.0), (1.0, 1.0)]))
        @if let Some(scores) = rows.baseline { (curve("s2 thin dashed", scores)?) }
        (curve("s1", rows.scores)?)
        (chart.mark("s1", 0, point, 0.0, &at))
    };
    let beside = areas.1.map_or(String::new(), |area| format!(", that of {BASELINE} {}", decimals(area)));
    let description = format!(
        "ROC curve for {positive}: the area under the classifier's is {}{beside}, chance 0.500; {at}.",
        decimals(areas.0)
    );
    Ok(chart.drawing("roc", ("ROC curve", description), marks))
}

/// Precision over recall, in steps as the average precision sums them.
///
/// # Errors
/// No positive row.
pub(super) fn precision_recall(rows: Binary) -> Result<Drawing, Error> {
    let average = |scores| average_precision(rows.truth, scores);
    let areas = (average(rows.scores)?, rows.baseline.map(average).transpose()?);
    let share = rows.positives() as f64 / rows.truth.len() as f64;
    let keys = rows.keys("average", areas, &format!("chance, average {}", decimals(share)));
    let positive = short(rows.names.1, 24);
    let chart = Chart { x: Axis::share("recall"), y: Axis::share("precision"), keys };
    let curve = |class: &str, scores: &[f64]| -> Result<Markup, Error> {
        let curve = precision_recall_curve(rows.truth, scores)?;
        // From recall 0 on; the last step's precision holds back to the recall before it.
        let points: Vec<(f64, f64)> = curve.recall.iter().copied().zip(curve.precision.iter().copied()).rev().collect();
        let steps = points.windows(2).flat_map(|pair| [(pair[0].0, pair[1].1), pair[1]]);
        Ok(chart.line(class, steps))
    };
    let (right, wrong) = rows.above_half();
    let at_half = (right + wrong > 0).then(|| (right as f64 / rows.positives() as f64, right as f64 / (right + wrong) as f64));
    let at = at_half.map_or(String::from("threshold 0.5: nothing flagged"), |(recall, precision)| {
        format!("threshold 0.5: recall {}, precision {}", decimals(recall), decimals(precision))
    });
    let marks = html! {
        (chart.line("chance thin dotted", [(0.0, share), (1.0, share)]))
        @if let Some(scores) = rows.baseline { (curve("s2 thin dashed", scores)?) }
        (curve("s1", rows.scores)?)
        @if let Some(point) = at_half { (chart.mark("s1", 0, point, 0.0, &at)) }
    };
    let beside = areas.1.map_or(String::new(), |area| format!(", that of {BASELINE} {}", decimals(area)));
    let description = format!(
        "Precision-recall curve for {positive}: the classifier's average precision is {}{beside}, chance {}; {at}.",
        decimals(areas.0),
        decimals(share)
    );
    Ok(chart.drawing("precision-recall", ("Precision-recall curve", description), marks))
}

/// Probabilities of the positive class, its rows above the axis and the others below.
///
/// # Errors
/// No rows.
pub(super) fn histogram(rows: Binary) -> Result<Drawing, Error> {
    let bins = calibration_bins(rows.truth, rows.scores, BARS)?;
    let most = |count: fn(&CalibrationBin) -> usize| bins.iter().map(count).max().unwrap_or(0);
    let (positives, negatives) = (most(|bin| bin.positives), most(CalibrationBin::negatives));
    let names = (short(rows.names.0, 30), short(rows.names.1, 30));
    let keys = vec![
        Key::new("s1", Sign::Bar, format!("truly {}, {} rows", names.1, rows.positives())),
        Key::new("s2", Sign::Bar, format!("truly {}, {} rows", names.0, rows.negatives())),
    ];
    let x = Axis::share(&format!("probability of {}", names.1));
    let chart = Chart { x, y: Axis::mirrored_counts("rows", positives, negatives), keys };
    let tooltip = |bin: &CalibrationBin, count: usize, name: &str| format!("{:.2} to {:.2}: {count} {name}", bin.low, bin.high);
    let marks = html! {
        @for bin in &bins {
            @if bin.positives > 0 {
                (chart.bar("s1", (bin.low, 0.0), (bin.high, bin.positives as f64), &tooltip(bin, bin.positives, &names.1)))
            }
            @if bin.negatives() > 0 {
                (chart.bar("s2", (bin.low, -(bin.negatives() as f64)), (bin.high, 0.0), &tooltip(bin, bin.negatives(), &names.0)))
            }
        }
        (chart.line("chance thin", [(0.0, 0.0), (1.0, 0.0)]))
        (chart.line("chance thin dotted", [(0.5, f64::NEG_INFINITY), (0.5, f64::INFINITY)]))
    };
    let (right, wrong) = rows.above_half();
    let description = format!(
        "Histogram of the probability of {}: {right} of its {} rows and {wrong} of the {} others lie above 0.5.",
        names.1,
        rows.positives(),
        rows.negatives()
    );
    Ok(chart.drawing("scores", ("Scores by true label", description), marks))
}

/// The share that is positive over the probability said, with the rows of each bin.
pub(super) fn calibration(rows: Binary, bins: &[CalibrationBin]) -> Drawing {
    let positive = short(rows.names.1, 24);
    let keys = vec![
        Key::new("s1", Sign::Marked("", 0), format!("classifier, {} rows", rows.truth.len())),
        Key::new("chance", Sign::Line("thin dotted"), "as often as it says"),
    ];
    let x = Axis::share(&format!("probability of {positive}, mean of the bin"));
    let chart = Chart { x, y: Axis::share(&format!("share that is {positive}")), keys };
    let points = || bins.iter().filter_map(|bin| bin.positive_share().map(|share| (bin, (bin.mean_probability, share))));
    let tooltip = |bin: &CalibrationBin, (probability, share): (f64, f64)| {
        format!(
            "{:.1} to {:.1}: {} rows, mean probability {}, share {}",
            bin.low,
            bin.high,
            bin.rows,
            decimals(probability),
            decimals(share)
        )
    };
    let marks = html! {
        (chart.line("chance thin dotted", [(0.0, 0.0), (1.0, 1.0)]))
        (chart.line("s1", points().map(|(_, point)| point)))
        @for (bin, point) in points() {
            (chart.mark("s1", 0, point, 0.0, &tooltip(bin, point)))
            @let above = point.1 < 0.93;
            (chart.text("middle beside", point, (0.0, if above { -9.0 } else { 18.0 }), &bin.rows.to_string()))
        }
    };
    let said: Vec<String> = points().map(|(bin, point)| tooltip(bin, point)).collect();
    let description = format!("Calibration in {} bins. {}.", bins.len(), said.join("; "));
    chart.drawing("calibration", ("Calibration", description), marks)
}

/// The thresholds that the table names: steps of a tenth, then those that reach a precision, each with what it is there for.
///
/// # Errors
/// No positive row.
pub(super) fn thresholds(rows: Binary) -> Result<Vec<(String, Option<f64>)>, Error> {
    let mut found: Vec<(String, Option<f64>)> = (1..10).map(|tenth| (String::new(), Some(f64::from(tenth) / 10.0))).collect();
    for precision in [0.8, 0.9, 0.95] {
        let threshold = threshold_for_precision(rows.truth, rows.scores, precision)?;
        found.push((format!("precision ≥ {precision:.2}"), threshold));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [bool; 4] = [false, false, true, true];
    const SCORES: [f64; 4] = [0.1, 0.4, 0.35, 0.8];

    fn rows(baseline: Option<&'static [f64]>) -> Binary<'static> {
        Binary { truth: &TRUTH, scores: &SCORES, baseline, names: ("no", "yes") }
    }

    /// The line through points of the axes, in a plot with so many keys.
    fn line(points: &[(f64, f64)], keys: f64) -> String {
        let bottom = 10.0 + 19.0 * keys + 4.0 + 270.0;
        let corner = |(x, y): &(f64, f64)| format!("{:.1} {:.1}", 54.0 + 370.0 * x, bottom - 270.0 * y);
        format!(" d=\"M{}\"", points.iter().map(corner).collect::<Vec<_>>().join("L"))
    }

    /// The example of scikit-learn's `roc_curve` and `precision_recall_curve`.
    #[test]
    fn curves_go_through_the_points_of_the_metrics() {
        let baseline: &[f64] = &[0.5; 4];
        let drawing = roc(rows(Some(baseline))).unwrap();
        let svg = &drawing.body.0;
        let curve = line(&[(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)], 4.0);
        assert!(svg.contains(&format!("<path class=\"line s1\"{curve}")), "{curve} in {svg}");
        let chance = line(&[(0.0, 0.0), (1.0, 1.0)], 4.0);
        assert!(svg.contains(&format!("<path class=\"line s2 thin dashed\"{chance}")), "all scores equal is chance: {svg}");
        assert!(drawing.description.contains("0.750, that of TF-IDF + logistic regression 0.500"), "{}", drawing.description);
        let drawing = precision_recall(rows(None)).unwrap();
        let third = 2.0 / 3.0;
        let steps = [(0.0, 1.0), (0.5, 1.0), (0.5, 0.5), (0.5, 0.5), (0.5, third), (1.0, third), (1.0, 0.5), (1.0, 0.5)];
        assert!(drawing.body.0.contains(&line(&steps, 3.0)), "{}", drawing.body.0);
    }

    #[test]
    fn a_bar_is_as_high_as_its_rows() {
        let drawing = histogram(rows(None)).unwrap();
        assert_eq!(drawing.body.0.matches("<rect class=\"bar s1\"").count(), 2);
        assert_eq!(drawing.body.0.matches("<rect class=\"bar s2\"").count(), 2);
        assert!(drawing.body.0.contains("<title>0.30 to 0.35: 1 yes</title>"), "{}", drawing.body.0);
    }

    #[test]
    fn thresholds_reach_the_precision_that_they_name() {
        let found = thresholds(rows(None)).unwrap();
        assert_eq!(found.len(), 12);
        assert_eq!(found[9], (String::from("precision ≥ 0.80"), Some(0.8)));
        let never = Binary { scores: &[0.9, 0.9, 0.1, 0.9], ..rows(None) };
        assert_eq!(thresholds(never).unwrap()[11].1, None);
    }
}
