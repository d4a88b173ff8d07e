//! The learning rate of each step.

use serde::{Deserialize, Serialize};

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// In a straight line to 0 at the last step.
    Linear,
    /// Along half a cosine to 0 at the last step (Loshchilov & Hutter 2017).
    Cosine,
}

named_choices!(Schedule, "schedule": Constant = "constant", Linear = "linear", Cosine = "cosine");

impl Schedule {
    /// Factor on the learning rate at `step` (from 0) of `steps`: `min(1, (step + 1) / (warmup steps)) * shape(step / steps)`, with
    /// `warmup` the share of the steps that warm up.
    pub fn factor(self, step: usize, steps: usize, warmup: f64) -> f64 {
        let progress = step as f64 / steps as f64;
        let shape = match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - progress,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        };
        let warmup_steps = warmup * steps as f64;
        let rise = if warmup_steps > 0.0 { ((step + 1) as f64 / warmup_steps).min(1.0) } else { 1.0 };
        rise * shape.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn factors_rise_then_fall_as_the_formula_says() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(Schedule::Constant.factor(99, 100, 0.0), 1.0);
        close(Schedule::Constant.factor(0, 100, 0.1), 0.1);
        close(Schedule::Linear.factor(0, 400, 0.06), 1.0 / 24.0);
        close(Schedule::Linear.factor(200, 400, 0.06), 0.5);
        close(Schedule::Cosine.factor(100, 200, 0.0), 0.5);
        close(Schedule::Cosine.factor(50, 200, 0.0), 0.5 * (1.0 + 0.5f64.sqrt()));
    }
}
