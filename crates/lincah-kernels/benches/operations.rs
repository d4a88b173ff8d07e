//! Speed of every operation at the shapes of SmolLM2-135M and Gemma 3 270M.
//!
//! `cargo bench -p lincah-kernels [-- PART_OF_A_NAME]`; `RAYON_NUM_THREADS` sets the threads. Each line is the fastest of many runs: on a
//! machine that others use too, the fastest run is the one that was left alone.

use lincah_kernels::{
    Activation, AdamStep, AttentionGradients, AttentionSaved, AttentionShape, Cpu, DiagonalBlocks, GatedShape, GroupLayout,
    Kernels, LinearShape, LoraGradients, LoraSaved, LoraShape, NormShape, RaggedLayout,
};
use std::time::{Duration, Instant};

const ROWS: [usize; 4] = [33, 86, 285, 500];
/// Layer sizes, inputs → outputs: SmolLM2's, then Gemma's.
const SIZES: [(usize, usize); 8] =
    [(576, 576), (576, 192), (576, 1536), (1536, 576), (640, 1024), (640, 256), (640, 2048), (2048, 640)];
/// Rows of a batch of eight texts.
const BATCH: usize = 285;
const WIDTH: usize = 576;
const HIDDEN: usize = 1536;

/// Prints the fastest time of `run`, and its rate where `work` names floating-point operations.
fn measure(name: &str, work: Option<usize>, mut run: impl FnMut()) {
    let wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect::<Vec<_>>();
    if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
        return;
    }
    let mut fastest = Duration::MAX;
    let (start, mut runs) = (Instant::now(), 0);
    while runs < 5 || start.elapsed() < Duration::from_millis(300) {
        let began = Instant::now();
        run();
        fastest = fastest.min(began.elapsed());
        runs += 1;
    }
    let microseconds = fastest.as_secs_f64() * 1e6;
    match work {
        Some(work) => println!("{name:<44} {microseconds:>9.1} µs {:>7.1} GFLOP/s", work as f64 / microseconds / 1e3),
        None => println!("{name:<44} {microseconds:>9.1} µs"),
    }
}

/// Numbers without a pattern that the processor could use.
fn numbers(length: usize) -> Vec<f32> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1u32 << 23) as f32 - 1.0).collect()
}

fn array(length: usize) -> <Cpu as Kernels>::Buffer {
    numbers(length).into()
}

fn linear() {
    for (inputs, outputs) in SIZES {
        let weight = Cpu.matrix(numbers(inputs * outputs), outputs, inputs);
        for rows in ROWS {
            let (x, dy) = (array(rows * inputs), array(rows * outputs));
            let (mut y, mut dx) = (array(rows * outputs), array(rows * inputs));
            let work = Some(2 * rows * inputs * outputs);
            let name = format!("linear {inputs}→{outputs} rows {rows}");
            measure(&name, work, || Cpu.linear(rows, &x, &weight, &mut y));
            let name = format!("linear_backward {inputs}→{outputs} rows {rows}");
            measure(&name, work, || Cpu.linear_backward(rows, &dy, &weight, &mut dx));
        }
    }
    // As in a model: every layer's weights come from memory, none from the cache.
    let (inputs, outputs) = (576, 1536);
    let layers: Vec<_> = (0..30).map(|_| Cpu.matrix(numbers(inputs * outputs), outputs, inputs)).collect();
    for rows in ROWS {
        let (x, mut y) = (array(rows * inputs), array(rows * outputs));
        let work = Some(2 * layers.len() * rows * inputs * outputs);
        measure(&format!("linear 576→1536 rows {rows}, 30 layers in turn"), work, || {
            layers.iter().for_each(|weight| Cpu.linear(rows, &x, weight, &mut y));
        });
    }
    let matrix = || Cpu.int8_matrix(numbers(inputs * outputs), outputs, inputs).expect("weights of 8 bits");
    let layers: Vec<_> = (0..30).map(|_| matrix()).collect();
    for rows in ROWS {
        let (x, mut y) = (array(rows * inputs), array(rows * outputs));
        let work = Some(2 * layers.len() * rows * inputs * outputs);
        measure(&format!("linear 576→1536 of 8 bits rows {rows}, 30 layers in turn"), work, || {
            layers.iter().for_each(|weight| Cpu.linear(rows, &x, weight, &mut y));
        });
    }
    for (width, vocabulary) in [(576, 49_152), (640, 262_144)] {
        let head = Cpu.head_matrix(numbers(vocabulary * width), vocabulary, width);
        for rows in [8, 100] {
            let (x, mut y) = (array(rows * width), array(rows * vocabulary));
            let (dy, mut dx) = (array(rows * vocabulary), array(rows * width));
            let work = Some(2 * rows * width * vocabulary);
            let name = format!("linear of the head {width}→{vocabulary} rows {rows}");
            measure(&name, work, || Cpu.linear(rows, &x, &head, &mut y));
            let name = format!("linear_backward of the head {width}→{vocabulary} rows {rows}");
            measure(&name, work, || Cpu.linear_backward(rows, &dy, &head, &mut dx));
        }
    }
}

fn trained_linear() {
    for outputs in [2, 77, 150, 1000] {
        let shape = LinearShape { rows: 8, inputs: WIDTH, outputs };
        let (x, weight, dy) = (array(8 * WIDTH), array(outputs * WIDTH), array(8 * outputs));
        let (mut y, mut dx, mut d_weight) = (array(dy.len()), array(x.len()), array(weight.len()));
        let work = 2 * 8 * WIDTH * outputs;
        measure(&format!("trained_linear 576→{outputs} rows 8"), Some(work), || {
            Cpu.trained_linear(shape, &x, &weight, &mut y);
        });
        measure(&format!("trained_linear_backward 576→{outputs} rows 8"), Some(2 * work), || {
            Cpu.trained_linear_backward(shape, (&x, &weight), &dy, (&mut dx, &mut d_weight));
        });
    }
}

fn lora() {
    for (inputs, outputs) in SIZES {
        for rank in [8, 16] {
            let shape = LoraShape { rows: BATCH, inputs, outputs, rank, scale: 2.0 };
            let (x, dy) = (array(BATCH * inputs), array(BATCH * outputs));
            let (a, b) = (array(rank * inputs), array(outputs * rank));
            let (mut h, mut y) = (array(BATCH * rank), array(BATCH * outputs));
            let work = 2 * BATCH * rank * (inputs + outputs);
            let weight = Cpu.matrix(numbers(inputs * outputs), outputs, inputs);
            let whole = work + 2 * BATCH * inputs * outputs;
            let name = format!("lora {inputs}→{outputs} rank {rank}");
            measure(&name, Some(work), || Cpu.lora(shape, &x, (&a, &b), &mut h, &mut y));
            let (mut da, mut db, mut dx) = (array(a.len()), array(b.len()), array(x.len()));
            measure(&format!("lora_backward {inputs}→{outputs} rank {rank}"), Some(2 * work), || {
                let saved = LoraSaved { input: &x, hidden: &h, a: &a, b: &b };
                let gradients = LoraGradients { a: &mut da, b: &mut db, input: &mut dx };
                Cpu.lora_backward(shape, saved, &dy, gradients);
            });
            measure(&format!("adapted_linear {inputs}→{outputs} rank {rank}"), Some(whole), || {
                Cpu.adapted_linear(shape, (&x, &weight), (&x, &a, &b), &mut h, &mut y);
            });
            measure(&format!("adapted_linear_backward {inputs}→{outputs} rank {rank}"), Some(whole + work), || {
                let saved = LoraSaved { input: &x, hidden: &h, a: &a, b: &b };
                let gradients = LoraGradients { a: &mut da, b: &mut db, input: &mut dx };
                Cpu.adapted_linear_backward(shape, &weight, saved, &dy, (gradients, false));
            });
        }
    }
}

fn attention() {
    // Eight texts after 22 shared tokens, as the instruction is.
    attention_over("", &RaggedLayout::new(22, &[8, 15, 20, 26, 31, 38, 50, 75]));
    // Four texts of six questions each.
    let groups = [21, 25, 30, 43].map(|prefix_length| GroupLayout { prefix_length, own_lengths: vec![6; 6] });
    attention_over(" in groups", &RaggedLayout::with_groups(22, &groups));
    for (name, shape) in attention_shapes() {
        let (heads, head_dimension) = (shape.heads, shape.head_dimension);
        let (query, keys) = (array(heads * head_dimension), BATCH * shape.key_value_heads * head_dimension);
        let (key, value, mut output, mut log_sum) = (array(keys), array(keys), array(query.len()), array(heads));
        // A generated token after 284 others.
        let next = RaggedLayout::continuing(BATCH - 1, &[1]);
        measure(&format!("attention {name}, one query of 285 keys"), None, || {
            Cpu.attention(shape, &next, (&query, &key, &value), &mut output, &mut log_sum);
        });
        let frequencies: Vec<f32> = (0..head_dimension / 2).map(|i| 0.9f32.powi(i as i32)).collect();
        let texts = RaggedLayout::new(0, &[BATCH]);
        let table = Cpu.rope_table(&frequencies, texts.longest());
        let mut x = array(BATCH * heads * head_dimension);
        measure(&format!("rope {name}"), None, || Cpu.rope(&table, &texts, heads, &mut x));
    }
}

fn attention_shapes() -> [(&'static str, AttentionShape); 2] {
    let shape = |heads, key_value_heads, head_dimension| AttentionShape {
        heads,
        key_value_heads,
        head_dimension,
        scale: 0.1,
        soft_cap: None,
        window: None,
        causal: true,
    };
    [("9 heads of 64", shape(9, 3, 64)), ("4 heads of 256", shape(4, 1, 256))]
}

fn attention_over(of: &str, layout: &RaggedLayout) {
    assert_eq!(layout.rows(), BATCH);
    for (name, shape) in attention_shapes() {
        let AttentionShape { heads, key_value_heads, head_dimension, .. } = shape;
        let (queries, keys) = (BATCH * heads * head_dimension, BATCH * key_value_heads * head_dimension);
        let (query, key, value, dy) = (array(queries), array(keys), array(keys), array(queries));
        let (mut output, mut log_sum) = (array(queries), array(BATCH * heads));
        measure(&format!("attention {name}{of}"), None, || {
            Cpu.attention(shape, layout, (&query, &key, &value), &mut output, &mut log_sum);
        });
        let (mut d_query, mut d_key, mut d_value) = (array(queries), array(keys), array(keys));
        measure(&format!("attention_backward {name}{of}"), None, || {
            let saved = AttentionSaved { query: &query, key: &key, value: &value, output: &output, log_sum: &log_sum };
            let gradients = AttentionGradients { query: &mut d_query, key: &mut d_key, value: &mut d_value };
            Cpu.attention_backward(shape, layout, saved, &dy, gradients);
        });
    }
}

fn rows_and_elements() {
    let shape = NormShape { rows: BATCH, width: WIDTH, epsilon: 1e-5 };
    let (x, dy, weight) = (array(BATCH * WIDTH), array(BATCH * WIDTH), array(WIDTH));
    let (mut y, mut r) = (array(BATCH * WIDTH), array(BATCH));
    measure("layer_norm", None, || Cpu.layer_norm(shape, &x, (&weight, &weight), &mut y));
    measure("gelu", None, || Cpu.gelu(&mut y));
    measure("rms_norm", None, || Cpu.rms_norm(shape, &x, &weight, &mut y, &mut r));
    measure("rms_norm_backward", None, || Cpu.rms_norm_backward(shape, (&x, &weight, &r), &dy, &mut y));
    measure("add_bias", None, || Cpu.add_bias(&weight, &mut y));
    measure("add", None, || Cpu.add(&x, &mut y));
    measure("dropout", None, || Cpu.dropout(&x, 0.1, 1, &mut y));
    measure("dropout_backward", None, || Cpu.dropout_backward(&x, 0.1, 1, &mut y));
    let rows: Vec<usize> = (0..8).map(|s| s * 35 + 34).collect();
    let mut selected = array(rows.len() * WIDTH);
    measure("gather_rows 8 of 285", None, || Cpu.gather_rows(WIDTH, &rows, &x, &mut selected));
    measure("scatter_add_rows 8 of 285", None, || Cpu.scatter_add_rows(WIDTH, &rows, &selected, &mut y));

    let weights = Cpu.matrix_pair([(); 2].map(|()| vec![0.01; WIDTH * HIDDEN]), HIDDEN, WIDTH);
    let ([mut gate, mut up, mut activated], mut dx) = ([(); 3].map(|()| array(BATCH * HIDDEN)), array(BATCH * WIDTH));
    let shape = GatedShape { rows: BATCH, inputs: WIDTH, outputs: HIDDEN, activation: Activation::Silu };
    let work = Some(2 * 2 * BATCH * WIDTH * HIDDEN);
    let pair = weights.each_ref();
    measure("gated_linear", work, || Cpu.gated_linear(shape, (&x, pair), [&mut gate, &mut up], &mut activated));
    measure("gated_linear_backward", work, || Cpu.gated_linear_backward(shape, ([&gate, &up], pair), &activated, &mut dx));

    let [gate, up, dy] = [(); 3].map(|()| array(BATCH * HIDDEN));
    let [mut y, mut d_gate, mut d_up] = [(); 3].map(|()| array(BATCH * HIDDEN));
    for activation in [Activation::Silu, Activation::GeluTanh] {
        measure(&format!("gated_activation {activation:?}"), None, || Cpu.gated_activation(activation, &gate, &up, &mut y));
        measure(&format!("gated_activation_backward {activation:?}"), None, || {
            Cpu.gated_activation_backward(activation, (&gate, &up), &dy, &mut d_gate, &mut d_up);
        });
    }
}

fn loss_and_optimizer() {
    let (rows, vocabulary) = (BATCH, 4096);
    let mut logits = array(rows * vocabulary);
    let (targets, weights, mut losses) = (vec![3; rows], array(rows), array(rows));
    measure("cross_entropy 285×4096", None, || {
        Cpu.cross_entropy(vocabulary, &targets, &weights, &mut logits, &mut losses);
    });
    let capped = array(rows * vocabulary);
    measure("soft_cap 285×4096", None, || Cpu.soft_cap(30.0, &mut logits));
    measure("soft_cap_backward 285×4096", None, || Cpu.soft_cap_backward(30.0, &capped, &mut logits));

    let length = 2_442_240;
    let (gradient, mut parameter) = (array(length), array(length));
    let (mut first, mut second) = (array(length), array(length));
    let step = AdamStep {
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        step: 1,
        gradient_scale: 1.0,
    };
    measure("adam_step, rank 8 on all of SmolLM2", None, || {
        Cpu.adam_step(step, &gradient, (&mut first, &mut second), &mut parameter);
    });
    let blocks = DiagonalBlocks { count: 9, rows: 64, columns: 4, width: 36 };
    let mut tied = array(9 * 64 * 36);
    measure("tie_diagonal_blocks 9 of 64×4", None, || Cpu.tie_diagonal_blocks(blocks, &mut tied));
    measure("squared_norm, the same", None, || {
        std::hint::black_box(Cpu.squared_norm(&gradient));
    });
    measure("scale, the same", None, || Cpu.scale(1.0, &mut parameter));
    measure("clear, the same", None, || Cpu.clear(&mut parameter));
}

fn main() {
    println!("{} instructions, {} threads", Cpu.instructions(), rayon::current_num_threads());
    linear();
    trained_linear();
    lora();
    attention();
    rows_and_elements();
    loss_and_optimizer();
}
