//! Soft cap, cross-entropy, and what the optimizer needs.

use super::{FORMULA, GUARD, Outputs, PROBABILITY, SUM, poisoned};
use crate::noise::Noise;
use lincah_kernels::{AdamArrays, AdamStep, DiagonalBlocks, Kernels};

pub fn soft_cap<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(19);
    for length in [1, 61, 1037, 5003] {
        for cap in [0.7, 30.0] {
            let mut x = device.upload(&noise.take(length));
            device.scale(50.0, &mut x);
            device.soft_cap(cap, &mut x);
            outputs.push(device, FORMULA, length, format!("soft_cap {cap} {length}"), &x);
            let y = device.upload(&noise.take(length).iter().map(|y| y * cap * 0.9).collect::<Vec<_>>());
            let mut dx = device.upload(&noise.take(length));
            device.soft_cap_backward(cap, &y, &mut dx);
            outputs.push(device, FORMULA, length, format!("soft_cap_backward {cap} {length}"), &dx);
        }
    }
    outputs
}

pub fn cross_entropy<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(20);
    for (rows, width) in [(1, 1), (1, 2), (3, 5), (17, 61), (3, 5003)] {
        for largest in [1.0, 60.0] {
            let targets: Vec<usize> = (0..rows).map(|m| (m * 7 + 3) % width).collect();
            let weights: Vec<f32> = (0..rows).map(|m| [0.5, 0.0, 2.0][m % 3]).collect();
            let mut logits = device.upload(&noise.take(rows * width));
            device.scale(largest, &mut logits);
            let mut losses = poisoned(device, rows);
            device.cross_entropy(width, &device.indices(&targets), &device.upload(&weights), &mut logits, &mut losses);
            outputs.push(device, PROBABILITY, rows, format!("cross_entropy losses {rows}×{width} up to {largest}"), &losses);
            let name = format!("cross_entropy gradient {rows}×{width} up to {largest}");
            outputs.push(device, PROBABILITY, rows * width, name, &logits);
        }
    }
    outputs
}

pub fn tie_diagonal_blocks<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(23);
    for (count, rows, columns, width) in [(1, 1, 1, 1), (1, 3, 2, 7), (3, 5, 4, 12), (9, 64, 4, 36), (3, 64, 4, 36)] {
        let blocks = DiagonalBlocks { count, rows, columns, width };
        let length = count * rows * width;
        let mut dx = device.upload(&noise.take(length + GUARD));
        device.tie_diagonal_blocks(blocks, &mut dx);
        outputs.push(device, SUM, length, format!("{blocks:?}"), &dx);
    }
    outputs
}

pub fn squared_norm<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(21);
    for length in [1, 61, 40_003] {
        let norm = device.squared_norm(&device.upload(&noise.take(length)));
        outputs.push_values(FORMULA, format!("squared_norm {length}"), vec![norm as f32]);
    }
    outputs
}

pub fn adam_step<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(22);
    for length in [1, 61, 40_003] {
        for weight_decay in [0.0, 0.1] {
            let mut parameter = device.upload(&noise.take(length));
            let (mut first, mut second) = (device.zeros(length), device.zeros(length));
            for step in 1..=3 {
                let gradient = device.upload(&noise.take(length));
                let step = AdamStep {
                    learning_rate: 1e-2,
                    beta1: 0.9,
                    beta2: 0.999,
                    epsilon: 1e-7,
                    weight_decay,
                    step,
                    gradient_scale: 0.6,
                };
                device.adam_step(step, &gradient, (&mut first, &mut second), &mut parameter);
            }
            for (name, buffer) in [("parameter", &parameter), ("first moment", &first), ("second moment", &second)] {
                outputs.push(device, SUM, length, format!("adam_step {length} decay {weight_decay} {name}"), buffer);
            }
        }
    }
    outputs
}

pub fn clipped_adam_steps<K: Kernels>(device: &K) -> Outputs {
    let mut outputs = Outputs::default();
    let mut noise = Noise::new(33);
    for clip_norm in [None, Some(0.5), Some(1e6)] {
        let lengths = [1, 61, 40_003];
        let mut buffers = lengths.map(|length| {
            let zeros = || device.zeros(length);
            (zeros(), zeros(), device.upload(&noise.take(length)), device.upload(&noise.take(length)))
        });
        let step = AdamStep {
            learning_rate: 1e-2,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-3,
            weight_decay: 0.1,
            step: 1,
            gradient_scale: 0.6,
        };
        let mut arrays: Vec<_> = buffers
            .iter_mut()
            .map(|(first_moment, second_moment, gradient, parameter)| AdamArrays {
                gradient,
                first_moment,
                second_moment,
                parameter,
            })
            .collect();
        let norm = device.clipped_adam_steps(step, clip_norm, &mut arrays);
        outputs.push_values(FORMULA, format!("clipped_adam_steps at {clip_norm:?} norm"), vec![norm as f32]);
        for (length, (first, second, gradient, parameter)) in lengths.into_iter().zip(&buffers) {
            for (name, buffer) in
                [("first moment", first), ("second moment", second), ("parameter", parameter), ("gradient", gradient)]
            {
                outputs.push(device, SUM, length, format!("clipped_adam_steps at {clip_norm:?} {name}"), buffer);
            }
        }
    }
    outputs
}
