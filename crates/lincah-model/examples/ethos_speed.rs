//! Times training and scoring on texts as long as ETHOS's: `ethos_speed MODEL DEVICE LENGTHS PREFIX [f32|bf16 [BATCH...]]`.
//!
//! `LENGTHS` is a JSON list of numbers of tokens, prompt included; of each text's tokens the first `PREFIX` are those of all, as a prompt's
//! are, and the others random. The steps are those of the "Agile classifiers" recipe but for the loss, which is on the label alone:
//! LoRA of rank 4 on query and value, Adam. A batch's texts follow one another in the list, 20 batches after 3 that are not timed. One
//! line of JSON each.

use lincah_model::weights::ModelFiles;
use lincah_model::{
    ComputeOptions, Device, LoraConfig, LoraLayout, Loss, Objective, Optimizer, Target, Targets, TokenBatch, Training, load,
};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const WARM_UP: usize = 3;
const STEPS: usize = 20;
const LONGEST: usize = 126;

/// Texts of random tokens behind a shared prefix.
struct Texts {
    texts: Vec<Vec<u32>>,
}

impl Texts {
    fn new(lengths: &[usize], prefix: usize, vocabulary: u32) -> Self {
        let mut state = 1u32;
        let mut token = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % vocabulary
        };
        let shared: Vec<u32> = (0..prefix).map(|_| token()).collect();
        let own = |&length: &usize| length.min(LONGEST).saturating_sub(prefix).max(1);
        let text = |length: &usize| shared.iter().copied().chain((0..own(length)).map(|_| token())).collect();
        let texts = lengths.iter().map(text).collect();
        Self { texts }
    }

    /// `size` texts from text `first` on, beginning again at the end.
    fn batch(&self, first: usize, size: usize) -> TokenBatch {
        let texts: Vec<&[u32]> = (first..first + size).map(|text| self.texts[text % self.texts.len()].as_slice()).collect();
        TokenBatch::new(&texts)
    }
}

fn step(training: &mut dyn Training, batch: &TokenBatch) -> Result<f64, Box<dyn Error>> {
    let size = batch.texts();
    let (texts, weights): (Vec<usize>, Vec<f32>) = ((0..size).collect(), vec![1.0 / size as f32; size]);
    let labels: Vec<u32> = (0..size as u32).map(|text| 1 + text % 2).collect();
    let targets = Targets { texts: &texts, tokens: &labels, weights: &weights };
    let objective = Objective { loss: Loss::RestrictedLabel, candidates: &[1, 2] };
    let loss = training.accumulate_gradients(batch, &targets, objective, 0)?;
    training.apply_gradients(&Optimizer::default(), 5e-4);
    Ok(loss)
}

fn train(training: &mut dyn Training, texts: &Texts, size: usize) -> Result<(), Box<dyn Error>> {
    let (mut begun, mut rows, mut loss) = (Instant::now(), 0, 0.0);
    for number in 0..WARM_UP + STEPS {
        if number == WARM_UP {
            (begun, rows) = (Instant::now(), 0);
        }
        let batch = texts.batch(number * size, size);
        rows += batch.rows();
        loss = step(training, &batch)?;
    }
    let seconds = begun.elapsed().as_secs_f64() / STEPS as f64;
    println!(
        r#"{{"what":"train","bs":{size},"ex_per_s":{:.1},"ms_step":{:.2},"rows":{},"loss":{loss:.6}}}"#,
        size as f64 / seconds,
        1e3 * seconds,
        rows / STEPS
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, device, lengths, prefix, rest @ ..] = arguments.as_slice() else {
        return Err("usage: ethos_speed MODEL DEVICE LENGTHS PREFIX [f32|bf16 [BATCH...]]".into());
    };
    let precision = rest.first().map(|name| name.parse()).transpose()?;
    let compute = ComputeOptions { precision, ..ComputeOptions::from(device.parse::<Device>()?) };
    let files = Arc::new(ModelFiles::open(Path::new(model))?);
    let begun = Instant::now();
    let model = load(files.clone(), compute)?;
    eprintln!("loaded in {:.1} s", begun.elapsed().as_secs_f64());
    let lengths: Vec<usize> = serde_json::from_slice(&std::fs::read(lengths)?)?;
    let texts = Texts::new(&lengths, prefix.parse()?, files.config().vocabulary_size() as u32);

    let targets = vec![Target::Query, Target::Value];
    let config = LoraConfig {
        rank: 4,
        alpha: 4.0,
        dropout: 0.0,
        targets,
        layers: None,
        rank_stabilized: false,
        layout: LoraLayout::Whole,
    };
    let mut training = model.begin_training(&config, 7)?;
    let sizes = rest.iter().skip(1).map(|size| size.parse()).collect::<Result<Vec<usize>, _>>()?;
    for &size in if sizes.is_empty() { &[2, 8, 32, 128, 256, 512][..] } else { &sizes } {
        if let Err(error) = train(training.as_mut(), &texts, size) {
            println!(r#"{{"what":"train","bs":{size},"error":"{error}"}}"#);
        }
    }
    if !sizes.is_empty() {
        return Ok(());
    }
    training = model.begin_training(&config, 7)?;
    let mut epochs = Vec::new();
    for _ in 0..4 {
        let begun = Instant::now();
        for number in 0..400 {
            step(training.as_mut(), &texts.batch(number * 2, 2))?;
        }
        epochs.push(begun.elapsed().as_secs_f64());
    }
    println!(
        r#"{{"what":"800 examples, 4 epochs, batch 2","seconds":{:.2},"each":{epochs:.2?},"ex_per_s_last":{:.1}}}"#,
        epochs.iter().sum::<f64>(),
        800.0 / epochs[3]
    );
    drop(training);
    let scorer = model.scorer(None)?;
    for size in [1, 32, 128, 512] {
        let batch = texts.batch(0, size);
        let mut begun = Instant::now();
        for number in 0..WARM_UP + STEPS {
            if number == WARM_UP {
                begun = Instant::now();
            }
            scorer.score(&batch, &[1, 2])?;
        }
        let seconds = begun.elapsed().as_secs_f64() / STEPS as f64;
        println!(r#"{{"what":"score","bs":{size},"ex_per_s":{:.1},"rows":{}}}"#, size as f64 / seconds, batch.rows());
    }
    Ok(())
}
