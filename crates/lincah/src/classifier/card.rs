//! The README of a classifier folder, in the form of a Hugging Face model card.

use super::folder::ClassifierRecord;
use crate::evaluation::Evaluation;
use crate::task::Task;
use std::fmt::Write as _;

const LIMITS: &str =
    "## Limits\n\nIt knows only what its training texts show. Test it on your own texts before any decision depends on it.\n";

pub(super) fn card(record: &ClassifierRecord) -> String {
    let labels = record.prompt.labels().names();
    let mut card = format!(
        "---\nlibrary_name: peft\nbase_model: {name}\npipeline_tag: text-classification\ntags: [lora, lincah]\n---\n\n\
         # Text classifier: {}\n\nMade by lincah {} on top of `{name}`.\n\n## Prompt\n\n```text\n{}\n```\n\n",
        labels.join(", "),
        record.lincah_version,
        record.prompt.render_all("{text}"),
        name = record.base_model.name,
    );
    let (tokens, begin_of_text) = (record.label_tokens.ids(), record.prompt.begin_of_text());
    let _ = match record.task {
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
    card + &training(record) + &record.metrics.as_ref().map_or(String::new(), metrics) + LIMITS
}

fn training(record: &ClassifierRecord) -> String {
    let (data, recipe) = (&record.data, &record.recipe);
    let counts = record.prompt.labels().names().iter().zip(&data.label_rows).map(|(label, rows)| format!("{rows} {label}"));
    let targets = recipe.lora.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let soft = if recipe.soft_labels { " The targets were the fractions in the data (soft labels)." } else { "" };
    format!(
        "## Training\n\n{} texts\n({}), {} of them truncated to fit {} tokens.{soft}\n\
         LoRA rank {}, alpha {}, on {targets};\n{} epochs, batch {}, learning rate {} ({:?}), seed {}.\n\n",
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
