//! One base model and many users at once: each gets the bits that it would get alone.

mod harness;

use harness::{FAMILIES, Golden, numbers};
use lincah_kernels::{Cpu, CudaPrecision, Kernels, cuda};
use lincah_model::{Adapter, Backbone, LoraConfig, Loss, Objective, Optimizer, Scorer, Targets, TokenBatch, Training};
use std::sync::Arc;

/// Steps of each training, so that a device that records replays some.
const STEPS: usize = 6;

/// The losses' bits and the adapter that a training ends with.
fn trained<K: Kernels>(base: &Arc<Backbone<K>>, golden: &Golden, config: &LoraConfig, seed: u64) -> (Vec<u64>, Adapter) {
    let texts = golden.texts();
    let mut training = base.begin_training(config, seed).unwrap();
    let (tokens, weights) = (&golden.integers["targets"], vec![1.0; texts.len()]);
    let targets = Targets { texts: &numbers(texts.len()), tokens, weights: &weights };
    let objective = Objective { loss: Loss::Label, candidates: &[] };
    let mut step = |step: usize| {
        let loss = training.accumulate_gradients(&TokenBatch::new(&texts), &targets, objective, step as u64).unwrap();
        training.apply_gradients(&Optimizer::default(), 1e-2);
        loss.to_bits()
    };
    let losses = (0..STEPS).map(&mut step).collect();
    (losses, training.adapter())
}

fn scores<K: Kernels>(base: &Arc<Backbone<K>>, golden: &Golden, adapter: Option<&Adapter>) -> Vec<Vec<u32>> {
    let (scorer, texts) = (base.scorer(adapter).unwrap(), golden.texts());
    let score = |text: usize| -> Vec<u32> {
        let logits = scorer.score(&TokenBatch::new(&texts[text % texts.len()..]), &[1, 2, 3]).unwrap();
        logits.iter().map(|logit| logit.to_bits()).collect()
    };
    (0..4 * STEPS).map(score).collect()
}

fn many_users_at_once<K: Kernels>(kernels: impl Fn() -> K) {
    for golden in FAMILIES.map(Golden::read) {
        let whole = golden.adapter().config;
        let last = golden.model(kernels()).config().layer_count() - 1;
        let upper = LoraConfig { layers: Some(vec![last]), dropout: 0.1, ..whole.clone() };
        let alone = |config| trained(&golden.model(kernels()), &golden, config, 3);
        let expected = [alone(&whole), alone(&upper)];
        let expected_scores = [None, Some(&golden.adapter())].map(|adapter| scores(&golden.model(kernels()), &golden, adapter));
        let (base, adapter) = (golden.model(kernels()), golden.adapter());
        std::thread::scope(|scope| {
            let trainings = [&whole, &upper].map(|config| scope.spawn(|| trained(&base, &golden, config, 3)));
            let scorers = [None, Some(&adapter)].map(|adapter| {
                let (base, golden) = (&base, &golden);
                scope.spawn(move || scores(base, golden, adapter))
            });
            assert_eq!(trainings.map(|training| training.join().unwrap()), expected, "{}", golden.folder.display());
            assert_eq!(scorers.map(|scorer| scorer.join().unwrap()), expected_scores, "{}", golden.folder.display());
        });
        assert_eq!(scores(&base, &golden, None), expected_scores[0], "the base is as it was");
    }
}

#[test]
fn trainings_and_scorers_at_once_on_the_cpu() {
    many_users_at_once(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn trainings_and_scorers_at_once_on_cuda() {
    for precision in [CudaPrecision::F32, CudaPrecision::Bf16] {
        many_users_at_once(|| cuda(0, Some(precision)).expect("a GPU"));
    }
}

/// Trainings that follow one another compute what frozen layers make of a text once, as long as somebody holds the states.
#[test]
fn frozen_states_live_as_long_as_they_are_held() {
    let golden = Golden::read("llama");
    let base = golden.model(Cpu);
    let held = base.frozen_states();
    let training = base.train_adapter(&golden.adapter()).unwrap();
    assert!(Arc::ptr_eq(&held, &base.frozen_states()));
    let weak = Arc::downgrade(&held);
    drop(held);
    assert!(weak.upgrade().is_some(), "the training holds them");
    drop(training);
    assert!(weak.upgrade().is_none());
}

/// Only what is to be trained has its rank bounded by the model's width.
#[test]
fn the_mean_of_many_members_scores_though_its_rank_is_above_the_width() {
    let golden = Golden::read("llama");
    let base = golden.model(Cpu);
    let member = golden.adapter();
    let members = base.config().hidden_size() / member.config.rank + 1;
    let mean = Adapter::average(&vec![member.clone(); members]);
    assert!(mean.config.rank > base.config().hidden_size());
    let bits = |adapter: &Adapter| scores(&base, &golden, Some(adapter)).concat();
    for (of_mean, of_member) in bits(&mean).into_iter().zip(bits(&member)) {
        let (of_mean, of_member) = (f32::from_bits(of_mean), f32::from_bits(of_member));
        assert!(
            (of_mean - of_member).abs() < 1e-3,
            "the mean of one and the same adapter is that adapter: {of_mean} {of_member}"
        );
    }
    assert!(base.begin_training(&mean.config, 1).is_err());
}
