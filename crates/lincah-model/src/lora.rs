//! Low-rank adapters (Hu et al. 2021): what they adapt, how they begin, and the files in which PEFT keeps them.

mod config_file;
mod files;
mod fused;

pub use files::AdapterError;
pub(crate) use fused::{FUSED, Fused};

use crate::config::BackboneConfig;
use crate::sha256;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A linear layer that can be adapted, by PEFT's module name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// Query projection.
    #[serde(rename = "q_proj")]
    Query,
    /// Key projection.
    #[serde(rename = "k_proj")]
    Key,
    /// Value projection.
    #[serde(rename = "v_proj")]
    Value,
    /// Output projection of attention.
    #[serde(rename = "o_proj")]
    Output,
    /// Gate projection of the MLP.
    #[serde(rename = "gate_proj")]
    Gate,
    /// Up projection of the MLP.
    #[serde(rename = "up_proj")]
    Up,
    /// Down projection of the MLP.
    #[serde(rename = "down_proj")]
    Down,
}

impl Target {
    /// All seven, in the order in which a block applies them.
    pub const ALL: [Self; 7] = [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// PEFT's name, such as `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::Output => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// Path of the module inside a layer, such as `self_attn.q_proj`.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Target {
    type Err = AdapterError;

    fn from_str(name: &str) -> Result<Self, AdapterError> {
        Self::ALL
            .into_iter()
            .find(|target| target.name() == name)
            .ok_or_else(|| AdapterError::UnknownTarget { name: name.to_string() })
    }
}

/// How the factors of the query, key and value projections are laid out over the heads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoraLayout {
    /// One pair of factors for all heads, as PEFT has it.
    #[default]
    Whole,
    /// One A a head and one B for all heads, as Keras' `EinsumDense.enable_lora` has it: `y_h = x A_hᵀ Bᵀ`. The rank is a head's.
    ///
    /// Kept and saved in its exact whole form: A's rows are the heads' one after the other, B has the shared factor in every block of
    /// its diagonal, and every projection is padded with zeros to the rank of the one with most heads.
    PerHead,
}

named_choices!(LoraLayout, "LoRA layout": Whole = "whole", PerHead = "per-head");

/// Shape and reach of an adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// R.
    pub rank: usize,
    /// The product is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Probability with which an input of the adapter is dropped in training.
    pub dropout: f64,
    /// Which projections are adapted.
    pub targets: Vec<Target>,
    /// Which layers are adapted; `None` is all.
    pub layers: Option<Vec<usize>>,
    /// Scale `alpha / sqrt(rank)` instead (Kalajdzievski 2023).
    pub rank_stabilized: bool,
    /// How the heads share it.
    #[serde(default)]
    pub layout: LoraLayout,
}

impl LoraConfig {
    /// `alpha / rank`, or `alpha / sqrt(rank)` where rank-stabilized.
    pub fn scale(&self) -> f32 {
        let divisor = if self.rank_stabilized { (self.rank as f64).sqrt() } else { self.rank as f64 };
        (self.alpha / divisor) as f32
    }

    /// Heads that have an A of their own in `target`.
    pub(crate) fn heads(&self, target: Target, model: &BackboneConfig) -> usize {
        match (self.layout, target) {
            (LoraLayout::PerHead, Target::Query) => model.head_count,
            (LoraLayout::PerHead, Target::Key | Target::Value) => model.key_value_head_count,
            _ => 1,
        }
    }

    /// Rank of the whole form.
    pub(crate) fn whole_rank(&self, model: &BackboneConfig) -> usize {
        self.rank * self.targets.iter().map(|&target| self.heads(target, model)).max().unwrap_or(1)
    }

    /// The same adapter in whole form, whose rank is `whole_rank`.
    fn whole(&self, whole_rank: usize) -> Self {
        let times = whole_rank as f64 / self.rank as f64;
        let alpha = self.alpha * if self.rank_stabilized { times.sqrt() } else { times };
        Self { rank: whole_rank, alpha, layout: LoraLayout::Whole, ..self.clone() }
    }

    /// Whether `layer` is adapted.
    pub fn adapts(&self, layer: usize) -> bool {
        self.layers.as_ref().is_none_or(|layers| layers.contains(&layer))
    }

    /// Checks that the adapter can be trained in `model`: each value in its range, and the rank at most the hidden size D, beyond which it
    /// gains nothing.
    ///
    /// # Errors
    /// Names the value that is out of range.
    pub fn check(&self, model: &BackboneConfig) -> Result<(), AdapterError> {
        if self.rank > model.hidden_size {
            return Err(AdapterError::RankTooLarge { rank: self.rank, most: model.hidden_size });
        }
        self.check_values(model.layers.len())
    }

    /// The same for an adapter whose arrays are at hand: their shapes bound its rank, which in a mean of members may be above D.
    pub(crate) fn check_values(&self, layer_count: usize) -> Result<(), AdapterError> {
        let refuse =
            |field: &'static str, value: String, expected: &'static str| Err(AdapterError::OutOfRange { field, value, expected });
        if self.rank == 0 {
            return refuse("rank", self.rank.to_string(), "at least 1");
        }
        if !(self.alpha > 0.0 && self.scale() > 0.0 && self.scale().is_finite()) {
            return refuse("alpha", self.alpha.to_string(), "above 0, and small enough for a scale in single precision");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse("dropout", self.dropout.to_string(), "from 0 to below 1");
        }
        if self.targets.is_empty() {
            return refuse("targets", String::from("none"), "at least one projection");
        }
        match &self.layers {
            Some(layers) if layers.is_empty() => refuse("layers", String::from("none"), "at least one layer"),
            Some(layers) => match layers.iter().find(|&&layer| layer >= layer_count) {
                Some(layer) => Err(AdapterError::NoSuchLayer { layer: *layer, layer_count }),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

impl BackboneConfig {
    /// Outputs and inputs of a projection.
    pub(crate) fn projection_shape(&self, target: Target) -> [usize; 2] {
        let queries = self.head_count * self.head_dimension;
        let keys = self.key_value_head_count * self.head_dimension;
        match target {
            Target::Query => [queries, self.hidden_size],
            Target::Key | Target::Value => [keys, self.hidden_size],
            Target::Output => [self.hidden_size, queries],
            Target::Gate | Target::Up => [self.intermediate_size, self.hidden_size],
            Target::Down => [self.hidden_size, self.intermediate_size],
        }
    }
}

/// One array of an adapter, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterTensor {
    /// `[R, I]` for A, `[O, R]` for B, `[L, D]` for label rows.
    pub shape: [usize; 2],
    /// The numbers.
    pub values: Vec<f32>,
}

/// An adapter's configuration and arrays, apart from any model.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Shape and reach.
    pub config: LoraConfig,
    /// Arrays by PEFT's key, such as `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub tensors: BTreeMap<String, AdapterTensor>,
}

impl Adapter {
    /// SHA-256, in 64 hexadecimal digits, over all that decides what the adapter adds to a layer: the scale, and of each array, in the order
    /// of the keys, its key, shape and numbers.
    ///
    /// It belongs to the numbers, not to a file: it is the same before [`write`](Self::write) and after [`read`](Self::read), and for files
    /// that hold the same numbers in another type. Dropout, which only training knows, is not part of it.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.whole_config().scale().to_le_bytes());
        for (key, tensor) in &self.tensors {
            hash.update((key.len() as u64).to_le_bytes());
            hash.update(key);
            tensor.shape.iter().for_each(|&length| hash.update((length as u64).to_le_bytes()));
            let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            hash.update(bytes);
        }
        sha256::hexadecimal(hash.finalize())
    }

    /// The rows that score labels in place of tokens, if it has them. # Shapes: `[L, D]`, or `[2 L, D]` of independent labels.
    pub fn label_rows(&self) -> Option<&AdapterTensor> {
        self.tensors.get(LABEL_ROWS_KEY)
    }

    /// The same adapter with rows of labels.
    #[must_use]
    pub fn with_label_rows(mut self, rows: AdapterTensor) -> Self {
        self.tensors.insert(String::from(LABEL_ROWS_KEY), rows);
        self
    }

    /// The same adapter without rows of labels.
    #[must_use]
    pub fn without_label_rows(mut self) -> Self {
        self.tensors.remove(LABEL_ROWS_KEY);
        self
    }

    /// The configuration of the whole form, in which the arrays are.
    fn whole_config(&self) -> LoraConfig {
        let whole_rank = self.tensors.iter().find_map(|(key, tensor)| key.ends_with("lora_A.weight").then_some(tensor.shape[0]));
        self.config.whole(whole_rank.unwrap_or(self.config.rank))
    }

    /// What the product of the factors is multiplied by.
    pub(crate) fn scale(&self) -> f32 {
        self.whole_config().scale()
    }

    /// The rank of its arrays.
    pub(crate) fn rank(&self) -> usize {
        self.whole_config().rank
    }

    /// One adapter whose product is the mean of the members' products, `ΔW = Σ scale B_m A_m / M`: the A's below one another, the B's beside
    /// one another, the rank M times as high (the average of Wortsman et al. 2022, kept as factors); and the mean of their label rows. All in
    /// the layout [`LoraLayout::Whole`], with the same configuration and arrays.
    ///
    /// # Panics
    /// If there is no member, or the members are not alike.
    pub fn average(members: &[Self]) -> Self {
        let (first, count) = (&members[0], members.len());
        let alike = |member: &Self| member.config == first.config && member.tensors.keys().eq(first.tensors.keys());
        assert!(
            first.config.layout == LoraLayout::Whole && members.iter().all(alike),
            "only adapters that are alike have a mean"
        );
        let alpha = if first.config.rank_stabilized { first.config.alpha / (count as f64).sqrt() } else { first.config.alpha };
        let stack = |key: &String| {
            let tensors: Vec<&AdapterTensor> = members.iter().map(|member| &member.tensors[key]).collect();
            let [rows, columns] = tensors[0].shape;
            if key == LABEL_ROWS_KEY {
                let mean = |place: usize| tensors.iter().map(|tensor| tensor.values[place]).sum::<f32>() / count as f32;
                return AdapterTensor { shape: [rows, columns], values: (0..rows * columns).map(mean).collect() };
            }
            if key.ends_with("lora_A.weight") {
                let values = tensors.iter().flat_map(|tensor| tensor.values.iter().copied()).collect();
                return AdapterTensor { shape: [count * rows, columns], values };
            }
            let row = |row: usize| tensors.iter().flat_map(move |tensor| &tensor.values[row * columns..(row + 1) * columns]);
            AdapterTensor { shape: [rows, count * columns], values: (0..rows).flat_map(row).copied().collect() }
        };
        Self {
            config: LoraConfig { rank: count * first.config.rank, alpha, ..first.config.clone() },
            tensors: first.tensors.keys().map(|key| (key.clone(), stack(key))).collect(),
        }
    }
}

/// PEFT's key of the label rows: the module that it saves whole for `task_type` SEQ_CLS.
pub(crate) const LABEL_ROWS_KEY: &str = "base_model.model.score.weight";

/// PEFT's key of a factor: `factor` is `A` or `B`.
pub(crate) fn tensor_key(layer: usize, target: Target, factor: char) -> String {
    format!("base_model.model.model.layers.{layer}.{}.lora_{factor}.weight", target.module())
}

/// Draws A for each adapted layer, uniform, from one seed.
pub(crate) struct Initializer(ChaCha8Rng);

impl Initializer {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// `[rank, inputs]` in ±bound: 1/√I in PEFT (kaiming_uniform with a = √5), √(6 / (heads I)) in Keras (he_uniform, whose fan-in
    /// counts every head).
    pub(crate) fn factor_a(&mut self, rank: usize, inputs: usize, bound: f32) -> Vec<f32> {
        (0..rank * inputs).map(|_| ((self.0.next_u32() >> 8) as f32 / (1u32 << 23) as f32 - 1.0) * bound).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scale B A`, `[O, I]`, of the one projection that is there.
    fn product(adapter: &Adapter) -> Vec<f32> {
        let [a, b] = ['A', 'B'].map(|factor| &adapter.tensors[&tensor_key(0, Target::Query, factor)]);
        let ([rank, inputs], outputs) = (a.shape, b.shape[0]);
        let element = |o: usize, i: usize| (0..rank).map(|r| b.values[o * rank + r] * a.values[r * inputs + i]).sum::<f32>();
        (0..outputs).flat_map(|o| (0..inputs).map(move |i| (o, i))).map(|(o, i)| adapter.config.scale() * element(o, i)).collect()
    }

    #[test]
    fn the_average_has_the_mean_of_the_products() {
        for rank_stabilized in [false, true] {
            let mut initializer = Initializer::new(5);
            let mut member = || {
                let (a, b) = (initializer.factor_a(2, 5, 1.0), initializer.factor_a(3, 2, 1.0));
                let tensors = [('A', [2, 5], a), ('B', [3, 2], b)];
                let tensors = tensors
                    .map(|(factor, shape, values)| (tensor_key(0, Target::Query, factor), AdapterTensor { shape, values }));
                let config = LoraConfig {
                    rank: 2,
                    alpha: 3.0,
                    dropout: 0.0,
                    targets: vec![Target::Query],
                    layers: None,
                    rank_stabilized,
                    layout: LoraLayout::Whole,
                };
                Adapter { config, tensors: tensors.into() }
            };
            let members = [member(), member(), member()];
            let products: Vec<Vec<f32>> = members.iter().map(product).collect();
            for (place, found) in product(&Adapter::average(&members)).into_iter().enumerate() {
                let mean = products.iter().map(|product| product[place]).sum::<f32>() / 3.0;
                assert!((found - mean).abs() < 1e-6, "{found} {mean}");
            }
        }
    }
}
