//! Many labels, of which each text's prompt lists only some: what label rows were measured against (`tools/bench/label_rows.py`).
//!
//! ```text
//! cargo run --release -p lincah --example listed_candidates -- MODEL TRAIN.jsonl TEST.jsonl EPOCHS SEED
//! ```
//! A line is `{"text": …, "label": …, "candidates": […]}`, the candidates of an instant classifier, the most probable first. Trains an adapter
//! on the first file's texts, and prints the second one's as `{"label": …, "probabilities": [one per candidate]}`.

use lincah::prompt::{LabelTokens, PromptEncoder};
use lincah::tokenizer::Tokenizer;
use lincah::{BaseModel, ComputeOptions, Device, LabelSet, Prompt, Recipe, Task};
use lincah_model::weights::ModelFiles;
use lincah_model::{Objective, Targets, TokenBatch};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use std::sync::Arc;

const MAX_TOKENS: usize = 256;

#[derive(Deserialize)]
struct Line {
    text: String,
    label: String,
    candidates: Vec<String>,
}

/// A prompt, the tokens of its candidates, and which of them is right.
struct Asked {
    prompt: Vec<u32>,
    tokens: Vec<u32>,
    right: Option<usize>,
    candidates: Vec<String>,
}

fn read(path: &str, tokenizer: &Tokenizer, keep_right: bool) -> Result<Vec<Asked>, Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let Line { text, label, mut candidates } = serde_json::from_str(line)?;
        if keep_right && !candidates.contains(&label) {
            *candidates.last_mut().ok_or("a line without candidates")? = label.clone();
        }
        let prompt = Prompt::new(Task::SingleLabel, LabelSet::new(candidates.clone())?)?;
        let (prompt, tokens) = LabelTokens::resolve(prompt, tokenizer)?;
        let encoded = PromptEncoder::new(tokenizer, &prompt, MAX_TOKENS)?.encode(&text)?;
        let right = candidates.iter().position(|candidate| *candidate == label);
        all.push(Asked { prompt: encoded.prompts[0].clone(), tokens: tokens.ids().to_vec(), right, candidates });
    }
    Ok(all)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, train, test, epochs, seed] = arguments.as_slice() else {
        return Err("give MODEL TRAIN.jsonl TEST.jsonl EPOCHS SEED".into());
    };
    let (epochs, seed): (usize, u64) = (epochs.parse()?, seed.parse()?);
    let tokenizer = BaseModel::tokenizer_of(model)?;
    let files = Arc::new(ModelFiles::open(&lincah::hub::resolve(model)?)?);
    let base = lincah_model::load(files, ComputeOptions::from(Device::Auto))?;
    let (train, test) = (read(train, &tokenizer, true)?, read(test, &tokenizer, false)?);
    let recipe = Recipe { epochs, seed, ..Recipe::default() };
    let mut training = base.begin_training(&recipe.lora, seed)?;
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let (mut step, steps) = (0, epochs * train.len().div_ceil(recipe.batch_size));
    for _ in 0..epochs {
        for place in (1..order.len()).rev() {
            order.swap(place, (draw.next_u64() % (place as u64 + 1)) as usize);
        }
        for batch in order.chunks(recipe.batch_size) {
            for text in batch.iter().map(|&row| &train[row]) {
                let right = text.right.ok_or("a training text without its label")?;
                let targets = Targets { texts: &[0], tokens: &[text.tokens[right]], weights: &[1.0 / batch.len() as f32] };
                let objective = Objective { loss: recipe.loss, candidates: &text.tokens };
                training.accumulate_gradients(&TokenBatch::new(&[&text.prompt]), &targets, objective, 0)?;
            }
            let rate = recipe.learning_rate * recipe.schedule.factor(step, steps, recipe.warmup);
            training.apply_gradients(&recipe.optimizer, rate);
            step += 1;
        }
    }
    let scorer = base.scorer(Some(&training.adapter()))?;
    for text in &test {
        let logits = scorer.score(&TokenBatch::new(&[&text.prompt]), &text.tokens)?;
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - highest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let probabilities: Vec<f64> = powers.iter().map(|power| power / sum).collect();
        let best = (0..powers.len()).max_by(|&left, &right| powers[left].total_cmp(&powers[right])).ok_or("no candidate")?;
        println!("{}", serde_json::json!({ "label": text.candidates[best], "probabilities": probabilities }));
    }
    Ok(())
}
