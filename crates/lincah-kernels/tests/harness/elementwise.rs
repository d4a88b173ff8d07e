//! Operations on single elements and single rows, and the buffers themselves.

use super::{FORMULA, GUARD, Outputs, ROUNDING, SUM, poisoned};
use crate::noise::Noise;
use lincah_kernels::{Activation, Kernels, NormShape};

/// Short, odd, and longer than any block that a thread takes.
const LENGTHS: [usize; 4] = [1, 61, 1037, 40_003];

pub fn buffers<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(9);
    for length in LENGTHS {
        let source = device.upload(&noise.take(length));
        let mut target = device.upload(&vec![f32::NAN; length]);
        device.copy(&source, &mut target);
        outputs.push(device, ROUNDING, length, format!("copy {length}"), &target);
        device.clear(&mut target);
        outputs.push(device, ROUNDING, length, format!("clear {length}"), &target);
        outputs.push(device, ROUNDING, length, format!("zeros {length}"), &device.zeros(length));
    }
    outputs
}

pub fn dropout<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(10);
    for length in LENGTHS {
        for (probability, key) in [(0.0, 1), (0.1, 2), (0.5, u64::MAX)] {
            let x = device.upload(&noise.take(length));
            let mut y = device.upload(&vec![f32::NAN; length]);
            device.dropout(&x, probability, key, &mut y);
            outputs.push(device, ROUNDING, length, format!("dropout {length} p {probability}"), &y);
            let mut dx = device.upload(&noise.take(length));
            device.dropout_backward(&x, probability, key, &mut dx);
            outputs.push(device, FORMULA, length, format!("dropout_backward {length} p {probability}"), &dx);
        }
    }
    outputs
}

fn norm_shapes() -> impl Iterator<Item = NormShape> {
    let sizes = [(1, 1), (3, 20), (17, 61), (61, 576), (3, 2048)];
    sizes.into_iter().flat_map(|(rows, width)| [1e-5, 0.5].map(|epsilon| NormShape { rows, width, epsilon }))
}

pub fn layer_norm<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(33);
    for shape in norm_shapes().filter(|shape| shape.width > 1) {
        // Rows far from zero, whose mean must go before their squares are summed.
        let x: Vec<f32> = noise.take(shape.rows * shape.width).iter().map(|x| x + 1.0).collect();
        let [weight, bias] = [(); 2].map(|()| device.upload(&noise.take(shape.width)));
        let mut y = poisoned(device, shape.rows * shape.width);
        device.layer_norm(shape, &device.upload(&x), (&weight, &bias), &mut y);
        outputs.push(device, SUM, shape.rows * shape.width, format!("layer_norm {shape:?}"), &y);
    }
    outputs
}

pub fn gelu<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(34);
    for length in LENGTHS {
        let mut y = device.upload(&gates(&mut noise, length));
        device.gelu(&mut y);
        outputs.push(device, FORMULA, length, format!("gelu {length}"), &y);
    }
    outputs
}

pub fn rms_norm<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(11);
    for shape in norm_shapes() {
        let x = device.upload(&noise.take(shape.rows * shape.width));
        let weight = device.upload(&noise.take(shape.width));
        let (mut y, mut r) = (poisoned(device, shape.rows * shape.width), poisoned(device, shape.rows));
        device.rms_norm(shape, &x, &weight, &mut y, &mut r);
        outputs.push(device, FORMULA, shape.rows * shape.width, format!("rms_norm y {shape:?}"), &y);
        outputs.push(device, FORMULA, shape.rows, format!("rms_norm r {shape:?}"), &r);
    }
    outputs
}

pub fn add_rms_norm<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(31);
    for (rows, width) in [(1, 1), (3, 20), (17, 64), (61, 577)] {
        let shape = NormShape { rows, width, epsilon: 1e-6 };
        let (x, weight) = (device.upload(&noise.take(rows * width)), device.upload(&noise.take(width)));
        let mut y = device.upload(&noise.take(rows * width));
        let (mut normed, mut r) = (poisoned(device, rows * width), poisoned(device, rows));
        device.add_rms_norm(shape, (&x, &weight), &mut y, (&mut normed, &mut r));
        for (name, length, buffer) in [("sum", rows * width, &y), ("normed", rows * width, &normed), ("r", rows, &r)] {
            outputs.push(device, SUM, length, format!("add_rms_norm {rows}×{width} {name}"), buffer);
        }
    }
    outputs
}

pub fn embed<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(32);
    for (width, tokens) in [(1, &[0][..]), (20, &[16, 3, 3, 0]), (577, &[2, 1])] {
        let table = device.embedding(&noise.take(17 * width));
        let mut y = poisoned(device, tokens.len() * width);
        device.embed(width, &device.indices(tokens), &table, 1.5, &mut y);
        // Whether the factor comes before or after the table's rounding, and to numbers behind the rows, is the device's matter.
        let values = device.download(&y)[..tokens.len() * width].to_vec();
        outputs.push_values(ROUNDING, format!("embed {tokens:?} width {width}"), values);
    }
    outputs
}

pub fn rms_norm_backward<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(12);
    for shape in norm_shapes() {
        let length = shape.rows * shape.width;
        let [x, weight, dy] = [length, shape.width, length].map(|length| device.upload(&noise.take(length)));
        let (mut y, mut r) = (poisoned(device, length), poisoned(device, shape.rows));
        device.rms_norm(shape, &x, &weight, &mut y, &mut r);
        let mut dx = device.upload(&noise.take(length + GUARD));
        device.rms_norm_backward(shape, (&x, &weight, &r), &dy, &mut dx);
        outputs.push(device, SUM, length, format!("rms_norm_backward {shape:?}"), &dx);
    }
    outputs
}

/// Gates from where the activation bends to where it is flat.
fn gates(noise: &mut Noise, length: usize) -> Vec<f32> {
    noise.take(length).iter().enumerate().map(|(i, g)| g * [1.0, 4.0, 40.0, 400.0][i % 4]).collect()
}

pub fn gated_activation<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(13);
    for length in LENGTHS {
        for activation in [Activation::Silu, Activation::GeluTanh] {
            let (gate, up) = (device.upload(&gates(&mut noise, length)), device.upload(&noise.take(length)));
            let mut y = device.upload(&vec![f32::NAN; length]);
            device.gated_activation(activation, &gate, &up, &mut y);
            outputs.push(device, FORMULA, length, format!("gated_activation {activation:?} {length}"), &y);
        }
    }
    outputs
}

pub fn gated_activation_backward<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(14);
    for length in LENGTHS {
        for activation in [Activation::Silu, Activation::GeluTanh] {
            let (gate, up) = (device.upload(&gates(&mut noise, length)), device.upload(&noise.take(length)));
            let dy = device.upload(&noise.take(length));
            let [mut d_gate, mut d_up] = [(); 2].map(|()| device.upload(&vec![f32::NAN; length]));
            device.gated_activation_backward(activation, (&gate, &up), &dy, &mut d_gate, &mut d_up);
            for (name, gradient) in [("d_gate", &d_gate), ("d_up", &d_up)] {
                let name = format!("gated_activation_backward {activation:?} {length} {name}");
                outputs.push(device, FORMULA, length, name, gradient);
            }
        }
    }
    outputs
}

pub fn add<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(15);
    for length in LENGTHS {
        let x = device.upload(&noise.take(length));
        let mut y = device.upload(&noise.take(length));
        device.add(&x, &mut y);
        outputs.push(device, ROUNDING, length, format!("add {length}"), &y);
    }
    outputs
}

pub fn gather_rows<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(16);
    for (width, rows) in [(1, &[0][..]), (20, &[16, 3, 3, 0]), (577, &[2, 1])] {
        let x = device.upload(&noise.take(17 * width));
        let mut y = poisoned(device, rows.len() * width);
        device.gather_rows(width, &device.indices(rows), &x, &mut y);
        outputs.push(device, ROUNDING, rows.len() * width, format!("gather_rows {rows:?} width {width}"), &y);
    }
    outputs
}

pub fn scatter_add_rows<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(17);
    for (width, rows) in [(1, &[0][..]), (20, &[16, 3, 3, 0]), (577, &[2, 1])] {
        let dy = device.upload(&noise.take(rows.len() * width));
        let mut dx = device.upload(&noise.take(17 * width));
        device.scatter_add_rows(width, &device.indices(rows), &dy, &mut dx);
        outputs.push(device, ROUNDING, 17 * width, format!("scatter_add_rows {rows:?} width {width}"), &dx);
    }
    outputs
}

pub fn scale<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(18);
    for length in LENGTHS {
        let mut y = device.upload(&noise.take(length));
        device.scale(-0.3, &mut y);
        outputs.push(device, ROUNDING, length, format!("scale {length}"), &y);
    }
    outputs
}
