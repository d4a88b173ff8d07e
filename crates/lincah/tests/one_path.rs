//! One path for exclusive and independent labels on one shared base model: training, scoring, stopping, saving and reading.

mod tiny_model;

use lincah::prompt::{PromptEncoder, WhiteSpace};
use lincah::*;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

/// A folder with the tiny model.
static MODEL: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    tiny_model::write(folder.path());
    folder
});

fn open() -> BaseModel {
    BaseModel::open(MODEL.path().to_str().unwrap(), Device::Cpu).unwrap()
}

fn read(csv: &str, labels: LabelColumns) -> Dataset {
    let bytes = Box::new(std::io::Cursor::new(csv.as_bytes().to_vec()));
    Dataset::from_reader("data", bytes, &Default::default(), &DatasetOptions::new("text", labels)).unwrap()
}

/// Exclusive labels of one byte, the text in step with them.
fn exclusive(labels: &[&str]) -> Dataset {
    let row = |row: usize| format!("{} {row},{}\n", "xyz".as_bytes()[row % labels.len()] as char, labels[row % labels.len()]);
    read(&("text,label\n".to_owned() + &(0..12).map(row).collect::<String>()), LabelColumns::one("label", labels.iter().copied()))
}

fn independent() -> Dataset {
    let row = |row: usize| format!("{} {row},{},{}\n", ["x", "y", "xy", "z"][row % 4], row % 2, u8::from(row % 4 > 1));
    let columns = ["rude", "spam"].map(str::to_owned).to_vec();
    read(&("text,rude,spam\n".to_owned() + &(0..12).map(row).collect::<String>()), LabelColumns::Each(columns))
}

/// Two labels, three, and independent ones.
fn datasets() -> [Dataset; 3] {
    [exclusive(&["A", "B"]), exclusive(&["A", "B", "C"]), independent()]
}

fn prompt(data: &Dataset) -> Prompt {
    let prompt = Prompt::new(data.task, data.labels.clone()).unwrap().with_white_space(WhiteSpace::Keep);
    prompt.with_instruction("Say").with_separator("|").unwrap()
}

/// Six steps of four texts.
fn recipe() -> Recipe {
    Recipe { epochs: 2, batch_size: 4, max_tokens: 80, learning_rate: 1e-2, ..Recipe::default() }
}

fn trainer(base: &BaseModel, data: &Dataset) -> Trainer {
    Trainer::new(base, prompt(data), recipe()).unwrap()
}

fn fit(base: &BaseModel, data: &Dataset) -> AgileClassifier {
    trainer(base, data).fit(data, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Stops after this many steps.
fn stop_after(steps: usize) -> impl FnMut(&TrainEvent) -> ControlFlow<()> {
    move |event| if event.step() < steps { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn probabilities(classifier: &AgileClassifier, texts: &[impl AsRef<str> + Sync]) -> Vec<Vec<f64>> {
    classifier.predict(texts).unwrap().into_iter().map(|prediction| prediction.probabilities).collect()
}

#[test]
fn every_data_set_is_asked_about_in_its_prompt() {
    let [two, three, independent] = datasets().map(|data| prompt(&data));
    assert_eq!((two.questions(), two.answers()), (1, vec!["A", "B"]));
    assert_eq!((three.questions(), three.answers()), (1, vec!["A", "B", "C"]));
    assert_eq!((independent.questions(), independent.answers()), (2, vec!["No", "Yes"]));
    assert_eq!(three.render("x", 0), "Say:[A,B,C]|Text:x|Prediction:");
    assert_eq!(independent.render("x", 1), "Say:[No,Yes]|Text:x|Label:spam|Prediction:");
    for prompt in [two, three, independent] {
        assert_eq!(serde_json::from_str::<Prompt>(&serde_json::to_string(&prompt).unwrap()).unwrap(), prompt);
    }
}

#[test]
fn classifiers_that_share_a_base_have_the_bits_that_each_has_alone() {
    let data = datasets();
    let alone = data.each_ref().map(|data| probabilities(&fit(&open(), data), &data.texts));
    let base = open();
    let untrained = || probabilities(&AgileClassifier::zero_shot(&base, prompt(&data[1]), 80).unwrap(), &data[1].texts);
    let before = untrained();
    let classifiers = std::thread::scope(|scope| {
        let base = &base;
        let threads = data.each_ref().map(|data| scope.spawn(move || (fit(base, data), data)));
        threads.map(|thread| thread.join().unwrap())
    });
    let at_once = std::thread::scope(|scope| {
        let threads =
            classifiers.each_ref().map(|(classifier, data)| scope.spawn(move || probabilities(classifier, &data.texts)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(at_once, alone);
    assert_eq!(untrained(), before, "nothing changes the base");
    assert_ne!(before, alone[1], "the training changed the classifier");
    assert!(alone[..2].iter().flatten().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
}

/// The parts of a text that are scored one after the other.
#[test]
fn texts_that_are_remembered_are_not_read_again_and_have_the_same_bits() {
    let profiled = ComputeOptions { profile: true, ..Device::Cpu.into() };
    let base = BaseModel::open(MODEL.path().to_str().unwrap(), profiled).unwrap();
    for data in datasets() {
        let instant = |base: &BaseModel, data: &Dataset| {
            let trainer = Trainer::new(base, prompt(data), Recipe::instant()).unwrap();
            probabilities(&trainer.fit(data, &mut |_| ControlFlow::Continue(())).unwrap(), &data.texts)
        };
        let (fewer, remembering) = (data.subset(&(0..9).collect::<Vec<_>>()), base.remembering_states());
        let passes = || base.take_operation_times().get("attention").map_or(0, |time| time.calls);
        let expected = instant(&base, &data);
        passes();
        instant(&remembering, &fewer);
        let of_fewer = passes();
        assert_eq!(instant(&remembering, &data), expected);
        let of_others = passes();
        assert_eq!(instant(&remembering, &data), expected);
        assert!(of_fewer > 0 && of_others > 0 && passes() == 0, "{of_fewer} {of_others}");
    }
}

fn windows(base: &BaseModel, prompt: &Prompt, text: &str) -> Vec<String> {
    let encoder = PromptEncoder::new(base.tokenizer(), prompt, 80).unwrap();
    let mut rest: Vec<char> = text.chars().collect();
    let mut parts = Vec::new();
    for window in encoder.encode_windows(text).unwrap() {
        let after = rest.split_off(rest.len() - window.truncated_characters);
        parts.push(rest.into_iter().collect());
        rest = after;
    }
    parts
}

#[test]
fn a_long_text_is_scored_by_its_windows() {
    let (base, text) = (open(), "é x zz y ".repeat(20));
    for data in datasets() {
        let of = |long_texts: LongTexts| {
            let prompt = prompt(&data).with_long_texts(long_texts).ok()?;
            let classifier = AgileClassifier::zero_shot(&base, prompt, 80).unwrap();
            Some(classifier.predict(&[&text, "short"]).unwrap())
        };
        let parts = windows(&base, &prompt(&data), &text);
        assert!(parts.len() > 2 && parts.concat() == text);
        let first = of(LongTexts::First).unwrap();
        let of_parts = probabilities(&AgileClassifier::zero_shot(&base, prompt(&data), 80).unwrap(), &parts);
        assert_eq!(first[0].probabilities, of_parts[0]);
        assert_eq!(first[0].truncated_characters, text.chars().count() - parts[0].chars().count());
        let mean = of(LongTexts::Mean).unwrap();
        for (label, found) in mean[0].probabilities.iter().enumerate() {
            assert_eq!(*found, of_parts.iter().map(|part| part[label]).sum::<f64>() / parts.len() as f64);
        }
        assert_eq!((mean[0].truncated_characters, &mean[1]), (0, &first[1]));
        let highest = |label: usize| of_parts.iter().map(|part| part[label]).fold(0.0, f64::max);
        match (of(LongTexts::Max), data.labels.len()) {
            (None, labels) => assert_eq!(labels, 3),
            (Some(max), 2) if data.task == Task::SingleLabel => {
                assert_eq!(max[0].probabilities, [1.0 - highest(1), highest(1)]);
            }
            (Some(max), labels) => assert_eq!(max[0].probabilities, (0..labels).map(highest).collect::<Vec<_>>()),
        }
    }
}

#[test]
fn a_stopped_training_says_so_leaves_the_base_and_goes_on() {
    let (base, folder) = (open(), tempfile::tempdir().unwrap());
    for data in datasets() {
        let whole = probabilities(&fit(&base, &data), &data.texts);
        let error = trainer(&base, &data).fit(&data, &mut stop_after(2)).unwrap_err();
        assert_eq!(error.to_string(), "stopped at step 2 of 6");
        let out = folder.path().join(data.labels.names().concat());
        let error = trainer(&base, &data).in_folder(&out, false).fit(&data, &mut stop_after(2)).unwrap_err();
        assert!(error.to_string().starts_with("stopped at step 2 of 6; kept in "), "{error}");
        let unfinished = AgileClassifier::load_on(&out, &base).unwrap_err().to_string();
        assert!(unfinished.ends_with("run the same command with --resume"), "{unfinished}");
        let resumed = trainer(&base, &data).in_folder(&out, true).fit(&data, &mut |_| ControlFlow::Continue(())).unwrap();
        let read = AgileClassifier::load_on(&out, &base).unwrap();
        for classifier in [fit(&base, &data), resumed, read] {
            assert_eq!(probabilities(&classifier, &data.texts), whole);
        }
    }
}

#[test]
fn a_training_that_leaves_the_numbers_fails_and_saves_nothing() {
    let (base, folder) = (open(), tempfile::tempdir().unwrap());
    for data in datasets() {
        // The last step may be the one that breaks it: then no loss is computed any more.
        for batch_size in [4, 12] {
            let recipe = Recipe { epochs: 1, batch_size, learning_rate: 1e30, ..recipe() };
            let out = folder.path().join(format!("{} {batch_size}", data.labels.names().concat()));
            let trainer = Trainer::new(&base, prompt(&data), recipe).unwrap().in_folder(&out, false);
            let error = trainer.fit(&data, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
            let expected = if batch_size == 4 { "the loss is no longer a number at step 2" } else { "not finite" };
            assert!(error.contains(expected), "{batch_size}: {error}");
            assert!(!out.join("classifier.json").exists() && AgileClassifier::load_on(&out, &base).is_err());
        }
    }
}

#[test]
fn data_that_teach_nothing_or_have_other_labels_are_refused_before_a_folder_is_made() {
    let (base, folder) = (open(), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let refused = |data: &Dataset, rows: &[usize], asked: &Dataset| {
        let outcome = trainer(&base, asked).in_folder(&out, false).fit(&data.subset(rows), &mut |_| ControlFlow::Continue(()));
        assert!(!out.exists());
        outcome.unwrap_err().to_string()
    };
    let [two, three, independent] = datasets();
    assert_eq!(refused(&two, &[], &two), "there are no rows to train on");
    assert!(refused(&two, &[0, 2], &two).starts_with("all 2 training rows are `A`"));
    assert!(refused(&three, &[0, 1, 3], &three).starts_with("none of the 3 rows has the label `C`"));
    assert!(refused(&independent, &[0, 2], &independent).starts_with("none of the 2 rows has the label `rude`"));
    let all: Vec<usize> = (0..12).collect();
    assert!(refused(&two, &all, &three).starts_with("the labels `A`, `B`, `C` and `A`, `B` do not go together"));
    assert!(fit(&base, &two).evaluate(&independent).is_err());
}

/// Puts `new` in the place of `old` in a file.
fn edit(file: &Path, old: &str, new: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(old), "{text}");
    std::fs::write(file, text.replace(old, new)).unwrap();
}

#[test]
fn an_edited_folder_is_refused() {
    let (base, folder) = (open(), tempfile::tempdir().unwrap());
    for data in datasets() {
        let classifier = fit(&base, &data);
        let refused = |change: &dyn Fn(&Path)| {
            let out = folder.path().join("out");
            classifier.save(&out).unwrap();
            assert_eq!(
                probabilities(&AgileClassifier::load_on(&out, &base).unwrap(), &data.texts),
                probabilities(&classifier, &data.texts)
            );
            change(&out);
            AgileClassifier::load(&out, Device::Cpu).unwrap_err().to_string()
        };
        let bytes = refused(&|out| {
            let file = out.join("adapter_model.safetensors");
            let mut bytes = std::fs::read(&file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(file, bytes).unwrap();
        });
        assert!(bytes.contains("the adapter is not the one that the classifier was saved with"), "{bytes}");
        let alpha = refused(&|out| edit(&out.join("adapter_config.json"), "\"lora_alpha\": 16", "\"lora_alpha\": 32"));
        assert!(alpha.contains("the adapter is not the one"), "{alpha}");
        for (old, new) in [("\"Say\"", "\"Tell\""), ("\"begin_of_text\": true", "\"begin_of_text\": false")] {
            let prompt = refused(&|out| edit(&out.join("classifier.json"), old, new));
            assert!(prompt.contains("the prompt in classifier.json is not the one that it was saved with"), "{prompt}");
        }
        let both = refused(&|out| edit(&out.join("classifier.json"), "\"alpha\": 16", "\"alpha\": 32"));
        assert!(both.contains("adapter_config.json is not that of the recipe"), "{both}");
        let unknown = refused(&|out| {
            edit(&out.join("classifier.json"), "\"format_version\": 3", "\"format_version\": 3, \"text_normalization\": 2")
        });
        assert!(unknown.contains("has `text_normalization`, which this lincah does not apply"), "{unknown}");
    }
}

/// Removing the reasons moves the score more than removing as many words anywhere.
#[test]
fn reasons_matter_more_than_other_words() {
    let base = open();
    for data in datasets() {
        let recipe = Recipe { epochs: 40, members: 1, learning_rate: 0.02, ..Recipe::default() };
        let classifier =
            Trainer::new(&base, prompt(&data), recipe).unwrap().fit(&data, &mut |_| ControlFlow::Continue(())).unwrap();
        let texts: Vec<String> = data.texts.iter().take(8).map(|text| format!("x y {text} q w")).collect();
        let (mut by_reasons, mut by_others) = (0.0, 0.0);
        for (text, explanation) in texts.iter().zip(classifier.explain(&texts).unwrap()) {
            let Some(reason) = explanation.reasons.first() else { continue };
            let label = classifier.labels().position(&reason.label).unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            let removed = reason.text.split(' ').count();
            // Every run of as many words, each as likely as the next.
            let others = (0..=words.len() - removed).map(|first| [&words[..first], &words[first + removed..]].concat().join(" "));
            let others: Vec<String> = others.collect();
            let scores = classifier.predict(&others).unwrap();
            let change = |other: &Prediction| (explanation.prediction.probabilities[label] - other.probabilities[label]).abs();
            by_others += scores.iter().map(change).sum::<f64>() / scores.len() as f64;
            by_reasons += reason.change.abs();
        }
        assert!(by_reasons > 1.2 * by_others, "{by_reasons} and {by_others}");
        println!("reasons {by_reasons:.4}, any words {by_others:.4}");
    }
}
