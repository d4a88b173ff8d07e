//! The plots of one label's probabilities: ROC, precision and recall, the scores by class, calibration.

use super::chart::{Axis, Chart, Drawing, Key, Sign, Size};
use super::{decimals, short};
use crate::error::Error;
use crate::metrics::{CalibrationBin, average_precision, calibration_bins, precision_recall_curve, roc_auc, roc_curve};
use maud::{Markup, html};

/// Bars of the histogram.
const BARS: usize = 20;
/// Bins of the calibration plot and of its error.
pub(super) const BINS: usize = 10;

/// Which rows have a label, which are given it, and its probabilities.
#[derive(Clone, Copy)]
pub(super) struct Binary<'a> {
    pub(super) truth: &'a [bool],
    pub(super) given: &'a [bool],
    pub(super) scores: &'a [f64],
    /// From which probability on it is given, if that decides.
    pub(super) threshold: Option<f64>,
    /// Those of TF-IDF with logistic regression for the same rows.
    pub(super) baseline: Option<&'a [f64]>,
    /// The rest and the label.
    pub(super) names: (&'a str, &'a str),
    /// The label's place, from 1, where there are plots of several: these are small and named by it.
    pub(super) place: Option<usize>,
}

const BASELINE: &str = "TF-IDF + logistic regression";

impl Binary<'_> {
    pub(super) fn positives(&self) -> usize {
        self.truth.iter().filter(|&&positive| positive).count()
    }

    fn negatives(&self) -> usize {
        self.truth.len() - self.positives()
    }

    /// Rows that are given the label and have it; and those that have it not.
    fn flagged(&self) -> (usize, usize) {
        let of = |class: bool| self.truth.iter().zip(self.given).filter(|&(&truth, &given)| truth == class && given).count();
        (of(true), of(false))
    }

    /// The decisions in words.
    fn decisions(&self) -> String {
        self.threshold.map_or(String::from("decisions"), |threshold| format!("threshold {threshold}"))
    }

    /// A chart, the keys left out of a small one.
    fn chart(&self, x: Axis, y: Axis, keys: Vec<Key>) -> Chart {
        match self.place {
            None => Chart { size: Size::Full, x, y, keys },
            Some(_) => Chart { size: Size::Small, x, y, keys: Vec::new() },
        }
    }

    /// The file name of a plot.
    fn file(&self, name: &str) -> String {
        self.place.map_or(String::from(name), |place| format!("{name}-{place}"))
    }

    /// What an axis of probabilities is called.
    fn axis(&self, text: &str, short: &str) -> Axis {
        Axis::share(if self.place.is_some() { short } else { text })
    }

    /// Keys of classifier, baseline and chance, with each one's area.
    fn keys(&self, area: &str, areas: (f64, Option<f64>), chance: &str) -> Vec<Key> {
        let text = |name: &str, value: f64| format!("{name}, {area} {}", decimals(value));
        let mut keys = vec![Key::new("s1", Sign::Line(""), text("classifier", areas.0))];
        keys.extend(areas.1.map(|value| Key::new("s2", Sign::Line("thin dashed"), text(BASELINE, value))));
        keys.push(Key::new("chance", Sign::Line("thin dotted"), chance));
        let threshold = self.threshold.map_or(String::new(), |threshold| format!(", threshold {threshold}"));
        keys.push(Key::new("s1", Sign::Dot, format!("classifier's decisions{threshold}")));
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
    let chart = rows.chart(Axis::share("false positive rate"), rows.axis("true positive rate (recall)", "recall"), keys);
    let curve = |class: &str, scores: &[f64]| -> Result<Markup, Error> {
        let curve = roc_curve(rows.truth, scores)?;
        Ok(chart.line(class, curve.false_positive_rate.into_iter().zip(curve.true_positive_rate)))
    };
    let (right, wrong) = rows.flagged();
    let point = (wrong as f64 / rows.negatives() as f64, right as f64 / rows.positives() as f64);
    let at = format!("{}: false positive rate {}, recall {}", rows.decisions(), decimals(point.0), decimals(point.1));
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
    Ok(chart.drawing(rows.file("roc"), ("ROC curve", description), marks))
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
    let chart = rows.chart(Axis::share("recall"), Axis::share("precision"), keys);
    let curve = |class: &str, scores: &[f64]| -> Result<Markup, Error> {
        let curve = precision_recall_curve(rows.truth, scores)?;
        // From recall 0 on; the last step's precision holds back to the recall before it.
        let points: Vec<(f64, f64)> = curve.recall.iter().copied().zip(curve.precision.iter().copied()).rev().collect();
        let steps = points.windows(2).flat_map(|pair| [(pair[0].0, pair[1].1), pair[1]]);
        Ok(chart.line(class, steps))
    };
    let (right, wrong) = rows.flagged();
    let decided = (right + wrong > 0).then(|| (right as f64 / rows.positives() as f64, right as f64 / (right + wrong) as f64));
    let at = decided.map_or(format!("{}: nothing flagged", rows.decisions()), |(recall, precision)| {
        format!("{}: recall {}, precision {}", rows.decisions(), decimals(recall), decimals(precision))
    });
    let marks = html! {
        (chart.line("chance thin dotted", [(0.0, share), (1.0, share)]))
        @if let Some(scores) = rows.baseline { (curve("s2 thin dashed", scores)?) }
        (curve("s1", rows.scores)?)
        @if let Some(point) = decided { (chart.mark("s1", 0, point, 0.0, &at)) }
    };
    let beside = areas.1.map_or(String::new(), |area| format!(", that of {BASELINE} {}", decimals(area)));
    let description = format!(
        "Precision-recall curve for {positive}: the classifier's average precision is {}{beside}, chance {}; {at}.",
        decimals(areas.0),
        decimals(share)
    );
    Ok(chart.drawing(rows.file("precision-recall"), ("Precision-recall curve", description), marks))
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
    let x = rows.axis(&format!("probability of {}", names.1), "probability");
    let chart = rows.chart(x, Axis::mirrored_counts("rows", positives, negatives), keys);
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
        @if let Some(threshold) = rows.threshold {
            (chart.line("chance thin dotted", [(threshold, f64::NEG_INFINITY), (threshold, f64::INFINITY)]))
        }
    };
    let (right, wrong) = rows.flagged();
    let description = format!(
        "Histogram of the probability of {}: {right} of its {} rows and {wrong} of the {} others are answered with it.",
        names.1,
        rows.positives(),
        rows.negatives()
    );
    Ok(chart.drawing(rows.file("scores"), ("Scores by true label", description), marks))
}

/// The share that is positive over the probability said, with the rows of each bin.
pub(super) fn calibration(rows: Binary, bins: &[CalibrationBin]) -> Drawing {
    let positive = short(rows.names.1, 24);
    let keys = vec![
        Key::new("s1", Sign::Marked("", 0), format!("classifier, {} rows", rows.truth.len())),
        Key::new("chance", Sign::Line("thin dotted"), "as often as it says"),
    ];
    let x = rows.axis(&format!("probability of {positive}, mean of the bin"), "mean probability");
    let chart = rows.chart(x, rows.axis(&format!("share that is {positive}"), "share"), keys);
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
            @if rows.place.is_none() {
                @let above = point.1 < 0.93;
                (chart.text("middle beside", point, (0.0, if above { -9.0 } else { 18.0 }), &bin.rows.to_string()))
            }
        }
    };
    let said: Vec<String> = points().map(|(bin, point)| tooltip(bin, point)).collect();
    let description = format!("Calibration in {} bins. {}.", bins.len(), said.join("; "));
    chart.drawing(rows.file("calibration"), ("Calibration", description), marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [bool; 4] = [false, false, true, true];
    const SCORES: [f64; 4] = [0.1, 0.4, 0.35, 0.8];

    fn rows(baseline: Option<&'static [f64]>) -> Binary<'static> {
        let given = &[false, false, false, true];
        Binary { truth: &TRUTH, given, scores: &SCORES, threshold: Some(0.5), baseline, names: ("no", "yes"), place: None }
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
    fn a_plot_of_many_is_small_has_no_keys_and_is_named_by_its_label() {
        let drawing = roc(Binary { place: Some(3), threshold: None, ..rows(None) }).unwrap();
        assert_eq!((drawing.name.as_str(), drawing.size.0), ("roc-3", 250.0));
        assert!(!drawing.body.0.contains("classifier") && drawing.description.contains("decisions: false positive rate 0.000"));
    }
}
