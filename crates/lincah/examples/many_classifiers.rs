//! Resident memory of several classifiers on one base model: `many_classifiers TEXTS FOLDER [FOLDER …]`, where TEXTS has a text per line. A
//! folder may be named several times; each time it is loaded anew.

use lincah::{AgileClassifier, BaseModel, ClassifierRecord, Device};
use std::path::Path;

/// Resident memory of this process in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system tells a process's memory");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it tells the resident part");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<f64>().ok()).expect("it is a number") / 1024.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [texts, folders @ ..] = arguments.as_slice() else { return Err("give TEXTS FOLDER [FOLDER …]".into()) };
    let texts = std::fs::read_to_string(texts)?;
    let texts: Vec<&str> = texts.lines().take(64).collect();
    let first = folders.first().ok_or("give TEXTS FOLDER [FOLDER …]")?;
    let base = BaseModel::open(&ClassifierRecord::read(Path::new(first))?.base_model.name, Device::Cpu)?;
    println!("base model: {:.1} MB", resident());
    let mut classifiers = Vec::new();
    for folder in folders {
        classifiers.push(AgileClassifier::load_on(Path::new(folder), &base)?);
        for classifier in &classifiers {
            classifier.predict(&texts)?;
        }
        let adapter = std::fs::metadata(Path::new(folder).join("adapter_model.safetensors"))?.len() as f64 / 1048576.0;
        println!("{} classifiers: {:.1} MB (an adapter file of {adapter:.1} MB)", classifiers.len(), resident());
    }
    Ok(())
}
