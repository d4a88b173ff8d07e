//! The threshold that reaches a target on rows.

use super::target::DecisionTarget;

/// Scored rows of one label against the rest.
pub(super) struct LabelRows {
    /// Whether each row has the label.
    pub(super) truth: Vec<bool>,
    /// Its probability; none where the row is never given the label, since another one is more probable.
    pub(super) scores: Vec<Option<f64>>,
    /// Whether the probabilities are calibrated, so that they can be taken at their word.
    pub(super) calibrated: bool,
}

/// What flagging the rows from a score on gives.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// The lowest score that is flagged.
    score: f64,
    /// Σ of the flagged scores.
    expected: f64,
    true_positives: f64,
    false_positives: f64,
}

impl Cut {
    fn flagged(self) -> f64 {
        self.true_positives + self.false_positives
    }

    fn precision(self) -> f64 {
        self.true_positives / self.flagged()
    }
}

/// A threshold, and whether the target is reached with it on the rows that chose it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chosen {
    pub(super) threshold: f64,
    pub(super) reached: bool,
}

impl LabelRows {
    /// The cuts below each distinct score, from the highest score down.
    fn cuts(&self) -> Vec<Cut> {
        let mut order: Vec<usize> = (0..self.scores.len()).filter(|&row| self.scores[row].is_some()).collect();
        let score = |row: usize| self.scores[row].unwrap_or(0.0);
        order.sort_by(|&left, &right| score(right).total_cmp(&score(left)));
        let mut cut = Cut { score: f64::INFINITY, expected: 0.0, true_positives: 0.0, false_positives: 0.0 };
        let tied = order.chunk_by(|&left, &right| score(left) == score(right));
        tied.map(|rows| {
            for &row in rows {
                *(if self.truth[row] { &mut cut.true_positives } else { &mut cut.false_positives }) += 1.0;
                cut.expected += score(row);
            }
            cut.score = score(rows[0]);
            cut
        })
        .collect()
    }

    /// The threshold for a target, in the middle between the lowest score that is flagged and the next one below.
    ///
    /// A target that no threshold reaches gets the one that comes nearest. Of a precision that is where it is highest; the false-positive
    /// rate is always reached by flagging nothing.
    pub(super) fn choose(&self, target: DecisionTarget) -> Chosen {
        let cuts = self.cuts();
        let positives = self.truth.iter().filter(|&&truth| truth).count() as f64;
        let negatives = self.truth.len() as f64 - positives;
        let at = |place: usize| {
            let below = cuts.get(place + 1).map_or(0.0, |next| next.score);
            (cuts[place].score + below) / 2.0
        };
        let best = |value: &dyn Fn(&Cut) -> f64| {
            // The first of equals flags fewest.
            let places = 0..cuts.len();
            places.fold(None, |best: Option<usize>, place| match best {
                Some(best) if value(&cuts[best]) >= value(&cuts[place]) => Some(best),
                _ => Some(place),
            })
        };
        let nothing = Chosen { threshold: 1.0, reached: false };
        let chosen =
            |place: Option<usize>, reached: bool| place.map_or(nothing, |place| Chosen { threshold: at(place), reached });
        match target {
            DecisionTarget::Threshold(threshold) => Chosen { threshold, reached: true },
            DecisionTarget::Precision(wanted) => {
                // Counted precision leaps with every row; of two estimates the lower has to reach the target.
                let precision = |cut: &Cut| {
                    let expected = if self.calibrated { cut.expected / cut.flagged() } else { 1.0 };
                    cut.precision().min(expected)
                };
                match cuts.iter().rposition(|cut| precision(cut) >= wanted) {
                    Some(place) => chosen(Some(place), true),
                    None => chosen(best(&precision), false),
                }
            }
            DecisionTarget::Recall(wanted) => {
                let place = cuts.iter().position(|cut| cut.true_positives >= wanted * positives);
                chosen(place.or(cuts.len().checked_sub(1)), place.is_some() && positives > 0.0)
            }
            DecisionTarget::FalsePositiveRate(most) => {
                let place = cuts.iter().rposition(|cut| cut.false_positives <= most * negatives);
                place.map_or(Chosen { threshold: 1.0, reached: true }, |place| Chosen { threshold: at(place), reached: true })
            }
            DecisionTarget::Cost { false_positive, false_negative } if self.calibrated => {
                Chosen { threshold: false_positive / (false_positive + false_negative), reached: true }
            }
            DecisionTarget::Cost { false_positive, false_negative } => {
                let saved = |cut: &Cut| cut.true_positives * false_negative - cut.false_positives * false_positive;
                let place = best(&saved).filter(|&place| saved(&cuts[place]) > 0.0);
                place.map_or(Chosen { threshold: 1.0, reached: true }, |place| chosen(Some(place), true))
            }
            DecisionTarget::F1 => chosen(best(&|cut| 2.0 * cut.true_positives / (cut.flagged() + positives)), positives > 0.0),
        }
    }

    /// The edges between which neither side is right often enough: the lowest score from which on at most `error` of the flagged rows are
    /// wrong, and the highest below which at most `error` of the others are. Where both leave nothing between, `threshold` moved into
    /// what they leave.
    pub(super) fn band(&self, error: f64, threshold: f64) -> [f64; 2] {
        let cuts = self.cuts();
        let positives = self.truth.iter().filter(|&&truth| truth).count() as f64;
        let rows = self.truth.len() as f64;
        let at = |place: usize| (cuts[place].score + cuts.get(place + 1).map_or(0.0, |next| next.score)) / 2.0;
        let high = cuts.iter().rposition(|cut| 1.0 - cut.precision() <= error).map_or(1.0, at);
        let clear = |cut: &Cut| positives - cut.true_positives <= error * (rows - cut.flagged());
        let low = cuts.iter().position(|cut| rows > cut.flagged() && clear(cut)).map_or(0.0, at);
        if low < high { [low, high] } else { [threshold.clamp(high, low); 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(calibrated: bool) -> LabelRows {
        let scores = [0.9, 0.8, 0.7, 0.6, 0.4, 0.2];
        LabelRows { truth: vec![true, true, false, true, false, false], scores: scores.map(Some).to_vec(), calibrated }
    }

    #[test]
    fn thresholds_lie_in_the_middle_below_the_last_flagged_score() {
        let choose = |target: &str| {
            let chosen = rows(false).choose(target.parse().unwrap());
            ((chosen.threshold * 100.0).round() / 100.0, chosen.reached)
        };
        assert_eq!(choose("precision=0.75"), (0.5, true));
        assert_eq!(choose("precision=0.9"), (0.75, true));
        assert_eq!(choose("recall=0.6"), (0.75, true));
        assert_eq!(choose("recall=0.9"), (0.5, true));
        assert_eq!(choose("fpr=0.2"), (0.75, true));
        assert_eq!(choose("fpr=0.4"), (0.5, true));
        assert_eq!(choose("f1"), (0.5, true));
        assert_eq!(choose("cost fp=10,fn=1"), (0.75, true));
        assert_eq!(choose("cost fp=1,fn=10"), (0.5, true));
        assert_eq!(choose("threshold=0.33"), (0.33, true));
        assert_eq!(rows(true).choose("cost fp=1,fn=9".parse().unwrap()).threshold, 0.1);
        // Taken at their word, 0.9, 0.8, 0.7 and 0.6 are right in three of four.
        assert_eq!(rows(true).choose(DecisionTarget::Precision(0.76)).threshold, 0.75);
    }

    #[test]
    fn a_target_out_of_reach_is_told() {
        let rows = LabelRows { truth: vec![false, true], scores: vec![Some(0.9), Some(0.8)], calibrated: false };
        assert_eq!(rows.choose(DecisionTarget::Precision(0.9)), Chosen { threshold: 0.4, reached: false });
        let never = LabelRows { truth: vec![true, false], scores: vec![None, Some(0.8)], calibrated: false };
        assert!(!never.choose(DecisionTarget::Recall(0.5)).reached);
    }

    #[test]
    fn a_band_leaves_out_what_is_wrong_too_often() {
        let [low, high] = rows(false).band(0.0, 0.5);
        assert!((low - 0.5).abs() < 1e-12 && (high - 0.75).abs() < 1e-12, "{low} {high}");
        let [low, high] = rows(false).band(0.5, 0.45);
        assert_eq!(low, high);
    }
}
