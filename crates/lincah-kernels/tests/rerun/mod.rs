//! Runs a test program again under every plainer instruction set of this processor.

use lincah_kernels::Cpu;
use std::process::Command;

/// The instruction sets, best first.
const INSTRUCTIONS: [&str; 3] = ["avx512", "avx2", "portable"];

/// Runs this test program again, without the test `caller`, under each instruction set below the one in use.
pub fn with_every_plainer_instruction_set(caller: &str) {
    let in_use = INSTRUCTIONS.iter().position(|&name| name == Cpu.instructions()).expect("a known instruction set");
    for plainer in &INSTRUCTIONS[in_use + 1..] {
        let program = std::env::current_exe().expect("the test program has a path");
        let run = |arguments: &[&str]| {
            let output = Command::new(&program).args(arguments).env("LINCAH_INSTRUCTIONS", plainer).output();
            let output = output.expect("the test program runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{arguments:?} with {plainer} instructions:\n{text}");
            text
        };
        let used = run(&["the_instruction_set_in_use", "--nocapture"]);
        assert!(used.contains(&format!("instructions: {plainer}\n")), "{plainer} was asked for:\n{used}");
        run(&["--skip", caller]);
    }
}

#[test]
fn the_instruction_set_in_use() {
    let instructions = Cpu.instructions();
    println!("instructions: {instructions}");
    assert!(INSTRUCTIONS.contains(&instructions));
}
