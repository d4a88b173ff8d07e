//! `lincah generate`.

use crate::args::Generate;
use crate::interrupt::asked_to_stop;
use crate::print::{is_quiet, json_line, note, print_device, to_stdout};
use lincah::prompt::{chat_turn, plain_text};
use lincah::{AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions, Error, Generator};
use serde_json::json;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(arguments: &Generate, compute: ComputeOptions) -> anyhow::Result<()> {
    let text = text(&arguments.prompt)?;
    let generator = open(&arguments.model, compute)?;
    print_device(compute, generator.base());
    let encode = if arguments.chat { chat_turn } else { plain_text };
    let prompt = encode(generator.base().tokenizer(), &text).map_err(Error::from)?;
    let begun = Instant::now();
    let mut generation = generator.generate(&prompt, arguments.max_new_tokens)?;
    let (mut tokens, mut first, mut whole) = (0usize, None, String::new());
    let mut stopped = asked_to_stop().is_break();
    while !stopped && let Some(token) = generation.next() {
        let token = token?;
        first.get_or_insert_with(|| begun.elapsed());
        tokens += 1;
        if !arguments.json {
            to_stdout(format_args!("{}", token.text));
        }
        whole.push_str(&token.text);
        stopped = asked_to_stop().is_break();
    }
    if arguments.json {
        json_line(&json!({
            "text": whole, "prompt_tokens": prompt.len(), "tokens": tokens, "ended": generation.ended(),
            "seconds": begun.elapsed().as_secs_f64(),
        }))?;
    } else {
        to_stdout(format_args!("\n"));
    }
    let first = first.unwrap_or_else(|| begun.elapsed());
    let rest = (begun.elapsed() - first).as_secs_f64();
    let speed = if tokens > 1 { format!(", {:.1} tokens/s", (tokens - 1) as f64 / rest.max(1e-9)) } else { String::new() };
    let end = if generation.ended() { "" } else { "; not at its end" };
    if !is_quiet() {
        note!("{} tokens read in {:.2} s, {tokens} generated{speed}{end}", prompt.len(), first.as_secs_f64());
    }
    anyhow::ensure!(!stopped, "stopped after {tokens} tokens");
    Ok(())
}

fn text(argument: &str) -> std::io::Result<String> {
    if argument != "-" {
        return Ok(argument.to_string());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    // The line break that ends the last line is no part of the prompt.
    let length = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(length);
    Ok(text)
}

/// A model, or that of a classifier folder, whole or not, with its adapter.
fn open(model: &str, compute: ComputeOptions) -> Result<Generator, Error> {
    let folder = Path::new(model);
    match folder.is_dir().then(|| ClassifierRecord::read(folder)) {
        None | Some(Err(Error::NotAClassifier { hint: "", .. })) => Generator::new(&BaseModel::open(model, compute)?),
        Some(Ok(_)) => Ok(AgileClassifier::load(folder, compute)?.into_generator()?),
        Some(Err(error)) => Err(error),
    }
}
