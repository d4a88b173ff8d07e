//! Every operation on every device against the naive reference in f64.

mod harness;
mod noise;
mod rerun;

use harness::{Output, operations};
use lincah_kernels::reference::Reference;
use lincah_kernels::{Cpu, Kernels};

/// What is wrong with one output, if anything.
fn fault(output: &Output, reference: &Output) -> Option<String> {
    assert_eq!((&output.name, output.values.len()), (&reference.name, reference.values.len()));
    let (owned, guard) = output.values.split_at(output.length);
    let (exact, exact_guard) = reference.values.split_at(reference.length);
    assert!(exact.iter().all(|v| v.is_finite()), "{}: the reference itself is not finite", reference.name);
    if guard.iter().zip(exact_guard).any(|(a, b)| a != b && !(a.is_nan() && b.is_nan())) {
        return Some("wrote behind its output".into());
    }
    let largest = exact.iter().fold(0.0, |largest: f64, &v| largest.max(f64::from(v).abs()));
    for (index, (&value, &exact)) in owned.iter().zip(exact).enumerate() {
        let (value, exact) = (f64::from(value), f64::from(exact));
        let error = (value - exact).abs();
        // Written so that a NaN fails.
        let allowed = output.tolerance;
        let near = error <= allowed.of_largest * largest;
        let relatively_near = error <= allowed.relative * exact.abs() || exact.abs() < largest / 100.0;
        if !(near && relatively_near || error <= allowed.always) {
            return Some(format!("element {index} is {value:e}, expected {exact:e}; largest {largest:e}, {allowed:?}"));
        }
    }
    None
}

fn hold_against_the_reference<K: Kernels>(device: &K) {
    let mut faults = Vec::new();
    for ((name, run), (_, exact)) in operations::<K>().into_iter().zip(operations::<Reference<f64>>()) {
        if name == "int8_linear" && device.int8_matrix(vec![1.0], 1, 1).is_none() {
            continue;
        }
        let (outputs, references) = (run(device).0, exact(&Reference::new()).0);
        assert!(!outputs.is_empty() && outputs.len() == references.len(), "{name} has no outputs to compare");
        for (output, reference) in outputs.iter().zip(&references) {
            faults.extend(fault(output, reference).map(|fault| format!("{}: {fault}", output.name)));
        }
    }
    assert!(faults.is_empty(), "{} outputs differ from the reference:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_cpu_agrees_with_the_reference() {
    hold_against_the_reference(&Cpu);
}

#[test]
fn the_measured_cpu_gives_the_same_bits_and_counts_every_call() {
    use lincah_kernels::Profiled;
    let measured = Profiled::new(Cpu);
    for ((name, run), (_, plain)) in operations::<Profiled<Cpu>>().into_iter().zip(operations::<Cpu>()) {
        let bits = |outputs: &harness::Outputs| -> Vec<Vec<u32>> {
            outputs.0.iter().map(|output| output.values.iter().map(|value| value.to_bits()).collect()).collect()
        };
        assert_eq!(bits(&run(&measured)), bits(&plain(&Cpu)), "{name}");
        let times = measured.take_times();
        let name = match name {
            "int8_linear" => "linear",
            // Made of others unless a device has them in one.
            "add_rms_norm" => "rms_norm",
            "gated_linear" => "linear",
            "gated_linear_backward" => "linear_backward",
            "clipped_adam_steps" => "adam_steps",
            name => name,
        };
        assert!(name == "buffers" || times[name].calls > 0 && !times[name].time.is_zero(), "{name} was not counted: {times:?}");
        let has_products =
            ["linear", "linear_backward", "trained_linear", "lora", "lora_backward", "adapted_linear", "adapted_linear_backward"];
        assert_eq!(times.get(name).is_some_and(|operation| operation.flops > 0.0), has_products.contains(&name), "{name}");
    }
    assert!(measured.take_times().is_empty());
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn cuda_agrees_with_the_reference() {
    hold_against_the_reference(
        &lincah_kernels::cuda(0, Some(lincah_kernels::CudaPrecision::F32)).unwrap_or_else(|error| panic!("{error}")),
    );
}

#[test]
fn the_reference_in_f32_agrees_with_itself_in_f64() {
    hold_against_the_reference(&Reference::<f32>::new());
}

#[test]
fn every_plainer_instruction_set_passes_too() {
    rerun::with_every_plainer_instruction_set("every_plainer_instruction_set_passes_too");
}

#[test]
fn dropout_keeps_the_asked_share_and_other_elements_under_another_key() {
    let ones = Cpu.upload(&[1.0; 100_000]);
    let kept = |probability: f32, key: u64| {
        let mut y = Cpu.upload(&[f32::NAN; 100_000]);
        Cpu.dropout(&ones, probability, key, &mut y);
        y
    };
    for probability in [0.1f32, 0.5] {
        let (y, other) = (kept(probability, 7), kept(probability, 8));
        let share = |y: &[f32]| y.iter().filter(|&&v| v != 0.0).count() as f64 / y.len() as f64;
        // Five standard deviations of a binomial share.
        let slack = 5.0 * (f64::from(probability) * (1.0 - f64::from(probability)) / ones.len() as f64).sqrt();
        assert!((share(&y) - (1.0 - f64::from(probability))).abs() < slack, "{}", share(&y));
        let same = y.iter().zip(other.iter()).filter(|(a, b)| a == b).count() as f64 / y.len() as f64;
        let expected = f64::from(probability).powi(2) + (1.0 - f64::from(probability)).powi(2);
        assert!((same - expected).abs() < 2.0 * slack + 0.005, "{same} of the elements agree, expected {expected}");
    }
    assert_eq!(kept(0.0, 7)[..], ones[..]);
}

/// The CPU's unsafe code rests on these checks.
#[test]
fn arrays_shorter_than_their_shape_are_refused() {
    let weight = Cpu.matrix(vec![1.0; 40 * 20], 40, 20);
    let array = |length: usize| Cpu.upload(&vec![1.0; length]);
    let refused = |run: &(dyn Fn() + std::panic::RefUnwindSafe)| std::panic::catch_unwind(run).is_err();
    assert!(!refused(&|| Cpu.linear(3, &array(60), &weight, &mut array(120))));
    assert!(refused(&|| Cpu.linear(3, &array(59), &weight, &mut array(120))));
    assert!(refused(&|| Cpu.linear(3, &array(60), &weight, &mut array(119))));
    assert!(refused(&|| Cpu.linear_backward(3, &array(119), &weight, &mut array(60))));
    assert!(refused(&|| Cpu.linear_backward(3, &array(120), &weight, &mut array(59))));
    let rounded = Cpu.int8_matrix(vec![1.0; 40 * 20], 40, 20).expect("the processor has products of 8 bits");
    let adapted = |weight: &_, [x, z, a, b, h, y]: [usize; 6]| {
        refused(&|| {
            let shape = lincah_kernels::LoraShape { rows: 3, inputs: 20, outputs: 40, rank: 4, scale: 1.0 };
            let factors = (&array(z), &array(a), &array(b));
            Cpu.adapted_linear(shape, (&array(x), weight), factors, &mut array(h), &mut array(y));
        })
    };
    for weight in [&weight, &rounded] {
        let lengths = [60, 60, 80, 160, 12, 120];
        assert!(!adapted(weight, lengths));
        for short in 0..lengths.len() {
            let mut lengths = lengths;
            lengths[short] -= 1;
            assert!(adapted(weight, lengths), "array {short} of {lengths:?}");
        }
    }
    let shape = lincah_kernels::AttentionShape {
        heads: 2,
        key_value_heads: 1,
        head_dimension: 4,
        scale: 1.0,
        soft_cap: None,
        window: None,
        causal: true,
    };
    let layout = lincah_kernels::RaggedLayout::new(1, &[2]);
    let attention = |q: usize, k: usize, v: usize, y: usize, l: usize| {
        refused(&|| {
            let [query, key, value] = [q, k, v].map(array);
            Cpu.attention(shape, &layout, (&query, &key, &value), &mut array(y), &mut array(l));
        })
    };
    assert!(!attention(24, 12, 12, 24, 6));
    assert!(attention(23, 12, 12, 24, 6) && attention(24, 11, 12, 24, 6) && attention(24, 12, 11, 24, 6));
    assert!(attention(24, 12, 12, 23, 6) && attention(24, 12, 12, 24, 5));
}
