//! `lincah generate`.

use crate::args::Generate;
use crate::interrupt::stop_on_interrupt;
use crate::printer::print_device;
use lincah::multi_label::MultiLabelClassifier;
use lincah::prompt::{chat_turn, plain_text};
use lincah::{AgileClassifier, BaseModel, Compute, Error, Task};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

pub(crate) fn run(arguments: &Generate, compute: Compute) -> anyhow::Result<()> {
    let text = text(&arguments.prompt)?;
    let base = open(&arguments.model, compute)?;
    print_device(compute, &base);
    let encode = if arguments.chat { chat_turn } else { plain_text };
    let prompt = encode(base.tokenizer(), &text).map_err(Error::from)?;
    let stop = stop_on_interrupt()?;
    let begun = Instant::now();
    let mut generation = base.generate(&prompt, arguments.max_new_tokens)?;
    let (mut tokens, mut first) = (0usize, None);
    for token in &mut generation {
        let token = token?;
        first.get_or_insert_with(|| begun.elapsed());
        tokens += 1;
        if !print(&token.text)? {
            return Ok(());
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if !print("\n")? {
        return Ok(());
    }
    let first = first.unwrap_or_else(|| begun.elapsed());
    let rest = (begun.elapsed() - first).as_secs_f64();
    let speed = if tokens > 1 { format!(", {:.1} tokens/s", (tokens - 1) as f64 / rest.max(1e-9)) } else { String::new() };
    let end = if generation.ended() { "" } else { "; not at its end" };
    eprintln!("{} tokens read in {:.2} s, {tokens} generated{speed}{end}", prompt.len(), first.as_secs_f64());
    if stop.load(Ordering::Relaxed) {
        anyhow::bail!("stopped after {tokens} tokens");
    }
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
fn open(model: &str, compute: Compute) -> Result<BaseModel, Error> {
    let folder = Path::new(model);
    match folder.is_dir().then(|| Task::of(folder)) {
        None | Some(Err(Error::NotAClassifier { hint: "", .. })) => BaseModel::open(model, compute),
        Some(Ok(Task::SingleLabel)) => Ok(AgileClassifier::load(folder, None, compute)?.into_base()),
        Some(Ok(Task::MultiLabel)) => Ok(MultiLabelClassifier::load(folder, None, compute)?.into_base()),
        Some(Err(error)) => Err(error),
    }
}

/// Writes at once; false where nobody reads any more.
fn print(text: &str) -> std::io::Result<bool> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}
