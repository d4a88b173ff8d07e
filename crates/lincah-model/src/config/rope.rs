//! Rotary position embedding: the frequencies of one layer.

/// Rotary position embedding of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RopeConfig {
    pub(crate) base: f32,
    pub(crate) scaling: RopeScaling,
}

/// How the rotary frequencies are stretched for longer contexts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RopeScaling {
    None,
    /// All frequencies divided by `factor`.
    Linear {
        factor: f32,
    },
    /// Llama 3.1's piecewise rule.
    Llama3 {
        factor: f32,
        low_frequency_factor: f32,
        high_frequency_factor: f32,
        original_max_positions: usize,
    },
    /// Each frequency divided by its own factor, as GGUF files write Llama 3.1's rule out (`rope_freqs.weight`).
    PerFrequency {
        factors: Vec<f32>,
    },
}

impl RopeConfig {
    /// Whether every angle of the first `positions` positions is a finite number.
    pub(crate) fn is_finite(&self, head_dimension: usize, positions: usize) -> bool {
        self.inverse_frequencies(head_dimension).iter().all(|frequency| (frequency * positions as f32).is_finite())
    }

    /// The angle that each pair of dimensions turns per position.
    ///
    /// Equation: `f_i = base^(-2i/C)`, for `i < C/2`, then scaled: not at all; `f_i / factor`; or, with the wavelength
    /// `l_i = 2 pi / f_i` and the original context `T`, Llama 3.1's rule: `f_i` where `l_i < T / high`, `f_i / factor` where
    /// `l_i > T / low`, and between them `(1 - s) f_i / factor + s f_i` with `s = (T / l_i - low) / (high - low)`.
    ///
    /// # Shapes
    /// `[C / 2]` for a head dimension `C`.
    ///
    /// Source: transformers `modeling_rope_utils.py`, whose order of f32 operations is kept.
    pub(crate) fn inverse_frequencies(&self, head_dimension: usize) -> Vec<f32> {
        let plain = (0..head_dimension / 2).map(|pair| 1.0 / self.base.powf((2 * pair) as f32 / head_dimension as f32));
        match &self.scaling {
            RopeScaling::None => plain.collect(),
            RopeScaling::Linear { factor } => plain.map(|frequency| frequency / factor).collect(),
            RopeScaling::PerFrequency { factors } => plain.zip(factors).map(|(frequency, factor)| frequency / factor).collect(),
            RopeScaling::Llama3 { factor, low_frequency_factor: low, high_frequency_factor: high, original_max_positions } => {
                let original = *original_max_positions as f32;
                let stretch = |frequency: f32| {
                    let wavelength = 2.0 * std::f32::consts::PI / frequency;
                    if wavelength < original / high {
                        frequency
                    } else if wavelength > original / low {
                        frequency / factor
                    } else {
                        let smooth = (original / wavelength - low) / (high - low);
                        (1.0 - smooth) * frequency / factor + smooth * frequency
                    }
                };
                plain.map(stretch).collect()
            }
        }
    }
}
