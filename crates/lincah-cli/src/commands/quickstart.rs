//! `lincah quickstart`.

use crate::args::Quickstart;
use crate::commands::pull::pull;
use crate::printer::{print_data_report, print_evaluation, print_tfidf};
use crate::training_run::Run;
use lincah::baseline::TfidfBaseline;
use lincah::data::dataset::{LabelledDataset, LabelledDatasetOptions};
use lincah::data::records::ReadOptions;
use lincah::data::split::holdout;
use lincah::hub::{self, DEFAULT_MODEL};
use lincah::{Compute, Error, LabelSet, Prompt, Recipe};
use std::time::Duration;

const SAMPLE: &[u8] = include_bytes!("../../../../samples/comments.csv");
const HOLDOUT: usize = 96;
const SPLIT_SEED: u32 = 32;
const TEXTS: [&str; 2] = [
    "I don't agree with the council on this, but thank you for laying out the numbers so clearly.",
    "Did you even read the article, or do you just enjoy showing everyone how little you understand?",
];

pub(crate) fn run(arguments: &Quickstart, compute: Compute) -> anyhow::Result<()> {
    let run =
        Run { out: &arguments.out, resume: false, model: DEFAULT_MODEL, checkpoint_interval: Duration::from_secs(20), compute };
    run.check_folder()?;
    if hub::cached(DEFAULT_MODEL).is_none() {
        pull(DEFAULT_MODEL, None)?;
    }
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile()?;
    std::io::Write::write_all(&mut file, SAMPLE)?;
    let labels = LabelSet::new(["civil", "uncivil"]).map_err(Error::from)?;
    let options = LabelledDatasetOptions {
        text_column: String::from("comment"),
        label_column: String::from("label"),
        labels: labels.names().to_vec(),
        positive_at: None,
    };
    let data = LabelledDataset::read(file.path(), &ReadOptions::default(), &options).map_err(Error::from)?;
    let split = holdout(data.len(), HOLDOUT, SPLIT_SEED, None).map_err(Error::from)?;
    let (train, test) = (data.subset(&split.train), data.subset(&split.test));
    eprintln!("The sample that ships: {} short comments, civil and uncivil, of which {HOLDOUT} are held out.", data.len());
    print_data_report(&train, Some(&test));
    let prompt = Prompt::new(labels).map_err(Error::from)?;
    let classifier = run.train(&train, Some(&test), prompt, Recipe::default())?;
    if let Some(evaluation) = &classifier.record().metrics {
        print_evaluation(evaluation);
        print_tfidf(&TfidfBaseline::evaluate(&train, &test)?.1);
    }
    println!();
    for (text, prediction) in TEXTS.iter().zip(classifier.predict(&TEXTS)?) {
        println!(
            "  {:<8} {:.3}  {text}",
            classifier.labels()[prediction.most_probable()],
            prediction.probabilities[prediction.most_probable()]
        );
    }
    let out = arguments.out.display();
    println!("\nThe classifier is in {out}. Next:");
    println!("  lincah predict {out} --input \"any text\"");
    println!("  lincah train YOUR.csv --text COLUMN --label COLUMN --out DIR --holdout 100");
    Ok(())
}
