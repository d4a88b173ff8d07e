//! What must be the same to the last bit, and Adam against PyTorch.

mod harness;
mod noise;
mod rerun;

use harness::attention::groups;
use harness::{Output, operations};
use lincah_kernels::reference::Reference;
use lincah_kernels::{
    Activation, AdamStep, AttentionGradients, AttentionSaved, AttentionShape, Cpu, Kernels, LoraGradients, LoraSaved, LoraShape,
    NormShape, RaggedLayout,
};
use noise::Noise;
use std::ops::Range;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn every_operation_gives_the_same_bits_on_any_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
        pool.install(|| operations::<Cpu>().into_iter().flat_map(|(_, run)| run(&Cpu).0).collect::<Vec<_>>())
    };
    let expected = run(1);
    for threads in [2, 3, 5] {
        for (output, expected) in run(threads).iter().zip(&expected) {
            let what = |output: &Output| (output.name.clone(), output.length, output.tolerance);
            assert_eq!(what(output), what(expected));
            assert!(bits(&output.values) == bits(&expected.values), "{} differs on {threads} threads", output.name);
        }
    }
}

/// The sum is returned in f64, finer than the arrays that the operations above leave.
#[test]
fn the_squared_norm_is_the_same_on_any_number_of_threads() {
    let x = Noise::new(40).take(100_003).into();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
        pool.install(|| Cpu.squared_norm(&x)).to_bits()
    };
    assert_eq!([run(2), run(3), run(5)], [run(1); 3]);
}

#[test]
fn every_plainer_instruction_set_passes_too() {
    rerun::with_every_plainer_instruction_set("every_plainer_instruction_set_passes_too");
}

const WIDTH: usize = 80;
const HEADS: usize = 3;
const KEY_VALUE_HEADS: usize = 1;
const HEAD_DIMENSION: usize = 20;
const HIDDEN: usize = 130;
const RANK: usize = 5;

type Array = <Cpu as Kernels>::Buffer;

/// Random weights of one decoder block with LoRA on its query.
struct Block {
    attention: AttentionShape,
    norm: Array,
    query: <Cpu as Kernels>::Matrix,
    key: <Cpu as Kernels>::Matrix,
    value: <Cpu as Kernels>::Matrix,
    lora: [Array; 2],
    gate: <Cpu as Kernels>::Matrix,
    up: <Cpu as Kernels>::Matrix,
    rope: <Cpu as Kernels>::RopeTable,
}

/// Everything that a block's forward and backward leave for each row: `(name, width, values)`.
type Rows = Vec<(&'static str, usize, Vec<f32>)>;

impl Block {
    fn new(window: Option<usize>, soft_cap: Option<f32>) -> Self {
        let mut noise = Noise::new(30);
        let mut matrix = |outputs: usize, inputs: usize| Cpu.matrix(noise.take(outputs * inputs), outputs, inputs);
        let (queries, keys) = (HEADS * HEAD_DIMENSION, KEY_VALUE_HEADS * HEAD_DIMENSION);
        Self {
            query: matrix(queries, WIDTH),
            key: matrix(keys, WIDTH),
            value: matrix(keys, WIDTH),
            gate: matrix(HIDDEN, queries),
            up: matrix(HIDDEN, queries),
            attention: AttentionShape {
                heads: HEADS,
                key_value_heads: KEY_VALUE_HEADS,
                head_dimension: HEAD_DIMENSION,
                scale: 0.05,
                soft_cap,
                window,
                causal: true,
            },
            norm: noise.take(WIDTH).into(),
            lora: [noise.take(RANK * WIDTH).into(), noise.take(queries * RANK).into()],
            rope: Cpu.rope_table(&[1.0, 0.5, 0.25, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.001], 200),
        }
    }

    /// Runs the block on `x` and the gradient `dy` of its outputs, both for all rows.
    fn run(&self, layout: &RaggedLayout, x: &Array, dy: &Array) -> Rows {
        let rows = layout.rows();
        let (queries, keys) = (HEADS * HEAD_DIMENSION, KEY_VALUE_HEADS * HEAD_DIMENSION);
        let empty = |width: usize| Array::from(vec![f32::NAN; rows * width]);
        let norm = NormShape { rows, width: WIDTH, epsilon: 1e-5 };
        let lora = LoraShape { rows, inputs: WIDTH, outputs: queries, rank: RANK, scale: 2.0 };

        let (mut normed, mut r) = (empty(WIDTH), empty(1));
        Cpu.rms_norm(norm, x, &self.norm, &mut normed, &mut r);
        let (mut query, mut key, mut value, mut h) = (empty(queries), empty(keys), empty(keys), empty(RANK));
        Cpu.adapted_linear(lora, (&normed, &self.query), (&normed, &self.lora[0], &self.lora[1]), &mut h, &mut query);
        Cpu.linear(rows, &normed, &self.key, &mut key);
        Cpu.linear(rows, &normed, &self.value, &mut value);
        Cpu.rope(&self.rope, layout, HEADS, &mut query);
        Cpu.rope(&self.rope, layout, KEY_VALUE_HEADS, &mut key);
        let (mut attended, mut log_sum) = (empty(queries), empty(HEADS));
        Cpu.attention(self.attention, layout, (&query, &key, &value), &mut attended, &mut log_sum);
        let (mut gate, mut up, mut y) = (empty(HIDDEN), empty(HIDDEN), empty(HIDDEN));
        Cpu.linear(rows, &attended, &self.gate, &mut gate);
        Cpu.linear(rows, &attended, &self.up, &mut up);
        Cpu.gated_activation(Activation::GeluTanh, &gate, &up, &mut y);

        let (mut d_gate, mut d_up, mut d_attended) = (empty(HIDDEN), empty(HIDDEN), Cpu.zeros(rows * queries));
        Cpu.gated_activation_backward(Activation::GeluTanh, (&gate, &up), dy, &mut d_gate, &mut d_up);
        Cpu.linear_backward(rows, &d_gate, &self.gate, &mut d_attended);
        Cpu.linear_backward(rows, &d_up, &self.up, &mut d_attended);
        let (mut d_query, mut d_key, mut d_value) = (empty(queries), empty(keys), empty(keys));
        let saved = AttentionSaved { query: &query, key: &key, value: &value, output: &attended, log_sum: &log_sum };
        let gradients = AttentionGradients { query: &mut d_query, key: &mut d_key, value: &mut d_value };
        Cpu.attention_backward(self.attention, layout, saved, &d_attended, gradients);
        Cpu.rope_backward(&self.rope, layout, HEADS, &mut d_query);
        Cpu.rope_backward(&self.rope, layout, KEY_VALUE_HEADS, &mut d_key);
        let mut d_normed = empty(WIDTH);
        let (mut da, mut db) = (Cpu.zeros(RANK * WIDTH), Cpu.zeros(queries * RANK));
        let saved = LoraSaved { input: &normed, hidden: &h, a: &self.lora[0], b: &self.lora[1] };
        let gradients = LoraGradients { a: &mut da, b: &mut db, input: &mut d_normed };
        Cpu.adapted_linear_backward(lora, &self.query, saved, &d_query, (gradients, false));
        Cpu.linear_backward(rows, &d_key, &self.key, &mut d_normed);
        Cpu.linear_backward(rows, &d_value, &self.value, &mut d_normed);
        let mut dx = Cpu.zeros(rows * WIDTH);
        Cpu.rms_norm_backward(norm, (x, &self.norm, &r), &d_normed, &mut dx);
        vec![
            ("normed", WIDTH, normed.to_vec()),
            ("h", RANK, h.to_vec()),
            ("query", queries, query.to_vec()),
            ("key", keys, key.to_vec()),
            ("attended", queries, attended.to_vec()),
            ("log_sum", HEADS, log_sum.to_vec()),
            ("y", HIDDEN, y.to_vec()),
            ("d_attended", queries, d_attended.to_vec()),
            ("d_query", queries, d_query.to_vec()),
            ("d_key", keys, d_key.to_vec()),
            ("d_value", keys, d_value.to_vec()),
            ("dx", WIDTH, dx.to_vec()),
        ]
    }
}

/// A prefix and texts, each row with its input and its output's gradient.
struct Texts {
    prefix: usize,
    own: Vec<usize>,
    x: Array,
    dy: Array,
}

impl Texts {
    fn new(prefix: usize, own: &[usize]) -> Self {
        let mut noise = Noise::new(31);
        let rows = prefix + own.iter().sum::<usize>();
        Self { prefix, own: own.to_vec(), x: noise.take(rows * WIDTH).into(), dy: noise.take(rows * HIDDEN).into() }
    }

    fn layout(&self) -> RaggedLayout {
        RaggedLayout::new(self.prefix, &self.own)
    }

    /// Inputs and gradients of some of the rows.
    fn pick(&self, rows: impl Iterator<Item = usize> + Clone) -> (Array, Array) {
        let take = |from: &[f32], width: usize| {
            Array::from(rows.clone().flat_map(|row| from[row * width..][..width].to_vec()).collect::<Vec<f32>>())
        };
        (take(&self.x, WIDTH), take(&self.dy, HIDDEN))
    }
}

fn assert_same_rows(what: &str, (some, some_rows): (&Rows, Range<usize>), (others, other_rows): (&Rows, Range<usize>)) {
    for ((name, width, some), (_, _, others)) in some.iter().zip(others) {
        let some = &some[some_rows.start * width..some_rows.end * width];
        let others = &others[other_rows.start * width..other_rows.end * width];
        assert!(some.iter().all(|v| v.is_finite()), "{what}: {name} is not finite");
        assert!(bits(some) == bits(others), "{what}: {name} differs");
    }
}

fn blocks() -> impl Iterator<Item = Block> {
    [(None, None), (Some(6), None), (None, Some(3.0)), (Some(40), Some(3.0))].into_iter().map(|(w, c)| Block::new(w, c))
}

#[test]
fn a_text_gives_the_same_bits_alone_and_in_a_batch() {
    for (prefix, own) in [(0, &[1, 30, 7, 61, 2][..]), (23, &[1, 30, 7, 61, 2])] {
        let texts = Texts::new(prefix, own);
        for block in blocks() {
            let batch = block.run(&texts.layout(), &texts.x, &texts.dy);
            for s in 0..own.len() {
                let own_rows = texts.layout().own_rows(s);
                let (x, dy) = texts.pick((0..prefix).chain(own_rows.clone()));
                let alone = block.run(&RaggedLayout::new(prefix, &[own_rows.len()]), &x, &dy);
                assert_same_rows(&format!("text {s}"), (&alone, prefix..x.len() / WIDTH), (&batch, own_rows));
                let forward = |rows: &Rows| rows[..7].to_vec();
                assert_same_rows("prefix", (&forward(&alone), 0..prefix), (&forward(&batch), 0..prefix));
            }
        }
    }
}

#[test]
fn a_text_gives_the_same_bits_with_a_shared_and_with_a_repeated_prefix() {
    let (prefix, own) = (23, [1, 30, 7, 61, 2]);
    let texts = Texts::new(prefix, &own);
    for block in blocks() {
        let shared = block.run(&texts.layout(), &texts.x, &texts.dy);
        let whole = own.map(|length| prefix + length);
        let layout = RaggedLayout::new(0, &whole);
        let (x, dy) = texts
            .pick((0..own.len()).flat_map(|s| (0..prefix).chain(texts.layout().own_rows(s))).collect::<Vec<_>>().into_iter());
        let repeated = block.run(&layout, &x, &dy);
        for s in 0..own.len() {
            let rows = layout.own_rows(s);
            let own_rows = texts.layout().own_rows(s);
            assert_same_rows(&format!("text {s}"), (&shared, own_rows), (&repeated, rows.start + prefix..rows.end));
        }
    }
}

/// Groups whose prefixes are longer and shorter than a panel and than the windows, one of them without a prefix.
const GROUPS: [(usize, &[usize]); 3] = [(29, &[1, 7, 30]), (0, &[5]), (3, &[61, 2])];

fn grouped_layout(prefix: usize) -> RaggedLayout {
    RaggedLayout::with_groups(prefix, &groups(&GROUPS))
}

/// The rows of each sequence, with those that it shares.
fn whole_sequences(layout: &RaggedLayout) -> Vec<Vec<usize>> {
    let rows = |s| (0..layout.prefix_length()).chain(layout.group_prefix(s)).chain(layout.own_rows(s)).collect();
    (0..layout.sequences()).map(rows).collect()
}

#[test]
fn a_sequence_gives_the_same_bits_in_a_group_and_written_out_in_full() {
    for prefix in [0, 23] {
        let layout = grouped_layout(prefix);
        let texts = Texts::new(0, &[layout.rows()]);
        for block in blocks() {
            let grouped = block.run(&layout, &texts.x, &texts.dy);
            for (s, rows) in whole_sequences(&layout).into_iter().enumerate() {
                let (x, dy) = texts.pick(rows.iter().copied());
                let alone = block.run(&RaggedLayout::new(0, &[rows.len()]), &x, &dy);
                let own = layout.own_rows(s);
                assert_same_rows(&format!("sequence {s}"), (&alone, rows.len() - own.len()..rows.len()), (&grouped, own));
                let forward = |rows: &Rows| rows[..7].to_vec();
                let (in_group, behind) = (layout.group_prefix(s), prefix + layout.group_prefix(s).len());
                assert_same_rows("group", (&forward(&alone), prefix..behind), (&forward(&grouped), in_group));
                assert_same_rows("prefix", (&forward(&alone), 0..prefix), (&forward(&grouped), 0..prefix));
            }
        }
    }
}

#[test]
fn the_groups_after_an_earlier_prefix_give_the_same_bits() {
    let prefix = 23;
    let (whole, continuing) = (grouped_layout(prefix), RaggedLayout::continuing_with_groups(prefix, &groups(&GROUPS)));
    for block in blocks() {
        let shape = block.attention;
        let [queries, keys] = [HEADS, KEY_VALUE_HEADS].map(|heads| heads * HEAD_DIMENSION);
        let mut noise = Noise::new(33);
        let [query, key, value] = [queries, keys, keys].map(|width| noise.take(whole.rows() * width));
        let run = |layout: &RaggedLayout, query: &[f32]| {
            let [query, key, value] = [query, &key, &value].map(|values| Array::from(values.to_vec()));
            let mut output = Array::from(vec![f32::NAN; layout.rows() * queries]);
            let mut log_sum = Array::from(vec![f32::NAN; layout.rows() * HEADS]);
            Cpu.attention(shape, layout, (&query, &key, &value), &mut output, &mut log_sum);
            [output.to_vec(), log_sum.to_vec()]
        };
        let [output, log_sum] = run(&whole, &query);
        let [later, later_log_sum] = run(&continuing, &query[prefix * queries..]);
        assert!(bits(&later) == bits(&output[prefix * queries..]) && later.iter().all(|v| v.is_finite()));
        assert!(bits(&later_log_sum) == bits(&log_sum[prefix * HEADS..]));
    }
}

/// Shared rows get the sum of what each sequence alone would give them: the reference in f64, so that only rounding to f32 is left.
#[test]
fn the_gradients_of_shared_rows_are_the_sums_over_their_sequences() {
    let layout = grouped_layout(5);
    let shape = AttentionShape {
        heads: 2,
        key_value_heads: 1,
        head_dimension: 6,
        scale: 0.3,
        soft_cap: Some(3.0),
        window: Some(20),
        causal: true,
    };
    let device = Reference::<f64>::new();
    let mut noise = Noise::new(34);
    let widths = [12, 6, 6, 12];
    let [query, key, value, d_output] = widths.map(|width| noise.take(layout.rows() * width));
    let run = |layout: &RaggedLayout, arrays: [Vec<f32>; 4]| {
        let [query, key, value, d_output] = arrays.map(|values| device.upload(&values));
        let [mut output, mut log_sum] = [12, 2].map(|width| vec![f64::NAN; layout.rows() * width]);
        device.attention(shape, layout, (&query, &key, &value), &mut output, &mut log_sum);
        let [mut d_query, mut d_key, mut d_value] = [12, 6, 6].map(|width| vec![f64::NAN; layout.rows() * width]);
        let saved = AttentionSaved { query: &query, key: &key, value: &value, output: &output, log_sum: &log_sum };
        let gradients = AttentionGradients { query: &mut d_query, key: &mut d_key, value: &mut d_value };
        device.attention_backward(shape, layout, saved, &d_output, gradients);
        [d_query, d_key, d_value]
    };
    let grouped = run(&layout, [&query, &key, &value, &d_output].map(|array| array.clone()));
    let mut sums = [12, 6, 6].map(|width| vec![0.0; layout.rows() * width]);
    let mut seen = vec![false; layout.rows()];
    for rows in whole_sequences(&layout) {
        let pick =
            |from: &[f32], width: usize| rows.iter().flat_map(|row| from[row * width..][..width].to_vec()).collect::<Vec<_>>();
        let mut alone = [pick(&query, 12), pick(&key, 6), pick(&value, 6), pick(&d_output, 12)];
        // The output of a shared row is the batch's once, not once for each sequence.
        for (gradient, &row) in alone[3].chunks_exact_mut(12).zip(&rows) {
            if std::mem::replace(&mut seen[row], true) {
                gradient.fill(0.0);
            }
        }
        let alone = run(&RaggedLayout::new(0, &[rows.len()]), alone);
        for ((sums, alone), width) in sums.iter_mut().zip(&alone).zip([12, 6, 6]) {
            for (from, row) in alone.chunks_exact(width).zip(&rows) {
                sums[row * width..][..width].iter_mut().zip(from).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    assert!(seen.iter().all(|&seen| seen));
    for (name, (grouped, sums)) in ["query", "key", "value"].into_iter().zip(grouped.iter().zip(&sums)) {
        let largest = sums.iter().fold(0.0f64, |largest, sum| largest.max(sum.abs()));
        let worst = grouped.iter().zip(sums).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(largest > 0.1 && worst <= 1e-12 * largest, "{name}: {worst:e} of {largest:e}");
    }
}

#[test]
fn a_layer_with_lora_in_one_gives_the_bits_of_its_two_parts() {
    for (rows, inputs, outputs, rank) in [(1, 1, 1, 1), (5, 33, 40, 4), (29, 64, 100, 8), (61, 130, 31, 36)] {
        let mut noise = Noise::new(50);
        let mut take = |length: usize| Array::from(noise.take(length));
        let (x, z, dy) = (take(rows * inputs), take(rows * inputs), take(rows * outputs));
        let (a, b) = (take(rank * inputs), take(outputs * rank));
        let weight = Cpu.matrix(take(outputs * inputs).to_vec(), outputs, inputs);
        let shape = LoraShape { rows, inputs, outputs, rank, scale: 1.5 };
        let empty = |length: usize| Array::from(vec![f32::NAN; length]);
        let [(mut h, mut y), (mut h2, mut y2)] = [(); 2].map(|()| (empty(rows * rank), empty(rows * outputs)));
        Cpu.adapted_linear(shape, (&x, &weight), (&z, &a, &b), &mut h, &mut y);
        Cpu.linear(rows, &x, &weight, &mut y2);
        Cpu.lora(shape, &z, (&a, &b), &mut h2, &mut y2);
        assert!(bits(&h) == bits(&h2) && bits(&y) == bits(&y2) && y.iter().all(|v| v.is_finite()));
        for accumulate in [false, true] {
            let saved = || LoraSaved { input: &z, hidden: &h, a: &a, b: &b };
            let start = || if accumulate { Array::from(vec![0.25; rows * inputs]) } else { empty(rows * inputs) };
            let [mut da, mut da2] = [(); 2].map(|()| Cpu.zeros(rank * inputs));
            let [mut db, mut db2] = [(); 2].map(|()| Cpu.zeros(outputs * rank));
            let (mut dx, mut dx2) = (start(), start());
            let gradients = LoraGradients { a: &mut da, b: &mut db, input: &mut dx };
            Cpu.adapted_linear_backward(shape, &weight, saved(), &dy, (gradients, accumulate));
            if !accumulate {
                Cpu.clear(&mut dx2);
            }
            Cpu.linear_backward(rows, &dy, &weight, &mut dx2);
            Cpu.lora_backward(shape, saved(), &dy, LoraGradients { a: &mut da2, b: &mut db2, input: &mut dx2 });
            for (one, two) in [(&da, &da2), (&db, &db2), (&dx, &dx2)] {
                assert!(bits(one) == bits(two) && one.iter().all(|v| v.is_finite()), "{rows} rows, accumulate {accumulate}");
            }
        }
    }
}

/// One line of `golden/adam.tsv`.
struct AdamLine {
    name: String,
    step: AdamStep,
    gradient: Vec<f64>,
    parameter: Vec<f64>,
}

fn adam_lines() -> Vec<AdamLine> {
    let lines = include_str!("golden/adam.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, numbers) = line.split_once('\t').expect("a name first");
            let n: Vec<f64> = numbers.split('\t').map(|number| number.parse().expect("a number")).collect();
            let step = AdamStep {
                learning_rate: n[0],
                beta1: n[1],
                beta2: n[2],
                epsilon: n[3],
                weight_decay: n[4],
                gradient_scale: n[5],
                step: n[6] as u32,
            };
            AdamLine { name: name.into(), step, gradient: n[7..10].to_vec(), parameter: n[10..13].to_vec() }
        })
        .collect()
}

/// The largest error of ten steps of each case, relative to the distance that the parameter has moved.
fn adam_error<K: Kernels>(device: &K, upload: impl Fn(&[f64]) -> K::Buffer, download: impl Fn(&K::Buffer) -> Vec<f64>) -> f64 {
    const START: [f64; 3] = [0.5, -1.25, 2.0];
    let (mut worst, mut steps) = (0.0f64, 0);
    let (mut parameter, mut first, mut second) = (device.zeros(3), device.zeros(3), device.zeros(3));
    for line in adam_lines() {
        if line.step.step == 1 {
            (parameter, first, second) = (upload(&START), device.zeros(3), device.zeros(3));
        }
        device.adam_step(line.step, &upload(&line.gradient), (&mut first, &mut second), &mut parameter);
        for ((value, exact), start) in download(&parameter).iter().zip(&line.parameter).zip(START) {
            let moved = (exact - start).abs().max(line.step.learning_rate);
            let error = (value - exact).abs() / moved;
            assert!(error.is_finite(), "{} step {}: {value}", line.name, line.step.step);
            worst = worst.max(error);
        }
        steps += 1;
    }
    assert_eq!(steps, 20, "two cases of ten steps");
    worst
}

#[test]
fn ten_steps_of_adam_and_adamw_are_those_of_pytorch() {
    let exact = adam_error(&Reference::<f64>::new(), |values| values.to_vec(), |buffer| buffer.clone());
    assert!(exact < 1e-11, "the reference in f64 is off by {exact:e}");
    // A parameter near 2 is rounded to 1.2e-7 at every step, and moves by 5e-4.
    let upload = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>().into();
    let error = adam_error(&Cpu, upload, |buffer| buffer.iter().map(|&v| f64::from(v)).collect());
    assert!(error < 5e-4, "the CPU is off by {error:e}");
}
