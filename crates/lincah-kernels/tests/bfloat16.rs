//! The operations where CUDA keeps bfloat16, against the naive reference in f64.

mod harness;
mod noise;

use harness::attention::{grouped_layouts, groups};
use harness::{Output, operations};
use lincah_kernels::reference::Reference;
use lincah_kernels::{AttentionGradients, AttentionSaved, AttentionShape, CudaPrecision, Kernels, RaggedLayout};
use noise::Noise;

/// A product of factors rounded to 8 bits; sums of many such are nearer.
const OF_LARGEST: f64 = 2e-2;
/// Of an array's norm: probabilities, their gradients and the results are rounded to 8 bits each.
const OF_NORM: f64 = 1e-2;

fn device() -> impl Kernels {
    lincah_kernels::cuda(0, Some(CudaPrecision::Bf16)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn cuda_in_bf16_agrees_with_the_reference() {
    fn run<K: Kernels>(device: &K) -> Vec<Output> {
        // Weights of 8 bits are the processor's alone.
        operations::<K>().into_iter().filter(|(name, _)| *name != "int8_linear").flat_map(|(_, run)| run(device).0).collect()
    }
    let mut faults = Vec::new();
    let (outputs, references) = (run(&device()), run(&Reference::<f64>::new()));
    assert_eq!(outputs.len(), references.len());
    for (output, reference) in outputs.iter().zip(&references) {
        assert_eq!(output.name, reference.name);
        let exact = &reference.values[..reference.length];
        let largest = exact.iter().fold(0.0f64, |largest, &v| largest.max(f64::from(v).abs()));
        let errors = output.values.iter().zip(exact).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        let worst = errors.fold(0.0, |worst: f64, error| if error.is_nan() { f64::INFINITY } else { worst.max(error) });
        if worst > OF_LARGEST * largest + 1e-5 {
            faults.push(format!("{}: {worst:e} where the largest is {largest:e}; in f32 {:?}", output.name, output.tolerance));
        }
    }
    assert!(faults.is_empty(), "{} outputs differ from the reference:\n{}", faults.len(), faults.join("\n"));
}

/// Numbers that are the same in bfloat16.
fn exact_numbers(noise: &mut Noise, length: usize) -> Vec<f32> {
    noise.take(length).into_iter().map(|value| f32::from_bits(value.to_bits() & 0xffff_0000)).collect()
}

/// On the device as a product leaves it there: in bfloat16, where the device keeps that.
fn as_product<K: Kernels>(device: &K, values: &[f32], width: usize) -> K::Buffer {
    let identity = (0..width * width).map(|i| if i / width == i % width { 1.0 } else { 0.0 }).collect();
    let (x, mut y) = (device.upload(values), device.uninitialized(values.len()));
    device.linear(values.len() / width, &x, &device.matrix(identity, width, width), &mut y);
    y
}

/// Output, log_sum, and the gradients of query, key and value.
fn attention<K: Kernels>(device: &K, shape: AttentionShape, layout: &RaggedLayout) -> [Vec<f32>; 5] {
    let mut noise = Noise::new(3);
    let width = shape.head_dimension;
    let queries = layout.rows() * shape.heads * width;
    let keys = layout.key_rows() * shape.key_value_heads * width;
    let [query, d_output] = [(); 2].map(|()| as_product(device, &exact_numbers(&mut noise, queries), width));
    let [key, value] = [(); 2].map(|()| as_product(device, &exact_numbers(&mut noise, keys), width));
    let on_device = device.layout(layout);
    let (mut output, mut log_sum) = (device.uninitialized(queries), device.uninitialized(layout.rows() * shape.heads));
    device.attention(shape, &on_device, (&query, &key, &value), &mut output, &mut log_sum);
    let [mut d_query, mut d_key, mut d_value] = [queries, keys, keys].map(|length| device.uninitialized(length));
    let saved = AttentionSaved { query: &query, key: &key, value: &value, output: &output, log_sum: &log_sum };
    let gradients = AttentionGradients { query: &mut d_query, key: &mut d_key, value: &mut d_value };
    device.attention_backward(shape, &on_device, saved, &d_output, gradients);
    [&output, &log_sum, &d_query, &d_key, &d_value].map(|buffer| device.download(buffer))
}

/// Arrays of one attention that are too far from the reference's.
fn attention_faults(cuda: &impl Kernels, shape: AttentionShape, layout: &RaggedLayout) -> Vec<String> {
    let names = ["output", "log_sum", "d_query", "d_key", "d_value"];
    let arrays = attention(cuda, shape, layout).into_iter().zip(attention(&Reference::<f64>::new(), shape, layout));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let fault = |(name, (found, exact)): (&str, (Vec<f32>, Vec<f32>))| {
        let difference = norm(&mut found.iter().zip(&exact).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        let whole = norm(&mut exact.iter().map(|value| f64::from(*value)));
        // Written so that a NaN fails.
        let near = difference <= OF_NORM * whole + 1e-4;
        (!near).then(|| format!("{name} {difference:e} of {whole:e}: {shape:?} {layout:?}"))
    };
    names.into_iter().zip(arrays).filter_map(fault).collect()
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn cuda_attention_on_tensor_cores_agrees_with_the_reference() {
    let plain = [
        RaggedLayout::new(0, &[1, 3, 17, 70]),
        RaggedLayout::new(5, &[2, 1, 17, 3]),
        RaggedLayout::new(33, &[1, 61]),
        RaggedLayout::continuing(21, &[2, 1, 17]),
        RaggedLayout::continuing(70, &[1]),
    ];
    let (cuda, mut faults) = (device(), Vec::new());
    for layout in plain.iter().chain(&grouped_layouts()) {
        for (heads, key_value_heads) in [(1, 1), (3, 1), (8, 1), (6, 2), (5, 5)] {
            for head_dimension in [16, 48, 64, 128, 256] {
                for (window, soft_cap) in [(None, None), (Some(9), None), (None, Some(2.0))] {
                    let scale = 1.3 / (head_dimension as f32).sqrt();
                    let shape = AttentionShape { heads, key_value_heads, head_dimension, scale, soft_cap, window, causal: true };
                    faults.extend(attention_faults(&cuda, shape, layout));
                    if window.is_none() && soft_cap.is_none() {
                        faults.extend(attention_faults(&cuda, AttentionShape { causal: false, ..shape }, layout));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} arrays differ from the reference:\n{}", faults.len(), faults.join("\n"));
}

/// Few enough for a tool that looks at every access (compute-sanitizer's racecheck).
#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn cuda_attention_of_few_shapes() {
    let f32_device = lincah_kernels::cuda(0, Some(CudaPrecision::F32)).unwrap_or_else(|error| panic!("{error}"));
    let plain = RaggedLayout::new(5, &[2, 1, 17, 3]);
    let grouped = RaggedLayout::with_groups(5, &groups(&[(18, &[2, 17]), (0, &[3])]));
    let mut faults = Vec::new();
    for (layout, head_dimension) in [(&plain, 64), (&plain, 256), (&grouped, 64), (&grouped, 256)] {
        let shape = AttentionShape {
            heads: 6,
            key_value_heads: 2,
            head_dimension,
            scale: 0.1,
            soft_cap: None,
            window: None,
            causal: true,
        };
        faults.extend(attention_faults(&device(), shape, layout));
        faults.extend(attention_faults(&f32_device, shape, layout));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn cuda_devices_that_are_not_there_are_counted() {
    let message = lincah_kernels::cuda(1000, None).err().expect("fewer than a thousand GPUs").to_string();
    assert!(message.starts_with("no CUDA device 1000: the driver shows "), "{message}");
}
