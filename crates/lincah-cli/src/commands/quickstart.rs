//! `lincah quickstart`.

use crate::args::Quickstart;
use crate::commands::pull::pull;
use crate::interrupt::asked_to_stop;
use crate::print::{TrainingProgress, data_report, next_steps, note, print_device, print_evaluation, print_tfidf, result_line};
use lincah::data::split::holdout;
use lincah::hub::{self, DEFAULT_MODELS};
use lincah::{
    BaseModel, Companion, ComputeOptions, Dataset, DatasetOptions, Error, Experiment, ExperimentEvent, LabelColumns, Prompt,
    Recipe, Trainer,
};

const SAMPLE: &[u8] = include_bytes!("../../../../samples/comments.csv");
const HOLDOUT: usize = 96;
const SPLIT_SEED: u32 = 32;
const TEXTS: [&str; 2] = [
    "I don't agree with the council on this, but thank you for laying out the numbers so clearly.",
    "Did you even read the article, or do you just enjoy showing everyone how little you understand?",
];

pub(crate) fn run(arguments: &Quickstart, compute: ComputeOptions) -> anyhow::Result<()> {
    Trainer::check_folder(&arguments.out, arguments.resume)?;
    for model in DEFAULT_MODELS {
        if hub::cached(model).is_none() {
            pull(model, None)?;
        }
    }
    let options = DatasetOptions::new("comment", LabelColumns::one("label", ["civil", "uncivil"]));
    let data = Dataset::from_reader("the sample", Box::new(SAMPLE), &Default::default(), &options).map_err(Error::from)?;
    let split = holdout(data.len(), HOLDOUT, SPLIT_SEED, None).map_err(Error::from)?;
    let (train, test) = (data.subset(&split.train), data.subset(&split.test));
    note!("The sample that ships: {} short comments, civil and uncivil, of which {HOLDOUT} are held out.", data.len());
    let prompt = Prompt::new(data.task, data.labels.clone()).map_err(Error::from)?;
    data_report(&train, Some(&test), prompt.white_space());
    note!("A first classifier takes seconds, a better one two to four minutes on two cores.");
    let [first, second] = DEFAULT_MODELS;
    let base = BaseModel::open(first, compute)?;
    print_device(compute, &base);
    let recipe = Recipe::default();
    let companion = Companion { base: BaseModel::open(second, compute)?, recipe: recipe.clone() };
    let mut progress = TrainingProgress::of(&recipe);
    let trainer = Trainer::new(&base, prompt, recipe)?.together_with(&[companion])?.in_folder(&arguments.out, arguments.resume);
    let outcome = Experiment::new(trainer).run(&train, Some(&test), &mut |event| {
        if let ExperimentEvent::Training(event) = event {
            progress.show(event);
        }
        asked_to_stop()
    })?;
    if let (Some(scored), Some(tfidf)) = (&outcome.scored, &outcome.tfidf) {
        print_evaluation(&scored.evaluation);
        print_tfidf(&tfidf.evaluation);
    }
    result_line!();
    let labels = outcome.classifier.labels().names();
    for (text, prediction) in TEXTS.iter().zip(outcome.classifier.predict(&TEXTS)?) {
        let label = prediction.most_probable();
        result_line!("  {:<8} {:.3}  {text}", labels[label], prediction.probabilities[label]);
    }
    let out = arguments.out.display();
    result_line!();
    result_line!("The classifier is in {out}.");
    let data = "samples/comments.csv --text comment --label label --holdout 96";
    next_steps(&[
        format!("lincah predict {out} --input \"any text\""),
        format!("lincah evaluate {out} {data}"),
        format!("lincah report {out} {data} --out report.html"),
        String::from("lincah train YOUR.csv --text COLUMN --label COLUMN --out DIR --holdout 100"),
    ]);
    Ok(())
}
