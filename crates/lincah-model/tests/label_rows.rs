//! Sequence classifiers that PEFT wrote (`tools/golden/label_rows.py`): logits of the label rows, the losses of exclusive and of independent
//! labels, every gradient, ten Adam steps.

mod harness;

use harness::{Golden, close, numbers};
use lincah_kernels::reference::Reference;
use lincah_kernels::{Cpu, CudaPrecision, Kernels, cuda};
use lincah_model::lora::AdapterTensor;
use lincah_model::{Adapter, LabelRowTargets, ModelError, Optimizer, Scorer, TokenBatch, Training};

const FAMILIES: [&str; 2] = ["llama", "gemma2"];
const LABELS: usize = 5;
const TARGETS: [usize; 3] = [3, 0, 4];
const INDEPENDENT: [[usize; LABELS]; 3] = [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 1, 0, 1]];
const ROWS_KEY: &str = "base_model.model.score.weight";
const TOLERANCE: f32 = 5e-5;
const TRAINED_TOLERANCE: f32 = 1e-4;

/// The tokens are the family's, the arrays those of its label rows.
fn golden(family: &str) -> (Golden, Golden, Adapter) {
    let (of_model, of_rows) = (Golden::read(family), Golden::read(&format!("{family}/label_rows")));
    let adapter = Adapter::read(&of_rows.folder).unwrap();
    (of_model, of_rows, adapter)
}

/// A pair of rows per label: zeros for no, the label's row for yes, whose softmax is the sigmoid.
fn in_pairs(adapter: &Adapter) -> Adapter {
    let rows = adapter.label_rows().unwrap();
    let width = rows.shape[1];
    let values = rows.values.chunks_exact(width).flat_map(|yes| std::iter::repeat_n(0.0, width).chain(yes.iter().copied()));
    adapter.clone().with_label_rows(AdapterTensor { shape: [2 * LABELS, width], values: values.collect() })
}

fn rows_score_labels<K: Kernels>(kernels: fn() -> K) {
    for family in FAMILIES {
        let (of_model, of_rows, adapter) = golden(family);
        let (model, texts) = (of_model.model(kernels()), of_model.texts());
        for batch in [TokenBatch::new(&texts), TokenBatch::without_prefix(&texts)] {
            let scorer = model.scorer(Some(&adapter)).unwrap();
            of_rows.close("logits", &scorer.score_label_rows(&batch).unwrap(), TOLERANCE);
            let mut training = model.train_adapter(&adapter).unwrap();
            let weights = [1.0 / 3.0; 3];
            let targets = LabelRowTargets { answers: LABELS, texts: &numbers(3), rows: &TARGETS, weights: &weights };
            let loss = training.accumulate_label_row_gradients(&batch, &targets, 0).unwrap();
            of_rows.close("loss.exclusive", &[loss as f32], TOLERANCE);
            let gradients = training.gradients();
            assert_eq!(gradients.len(), adapter.tensors.len());
            for (key, gradient) in &gradients {
                of_rows.close(&format!("grad.exclusive.{key}"), gradient, TOLERANCE);
            }

            let mut training = model.train_adapter(&in_pairs(&adapter)).unwrap();
            let rows: Vec<usize> =
                INDEPENDENT.iter().flat_map(|has| has.iter().enumerate().map(|(label, has)| 2 * label + has)).collect();
            let texts: Vec<usize> = (0..3 * LABELS).map(|entry| entry / LABELS).collect();
            let weights = [1.0 / 15.0; 15];
            let targets = LabelRowTargets { answers: 2, texts: &texts, rows: &rows, weights: &weights };
            let loss = training.accumulate_label_row_gradients(&batch, &targets, 0).unwrap();
            of_rows.close("loss.independent", &[loss as f32], TOLERANCE);
            for (key, gradient) in training.gradients() {
                let width = adapter.label_rows().unwrap().shape[1];
                let gradient = match key == ROWS_KEY {
                    true => gradient.chunks_exact(2 * width).flat_map(|pair| pair[width..].to_vec()).collect(),
                    false => gradient,
                };
                of_rows.close(&format!("grad.independent.{key}"), &gradient, TOLERANCE);
            }
        }
    }
}

fn rows_are_trained<K: Kernels>(kernels: fn() -> K) {
    for family in FAMILIES {
        let (of_model, of_rows, adapter) = golden(family);
        let (model, texts) = (of_model.model(kernels()), of_model.texts());
        let mut training = model.train_adapter(&adapter).unwrap();
        let optimizer = Optimizer { epsilon: 1e-8, ..Optimizer::default() };
        let losses: Vec<f32> = (0..10)
            .map(|_| {
                let weights = [1.0 / 3.0; 3];
                let targets = LabelRowTargets { answers: LABELS, texts: &numbers(3), rows: &TARGETS, weights: &weights };
                let loss = training.accumulate_label_row_gradients(&TokenBatch::new(&texts), &targets, 0).unwrap();
                training.apply_gradients(&optimizer, 1e-2);
                loss as f32
            })
            .collect();
        of_rows.close("adam.losses", &losses, TRAINED_TOLERANCE);
        for (key, tensor) in training.adapter().tensors {
            of_rows.close(&format!("adam.{key}"), &tensor.values, TRAINED_TOLERANCE);
        }
    }
}

#[test]
fn label_rows_on_the_reference() {
    rows_score_labels(Reference::<f32>::new);
    rows_are_trained(Reference::<f32>::new);
}

#[test]
fn label_rows_on_the_cpu() {
    rows_score_labels(|| Cpu);
    rows_are_trained(|| Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn label_rows_on_cuda() {
    rows_score_labels(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
    rows_are_trained(|| cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

/// The first step of a shape is run as it is, the second recorded, the others replayed.
#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn replayed_label_row_steps_on_cuda_are_the_first_bit_for_bit() {
    for (precision, family) in [CudaPrecision::F32, CudaPrecision::Bf16].into_iter().zip(FAMILIES) {
        let (of_model, _, adapter) = golden(family);
        let (model, texts) = (of_model.model(cuda(0, Some(precision)).expect("a GPU")), of_model.texts());
        let mut training = model.train_adapter(&adapter).unwrap();
        let mut step = |texts: &[&[u32]], rows: &[usize]| {
            let targets = LabelRowTargets { answers: LABELS, texts: &numbers(3), rows, weights: &[0.5; 3] };
            let loss = training.accumulate_label_row_gradients(&TokenBatch::new(texts), &targets, 0).unwrap();
            let gradients = training.gradients();
            training.apply_gradients(&Optimizer::default(), 0.0);
            (loss.to_bits(), gradients)
        };
        let first = step(&texts, &TARGETS);
        let reversed: Vec<&[u32]> = texts.iter().rev().copied().collect();
        for _ in 0..3 {
            assert_ne!(step(&reversed, &[0, 1, 2]).1, first.1, "{family}");
            assert_eq!(step(&texts, &TARGETS), first, "{family} {precision:?}");
        }
    }
}

#[test]
fn a_soft_target_is_the_mixture_of_hard_ones() {
    let (of_model, _, adapter) = golden("llama");
    let (model, texts) = (of_model.model(Cpu), of_model.texts());
    let gradients = |adapter: &Adapter, targets: &LabelRowTargets| {
        let mut training = model.train_adapter(adapter).unwrap();
        let loss = training.accumulate_label_row_gradients(&TokenBatch::new(&texts), targets, 0).unwrap();
        (loss, training.gradients())
    };
    for (adapter, answers, rows) in [(adapter.clone(), LABELS, [1, 4]), (in_pairs(&adapter), 2, [6, 7])] {
        let hard = rows.map(|row| gradients(&adapter, &LabelRowTargets { answers, texts: &[1], rows: &[row], weights: &[1.0] }));
        let targets = LabelRowTargets { answers, texts: &[1, 1], rows: &rows, weights: &[0.25, 0.75] };
        let (loss, soft) = gradients(&adapter, &targets);
        assert!((loss - 0.25 * hard[0].0 - 0.75 * hard[1].0).abs() < 1e-5, "{loss}");
        for (key, gradient) in soft {
            let of = |of: usize| hard[of].1[&key].iter();
            let mixture: Vec<f32> = of(0).zip(of(1)).map(|(first, second)| 0.25 * first + 0.75 * second).collect();
            close(&key, &mixture, &gradient, TOLERANCE);
        }
    }
}

#[test]
fn what_is_written_is_read_again_and_what_does_not_fit_is_refused() {
    let (of_model, _, adapter) = golden("llama");
    let model = of_model.model(Cpu);
    let folder = tempfile::tempdir().unwrap();
    adapter.write(folder.path(), "tiny-llama").unwrap();
    assert_eq!(Adapter::read(folder.path()).unwrap(), adapter);
    let config = std::fs::read_to_string(folder.path().join("adapter_config.json")).unwrap();
    assert!(config.contains("\"SEQ_CLS\"") && config.contains("\"score\""), "{config}");

    // The head of a sequence classifier is not made up.
    of_model.adapter().write(folder.path(), "tiny-llama").unwrap();
    std::fs::write(folder.path().join("adapter_config.json"), config).unwrap();
    assert!(Adapter::read(folder.path()).unwrap_err().to_string().contains(ROWS_KEY));

    let batch = TokenBatch::new(&of_model.texts());
    let without = model.scorer(Some(&of_model.adapter())).unwrap();
    assert!(matches!(without.score_label_rows(&batch), Err(ModelError::NoLabelRows)));
    let mut training = model.train_adapter(&adapter).unwrap();
    for (answers, row) in [(LABELS, LABELS), (2, 1), (0, 0)] {
        let targets = LabelRowTargets { answers, texts: &[0], rows: &[row], weights: &[1.0] };
        let refused = training.accumulate_label_row_gradients(&batch, &targets, 0);
        assert!(matches!(refused, Err(ModelError::NoLabelRows)), "{answers} {row}");
    }
    let narrow = AdapterTensor { shape: [LABELS, 2], values: vec![0.0; 2 * LABELS] };
    assert!(model.scorer(Some(&adapter.with_label_rows(narrow))).is_err());
}

#[test]
fn rows_begin_as_the_mean_of_the_names_rows_of_the_head() {
    let (of_model, ..) = golden("llama");
    let model = of_model.model(Cpu);
    let rows = |tokens: &[&[u32]]| model.head_rows(&tokens.iter().map(|tokens| tokens.to_vec()).collect::<Vec<_>>()).unwrap();
    let (single, pair) = (rows(&[&[5], &[9]]), rows(&[&[5, 9]]));
    let width = pair.shape[1];
    let mean: Vec<f32> = (0..width).map(|column| (single.values[column] + single.values[width + column]) / 2.0).collect();
    close("mean", &mean, &pair.values, 1e-6);
    assert!(model.head_rows(&[vec![u32::MAX]]).is_err());
}
