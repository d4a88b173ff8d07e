//! A classifier in the files of other runtimes, with its prompt and a script that gives its scores.

use crate::classifier::{AdaptedDecoder, AgileClassifier, is_empty_or_absent};
use crate::error::Error;
use crate::import::{Asked, PROMPT_FILE};
use crate::prompt::{LongTexts, Obfuscation, Truncation};
use crate::scoring::Scoring;
use crate::task::Task;
use lincah_model::Adapter;
use lincah_model::export::{
    Checkpoint, HeadRows, LabelHead, NumberType, write_gguf_adapter, write_merged_gguf, write_mlx_adapter,
};
use lincah_model::new_file::{TemporaryFolder, write_atomically};
use lincah_model::weights::ModelFiles;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const PROMPTS: &str = include_str!("export/prompts.py");
const SCORES: &str = include_str!("export/scores.py");

/// A form of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// The adapter for PEFT, beside its base model.
    Peft,
    /// A causal language model for transformers with the adapter in its weights.
    Merged,
    /// A sequence classifier for transformers: the merged model with the labels' rows of the head.
    SequenceClassification,
    /// The adapter for llama.cpp.
    GgufLora,
    /// A whole GGUF file with the adapter in its weights.
    Gguf,
    /// The adapter for mlx-lm, beside its base model.
    Mlx,
}

lincah_model::named_choices!(ExportForm, "form to export":
    Peft = "peft", Merged = "merged", SequenceClassification = "sequence-classification", GgufLora = "gguf-lora", Gguf = "gguf", Mlx = "mlx");

/// What is exported, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// The form.
    pub form: ExportForm,
    /// How numbers are stored; by default in 32 bits, and in GGUF files merged matrices in 16 bits and others as they are.
    pub number_type: Option<NumberType>,
    /// A model by which PEFT and mlx-lm find the base, in place of a copy beside the adapter.
    pub base_model: Option<String>,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Folders, one per decoder of the classifier.
    pub folders: Vec<PathBuf>,
    /// What is not in them, or other than in lincah.
    pub notes: Vec<String>,
}

impl AgileClassifier {
    /// Writes the classifier in another form into an empty or absent folder; of several decoders each into a folder of its own below.
    ///
    /// What is written comes from the files of the base model, in f32, whatever it is computed with here.
    ///
    /// # Errors
    /// [`Error::NothingToExport`] of a classifier without an adapter; a form that the model has none of; a folder that is not empty or
    /// cannot be written.
    pub fn export(&self, folder: &Path, options: &ExportOptions) -> Result<Exported, Error> {
        if !is_empty_or_absent(folder)? {
            return Err(Error::FolderNotEmpty { path: folder.to_path_buf() });
        }
        let decoders = self.adapted_decoders();
        let mut exported = Exported::default();
        // A link to an empty folder stays a link.
        let target = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // What cannot be exported leaves no folders behind.
        let there = parent.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("."));
        let temporary = TemporaryFolder::create_in(there).map_err(Error::file("write", there))?;
        let written = temporary.path().join("export");
        for (number, decoder) in &decoders {
            let (below, place) = match decoders.as_slice() {
                [_] => (written.clone(), folder.to_path_buf()),
                _ => (written.join(number.to_string()), folder.join(number.to_string())),
            };
            std::fs::create_dir_all(&below).map_err(Error::file("create", &below))?;
            decoder.write(&below, options)?;
            exported.folders.push(place);
        }
        if decoders.is_empty() {
            return Err(Error::NothingToExport);
        }
        if self.has_more_than(decoders.len()) {
            exported.notes.push(String::from(
                "the scores are those of each decoder by itself: the instant member, and the mixture of all, have no such form",
            ));
        }
        exported.notes.extend(decoders[0].1.notes());
        std::fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
        let _ = std::fs::remove_dir(&target);
        std::fs::rename(&written, &target).map_err(Error::file("write", folder))?;
        Ok(exported)
    }
}

impl AdaptedDecoder<'_> {
    /// What of the scores does not travel.
    fn notes(&self) -> Vec<String> {
        let prompt = &self.scoring.prompt;
        let mut notes = Vec::new();
        if prompt.long_texts() != LongTexts::First {
            notes.push(String::from("score.py reads a long text to the most tokens of a prompt, not window by window"));
        }
        if prompt.obfuscation() != Obfuscation::AsWritten {
            notes.push(String::from("score.py reads a text as it is written, not in a second reading with obfuscation undone"));
        }
        notes
    }

    fn write(&self, folder: &Path, options: &ExportOptions) -> Result<(), Error> {
        let mut adapter = self.scorer.adapter().ok_or(Error::NothingToExport)?;
        if let Some(rows) = self.scoring.rows_as_others_have_them(&adapter) {
            adapter = adapter.with_label_rows(rows);
            if !matches!(options.form, ExportForm::Peft | ExportForm::SequenceClassification) {
                return Err(Error::NoPlaceForLabelRows { form: options.form.to_string() });
            }
        }
        let files = self.base.model_files()?;
        let checkpoint = |adapter, head| Checkpoint {
            files,
            adapter,
            head,
            number_type: options.number_type.unwrap_or(NumberType::F32),
            special: self.special(),
        };
        let (model, mut base) = match options.form {
            ExportForm::Peft => (include_str!("export/peft.py"), self.base_beside(folder, files, options, &checkpoint)?),
            ExportForm::Mlx => (include_str!("export/mlx.py"), self.base_beside(folder, files, options, &checkpoint)?),
            ExportForm::Merged => (include_str!("export/transformers.py"), None),
            ExportForm::SequenceClassification => (include_str!("export/sequence_classification.py"), None),
            ExportForm::GgufLora | ExportForm::Gguf => (include_str!("export/llama_cpp.py"), None),
        };
        match options.form {
            ExportForm::Peft => adapter.write(folder, base.as_deref().unwrap_or_default())?,
            ExportForm::Mlx => write_mlx_adapter(&adapter, files.config(), folder)?,
            ExportForm::Merged => checkpoint(Some(&adapter), None).write(folder)?,
            ExportForm::SequenceClassification => checkpoint(Some(&adapter), Some(self.label_head(&adapter))).write(folder)?,
            ExportForm::GgufLora => {
                write_gguf_adapter(files, &adapter, &folder.join("adapter.gguf"))?;
                base = Some(self.base.name().to_owned());
            }
            ExportForm::Gguf => {
                write_merged_gguf(files, &adapter, options.number_type, &folder.join("model.gguf"))?;
            }
        }
        if !matches!(options.form, ExportForm::GgufLora | ExportForm::Gguf) {
            self.write_tokenizer(folder, files)?;
        }
        let text = |value: &Value| serde_json::to_string_pretty(value).expect("a JSON value serializes") + "\n";
        write(&folder.join(PROMPT_FILE), &text(&self.prompt_json(base.as_deref())))?;
        write(&folder.join("score.py"), &[PROMPTS.trim_end(), "\n\n", model.trim_end(), "\n", SCORES].concat())?;
        write(&folder.join("README.md"), &self.readme(options.form, base.as_deref()))
    }

    /// Where an adapter finds its base: as the options name it, else in a folder of Hugging Face's beside it.
    fn base_beside<'f>(
        &self,
        folder: &Path,
        files: &ModelFiles,
        options: &ExportOptions,
        checkpoint: &impl Fn(Option<&'f Adapter>, Option<LabelHead>) -> Checkpoint<'f>,
    ) -> Result<Option<String>, Error> {
        if let Some(name) = &options.base_model {
            return Ok(Some(name.clone()));
        }
        let base = folder.join("base");
        std::fs::create_dir(&base).map_err(Error::file("create", &base))?;
        checkpoint(None, None).write(&base)?;
        self.write_tokenizer(&base, files)?;
        Ok(Some(String::from("base")))
    }

    fn special(&self) -> [Option<u32>; 3] {
        let tokenizer = self.base.tokenizer();
        [tokenizer.begin_of_text(), tokenizer.end_of_text(), tokenizer.padding()]
    }

    fn write_tokenizer(&self, folder: &Path, files: &ModelFiles) -> Result<(), Error> {
        let adds_begin = self.scoring.prompt.begin_of_text();
        let [json, config] = self.base.tokenizer().files(&files.tokenizer_source(), adds_begin)?;
        write(&folder.join("tokenizer.json"), &json)?;
        write(&folder.join("tokenizer_config.json"), &config)
    }

    /// The answers as labels: of independent labels no and yes, unless they are rows.
    fn label_head(&self, adapter: &Adapter) -> LabelHead {
        let prompt = &self.scoring.prompt;
        match adapter.label_rows() {
            Some(rows) => LabelHead {
                rows: HeadRows::Own(rows.clone()),
                names: prompt.labels().names().to_vec(),
                independent: prompt.task() == Task::MultiLabel,
            },
            None => LabelHead {
                rows: HeadRows::Tokens(self.scoring.label_tokens.ids().to_vec()),
                names: prompt.answer_names().into_iter().map(str::to_owned).collect(),
                independent: false,
            },
        }
    }

    fn prompt_json(&self, base: Option<&str>) -> Value {
        let Scoring { prompt, label_tokens, max_tokens } = self.scoring;
        let begin = self.base.tokenizer().begin_of_text().filter(|_| prompt.begin_of_text());
        json!({
            "head": prompt.head(),
            "tails": (0..prompt.questions()).map(|question| prompt.tail(question)).collect::<Vec<_>>(),
            "labels": prompt.labels().names(),
            "exclusive": prompt.task() == Task::SingleLabel,
            "answers": label_tokens.ids(),
            "rows": prompt.has_label_rows().then(|| prompt.labels().len()),
            "begin": begin.into_iter().collect::<Vec<_>>(),
            "max_tokens": max_tokens,
            "truncation": if prompt.truncation() == Truncation::Prompt { "prompt" } else { "text" },
            "white_space": prompt.white_space().to_string(),
            "calibration": self.calibration,
            "base": base,
            "classifier": Asked {
                prompt: prompt.clone(),
                max_tokens: *max_tokens,
                decision_rule: self.rule.clone(),
                calibration: self.calibration.clone(),
            },
        })
    }

    fn readme(&self, form: ExportForm, base: Option<&str>) -> String {
        let prompt = &self.scoring.prompt;
        let what = match form {
            ExportForm::Peft => "A PEFT adapter",
            ExportForm::Merged => "A causal language model for transformers",
            ExportForm::SequenceClassification => "A sequence classifier for transformers",
            ExportForm::GgufLora => "An adapter for llama.cpp",
            ExportForm::Gguf => "A model for llama.cpp",
            ExportForm::Mlx => "An adapter for mlx-lm",
        };
        let mut text = format!(
            "# {}\n\n{what}, made by lincah out of a classifier on `{}` (weights {}).\n\n\
             `python score.py \"a text\"` gives lincah's scores; the text goes into this prompt, and no other:\n\n```text\n{}\n```\n\n\
             `prompt.json` has it with the ids of the answers, the most tokens, and the calibration of the scores.\n",
            prompt.labels().names().join(", "),
            self.base.name(),
            &self.base.weights_fingerprint()[..12],
            prompt.render_all("{text}"),
        );
        text += &match (form, base) {
            (ExportForm::Peft | ExportForm::Mlx, Some("base")) => String::from(
                "\nThe adapter was trained on the weights in `base/`. With another copy of the model, such as one that is not quantized, its scores are others.\n",
            ),
            (ExportForm::Peft | ExportForm::Mlx, Some(name)) => format!(
                "\nIt looks for its base model at `{name}`. If these are other weights than it was trained on, such as unquantized ones, its scores are others.\n"
            ),
            (ExportForm::GgufLora, _) => String::from(
                "\nLoad it beside the GGUF file that it was trained on: `llama-cli --model BASE.gguf --lora adapter.gguf`. `score.py` takes that file first.\n",
            ),
            (ExportForm::SequenceClassification, _) => format!(
                "\n`pipeline(\"text-classification\", model=\".\", top_k=None)` scores a text in its prompt, without calibration.{}\n",
                match (prompt.task(), prompt.has_label_rows()) {
                    (Task::MultiLabel, false) => " Labels that may hold together are a question each, answered No or Yes.",
                    _ => "",
                },
            ),
            _ => String::new(),
        };
        text
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    write_atomically(path, text.as_bytes()).map_err(Error::file("write", path))
}
