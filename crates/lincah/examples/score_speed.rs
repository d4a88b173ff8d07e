//! Times a classifier's scoring in one process: all texts at once, then one at a time.
//!
//! ```text
//! cargo run --release -p lincah --example score_speed -- CLASSIFIER_DIR TEXTS.csv COLUMN [f32|int8|bf16]
//! ```
//! prints one JSON object: texts a second, and the median, tenth and ninetieth percentile of a text's milliseconds. The texts are scored
//! once before, so that nothing is loaded in the measured time.

use lincah::data::records::{ReadOptions, RecordReader};
use lincah::{AgileClassifier, ComputeOptions, Device, Precision};
use std::path::Path;
use std::time::Instant;

/// Texts that are scored one at a time.
const SINGLE: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, texts, column, precision @ ..] = arguments.as_slice() else {
        return Err("give CLASSIFIER_DIR TEXTS.csv COLUMN [PRECISION]".into());
    };
    let precision = precision.first().map(|name| name.parse::<Precision>()).transpose()?;
    let compute = ComputeOptions { device: Device::Auto, precision, ..ComputeOptions::default() };
    let classifier = AgileClassifier::load(Path::new(folder), compute)?;
    let options = ReadOptions { columns: Some(vec![column.clone()]), ..ReadOptions::default() };
    let records = RecordReader::open(texts.as_ref(), &options)?;
    let texts = records.map(|record| Ok(record?.text(0)?.to_string())).collect::<Result<Vec<String>, lincah::Error>>()?;

    classifier.predict(&texts)?;
    let begun = Instant::now();
    classifier.predict(&texts)?;
    let texts_per_second = texts.len() as f64 / begun.elapsed().as_secs_f64();

    let mut milliseconds = Vec::new();
    for text in texts.iter().take(SINGLE) {
        let begun = Instant::now();
        classifier.predict(std::slice::from_ref(text))?;
        milliseconds.push(1e3 * begun.elapsed().as_secs_f64());
    }
    milliseconds.sort_by(f64::total_cmp);
    let percentile = |share: usize| milliseconds[(milliseconds.len() - 1) * share / 100];
    println!(
        "{{\"texts\": {}, \"texts_per_second\": {texts_per_second:.2}, \"milliseconds\": {:.1}, \"milliseconds_10\": {:.1}, \"milliseconds_90\": {:.1}}}",
        texts.len(),
        percentile(50),
        percentile(10),
        percentile(90)
    );
    Ok(())
}
