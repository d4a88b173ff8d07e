//! Linear layers and LoRA.

use super::{GUARD, INPUT_ROUNDING, Outputs, ROUNDING, SUM, poisoned};
use crate::noise::Noise;
use lincah_kernels::{Activation, GatedShape, Kernels, LinearShape, LoraGradients, LoraSaved, LoraShape};

/// `(inputs, outputs)`: below, at and beside multiples of 16 and 32.
const WIDTHS: [(usize, usize); 7] = [(1, 1), (16, 32), (20, 31), (33, 8), (100, 45), (129, 70), (576, 192)];
const ROWS: [usize; 4] = [1, 3, 17, 61];

pub fn linear<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(1);
    for (i, o) in WIDTHS {
        let weight = noise.take(i * o);
        let forms = [("matrix", device.matrix(weight.clone(), o, i)), ("head", device.head_matrix(weight, o, i))];
        for rows in ROWS {
            let x = device.upload(&noise.take(rows * i));
            for (form, weight) in &forms {
                let mut y = poisoned(device, rows * o);
                device.linear(rows, &x, weight, &mut y);
                outputs.push(device, SUM, rows * o, format!("linear {form} rows {rows} {i}→{o}"), &y);
            }
        }
    }
    outputs
}

/// With weights in 8 bits, and LoRA on top; devices without them have nothing to show.
pub fn int8_linear<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(8);
    for (shape, weight) in lora_shapes().map(|shape| (shape, noise.take(shape.outputs * shape.inputs))).collect::<Vec<_>>() {
        let Some(weight) = device.int8_matrix(weight, shape.outputs, shape.inputs) else { return outputs };
        let [x, a, b] = [shape.rows * shape.inputs, shape.rank * shape.inputs, shape.outputs * shape.rank]
            .map(|length| device.upload(&noise.take(length)));
        let length = shape.rows * shape.outputs;
        let (mut hidden, mut y, mut adapted) =
            (poisoned(device, shape.rows * shape.rank), poisoned(device, length), poisoned(device, length));
        device.linear(shape.rows, &x, &weight, &mut y);
        device.adapted_linear(shape, (&x, &weight), (&x, &a, &b), &mut hidden, &mut adapted);
        outputs.push(device, INPUT_ROUNDING, length, format!("int8 linear {}", lora_name(shape)), &y);
        outputs.push(device, INPUT_ROUNDING, length, format!("int8 adapted_linear {}", lora_name(shape)), &adapted);
    }
    outputs
}

pub fn linear_backward<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(2);
    for (i, o) in WIDTHS {
        let weight = noise.take(i * o);
        let forms = [("matrix", device.matrix(weight.clone(), o, i)), ("head", device.head_matrix(weight, o, i))];
        for rows in ROWS {
            let dy = device.upload(&noise.take(rows * o));
            for (form, weight) in &forms {
                let mut dx = device.upload(&noise.take(rows * i + GUARD));
                device.linear_backward(rows, &dy, weight, &mut dx);
                outputs.push(device, SUM, rows * i, format!("linear_backward {form} rows {rows} {i}→{o}"), &dx);
            }
        }
    }
    outputs
}

pub fn trained_linear<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(37);
    for ((inputs, outs), rows) in WIDTHS.into_iter().flat_map(|widths| ROWS.map(|rows| (widths, rows))) {
        let shape = LinearShape { rows, inputs, outputs: outs };
        let [x, weight, dy] = [rows * inputs, outs * inputs, rows * outs].map(|length| device.upload(&noise.take(length)));
        let mut y = poisoned(device, rows * outs);
        device.trained_linear(shape, &x, &weight, &mut y);
        let [mut dx, mut d_weight] = [rows, outs].map(|count| device.upload(&noise.take(count * inputs + GUARD)));
        device.trained_linear_backward(shape, (&x, &weight), &dy, (&mut dx, &mut d_weight));
        for (name, count, array) in [("y", rows * outs, &y), ("dx", rows * inputs, &dx), ("dW", outs * inputs, &d_weight)] {
            outputs.push(device, SUM, count, format!("trained_linear rows {rows} {inputs}→{outs} {name}"), array);
        }
    }
    outputs
}

pub fn add_bias<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(3);
    for (rows, width) in [(1, 1), (3, 20), (17, 61), (61, 576)] {
        let bias = device.upload(&noise.take(width));
        let mut y = device.upload(&noise.take(rows * width));
        device.add_bias(&bias, &mut y);
        outputs.push(device, ROUNDING, rows * width, format!("add_bias {rows}×{width}"), &y);
    }
    outputs
}

/// Those of [`WIDTHS`], and some that a device may join.
fn gated_shapes() -> impl Iterator<Item = GatedShape> {
    let widths = WIDTHS.into_iter().chain([(24, 64), (64, 200), (576, 1536)]);
    let sizes = widths.flat_map(|(inputs, outputs)| ROWS.map(|rows| (rows, inputs, outputs)));
    sizes
        .zip([Activation::Silu, Activation::GeluTanh].into_iter().cycle())
        .map(|((rows, inputs, outputs), activation)| GatedShape { rows, inputs, outputs, activation })
}

fn gated_pair<K: Kernels>(device: &K, noise: &mut Noise, shape: GatedShape) -> [K::Matrix; 2] {
    let values = [(); 2].map(|()| noise.take(shape.outputs * shape.inputs));
    device.matrix_pair(values, shape.outputs, shape.inputs)
}

fn gated_name(shape: GatedShape) -> String {
    format!("rows {} {}→{} {:?}", shape.rows, shape.inputs, shape.outputs, shape.activation)
}

/// Each matrix of a pair alone, too.
pub fn gated_linear<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(35);
    for shape in gated_shapes() {
        let [gate, up] = gated_pair(device, &mut noise, shape);
        let x = device.upload(&noise.take(shape.rows * shape.inputs));
        let length = shape.rows * shape.outputs;
        let [mut saved_gate, mut saved_up] = [(); 2].map(|()| device.upload(&vec![f32::NAN; length]));
        let mut y = device.upload(&vec![f32::NAN; length]);
        device.gated_linear(shape, (&x, [&gate, &up]), [&mut saved_gate, &mut saved_up], &mut y);
        outputs.push(device, SUM, length, format!("gated_linear {}", gated_name(shape)), &y);
        for (name, weight) in [("gate", &gate), ("up", &up)] {
            let mut y = poisoned(device, length);
            device.linear(shape.rows, &x, weight, &mut y);
            outputs.push(device, SUM, length, format!("linear of a pair, {name}, {}", gated_name(shape)), &y);
        }
    }
    outputs
}

pub fn gated_linear_backward<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(36);
    for shape in gated_shapes() {
        let [gate, up] = gated_pair(device, &mut noise, shape);
        let x = device.upload(&noise.take(shape.rows * shape.inputs));
        let length = shape.rows * shape.outputs;
        let [mut saved_gate, mut saved_up, mut y] = [(); 3].map(|()| device.uninitialized(length));
        device.gated_linear(shape, (&x, [&gate, &up]), [&mut saved_gate, &mut saved_up], &mut y);
        let dy = device.upload(&noise.take(length));
        let mut dx = device.upload(&vec![f32::NAN; shape.rows * shape.inputs]);
        device.gated_linear_backward(shape, ([&saved_gate, &saved_up], [&gate, &up]), &dy, &mut dx);
        outputs.push(device, SUM, shape.rows * shape.inputs, format!("gated_linear_backward {}", gated_name(shape)), &dx);
    }
    outputs
}

fn lora_shapes() -> impl Iterator<Item = LoraShape> {
    let ranks = [1, 3, 8, 16, 17, 40];
    let sizes = [(1, 20, 31), (3, 100, 45), (17, 33, 8), (61, 129, 70), (29, 64, 96)];
    ranks.into_iter().flat_map(move |rank| {
        sizes.into_iter().map(move |(rows, inputs, outputs)| LoraShape { rows, inputs, outputs, rank, scale: 1.75 })
    })
}

fn lora_name(shape: LoraShape) -> String {
    format!("rows {} {}→{} rank {}", shape.rows, shape.inputs, shape.outputs, shape.rank)
}

pub fn lora<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(4);
    for shape in lora_shapes() {
        let x = device.upload(&noise.take(shape.rows * shape.inputs));
        let a = device.upload(&noise.take(shape.rank * shape.inputs));
        let b = device.upload(&noise.take(shape.outputs * shape.rank));
        let mut hidden = poisoned(device, shape.rows * shape.rank);
        let mut y = device.upload(&noise.take(shape.rows * shape.outputs + GUARD));
        device.lora(shape, &x, (&a, &b), &mut hidden, &mut y);
        outputs.push(device, SUM, shape.rows * shape.rank, format!("lora {} h", lora_name(shape)), &hidden);
        outputs.push(device, SUM, shape.rows * shape.outputs, format!("lora {} y", lora_name(shape)), &y);
    }
    outputs
}

pub fn lora_backward<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(5);
    for shape in lora_shapes() {
        let [x_length, a_length, b_length] = [shape.rows * shape.inputs, shape.rank * shape.inputs, shape.outputs * shape.rank];
        let [x, a, b] = [x_length, a_length, b_length].map(|length| device.upload(&noise.take(length)));
        let hidden = device.upload(&noise.take(shape.rows * shape.rank));
        let dy = device.upload(&noise.take(shape.rows * shape.outputs));
        let [mut dx, mut da, mut db] = [x_length, a_length, b_length].map(|length| device.upload(&noise.take(length + GUARD)));
        let saved = LoraSaved { input: &x, hidden: &hidden, a: &a, b: &b };
        let gradients = LoraGradients { a: &mut da, b: &mut db, input: &mut dx };
        device.lora_backward(shape, saved, &dy, gradients);
        for (name, length, gradient) in [("dx", x_length, &dx), ("dA", a_length, &da), ("dB", b_length, &db)] {
            outputs.push(device, SUM, length, format!("lora_backward {} {name}", lora_name(shape)), gradient);
        }
    }
    outputs
}

pub fn adapted_linear<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(6);
    for shape in lora_shapes() {
        let [x, z] = [(); 2].map(|()| device.upload(&noise.take(shape.rows * shape.inputs)));
        let weight = device.matrix(noise.take(shape.outputs * shape.inputs), shape.outputs, shape.inputs);
        let a = device.upload(&noise.take(shape.rank * shape.inputs));
        let b = device.upload(&noise.take(shape.outputs * shape.rank));
        let (mut hidden, mut y) = (poisoned(device, shape.rows * shape.rank), poisoned(device, shape.rows * shape.outputs));
        device.adapted_linear(shape, (&x, &weight), (&z, &a, &b), &mut hidden, &mut y);
        outputs.push(device, SUM, shape.rows * shape.rank, format!("adapted_linear {} h", lora_name(shape)), &hidden);
        outputs.push(device, SUM, shape.rows * shape.outputs, format!("adapted_linear {} y", lora_name(shape)), &y);
    }
    outputs
}

pub fn adapted_linear_backward<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(7);
    for (shape, accumulate) in lora_shapes().flat_map(|shape| [(shape, false), (shape, true)]) {
        let [x_length, a_length, b_length] = [shape.rows * shape.inputs, shape.rank * shape.inputs, shape.outputs * shape.rank];
        let [x, a, b] = [x_length, a_length, b_length].map(|length| device.upload(&noise.take(length)));
        let weight = device.matrix(noise.take(shape.outputs * shape.inputs), shape.outputs, shape.inputs);
        let hidden = device.upload(&noise.take(shape.rows * shape.rank));
        let dy = device.upload(&noise.take(shape.rows * shape.outputs));
        let [mut da, mut db] = [a_length, b_length].map(|length| device.upload(&noise.take(length + GUARD)));
        let mut dx = if accumulate { device.upload(&noise.take(x_length)) } else { device.upload(&vec![f32::NAN; x_length]) };
        let saved = LoraSaved { input: &x, hidden: &hidden, a: &a, b: &b };
        let gradients = LoraGradients { a: &mut da, b: &mut db, input: &mut dx };
        device.adapted_linear_backward(shape, &weight, saved, &dy, (gradients, accumulate));
        for (name, length, gradient) in [("dx", x_length, &dx), ("dA", a_length, &da), ("dB", b_length, &db)] {
            let name = format!("adapted_linear_backward {} accumulate {accumulate} {name}", lora_name(shape));
            outputs.push(device, SUM, length, name, gradient);
        }
    }
    outputs
}
