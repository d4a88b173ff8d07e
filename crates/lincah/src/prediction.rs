//! What a classifier says about a text: probabilities, and the decision that a rule makes of them.

use crate::label::LabelSet;
use crate::task::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// From this probability on a text has an independent label, unless a rule says otherwise.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// Probabilities are kept so far from 0 and 1 before their log-odds are taken.
const LEAST: f64 = 1e-12;

/// What is decided about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This one of the exclusive labels.
    Label(usize),
    /// For each of the independent labels, whether the text has it.
    Labels(Vec<bool>),
    /// Nothing: a person should look.
    Abstain,
}

impl Decision {
    /// The labels that are given, by name.
    pub fn names(&self, labels: &[String]) -> Vec<String> {
        labels.iter().zip(self.given(labels.len())).filter(|(_, given)| *given).map(|(label, _)| label.clone()).collect()
    }

    /// Whether each of `labels` labels is given; none is where the decision was to abstain.
    pub fn given(&self, labels: usize) -> Vec<bool> {
        match self {
            Self::Label(label) => (0..labels).map(|index| index == *label).collect(),
            Self::Labels(given) => given.clone(),
            Self::Abstain => vec![false; labels],
        }
    }
}

/// How probabilities become a decision. The default is the most probable of exclusive labels (ties go to the first), and every independent
/// label at or above [`DEFAULT_THRESHOLD`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRule {
    /// A probability per label; empty for the default. An independent label is given from its threshold on. Of two exclusive labels, the
    /// last is given from its threshold on, else the first. Of more, the most probable one is given, unless it is below its threshold:
    /// then nothing is decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f64>,
    /// A band per label, from its first to below its second probability, in which nothing is decided; empty for none. One label's band is
    /// enough to leave a text to a person. Of two exclusive labels the last one's counts, of more none does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<[f64; 2]>,
    /// What each label's threshold was chosen for, as [`DecisionTarget`](crate::decisions::DecisionTarget) shows it; empty where it was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

impl DecisionRule {
    /// Decides about one text. # Shapes: probabilities `[labels]`.
    pub fn decide(&self, task: Task, probabilities: &[f64]) -> Decision {
        if self.is_in_a_band(task, probabilities) {
            return Decision::Abstain;
        }
        match (task, self.thresholds.as_slice()) {
            (Task::MultiLabel, []) => Decision::Labels(probabilities.iter().map(|&p| p >= DEFAULT_THRESHOLD).collect()),
            (Task::MultiLabel, thresholds) => {
                Decision::Labels(probabilities.iter().zip(thresholds).map(|(p, t)| p >= t).collect())
            }
            (Task::SingleLabel, []) => Decision::Label(most_probable(probabilities)),
            (Task::SingleLabel, &[_, positive]) => Decision::Label(usize::from(probabilities[1] >= positive)),
            (Task::SingleLabel, thresholds) => {
                let best = most_probable(probabilities);
                if probabilities[best] >= thresholds[best] { Decision::Label(best) } else { Decision::Abstain }
            }
        }
    }

    /// How far probabilities are from another decision, as a difference of log-odds: from each threshold and the ends of each band, and of
    /// exclusive labels from the second most probable one. 0 where nothing is decided. # Shapes: probabilities `[labels]`.
    pub fn margin(&self, task: Task, probabilities: &[f64]) -> f64 {
        if self.decide(task, probabilities) == Decision::Abstain {
            return 0.0;
        }
        let logit = |p: f64| {
            let p = p.clamp(LEAST, 1.0 - LEAST);
            (p / (1.0 - p)).ln()
        };
        let from = |label: usize, at: f64| (logit(probabilities[label]) - logit(at)).abs();
        let threshold = |label: usize| self.thresholds.get(label).copied();
        let first = match (task, probabilities.len()) {
            (Task::MultiLabel, _) => 0,
            (Task::SingleLabel, 2) => 1,
            (Task::SingleLabel, _) => {
                let best = most_probable(probabilities);
                let other = |(label, &p): (usize, &f64)| if label == best { 0.0 } else { p };
                let second = probabilities.iter().enumerate().map(other).fold(0.0, f64::max);
                let apart = probabilities[best].max(LEAST).ln() - second.max(LEAST).ln();
                return threshold(best).map_or(apart, |at| from(best, at).min(apart));
            }
        };
        let of_label = |label: usize| {
            let ends = self.review.get(label).into_iter().flatten();
            ends.map(|&end| from(label, end)).fold(from(label, threshold(label).unwrap_or(DEFAULT_THRESHOLD)), f64::min)
        };
        (first..probabilities.len()).map(of_label).fold(f64::INFINITY, f64::min)
    }

    /// Whether a probability lies where nothing is decided.
    fn is_in_a_band(&self, task: Task, probabilities: &[f64]) -> bool {
        let first = match (task, probabilities.len()) {
            (Task::MultiLabel, _) => 0,
            (Task::SingleLabel, 2) => 1,
            (Task::SingleLabel, labels) => labels,
        };
        probabilities.iter().zip(&self.review).skip(first).any(|(p, [low, high])| (low..high).contains(&p))
    }

    /// What a label's threshold was chosen for.
    pub fn target_of(&self, label: usize) -> Option<&str> {
        self.targets.get(label).map(String::as_str).filter(|target| !target.is_empty())
    }

    /// Whether it fits a task with so many labels, and its numbers can be compared with: a file may say anything.
    pub fn fits(&self, labels: usize) -> bool {
        let lengths = [self.thresholds.len(), self.review.len(), self.targets.len()];
        let numbers = self.thresholds.iter().chain(self.review.iter().flatten());
        lengths.into_iter().all(|length| length == 0 || length == labels) && numbers.into_iter().all(|number| number.is_finite())
    }
}

/// The place of the highest probability; ties go to the first.
pub(crate) fn most_probable(probabilities: &[f64]) -> usize {
    (1..probabilities.len()).fold(0, |best, label| if probabilities[label] > probabilities[best] { label } else { best })
}

/// One text's probabilities, and what is decided about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Probability of each label, in the labels' order. Those of exclusive labels sum to 1; those of independent labels to nothing in
    /// particular.
    pub probabilities: Vec<f64>,
    /// What the classifier's rule makes of them.
    pub decision: Decision,
    /// Characters at the end of the text that did not fit into the prompt and were not seen.
    pub truncated_characters: usize,
    /// What each of several members says, before any calibration: `[members][labels]`; empty where there is one.
    pub members: Vec<Vec<f64>>,
}

impl Prediction {
    /// Probabilities with what the default rule makes of them.
    pub fn new(task: Task, probabilities: Vec<f64>, truncated_characters: usize) -> Self {
        let decision = DecisionRule::default().decide(task, &probabilities);
        Self { decision, probabilities, truncated_characters, members: Vec::new() }
    }

    /// The prediction as every door tells it: `label` or `labels` (what is most probable, or more probable than not), `scores` by label, `decision`
    /// (a label, a list of labels, or null), `review` (whether a person should look) and `truncated_characters`.
    pub fn named(&self, task: Task, labels: &LabelSet) -> Map<String, Value> {
        let named = |decision: &Decision| match decision {
            Decision::Label(label) => Value::from(labels.names()[*label].clone()),
            Decision::Labels(_) => decision.names(labels.names()).into(),
            Decision::Abstain => Value::Null,
        };
        let key = if task == Task::SingleLabel { "label" } else { "labels" };
        Map::from_iter([
            (String::from(key), named(&self.likely(task))),
            (String::from("scores"), labels.by_name(&self.probabilities).into()),
            (String::from("decision"), named(&self.decision)),
            (String::from("review"), Value::from(self.decision == Decision::Abstain)),
            (String::from("truncated_characters"), Value::from(self.truncated_characters)),
        ])
    }

    /// What the default rule makes of the probabilities: the most probable of exclusive labels, or those that are more probable than not.
    pub fn likely(&self, task: Task) -> Decision {
        DecisionRule::default().decide(task, &self.probabilities)
    }

    /// Whether the first of several members has answered alone.
    pub fn is_by_first_member(&self) -> bool {
        self.members.len() == 1
    }

    /// The most probable label; ties go to the first.
    pub fn most_probable(&self) -> usize {
        most_probable(&self.probabilities)
    }

    /// Whether everything is decided as it is true.
    pub fn is_right(&self, truth: &[bool]) -> bool {
        !self.is_abstained() && self.given() == truth
    }

    /// Whether it was left to a person.
    pub fn is_abstained(&self) -> bool {
        self.decision == Decision::Abstain
    }

    /// Whether each label is given.
    pub fn given(&self) -> Vec<bool> {
        self.decision.given(self.probabilities.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_label_and_independent_labels_are_given_from_one_half_on() {
        let rule = DecisionRule::default();
        assert_eq!(rule.decide(Task::SingleLabel, &[0.5, 0.5]), Decision::Label(0));
        assert_eq!(rule.decide(Task::SingleLabel, &[0.2, 0.3, 0.5]), Decision::Label(2));
        assert_eq!(rule.decide(Task::MultiLabel, &[0.5, 0.4999, 1.0]), Decision::Labels(vec![true, false, true]));
    }

    #[test]
    fn thresholds_decide_per_label() {
        let rule = DecisionRule { thresholds: vec![0.7, 0.3], ..DecisionRule::default() };
        assert_eq!(rule.decide(Task::SingleLabel, &[0.7, 0.3]), Decision::Label(1));
        assert_eq!(rule.decide(Task::SingleLabel, &[0.71, 0.29]), Decision::Label(0));
        assert_eq!(rule.decide(Task::MultiLabel, &[0.5, 0.3]), Decision::Labels(vec![false, true]));
        let rule = DecisionRule { thresholds: vec![0.5; 3], ..DecisionRule::default() };
        assert_eq!(rule.decide(Task::SingleLabel, &[0.2, 0.3, 0.5]), Decision::Label(2));
        assert_eq!(rule.decide(Task::SingleLabel, &[0.2, 0.4, 0.4]), Decision::Abstain);
        assert_eq!(Decision::Abstain.given(2), [false, false]);
    }

    #[test]
    fn nothing_is_decided_in_a_band() {
        let rule = DecisionRule { thresholds: vec![0.5, 0.5], review: vec![[0.4, 0.6], [0.3, 0.6]], ..DecisionRule::default() };
        assert_eq!(rule.decide(Task::SingleLabel, &[0.7, 0.3]), Decision::Abstain);
        assert_eq!(rule.decide(Task::SingleLabel, &[0.4, 0.6]), Decision::Label(1));
        assert_eq!(rule.decide(Task::MultiLabel, &[0.5, 0.9]), Decision::Abstain);
        assert_eq!(rule.decide(Task::MultiLabel, &[0.6, 0.2]), Decision::Labels(vec![true, false]));
        assert!(rule.fits(2) && !rule.fits(3));
        assert!(!DecisionRule { thresholds: vec![f64::NAN, 0.5], ..DecisionRule::default() }.fits(2));
    }
}
