//! How sure an area under the ROC curve is: DeLong's interval, and the deviation from chance.

use crate::metrics::{MetricError, roc_auc};

use super::exact_interval;

/// 97.5 % quantile of the normal distribution.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// The area under the ROC curve with its 95 % interval.
///
/// With m positive and n negative rows and ψ(x, y) = 1, ½ or 0 for x above, at or below y, let V¹ᵢ be the mean of ψ(xᵢ, y) over the negative
/// rows and V⁰ⱼ that of ψ(x, yⱼ) over the positive ones. The variance is var(V¹) / m + var(V⁰) / n, and the interval
/// logit⁻¹(logit A ± 1.96 √variance / (A (1 - A))). An area of 0 or 1 has no variance; its interval is [`exact_interval`]'s of the smaller class.
///
/// Source: DeLong, DeLong and Clarke-Pearson 1988, doi 10.2307/2531595; by midranks as in Sun and Xu 2014, doi 10.1109/LSP.2014.2337313; the
/// logit as in Pepe 2003, *The Statistical Evaluation of Medical Tests*, chapter 5.
///
/// # Errors
/// As [`roc_auc`]; the interval is absent where a class has one row.
pub fn roc_auc_interval(truth: &[bool], scores: &[f64]) -> Result<(f64, Option<[f64; 2]>), MetricError> {
    let area = roc_auc(truth, scores)?;
    let of =
        |class: bool| truth.iter().zip(scores).filter(|&(&has, _)| has == class).map(|(_, &score)| score).collect::<Vec<_>>();
    let (positive, negative) = (of(true), of(false));
    if positive.len() < 2 || negative.len() < 2 {
        return Ok((area, None));
    }
    if area == 0.0 || area == 1.0 {
        let rows = positive.len().min(negative.len()) as u64;
        return Ok((area, Some(exact_interval(if area == 1.0 { rows } else { 0 }, rows, 0.95))));
    }
    let (all, positive_ranks, negative_ranks) = (midranks(scores), midranks(&positive), midranks(&negative));
    let ranks_of = |class: bool| truth.iter().zip(&all).filter(move |&(&has, _)| has == class).map(|(_, &rank)| rank);
    let above: Vec<f64> = ranks_of(true).zip(&positive_ranks).map(|(all, own)| (all - own) / negative.len() as f64).collect();
    let below: Vec<f64> =
        ranks_of(false).zip(&negative_ranks).map(|(all, own)| 1.0 - (all - own) / positive.len() as f64).collect();
    let deviation = (variance(&above) / positive.len() as f64 + variance(&below) / negative.len() as f64).sqrt();
    let (logit, spread) = ((area / (1.0 - area)).ln(), QUANTILE * deviation / (area * (1.0 - area)));
    let inverse = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    Ok((area, Some([inverse(logit - spread), inverse(logit + spread)])))
}

/// The rank of each value from 1, tied values sharing the mean of theirs.
pub(crate) fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&left, &right| values[left].total_cmp(&values[right]));
    let (mut ranks, mut before) = (vec![0.0; values.len()], 0);
    for tied in order.chunk_by(|&left, &right| values[left] == values[right]) {
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|&place| ranks[place] = rank);
        before += tied.len();
    }
    ranks
}

/// The standard deviation of the area under the ROC curve of `positives` rows drawn at random from those with these [`midranks`]; none where
/// all are tied or a class has no row.
///
/// Its square is the sample variance of the ranks · n₀ / (n n₁) · 1 / n₀², the Mann-Whitney test's with its correction for ties.
///
/// Source: Mann and Whitney 1947, doi 10.1214/aoms/1177730491; Lehmann 1975, *Nonparametrics*, appendix.
pub(crate) fn chance_deviation(ranks: &[f64], positives: usize) -> Option<f64> {
    let (rows, positives) = (ranks.len() as f64, positives as f64);
    let negatives = rows - positives;
    let spread = variance(ranks);
    (spread > 0.0 && positives > 0.0 && negatives > 0.0).then(|| (spread / (rows * positives * negatives)).sqrt())
}

/// Sum of squared distances from the mean over n - 1.
fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden(key: &str) -> Vec<Value> {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/label_errors.json")).unwrap();
        golden[key].as_array().unwrap().clone()
    }

    fn column(case: &Value, key: &str) -> Vec<f64> {
        serde_json::from_value(case[key].clone()).unwrap()
    }

    fn truth(case: &Value) -> Vec<bool> {
        column(case, "truth").into_iter().map(|value| value == 1.0).collect()
    }

    #[test]
    fn intervals_are_those_of_delongs_definition() {
        for case in golden("delong") {
            let (area, interval) = roc_auc_interval(&truth(&case), &column(&case, "scores")).unwrap();
            assert!((area - case["roc_auc"].as_f64().unwrap()).abs() < 1e-12);
            for (found, expected) in interval.unwrap().iter().zip(column(&case, "interval")) {
                assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
            }
        }
    }

    #[test]
    fn the_deviation_from_chance_is_the_mann_whitney_tests() {
        for case in golden("mann_whitney") {
            let (truth, values) = (truth(&case), column(&case, "values"));
            let positives = truth.iter().filter(|&&has| has).count();
            let deviation = chance_deviation(&midranks(&values), positives).unwrap();
            let z = (roc_auc(&truth, &values).unwrap() - 0.5) / deviation;
            assert!((z - case["z"].as_f64().unwrap()).abs() < 1e-6, "{z}, expected {}", case["z"]);
        }
        assert_eq!(chance_deviation(&midranks(&[2.0; 5]), 2), None);
    }

    #[test]
    fn a_perfect_order_has_an_interval_below_one_and_one_row_has_none() {
        let truth = [true, true, false, false, false];
        let (area, interval) = roc_auc_interval(&truth, &[2.0, 3.0, 1.0, 1.0, 0.0]).unwrap();
        assert_eq!((area, interval), (1.0, Some(exact_interval(2, 2, 0.95))));
        let (area, interval) = roc_auc_interval(&truth, &[0.0, 0.0, 1.0, 1.0, 2.0]).unwrap();
        assert_eq!((area, interval.unwrap()[0]), (0.0, 0.0));
        assert_eq!(roc_auc_interval(&[true, false, false], &[1.0, 2.0, 0.0]).unwrap().1, None);
        assert_eq!(roc_auc_interval(&[true], &[1.0]), Err(MetricError::OneClass));
    }
}
