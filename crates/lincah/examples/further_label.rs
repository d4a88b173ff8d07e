//! What a further label costs an instant classifier whose models remember what they made of the texts before.
//!
//! ```text
//! cargo run --release -p lincah --example further_label -- ROWS.csv TEXT LABEL MODEL [MODEL …]
//! ```
//! Trains on all rows but the last 20, then on one more row each time, and prints the seconds of the first training, and of each further one the
//! least, the median and the most.

use lincah::{BaseModel, Companion, Dataset, DatasetOptions, Device, LabelColumns, Prompt, Recipe, Trainer};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

const FURTHER: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, text, label, models @ ..] = arguments.as_slice() else { return Err("give ROWS.csv TEXT LABEL MODEL …".into()) };
    let options = DatasetOptions::new(text.as_str(), LabelColumns::one(label, [""; 0]));
    let data = Dataset::read(Path::new(path), &Default::default(), &options)?;
    let open = |name: &String| Ok(BaseModel::open(name, Device::Cpu)?.remembering_states());
    let models = models.iter().map(open).collect::<Result<Vec<BaseModel>, lincah::Error>>()?;
    let [first, others @ ..] = models.as_slice() else { return Err("give a model".into()) };
    let companions: Vec<Companion> =
        others.iter().map(|base| Companion { base: base.clone(), recipe: Recipe::instant() }).collect();
    let prompt = Prompt::new(data.task, data.labels.clone())?;
    let trainer = Trainer::new(first, prompt, Recipe::instant())?.together_with(&companions)?;
    let seconds = |rows: usize| {
        let rows = data.subset(&(0..rows).collect::<Vec<_>>());
        let begun = Instant::now();
        trainer.fit(&rows, &mut |_| ControlFlow::Continue(())).map(|_| begun.elapsed().as_secs_f64())
    };
    let rows = data.len() - FURTHER;
    println!("{rows} rows: {:.2} s", seconds(rows)?);
    let mut further = (rows + 1..=data.len()).map(seconds).collect::<Result<Vec<f64>, lincah::Error>>()?;
    further.sort_by(f64::total_cmp);
    println!("a row more: {:.2} / {:.2} / {:.2} s", further[0], further[FURTHER / 2], further[FURTHER - 1]);
    Ok(())
}
