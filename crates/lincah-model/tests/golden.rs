//! Tiny random models of every family against transformers and peft (`tools/golden/models.py`): every hidden state, every logit, every
//! LoRA gradient, ten Adam losses; and greedy continuations (`tools/golden/generation.py`).

mod harness;

use harness::{FAMILIES, FUSED, Golden, LOSSES, close, each_state_and_logits, numbers, pooled_states_are_means};
use lincah_kernels::reference::Reference;
use lincah_kernels::{Cpu, CudaPrecision, Kernels, cuda};
use lincah_model::weights::ModelFiles;
use lincah_model::{
    Adapter, Backbone, BackboneScorer, BackboneTraining, LoraConfig, Loss, ModelError, Objective, Optimizer, Scorer, Targets,
    TokenBatch, Training,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Largest difference, relative to the largest number of the array.
const TOLERANCE: f32 = 5e-5;
/// The same after ten optimizer steps, which divide small gradients by their own size.
const TRAINED_TOLERANCE: f32 = 1e-4;

/// The label's token, over the whole vocabulary.
const LABEL: Objective = Objective { loss: Loss::Label, candidates: &[] };

#[test]
fn hidden_states_and_logits_on_the_reference() {
    each_state_and_logits(Reference::<f32>::new, |golden, name, found| golden.close(name, found, TOLERANCE));
}

#[test]
fn hidden_states_and_logits_on_the_cpu() {
    each_state_and_logits(|| Cpu, |golden, name, found| golden.close(name, found, TOLERANCE));
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn hidden_states_and_logits_on_cuda() {
    each_state_and_logits(
        || cuda(0, Some(CudaPrecision::F32)).expect("a GPU"),
        |golden, name, found| golden.close(name, found, TOLERANCE),
    );
}

#[test]
fn pooled_states_on_the_cpu() {
    pooled_states_are_means(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn pooled_states_on_cuda() {
    pooled_states_are_means(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

fn losses_and_gradients<K: Kernels>(kernels: fn() -> K) {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let model = golden.model(kernels());
        let texts = golden.texts();
        let targets = &golden.integers["targets"];
        let labels = &golden.integers["label_tokens"];
        let rows: usize = texts.iter().map(|text| text.len()).sum();
        for (loss, name) in LOSSES {
            let weight = 1.0 / if loss == Loss::AllTokens { rows } else { texts.len() } as f32;
            for batch in [TokenBatch::new(&texts), TokenBatch::without_prefix(&texts)] {
                let mut training = model.train_adapter(&golden.adapter()).unwrap();
                let weights = vec![weight; texts.len()];
                let targets = Targets { texts: &numbers(texts.len()), tokens: targets, weights: &weights };
                let objective = Objective { loss, candidates: labels };
                let value = training.accumulate_gradients(&batch, &targets, objective, 0).unwrap();
                golden.close(&format!("loss.{name}"), &[value as f32], TOLERANCE);
                let gradients = training.gradients();
                assert_eq!(gradients.len(), golden.adapters()[0].tensors.len());
                for (key, gradient) in &golden.by_golden_key(&gradients) {
                    golden.close(&format!("grad.{name}.{key}"), gradient, TOLERANCE);
                }
            }
        }
    }
}

#[test]
fn losses_and_gradients_on_the_reference() {
    losses_and_gradients(Reference::<f32>::new);
}

#[test]
fn losses_and_gradients_on_the_cpu() {
    losses_and_gradients(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn losses_and_gradients_on_cuda() {
    losses_and_gradients(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

/// Query and value alone are adapted, so that gate and up may be one product.
fn gradients_beside_a_frozen_mlp<K: Kernels>(kernels: fn() -> K) {
    for golden in FAMILIES.map(Golden::read) {
        let ([_, adapter], texts) = (golden.adapters(), golden.texts());
        fn gradients<K: Kernels>(
            model: Arc<Backbone<K>>,
            adapter: &Adapter,
            batch: &TokenBatch,
            tokens: &[u32],
        ) -> BTreeMap<String, Vec<f32>> {
            let mut training = model.train_adapter(adapter).unwrap();
            let targets = Targets { texts: &numbers(tokens.len()), tokens, weights: &vec![1.0; tokens.len()] };
            training.accumulate_gradients(batch, &targets, LABEL, 0).unwrap();
            training.gradients()
        }
        let (batch, tokens) = (TokenBatch::new(&texts), &golden.integers["targets"]);
        let exact = gradients(golden.model(Reference::<f64>::new()), &adapter, &batch, tokens);
        let found = gradients(golden.model(kernels()), &adapter, &batch, tokens);
        assert_eq!(found.len(), adapter.tensors.len());
        for (key, exact) in &exact {
            close(&format!("{key} in {}", golden.folder.display()), exact, &found[key], TOLERANCE);
        }
    }
}

#[test]
fn gradients_beside_a_frozen_mlp_on_the_cpu() {
    gradients_beside_a_frozen_mlp(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn gradients_beside_a_frozen_mlp_on_cuda() {
    gradients_beside_a_frozen_mlp(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

#[test]
fn recomputation_gives_the_same_bits() {
    recomputation(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn recomputation_on_cuda_gives_the_same_bits() {
    recomputation(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
    recomputation(|| cuda(0, Some(CudaPrecision::Bf16)).expect("a GPU"));
}

/// Three steps each, so that a device that records has replayed one.
fn recomputation<K: Kernels>(kernels: impl Fn() -> K) {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let texts = golden.texts();
        for (loss, adapter) in [Loss::Label, Loss::AllTokens].into_iter().flat_map(|loss| golden.adapters().map(|a| (loss, a))) {
            let gradients = |recompute: bool| {
                let files = Arc::new(ModelFiles::open(&golden.folder).unwrap());
                let model = Arc::new(Backbone::load(kernels(), files).unwrap().with_recomputation(recompute));
                let mut training = model.train_adapter(&adapter).unwrap();
                let (tokens, weights) = (&golden.integers["targets"], vec![1.0; texts.len()]);
                let targets = Targets { texts: &numbers(texts.len()), tokens, weights: &weights };
                let mut step = || {
                    let objective = Objective { loss, candidates: &[] };
                    let value = training.accumulate_gradients(&TokenBatch::new(&texts), &targets, objective, 5).unwrap();
                    let gradients = training.gradients();
                    training.apply_gradients(&Optimizer::default(), 1e-2);
                    (value.to_bits(), gradients)
                };
                [step(), step(), step()]
            };
            assert_eq!(gradients(true), gradients(false), "{family} {loss:?}");
        }
    }
}

/// Weights of 8 bits are a hundredth off, and the layers add that up.
#[test]
fn scores_in_int8_are_near_those_in_f32_and_the_same_for_any_batch() {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let texts = golden.texts();
        let files = || Arc::new(ModelFiles::open(&golden.folder).unwrap());
        let base = Arc::new(Backbone::load_int8(Cpu, files()).unwrap());
        let [rounded, exact] = [&base, &golden.model(Cpu)].map(|base| base.scorer(Some(&golden.adapter())).unwrap());
        let score = |model: &BackboneScorer<Cpu>, texts: &[&[u32]]| model.score(&TokenBatch::new(texts), &[1, 2, 3]).unwrap();
        let (found, expected) = (score(&rounded, &texts), score(&exact, &texts));
        let largest = expected.iter().fold(0.0f32, |largest, logit| largest.max(logit.abs()));
        let error = found.iter().zip(&expected).fold(0.0f32, |error, (a, b)| error.max((a - b).abs()));
        assert!(error > 0.0 && error < 0.1 * largest, "{family}: {error} of {largest}");
        let alone: Vec<f32> = texts.iter().flat_map(|text| score(&rounded, &[text])).collect();
        assert_eq!(alone, found, "{family}");
        assert!(matches!(base.begin_training(&golden.adapter().config, 1), Err(ModelError::Int8Training)));
    }
}

#[test]
fn texts_that_begin_like_the_one_before_get_the_same_bits() {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let texts = golden.texts();
        let longer: Vec<Vec<u32>> = texts.iter().map(|text| [text, &text[..2]].concat()).collect();
        let texts: Vec<&[u32]> = texts.iter().copied().chain(longer.iter().map(Vec::as_slice)).collect();
        let model = golden.model(Cpu);
        let fresh = |adapter: bool| model.scorer(adapter.then(|| golden.adapter()).as_ref()).unwrap();
        let scores = |model: &BackboneScorer<Cpu>, texts: &[&[u32]]| -> Vec<u32> {
            model.score(&TokenBatch::new(texts), &[1, 2, 3]).unwrap().iter().map(|logit| logit.to_bits()).collect()
        };
        for adapter in [false, true] {
            let used = fresh(adapter);
            for batch in [&texts[..1], &texts[..1], &texts[texts.len() / 2..][..1], &texts[..], &texts[1..], &texts[..3]] {
                assert_eq!(scores(&used, batch), scores(&fresh(adapter), batch), "{family}");
            }
        }
    }
}

/// With LoRA in the last layer alone, a second epoch, in other batches, finds what the layers below made of its texts; a model that goes
/// on from the first epoch's state has to compute it again.
#[test]
fn frozen_layers_whose_outputs_are_kept_give_the_same_bits() {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let texts = golden.texts();
        let layers = golden.model(Cpu).config().layer_count();
        let config = LoraConfig { layers: Some(vec![layers - 1]), ..golden.adapter().config };
        let step = |training: &mut BackboneTraining<Cpu>, order: &[usize]| {
            let batch: Vec<&[u32]> = order.iter().map(|&text| texts[text]).collect();
            let tokens: Vec<u32> = order.iter().map(|&text| golden.integers["targets"][text]).collect();
            let targets = Targets { texts: &numbers(order.len()), tokens: &tokens, weights: &vec![1.0; order.len()] };
            let loss = training.accumulate_gradients(&TokenBatch::new(&batch), &targets, LABEL, 5).unwrap();
            training.apply_gradients(&Optimizer::default(), 1e-2);
            loss.to_bits()
        };
        let all = numbers(texts.len());
        let mut training = golden.model(Cpu).begin_training(&config, 3).unwrap();
        step(&mut training, &all);
        // A base model of its own, which knows none of the states.
        let resume = |training: &BackboneTraining<Cpu>| {
            golden.model(Cpu).resume_training(&training.adapter(), &training.optimizer_state()).unwrap()
        };
        let mut resumed = resume(&training);
        let backwards: Vec<usize> = all.iter().rev().copied().collect();
        for order in [&all[..], &backwards, &all[1..], &all[..1]] {
            assert_eq!(step(&mut training, order), step(&mut resumed, order), "{family} {order:?}");
            resumed = resume(&training);
        }
        assert_eq!(training.adapter().tensors, resumed.adapter().tensors, "{family}");
    }
}

/// The first step of a shape is run as it is, the second recorded, the others replayed; other batches of the shape lie between.
#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn replayed_steps_on_cuda_are_the_first_step_bit_for_bit() {
    for precision in [CudaPrecision::F32, CudaPrecision::Bf16] {
        for (golden, adapter) in FAMILIES.map(Golden::read).iter().flat_map(|golden| golden.adapters().map(|a| (golden, a))) {
            let model = golden.model(cuda(0, Some(precision)).expect("a GPU"));
            let mut training = model.train_adapter(&adapter).unwrap();
            let (texts, family) = (golden.texts(), &golden.folder);
            let mut step = |texts: &[&[u32]], tokens: &[u32]| {
                let weights = vec![0.5; texts.len()];
                let targets = Targets { texts: &numbers(texts.len()), tokens, weights: &weights };
                let loss = training.accumulate_gradients(&TokenBatch::new(texts), &targets, LABEL, 0).unwrap();
                let gradients = training.gradients();
                training.apply_gradients(&Optimizer::default(), 0.0);
                (loss.to_bits(), gradients)
            };
            let tokens = &golden.integers["targets"];
            let first = step(&texts, tokens);
            let reversed: Vec<&[u32]> = texts.iter().rev().copied().collect();
            let other: Vec<u32> = tokens.iter().rev().copied().collect();
            for _ in 0..3 {
                assert_ne!(step(&reversed, &other).1, first.1, "{family:?}");
                assert_eq!(step(&texts, tokens), first, "{family:?} {precision:?}");
            }
        }
    }
}

/// Probability of the second label for each text.
const SOFT: [f64; 3] = [0.25, 1.0, 0.6];

/// The loss is the soft cross-entropy of the golden logits, and the gradient the mixture of the hard targets' gradients.
fn soft_targets<K: Kernels>(kernels: fn() -> K) {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let model = golden.model(kernels());
        let texts = golden.texts();
        let labels = &golden.integers["label_tokens"];
        let vocabulary = model.config().vocabulary_size();
        let gradients_of = |loss: Loss, targets: &Targets| {
            let mut training = model.train_adapter(&golden.adapter()).unwrap();
            let objective = Objective { loss, candidates: labels };
            let value = training.accumulate_gradients(&TokenBatch::new(&texts), targets, objective, 0).unwrap();
            (value, training.gradients())
        };
        for loss in [Loss::Label, Loss::RestrictedLabel] {
            let mut entries: Vec<(usize, u32, f32)> = Vec::new();
            let (mut expected, mut mixture) = (0.0, BTreeMap::new());
            for (text, &share) in SOFT.iter().enumerate() {
                let logits: Vec<f64> =
                    golden.arrays["logits.last"][text * vocabulary..][..vocabulary].iter().map(|&v| f64::from(v)).collect();
                let among: Vec<u32> = if loss == Loss::Label { (0..vocabulary as u32).collect() } else { labels.clone() };
                let log_sum = among.iter().map(|&token| logits[token as usize].exp()).sum::<f64>().ln();
                for (&token, share) in labels.iter().zip([1.0 - share, share]).filter(|(_, share)| *share > 0.0) {
                    expected += share * (log_sum - logits[token as usize]);
                    entries.push((text, token, share as f32));
                    let (_, hard) = gradients_of(loss, &Targets { texts: &[text], tokens: &[token], weights: &[1.0] });
                    for (key, gradient) in hard {
                        let sum = mixture.entry(key).or_insert_with(|| vec![0.0; gradient.len()]);
                        sum.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += share * f64::from(value));
                    }
                }
            }
            let rows: Vec<usize> = entries.iter().map(|entry| entry.0).collect();
            let tokens: Vec<u32> = entries.iter().map(|entry| entry.1).collect();
            let weights: Vec<f32> = entries.iter().map(|entry| entry.2).collect();
            let (value, found) = gradients_of(loss, &Targets { texts: &rows, tokens: &tokens, weights: &weights });
            assert!((value - expected).abs() < 1e-4 * expected, "{family} {loss:?}: {value} but {expected}");
            assert_eq!(found.len(), mixture.len());
            for (key, gradient) in found {
                let largest = mixture[&key].iter().fold(0.0f64, |most, value| most.max(value.abs()));
                for (found, expected) in gradient.iter().zip(&mixture[&key]) {
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(difference <= f64::from(TOLERANCE) * largest, "{family} {loss:?} {key}: {found} but {expected}");
                }
            }
        }
    }
}

#[test]
fn soft_targets_on_the_reference() {
    soft_targets(Reference::<f32>::new);
}

#[test]
fn soft_targets_on_the_cpu() {
    soft_targets(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn soft_targets_on_cuda() {
    soft_targets(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

fn ten_steps_of_adam_and_of_adamw<K: Kernels>(kernels: fn() -> K) {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let texts = golden.texts();
        let targets = Targets {
            texts: &numbers(texts.len()),
            tokens: &golden.integers["targets"],
            weights: &vec![1.0 / texts.len() as f32; texts.len()],
        };
        for (name, weight_decay) in [("adam", 0.0), ("adamw", 0.1)] {
            let mut training = golden.model(kernels()).train_adapter(&golden.adapter()).unwrap();
            let optimizer = Optimizer { epsilon: 1e-8, weight_decay, ..Optimizer::default() };
            let batch = TokenBatch::new(&texts);
            let mut losses = Vec::new();
            for _ in 0..10 {
                losses.push(training.accumulate_gradients(&batch, &targets, LABEL, 0).unwrap() as f32);
                training.apply_gradients(&optimizer, 1e-2);
            }
            if golden.adapter().tensors.keys().any(|key| FUSED.iter().any(|(module, _)| key.contains(module))) {
                // PEFT trains one A for the projections of a fused module, lincah one for each: the first step alone is the same.
                let first = golden.arrays[&format!("{name}.label.losses")][0];
                assert!((losses[0] - first).abs() < TOLERANCE * first && losses[9] < 0.8 * first, "{family}: {losses:?}");
                continue;
            }
            golden.close(&format!("{name}.label.losses"), &losses, TRAINED_TOLERANCE);
            for (key, tensor) in training.adapter().tensors {
                golden.close(&format!("{name}.label.{key}"), &tensor.values, TRAINED_TOLERANCE);
            }
        }
    }
}

#[test]
fn ten_steps_of_adam_and_of_adamw_on_the_cpu() {
    ten_steps_of_adam_and_of_adamw(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn ten_steps_of_adam_and_of_adamw_on_cuda() {
    ten_steps_of_adam_and_of_adamw(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

/// The prompt read in parts, then each token as the model chooses it.
fn greedy_continuations<K: Kernels>(kernels: fn() -> K) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/generation.json");
    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for family in FAMILIES {
        let golden = Golden::read(family);
        let model = golden.model(kernels()).scorer(Some(&golden.adapter())).unwrap();
        for case in all[family].as_array().unwrap() {
            let numbers = |key: &str| serde_json::from_value::<Vec<f32>>(case[key].clone()).unwrap();
            let tokens = |key: &str| numbers(key).into_iter().map(|token| token as u32).collect::<Vec<_>>();
            let (prompt, expected) = (tokens("prompt"), tokens("tokens"));
            let mut decoding = model.decoding(prompt.len() + expected.len());
            decoding.read(&prompt[..4]).unwrap();
            let mut logits = decoding.read(&prompt[4..]).unwrap();
            let mut found = Vec::new();
            while found.len() < expected.len() {
                let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap() as u32;
                found.push(best);
                logits = decoding.read(&[best]).unwrap();
            }
            assert_eq!(found, expected, "{family}");
            assert!(matches!(decoding.read(&[1]), Err(ModelError::TextTooLong { .. })));
            let expected = numbers("logits");
            let largest = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * largest;
            assert!(
                expected.len() == logits.len() && expected.iter().zip(&logits).all(close),
                "{family}: {logits:?}, {expected:?}"
            );
        }
    }
}

#[test]
fn greedy_continuations_on_the_reference() {
    greedy_continuations(Reference::<f32>::new);
}

#[test]
fn greedy_continuations_on_the_cpu() {
    greedy_continuations(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn greedy_continuations_on_cuda() {
    greedy_continuations(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

#[test]
fn a_text_read_in_parts_gives_the_logits_of_the_whole_bit_for_bit() {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let base = golden.model(Cpu);
        let model = base.scorer(Some(&golden.adapter())).unwrap();
        let vocabulary = base.config().vocabulary_size();
        for text in golden.texts() {
            let whole = model.all_logits(&TokenBatch::without_prefix(&[text])).unwrap();
            for part in [1, 3, text.len()] {
                let mut decoding = model.decoding(usize::MAX);
                let mut read = 0;
                for tokens in text.chunks(part) {
                    read += tokens.len();
                    let expected = &whole[(read - 1) * vocabulary..read * vocabulary];
                    assert_eq!(decoding.read(tokens).unwrap(), expected, "{family}, {read} tokens in parts of {part}");
                }
            }
        }
    }
}

#[test]
fn a_refused_token_leaves_the_text_as_it_was() {
    let golden = Golden::read("gemma3");
    let model = golden.model(Cpu).scorer(None).unwrap();
    let (mut disturbed, mut calm) = (model.decoding(20), model.decoding(20));
    assert_eq!(disturbed.read(&[3, 4, 5]).unwrap(), calm.read(&[3, 4, 5]).unwrap());
    assert!(matches!(disturbed.read(&[6, 9999]), Err(ModelError::TokenOutOfVocabulary { token: 9999, .. })));
    assert!(matches!(disturbed.read(&[6; 18]), Err(ModelError::TextTooLong { length: 21, most: 20 })));
    assert_eq!(disturbed.read(&[6, 7]).unwrap(), calm.read(&[6, 7]).unwrap());
}

#[test]
fn both_spellings_of_a_configuration_give_one() {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(golden.folder.join("config.hub.json"), copy.path().join("config.json")).unwrap();
        std::fs::copy(golden.folder.join("model.safetensors"), copy.path().join("model.safetensors")).unwrap();
        let [ours, hub] =
            [golden.folder.as_path(), copy.path()].map(|path| format!("{:?}", ModelFiles::open(path).unwrap().config()));
        assert_eq!(ours, hub);
    }
}
