//! `lincah prompt`.

use crate::args::PromptPreview;
use crate::print::{json_line, note, result_line};
use anyhow::bail;
use lincah::prompt::{LabelTokens, PromptEncoder};
use lincah::{BaseModel, ClassifierRecord, Error, hub};
use serde_json::json;

pub(crate) fn run(arguments: &PromptPreview) -> anyhow::Result<()> {
    let folder = arguments.classifier.as_deref();
    arguments.who.check(folder)?;
    let (prompt, max_tokens, model) = match folder {
        Some(folder) => {
            let record = ClassifierRecord::read(folder)?;
            let Some(record) = record.asked(folder)? else {
                bail!(
                    "{} asks no model about its labels; its members: {}",
                    folder.display(),
                    record.member_descriptions().join(". ")
                );
            };
            (record.prompt, record.recipe.max_tokens, record.base_model.name)
        }
        None => {
            let prompt = arguments.who.prompt()?;
            (prompt, arguments.who.max_tokens(), String::from(hub::DEFAULT_MODEL))
        }
    };
    let tokenizer = BaseModel::tokenizer_of(arguments.who.model.as_deref().unwrap_or(&model))?;
    let (prompt, label_tokens) = LabelTokens::resolve(prompt, &tokenizer).map_err(Error::from)?;
    let encoder = PromptEncoder::new(&tokenizer, &prompt, max_tokens).map_err(Error::from)?;
    let encoded = encoder.encode(&arguments.input).map_err(Error::from)?;
    let readings = prompt.obfuscation().readings(&arguments.input);
    let text = prompt.white_space().applied(&arguments.input);
    let text: String = text.chars().take(text.chars().count() - encoded.truncated_characters).collect();
    let pieces =
        |ids: &[u32]| -> Vec<String> { ids.iter().map(|&id| tokenizer.token(id).unwrap_or_default().to_owned()).collect() };
    if arguments.json {
        let questions = encoded.prompts.iter().enumerate();
        let questions =
            questions.map(|(index, ids)| json!({"prompt": prompt.render(&text, index), "tokens": ids, "pieces": pieces(ids)}));
        let answers =
            prompt.answer_names().into_iter().zip(label_tokens.ids()).map(|(name, id)| json!({"answer": name, "token": id}));
        return json_line(&json!({
            "questions": questions.collect::<Vec<_>>(), "answers": answers.collect::<Vec<_>>(),
            "deobfuscated": readings.get(1), "truncated_characters": encoded.truncated_characters,
        }));
    }
    for (index, ids) in encoded.prompts.iter().enumerate() {
        result_line!("{}", prompt.render(&text, index));
        result_line!();
        let shown = ids.iter().zip(pieces(ids)).map(|(id, piece)| format!("{id}:{piece:?}"));
        result_line!("{} tokens: {}", ids.len(), shown.collect::<Vec<_>>().join(" "));
        result_line!();
    }
    if prompt.has_label_rows() {
        result_line!("answers: rows of the adapter, trained with it");
    }
    let answers = prompt.answer_names().into_iter().zip(prompt.answers()).zip(label_tokens.ids());
    let answers = answers.map(|((name, written), id)| match name == written {
        true => format!("{name} (token {id})"),
        false => format!("{name} as {written} (token {id})"),
    });
    if !prompt.has_label_rows() {
        result_line!("answers: {}", answers.collect::<Vec<_>>().join(", "));
    }
    if let Some(deobfuscated) = readings.get(1) {
        note!("note: the text is scored as {deobfuscated:?}, too");
    }
    if encoded.truncated_characters > 0 {
        note!("note: the last {} characters of the text do not fit into {max_tokens} tokens", encoded.truncated_characters);
    }
    Ok(())
}
