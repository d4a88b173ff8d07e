//! Each backward of the reference in f64 against central differences of its forward.

mod noise;

use lincah_kernels::reference::Reference;
use lincah_kernels::{
    Activation, AttentionGradients, AttentionSaved, AttentionShape, DiagonalBlocks, GatedShape, GroupLayout, Kernels,
    LinearShape, LoraGradients, LoraSaved, LoraShape, NormShape, RaggedLayout,
};
use noise::Noise;

const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-7;

fn reference() -> Reference<f64> {
    Reference::new()
}

fn random(noise: &mut Noise, length: usize) -> Vec<f64> {
    noise.take(length).into_iter().map(f64::from).collect()
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Holds `gradient` against central differences of `loss` at `x`.
fn check(name: &str, x: &[f64], gradient: &[f64], loss: impl Fn(&Vec<f64>) -> f64) {
    assert_eq!(x.len(), gradient.len());
    let largest = gradient.iter().fold(0.0f64, |largest, g| largest.max(g.abs()));
    assert!(largest > 1e-3, "{name}: a gradient of zeros proves nothing");
    for (i, &gradient) in gradient.iter().enumerate() {
        let at = |step: f64| {
            let mut moved = x.to_vec();
            moved[i] += step;
            loss(&moved)
        };
        let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        assert!((difference - gradient).abs() <= TOLERANCE * largest, "{name}, element {i}: {gradient} but {difference}");
    }
}

#[test]
fn linear() {
    let mut noise = Noise::new(1);
    let (rows, inputs, outputs) = (3, 5, 4);
    let weight = reference().matrix(noise.take(outputs * inputs), outputs, inputs);
    let (x, dy) = (random(&mut noise, rows * inputs), random(&mut noise, rows * outputs));
    let mut dx = vec![0.0; x.len()];
    reference().linear_backward(rows, &dy, &weight, &mut dx);
    check("linear x", &x, &dx, |x| {
        let mut y = vec![f64::NAN; dy.len()];
        reference().linear(rows, x, &weight, &mut y);
        inner(&y, &dy)
    });
}

#[test]
fn trained_linear() {
    let mut noise = Noise::new(21);
    let shape = LinearShape { rows: 4, inputs: 5, outputs: 3 };
    let [x, weight, dy] = [20, 15, 12].map(|length| random(&mut noise, length));
    let run = |x: &Vec<f64>, weight: &Vec<f64>| {
        let mut y = vec![f64::NAN; 12];
        reference().trained_linear(shape, x, weight, &mut y);
        inner(&y, &dy)
    };
    let (mut dx, mut d_weight) = (vec![0.0; 20], vec![0.0; 15]);
    reference().trained_linear_backward(shape, (&x, &weight), &dy, (&mut dx, &mut d_weight));
    check("trained_linear x", &x, &dx, |x| run(x, &weight));
    check("trained_linear W", &weight, &d_weight, |weight| run(&x, weight));
}

#[test]
fn lora() {
    let mut noise = Noise::new(2);
    let shape = LoraShape { rows: 4, inputs: 5, outputs: 6, rank: 3, scale: 1.7 };
    let [x, a, b, dy] = [20, 15, 18, 24].map(|length| random(&mut noise, length));
    let run = |x: &Vec<f64>, a: &Vec<f64>, b: &Vec<f64>| {
        let (mut h, mut y) = (vec![f64::NAN; 12], vec![0.0; 24]);
        reference().lora(shape, x, (a, b), &mut h, &mut y);
        (h, inner(&y, &dy))
    };
    let (hidden, _) = run(&x, &a, &b);
    let (mut da, mut db, mut dx) = (vec![0.0; 15], vec![0.0; 18], vec![0.0; 20]);
    let saved = LoraSaved { input: &x, hidden: &hidden, a: &a, b: &b };
    reference().lora_backward(shape, saved, &dy, LoraGradients { a: &mut da, b: &mut db, input: &mut dx });
    check("lora x", &x, &dx, |x| run(x, &a, &b).1);
    check("lora A", &a, &da, |a| run(&x, a, &b).1);
    check("lora B", &b, &db, |b| run(&x, &a, b).1);
}

#[test]
fn dropout() {
    let mut noise = Noise::new(3);
    let (x, dy) = (random(&mut noise, 40), random(&mut noise, 40));
    let mut dx = vec![0.0; 40];
    reference().dropout_backward(&dy, 0.3, 11, &mut dx);
    assert!(dx.contains(&0.0), "nothing was dropped");
    check("dropout x", &x, &dx, |x| {
        let mut y = vec![f64::NAN; 40];
        reference().dropout(x, 0.3, 11, &mut y);
        inner(&y, &dy)
    });
}

#[test]
fn rms_norm() {
    let mut noise = Noise::new(4);
    for epsilon in [1e-5, 0.5] {
        let shape = NormShape { rows: 3, width: 7, epsilon };
        let [x, weight, dy] = [21, 7, 21].map(|length| random(&mut noise, length));
        let run = |x: &Vec<f64>| {
            let (mut y, mut r) = (vec![f64::NAN; 21], vec![f64::NAN; 3]);
            reference().rms_norm(shape, x, &weight, &mut y, &mut r);
            (r, inner(&y, &dy))
        };
        let (r, _) = run(&x);
        let mut dx = vec![0.0; 21];
        reference().rms_norm_backward(shape, (&x, &weight, &r), &dy, &mut dx);
        check("rms_norm x", &x, &dx, |x| run(x).1);
    }
}

#[test]
fn rope() {
    let mut noise = Noise::new(5);
    let layout = RaggedLayout::new(2, &[1, 3]);
    let table = reference().rope_table(&[1.0, 0.1, 0.01], layout.longest());
    let (x, dy) = (random(&mut noise, 6 * 2 * 6), random(&mut noise, 6 * 2 * 6));
    let mut dx = dy.clone();
    reference().rope_backward(&table, &layout, 2, &mut dx);
    let rotated = |x: &Vec<f64>| {
        let mut y = x.clone();
        reference().rope(&table, &layout, 2, &mut y);
        y
    };
    check("rope x", &x, &dx, |x| inner(&rotated(x), &dy));
    // The backward is the transpose.
    assert!((inner(&rotated(&x), &dy) - inner(&x, &dx)).abs() < 1e-12);
    // A rotation keeps lengths, up to the table's rounding to f32.
    assert!((inner(&rotated(&x), &rotated(&x)) / inner(&x, &x) - 1.0).abs() < 1e-6);
}

#[test]
fn attention() {
    let group = |prefix_length, own: &[usize]| GroupLayout { prefix_length, own_lengths: own.to_vec() };
    let grouped = [group(3, &[1, 2]), group(0, &[2]), group(2, &[1])];
    let mut layouts = Vec::new();
    for (prefix, own) in [(0, &[1, 4, 6][..]), (3, &[1, 4, 2])] {
        layouts.extend([RaggedLayout::new(prefix, own), RaggedLayout::continuing(prefix, own)]);
    }
    for prefix in [0, 2] {
        layouts.extend([RaggedLayout::with_groups(prefix, &grouped), RaggedLayout::continuing_with_groups(prefix, &grouped)]);
    }
    for layout in &layouts {
        for window in [None, Some(1), Some(3), Some(50)] {
            for soft_cap in [None, Some(0.8)] {
                for (heads, key_value_heads) in [(2, 2), (3, 1), (4, 2)] {
                    let shape =
                        AttentionShape { heads, key_value_heads, head_dimension: 4, scale: 0.9, soft_cap, window, causal: true };
                    check_attention(layout, shape);
                    if window.is_none() {
                        check_attention(layout, AttentionShape { causal: false, ..shape });
                    }
                }
            }
        }
    }
}

fn check_attention(layout: &RaggedLayout, shape: AttentionShape) {
    let mut noise = Noise::new(6);
    let queries = layout.rows() * shape.heads * shape.head_dimension;
    let keys = layout.key_rows() * shape.key_value_heads * shape.head_dimension;
    let [query, key, value, d_output] = [queries, keys, keys, queries].map(|length| random(&mut noise, length));
    let run = |query: &Vec<f64>, key: &Vec<f64>, value: &Vec<f64>| {
        let (mut output, mut log_sum) = (vec![f64::NAN; queries], vec![f64::NAN; layout.rows() * shape.heads]);
        reference().attention(shape, layout, (query, key, value), &mut output, &mut log_sum);
        (output, log_sum)
    };
    let (output, log_sum) = run(&query, &key, &value);
    let [mut d_query, mut d_key, mut d_value] = [queries, keys, keys].map(|length| vec![f64::NAN; length]);
    let saved = AttentionSaved { query: &query, key: &key, value: &value, output: &output, log_sum: &log_sum };
    let gradients = AttentionGradients { query: &mut d_query, key: &mut d_key, value: &mut d_value };
    reference().attention_backward(shape, layout, saved, &d_output, gradients);
    let name = |of: &str| format!("attention {of}, {shape:?}, {layout:?}");
    check(&name("value"), &value, &d_value, |value| inner(&run(&query, &key, value).0, &d_output));
    if shape.window == Some(1) {
        // A query that sees itself only has the probability 1 whatever its score.
        assert!(d_query.iter().chain(&d_key).all(|d| d.abs() < 1e-12), "{}", name("of one key"));
    } else {
        check(&name("query"), &query, &d_query, |query| inner(&run(query, &key, &value).0, &d_output));
        check(&name("key"), &key, &d_key, |key| inner(&run(&query, key, &value).0, &d_output));
    }
}

#[test]
fn gated_activation() {
    let mut noise = Noise::new(7);
    for activation in [Activation::Silu, Activation::GeluTanh] {
        let [mut gate, up, dy] = [(); 3].map(|()| random(&mut noise, 30));
        gate.iter_mut().for_each(|g| *g *= 4.0);
        let (mut d_gate, mut d_up) = (vec![f64::NAN; 30], vec![f64::NAN; 30]);
        reference().gated_activation_backward(activation, (&gate, &up), &dy, &mut d_gate, &mut d_up);
        let run = |gate: &Vec<f64>, up: &Vec<f64>| {
            let mut y = vec![f64::NAN; 30];
            reference().gated_activation(activation, gate, up, &mut y);
            inner(&y, &dy)
        };
        check(&format!("{activation:?} gate"), &gate, &d_gate, |gate| run(gate, &up));
        check(&format!("{activation:?} up"), &up, &d_up, |up| run(&gate, up));
    }
}

#[test]
fn gated_linear() {
    let mut noise = Noise::new(15);
    for activation in [Activation::Silu, Activation::GeluTanh] {
        let shape = GatedShape { rows: 3, inputs: 5, outputs: 4, activation };
        let [gate, up] = reference().matrix_pair([(); 2].map(|()| noise.take(20)), 4, 5);
        let (x, dy) = (random(&mut noise, 15), random(&mut noise, 12));
        let run = |x: &Vec<f64>| {
            let [mut saved_gate, mut saved_up, mut y] = [(); 3].map(|()| vec![f64::NAN; 12]);
            reference().gated_linear(shape, (x, [&gate, &up]), [&mut saved_gate, &mut saved_up], &mut y);
            (y, saved_gate, saved_up)
        };
        let (_, saved_gate, saved_up) = run(&x);
        let mut dx = vec![f64::NAN; 15];
        reference().gated_linear_backward(shape, ([&saved_gate, &saved_up], [&gate, &up]), &dy, &mut dx);
        check(&format!("gated_linear {activation:?} x"), &x, &dx, |x| inner(&run(x).0, &dy));
    }
}

#[test]
fn row_selection() {
    let mut noise = Noise::new(8);
    let (rows, width) = (vec![4, 0, 4], 3);
    let (x, dy) = (random(&mut noise, 5 * width), random(&mut noise, rows.len() * width));
    let mut dx = vec![0.0; x.len()];
    reference().scatter_add_rows(width, &rows, &dy, &mut dx);
    check("gather_rows x", &x, &dx, |x| {
        let mut y = vec![f64::NAN; dy.len()];
        reference().gather_rows(width, &rows, x, &mut y);
        inner(&y, &dy)
    });
}

#[test]
fn tie_diagonal_blocks() {
    let mut noise = Noise::new(31);
    let blocks = DiagonalBlocks { count: 3, rows: 2, columns: 4, width: 13 };
    let place = |block: usize, i: usize| (block * 2 + i / 4) * 13 + block * 4 + i % 4;
    let (shared, dy) = (random(&mut noise, 8), random(&mut noise, 3 * 2 * 13));
    let mut tied = dy.clone();
    reference().tie_diagonal_blocks(blocks, &mut tied);
    for block in 0..3 {
        let gradient: Vec<f64> = (0..8).map(|i| tied[place(block, i)]).collect();
        check("tie_diagonal_blocks", &shared, &gradient, |shared| {
            let mut whole = vec![0.0; dy.len()];
            (0..3).for_each(|block| (0..8).for_each(|i| whole[place(block, i)] = shared[i]));
            inner(&whole, &dy)
        });
    }
    assert_eq!(tied.iter().filter(|&&value| value != 0.0).count(), 24, "nothing off the diagonal moves");
}

#[test]
fn soft_cap() {
    let mut noise = Noise::new(9);
    let (x, dy) = (random(&mut noise, 20), random(&mut noise, 20));
    let capped = |x: &Vec<f64>| {
        let mut y = x.clone();
        reference().soft_cap(0.6, &mut y);
        y
    };
    let mut dx = dy.clone();
    reference().soft_cap_backward(0.6, &capped(&x), &mut dx);
    check("soft_cap x", &x, &dx, |x| inner(&capped(x), &dy));
}

/// The operation returns its losses in f32, too coarse for differences, so the loss is written out here in f64, and the returned ones are held against it.
#[test]
fn cross_entropy() {
    let mut noise = Noise::new(10);
    let (width, targets, weights) = (5, vec![3, 0, 4], vec![0.5, 0.0, 2.0]);
    let logits: Vec<f64> = random(&mut noise, 3 * width).iter().map(|v| v * 6.0).collect();
    let losses = |logits: &[f64]| -> Vec<f64> {
        let rows = logits.chunks_exact(width).zip(&targets);
        rows.map(|(row, target)| row.iter().map(|v| v.exp()).sum::<f64>().ln() - row[*target]).collect()
    };
    let mut gradient = logits.clone();
    let mut written = vec![f64::NAN; 3];
    reference().cross_entropy(width, &targets, &weights, &mut gradient, &mut written);
    for (written, exact) in written.iter().zip(losses(&logits)) {
        assert!((written - exact).abs() <= 1e-12 * exact.abs(), "{written} but {exact}");
    }
    check("cross_entropy logits", &logits, &gradient, |logits| {
        losses(logits).iter().zip(&weights).map(|(loss, weight)| loss * weight).sum()
    });
}
