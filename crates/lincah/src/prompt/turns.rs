//! How chat models mark their turns. A family is known by the pieces of its vocabulary.

use super::PromptError;
use crate::tokenizer::Tokenizer;

enum Part {
    /// A control piece, by its name.
    Piece(&'static str),
    /// The control piece that ends a turn.
    End(&'static str),
    Text(&'static str),
    /// What the user says.
    User,
}

use Part::{End, Piece, Text, User};

/// One user turn and the beginning of the answer.
const TURNS: [&[Part]; 3] = [
    // ChatML: SmolLM2, Qwen 2 and 3.
    &[Piece("<|im_start|>"), Text("user\n"), User, End("<|im_end|>"), Text("\n"), Piece("<|im_start|>"), Text("assistant\n")],
    // Gemma 1 to 3.
    &[
        Piece("<start_of_turn>"),
        Text("user\n"),
        User,
        End("<end_of_turn>"),
        Text("\n"),
        Piece("<start_of_turn>"),
        Text("model\n"),
    ],
    // Llama 3.
    &[
        Piece("<|start_header_id|>"),
        Text("user"),
        Piece("<|end_header_id|>"),
        Text("\n\n"),
        User,
        End("<|eot_id|>"),
        Piece("<|start_header_id|>"),
        Text("assistant"),
        Piece("<|end_header_id|>"),
        Text("\n\n"),
    ],
];

/// The ids of `text` as the user's turn of a chat, begin of text in front where the model's makers put it, up to where the answer begins.
/// No system turn is added; control pieces written in `text` are plain text.
///
/// # Errors
/// [`PromptError::NoTurnMarkers`] if the vocabulary has none that are known, [`PromptError::Tokenizer`].
pub fn chat_turn(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, PromptError> {
    let known = |part: &Part| match part {
        Piece(piece) | End(piece) => tokenizer.id(piece).is_some(),
        Text(_) | User => true,
    };
    let parts = TURNS.into_iter().find(|parts| parts.iter().all(known)).ok_or(PromptError::NoTurnMarkers)?;
    let mut ids = begin(tokenizer);
    // Texts side by side are encoded together, as their pieces can merge.
    let mut waiting = String::new();
    for part in parts {
        match part {
            Text(text) => waiting.push_str(text),
            User => waiting.push_str(text),
            Piece(piece) | End(piece) => {
                ids.extend(tokenizer.encode(&std::mem::take(&mut waiting))?);
                ids.extend(tokenizer.id(piece));
            }
        }
    }
    ids.extend(tokenizer.encode(&waiting)?);
    Ok(ids)
}

/// The ids of `text` as it is, begin of text in front where the model's makers put it.
///
/// # Errors
/// [`PromptError::Tokenizer`].
pub fn plain_text(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, PromptError> {
    let mut ids = begin(tokenizer);
    ids.extend(tokenizer.encode(text)?);
    Ok(ids)
}

/// Ids of the pieces that end a turn, as far as the vocabulary has them.
pub(crate) fn turn_ends(tokenizer: &Tokenizer) -> impl Iterator<Item = u32> {
    let end = |part: &Part| if let End(piece) = part { tokenizer.id(piece) } else { None };
    TURNS.into_iter().flatten().filter_map(end)
}

fn begin(tokenizer: &Tokenizer) -> Vec<u32> {
    tokenizer.begin_of_text().filter(|_| tokenizer.adds_begin_of_text()).into_iter().collect()
}
