use std::path::PathBuf;

/// Why a tokenizer can't be made, or a text not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The metadata name a kind of tokenizer that is not supported.
    #[error("tokenizer kind `{kind}` is not supported; `gpt2` (byte-level BPE) and `llama` (SentencePiece BPE) are")]
    UnknownKind {
        /// The value of `tokenizer.ggml.model`.
        kind: String,
    },
    /// The metadata name a pre-tokenizer that is not supported, so texts would be cut wrongly.
    #[error("pre-tokenizer `{pre}` (tokenizer.ggml.pre) is not supported; these are: {known}")]
    UnknownPreTokenizer {
        /// The value of `tokenizer.ggml.pre`.
        pre: String,
        /// The supported ones, comma-separated.
        known: String,
    },
    /// The metadata of a GGUF file lack a key or have it in another type.
    #[error(transparent)]
    Metadata(#[from] lincah_model::gguf::GgufError),
    /// The tokenizer that a GGUF file carries can't be used.
    #[error("the tokenizer of {path} can't be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<TokenizerError>,
    },
    /// A table has not one entry a piece.
    #[error("`{key}` has {found} entries for {expected} pieces; the file is damaged")]
    TableLength {
        /// The key.
        key: &'static str,
        /// Entries found.
        found: usize,
        /// Pieces in the vocabulary.
        expected: usize,
    },
    /// A piece has a type number outside 1 to 6.
    #[error("piece {id} has type {value}, expected 1 to 6; the file is damaged")]
    UnknownPieceType {
        /// The piece's id.
        id: usize,
        /// Its type.
        value: i64,
    },
    /// A merge is not two pieces with a space between them.
    #[error("merge {index} is `{merge}`, expected two pieces with one space between them")]
    MalformedMerge {
        /// Position in the list of merges.
        index: usize,
        /// The merge.
        merge: String,
    },
    /// The vocabulary is empty.
    #[error("the vocabulary has no pieces")]
    EmptyVocabulary,
    /// The ids of a `tokenizer.json` go beyond any real vocabulary.
    #[error("{path} has a piece with id {id}, beyond the limit of {limit}")]
    IdTooLarge {
        /// The file.
        path: PathBuf,
        /// The id.
        id: u32,
        /// Largest id accepted.
        limit: u32,
    },
    /// Begin or end of text is no id of the vocabulary.
    #[error("`{role}` is {id}, but the vocabulary has {vocabulary_size} pieces")]
    RoleOutOfRange {
        /// Which id.
        role: &'static str,
        /// Its value.
        id: u32,
        /// Pieces in the vocabulary.
        vocabulary_size: usize,
    },
    /// A piece named as begin or end of text is not in the vocabulary.
    #[error("{path} names `{piece}` as {role}, which is not in the vocabulary")]
    RoleNotInVocabulary {
        /// The file.
        path: PathBuf,
        /// Which role.
        role: &'static str,
        /// The piece.
        piece: String,
    },
    /// The pieces and merges don't fit together.
    #[error("the vocabulary and the merges don't fit together")]
    Build {
        /// What the tokenizer library says.
        #[source]
        source: tokenizers::Error,
    },
    /// A `tokenizer.json` is no JSON, or a part of it has another type than the format's.
    #[error("it is not a valid tokenizer.json")]
    Outline {
        /// Where it breaks.
        #[source]
        source: serde_json::Error,
    },
    /// A piece that is looked for in every text is longer than any real one.
    #[error("an added piece has {length} bytes, beyond the limit of {limit}; the file is damaged")]
    AddedPieceTooLong {
        /// Its bytes.
        length: usize,
        /// Most bytes accepted.
        limit: usize,
    },
    /// The pieces that are looked for in every text are longer together than any real ones.
    #[error("the added pieces have {length} bytes together, beyond the limit of {limit}; the file is damaged")]
    AddedPiecesTooLong {
        /// Their bytes.
        length: usize,
        /// Most bytes accepted.
        limit: usize,
    },
    /// A rule that replaces or splits at an empty pattern, which fits between any two characters.
    #[error("its {part} has an empty pattern; the file is damaged")]
    EmptyPattern {
        /// The part of the file.
        part: &'static str,
    },
    /// Merges are left out at random, so that a text has other scores at every run.
    #[error("it has a BPE dropout of {dropout}, with which scores would differ from run to run; set `dropout` to null")]
    Dropout {
        /// The probability of leaving a merge out.
        dropout: f64,
    },
    /// A file can't be read.
    #[error("{path} can't be read; a model folder needs a tokenizer.json")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no JSON of the expected form.
    #[error("{path} is no valid JSON")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it breaks.
        #[source]
        source: serde_json::Error,
    },
    /// A `tokenizer.json` can't be used.
    #[error("{path} is no tokenizer that can be used")]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What the tokenizer library says.
        #[source]
        source: tokenizers::Error,
    },
    /// A text can't be encoded.
    #[error("the text can't be encoded")]
    Encode {
        /// What the tokenizer library says.
        #[source]
        source: tokenizers::Error,
    },
    /// Ids can't be decoded.
    #[error("the ids can't be decoded")]
    Decode {
        /// What the tokenizer library says.
        #[source]
        source: tokenizers::Error,
    },
    /// An id is outside the vocabulary.
    #[error("token id {id} is not in the vocabulary of {vocabulary_size}")]
    UnknownId {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocabulary_size: usize,
    },
}
