//! Several handles on one device at once, each on a thread of its own.

mod harness;
mod noise;

use harness::{Output, operations};
use lincah_kernels::{Cpu, CudaPrecision, Kernels, Profiled};
use noise::Noise;
use std::thread;

fn another<K: Kernels>(device: &K) -> K {
    device.concurrent_handle().unwrap_or_else(|error| panic!("{error}"))
}

fn cuda(precision: CudaPrecision) -> impl Kernels {
    lincah_kernels::cuda(0, Some(precision)).unwrap_or_else(|error| panic!("{error}"))
}

/// Every operation's outputs.
fn all_outputs<K: Kernels>(device: &K) -> Vec<Output> {
    let operations = operations::<K>().into_iter().filter(|(name, _)| *name != "int8_linear");
    operations.flat_map(|(_, run)| run(device).0).collect()
}

fn every_operation_gives_its_bits_whatever_others_do<K: Kernels>(device: &K) {
    let alone = all_outputs(device);
    thread::scope(|scope| {
        let handles = [another(device), another(device)];
        let runs = handles.map(|handle| scope.spawn(move || all_outputs(&handle)));
        for run in runs {
            let concurrent = run.join().expect("the thread ends well");
            assert_eq!(concurrent.len(), alone.len());
            for (output, expected) in concurrent.iter().zip(&alone) {
                let what = |output: &Output| (output.name.clone(), output.length, output.tolerance);
                assert_eq!(what(output), what(expected));
                let bits = |output: &Output| output.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert!(bits(output) == bits(expected), "{} differs beside another handle", output.name);
            }
        }
    });
}

#[test]
fn operations_of_several_handles_give_their_bits() {
    every_operation_gives_its_bits_whatever_others_do(&Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn operations_of_several_cuda_handles_give_their_bits() {
    every_operation_gives_its_bits_whatever_others_do(&cuda(CudaPrecision::F32));
    every_operation_gives_its_bits_whatever_others_do(&cuda(CudaPrecision::Bf16));
}

const ROWS: usize = 5;
const INPUTS: usize = 48;
const OUTPUTS: usize = 64;

/// Two products with a matrix of another handle's, of new inputs: recorded, where the device records.
fn products<K: Kernels>(handle: &K, weight: &K::Matrix, seed: u64) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    let mut x = handle.upload(&noise.take(ROWS * INPUTS));
    let dy = handle.upload(&noise.take(ROWS * OUTPUTS));
    let (mut y, mut dx) = (handle.uninitialized(ROWS * OUTPUTS), handle.zeros(ROWS * INPUTS));
    let mut both = |x: &K::Buffer| {
        handle.clear(&mut dx);
        handle.fork_join(|| handle.linear(ROWS, x, weight, &mut y), || handle.linear_backward(ROWS, &dy, weight, &mut dx));
    };
    both(&x);
    let recording = handle.record(&mut || both(&x));
    handle.replace(&noise.take(ROWS * INPUTS), &mut x);
    match &recording {
        Some(recording) => handle.replay(recording),
        None => both(&x),
    }
    [handle.download(&y), handle.download(&dx)].concat()
}

fn handles_share_a_matrix<K: Kernels>(device: &K) {
    let weight = device.matrix(Noise::new(60).take(OUTPUTS * INPUTS), OUTPUTS, INPUTS);
    device.synchronize();
    let alone: Vec<Vec<f32>> = (0..4).map(|seed| products(device, &weight, seed)).collect();
    assert!(alone[0] != alone[1] && alone.iter().flatten().all(|value| value.is_finite()));
    thread::scope(|scope| {
        for (seed, alone) in alone.iter().enumerate() {
            let weight = &weight;
            scope.spawn(move || {
                let handle = another(device);
                for _ in 0..50 {
                    assert!(products(&handle, weight, seed as u64) == *alone, "another handle's work came between");
                }
                handle.synchronize();
            });
        }
    });
}

#[test]
fn several_handles_read_one_matrix() {
    handles_share_a_matrix(&Cpu);
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn several_cuda_handles_read_one_matrix_and_record() {
    handles_share_a_matrix(&cuda(CudaPrecision::F32));
    handles_share_a_matrix(&cuda(CudaPrecision::Bf16));
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn a_recording_that_panics_leaves_other_cuda_handles_as_they_were() {
    fn check<K: Kernels>(device: &K) {
        let weight = device.matrix(Noise::new(60).take(OUTPUTS * INPUTS), OUTPUTS, INPUTS);
        device.synchronize();
        let expected = products(device, &weight, 0);
        let handle = another(device);
        let recorded = || handle.record(&mut || panic!("a failed step"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(recorded)).is_err());
        for handle in [&another(device), &handle] {
            assert_eq!(products(handle, &weight, 0), expected);
        }
    }
    check(&cuda(CudaPrecision::F32));
}

#[test]
fn handles_on_a_measured_device_share_its_clock() {
    let measured = Profiled::new(Cpu);
    let mut y = Cpu.zeros(3);
    another(&measured).add(&Cpu.zeros(3), &mut y);
    assert_eq!(measured.take_times()["add"].calls, 1);
}
