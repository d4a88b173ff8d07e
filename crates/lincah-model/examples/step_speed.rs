//! Times training steps and scoring: `step_speed MODEL DEVICE BATCH PREFIX OWN RANK [TARGETS]`, on texts of random tokens, `OWN` to
//! `OWN / 2` of them behind a shared prefix. The loss of the last step is printed so that two runs of as many steps can be compared.

use lincah_model::weights::ModelFiles;
use lincah_model::{Device, LoraConfig, LoraLayout, Loss, Objective, Optimizer, Target, Targets, TokenBatch, load};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Runs before the clock starts.
const WARM_UP: usize = 5;
/// Timed runs, and the seconds after which no other one begins, warming up or timed.
const RUNS: usize = 20;
const LONGEST: f64 = 20.0;

/// Mean seconds of a run.
fn seconds(mut run: impl FnMut(u64) -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut done = 0;
    let mut for_a_while = |most: usize| -> Result<f64, Box<dyn Error>> {
        let (begun, before) = (Instant::now(), done);
        while done < before + most as u64 && (done == before || begun.elapsed().as_secs_f64() < LONGEST) {
            run(done)?;
            done += 1;
        }
        Ok(begun.elapsed().as_secs_f64() / (done - before) as f64)
    };
    for_a_while(WARM_UP)?;
    for_a_while(RUNS)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, device, batch, prefix, own, rank, targets @ ..] = arguments.as_slice() else {
        return Err("usage: step_speed MODEL DEVICE BATCH PREFIX OWN RANK [TARGETS]".into());
    };
    let [batch, prefix, own, rank] = [batch, prefix, own, rank].map(|number| number.parse::<usize>());
    let (batch, prefix, own, rank) = (batch?, prefix?, own?, rank?);
    let files = Arc::new(ModelFiles::open(Path::new(model))?);
    let begun = Instant::now();
    let model = load(files.clone(), device.parse::<Device>()?.into())?;
    eprintln!("loaded in {:.1} s", begun.elapsed().as_secs_f64());
    let vocabulary = files.config().vocabulary_size() as u32;
    let mut state = 1u32;
    let mut token = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % vocabulary
    };
    let shared: Vec<u32> = (0..prefix).map(|_| token()).collect();
    let texts: Vec<Vec<u32>> = (0..batch)
        .map(|text| {
            let length = own - text % (own / 2 + 1);
            shared.iter().copied().chain((0..length).map(|_| token())).collect()
        })
        .collect();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let batch_of_tokens = TokenBatch::new(&texts);
    let rows = batch_of_tokens.rows();

    let scorer = model.scorer(None)?;
    let score = seconds(|_| {
        scorer.score(&batch_of_tokens, &[1, 2])?;
        Ok(())
    })?;

    let names = targets.first().map_or("q_proj,v_proj", String::as_str);
    let targets = names.split(',').map(str::parse::<Target>).collect::<Result<_, _>>()?;
    let config = LoraConfig {
        rank,
        alpha: 2.0 * rank as f64,
        dropout: 0.1,
        targets,
        layers: None,
        rank_stabilized: false,
        layout: LoraLayout::Whole,
    };
    let mut training = model.begin_training(&config, 7)?;
    let objective = Objective { loss: Loss::RestrictedLabel, candidates: &[1, 2] };
    let weights = vec![1.0 / batch as f32; batch];
    let labels: Vec<u32> = (0..batch as u32).map(|text| 1 + text % 2).collect();
    let texts: Vec<usize> = (0..batch).collect();
    let targets = Targets { texts: &texts, tokens: &labels, weights: &weights };
    let mut loss = 0.0;
    let step = seconds(|step| {
        loss = training.accumulate_gradients(&batch_of_tokens, &targets, objective, step)?;
        training.apply_gradients(&Optimizer::default(), 1e-4);
        Ok(())
    })?;
    println!(
        "{device} batch {batch} rows {rows} rank {rank}: step {:.2} ms, {:.0} examples/s; score {:.2} ms, {:.0} texts/s; loss {loss:.9}",
        1e3 * step,
        batch as f64 / step,
        1e3 * score,
        batch as f64 / score,
    );
    Ok(())
}
