//! The README of a classifier folder, in the form of a Hugging Face model card.

use super::folder::{ClassifierRecord, DecisionRecord};
use crate::calibration::CalibrationMap;
use crate::decisions::DecisionSource;
use crate::evaluation::Evaluation;
use crate::recipe::{Augmentation, Method};
use crate::statistics::Proportion;
use crate::task::Task;
use std::fmt::Write as _;

const LIMITS: &str =
    "## Limits\n\nIt knows only what its training texts show. Test it on your own texts before any decision depends on it.\n";

const INTENDED_USE: &str = "## Intended use\n\nTo sort texts like those that it was trained on, so that people find sooner what they look for. Not to decide alone about\n\
people, and not about texts of another kind, language or time: those must be tested first (`lincah evaluate`, `lincah audit`).\n\n";

pub(super) fn card(record: &ClassifierRecord) -> String {
    let labels = record.prompt.labels().names();
    let mut card = format!(
        "---\n{library}base_model: {name}\npipeline_tag: text-classification\ntags: [{tags}]\n---\n\n\
         # Text classifier: {}\n\nMade by lincah {} on top of `{name}`.\n\n## Prompt\n\n```text\n{}\n```\n\n",
        labels.join(", "),
        record.lincah_version,
        record.prompt.render_all("{text}"),
        name = record.base_model.name,
        library = if record.has_adapter() { "library_name: peft\n" } else { "" },
        tags = if record.has_adapter() { "lora, lincah" } else { "lincah" },
    );
    if !record.members.is_empty() {
        card += &members(record);
    }
    let (tokens, begin_of_text) = (record.label_tokens.ids(), record.prompt.begin_of_text());
    let _ = match record.task {
        _ if !record.has_adapter() => Ok(()),
        _ if record.prompt.has_label_rows() => writeln!(
            card,
            "The score of a label is the {}, of the products of the adapter's label rows with the state behind this prompt\n\
             (begin-of-text id in front: {begin_of_text}).\n",
            match record.task {
                Task::SingleLabel => "softmax",
                Task::MultiLabel => "softmax, over its rows for no and yes",
            }
        ),
        Task::SingleLabel => writeln!(
            card,
            "The score of a label is the softmax, over the labels' tokens {tokens:?}, of the logits behind this prompt\n\
             (begin-of-text id in front: {begin_of_text}). The positive class is `{}`.\n",
            record.prompt.labels().positive()
        ),
        Task::MultiLabel => writeln!(
            card,
            "A text may have any number of the labels. The score of each is the softmax, over the tokens {tokens:?} of no and yes, of the \
             logits\nbehind its question (begin-of-text id in front: {begin_of_text}).\n"
        ),
    };
    let decisions = record.decisions.as_ref().map_or(String::new(), |decisions| decided(record, decisions));
    card + INTENDED_USE + &training(record) + &decisions + &record.metrics.as_ref().map_or(String::new(), metrics) + LIMITS
}

/// What the probabilities come from, where that is not one adapter.
fn members(record: &ClassifierRecord) -> String {
    let lines = record.member_descriptions().into_iter().map(|line| format!("- {line}\n")).collect::<String>();
    let mixture = match record.members.len() {
        1 => "",
        _ => "The probabilities are mixed by the weighted sum of their logarithms (of logits, where labels may hold together).\n",
    };
    let unfinished = match record.members_to_come {
        0 => String::new(),
        count => format!("Its training was not finished: {count} more members were to come.\n"),
    };
    format!("## Members\n\n{lines}\n{mixture}{unfinished}\n")
}

/// What calibration and thresholds are, and what they reached on rows that did not choose them.
fn decided(record: &ClassifierRecord, decisions: &DecisionRecord) -> String {
    let source = match decisions.source {
        DecisionSource::OutOfFold => "out-of-fold scores of the training texts",
        DecisionSource::Validation => "the validation texts of the training",
        DecisionSource::Rows => "texts of their own",
    };
    let maps = record.calibration.iter().flat_map(|calibration| &calibration.maps);
    let mut maps: Vec<&str> = maps.map(CalibrationMap::name).collect();
    maps.dedup();
    let mut text = format!(
        "## Decisions\n\nChosen on {source} ({}); the figures are of texts that did not choose, with exact 95 % intervals.\n\
         Calibration: {}; expected calibration error {:.3} before, {:.3} after.\n\n\
         | label | target | threshold | left to a person | precision | recall | false-positive rate |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
        decisions.rows,
        if maps.is_empty() { String::from("none") } else { maps.join(", ") },
        decisions.before.expected_calibration_error.value,
        decisions.after.expected_calibration_error.value,
    );
    let rate = |rate: Proportion| {
        let [low, high] = rate.interval();
        rate.value().map_or(String::from("undefined"), |value| format!("{value:.3} ({low:.3} to {high:.3})"))
    };
    for point in &decisions.points.labels {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            point.label.replace('|', "\\|"),
            point.target.as_deref().unwrap_or("–"),
            point.threshold.map_or(String::from("most probable"), |threshold| format!("{threshold:.4}")),
            point.review.map_or(String::from("–"), |[low, high]| format!("{low:.4} to {high:.4}")),
            rate(point.precision()),
            rate(point.recall()),
            rate(point.false_positive_rate())
        );
    }
    let too_few =
        decisions.points.labels.iter().filter_map(|point| Some(format!("{}: {}.\n", point.label, point.too_few_rows()?)));
    format!("{text}\n{}\n\n{}", decisions.points.sentence(), too_few.map(|line| line + "\n").collect::<String>())
}

fn training(record: &ClassifierRecord) -> String {
    let (data, recipe) = (&record.data, &record.recipe);
    if data.is_unknown() {
        return String::from("## Training\n\nIt was not trained by lincah; nothing is known of its training texts.\n\n");
    }
    let counts = record.prompt.labels().names().iter().zip(&data.label_rows).map(|(label, rows)| format!("{rows} {label}"));
    let targets = recipe.lora.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let soft = if recipe.soft_labels { " The targets were the fractions in the data (soft labels)." } else { "" };
    let augmented = match recipe.augmentation {
        Augmentation::None => "",
        Augmentation::Obfuscation => {
            "Each text was trained on in an obfuscated copy, too (leetspeak, look-alike and invisible characters, spaces, typos).\n"
        }
    };
    if recipe.method == Method::Instant {
        let counts = counts.collect::<Vec<_>>().join(", ");
        return format!(
            "## Training\n\n{} texts\n({counts}), {} of them truncated to fit {} tokens.\n{augmented}The models are frozen: nothing of them was trained.\n\n",
            data.rows, data.truncated_texts, recipe.max_tokens
        );
    }
    format!(
        "## Training\n\n{} texts\n({}), {} of them truncated to fit {} tokens.{soft}\n\
         {augmented}LoRA rank {}, alpha {}, on {targets};\n{} epochs, batch {}, learning rate {} ({:?}), seed {}.\n\n",
        data.rows,
        counts.collect::<Vec<_>>().join(", "),
        data.truncated_texts,
        recipe.max_tokens,
        recipe.lora.rank,
        recipe.lora.alpha,
        recipe.epochs,
        recipe.batch_size,
        recipe.learning_rate,
        recipe.schedule,
        recipe.seed,
    )
}

fn metrics(evaluation: &Evaluation) -> String {
    let mut table = format!("## Metrics on {} rows kept from the training\n\n| metric | value |\n| --- | --- |\n", evaluation.n);
    for score in &evaluation.scores {
        let value = score.value.map_or(String::from("undefined"), |value| format!("{value:.3}"));
        let _ = writeln!(table, "| {} | {value} |", score.metric.name());
    }
    table + "\n"
}
