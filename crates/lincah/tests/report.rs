//! Reports: nothing from the data becomes markup, the page is whole, the numbers are those of the metrics.

use lincah::decisions::Prevalences;
use lincah::evaluation::{Evaluation, Truth};
use lincah::metrics::Metric;
use lincah::report::{Baseline, CODELAB, EvaluationPair, Origin, Report, Run, ScoredReport, SweepReport};
use lincah::{BaseModelRecord, Decision, DecisionRule, LabelSet, Prediction, Task};
use serde_json::{Map, json};
use std::collections::BTreeMap;

const HOSTILE: &str = "</p></details><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & \u{0} \u{202e}";

fn prediction(probabilities: Vec<f64>) -> Prediction {
    Prediction::new(Task::SingleLabel, probabilities, 0)
}

fn class(class: usize, labels: usize) -> Vec<bool> {
    (0..labels).map(|label| label == class).collect()
}

/// 60 rows of two labels, the score rising with the truth but not always.
fn two_labels() -> (Vec<Vec<bool>>, Vec<Prediction>) {
    let truth: Vec<Vec<bool>> = (0..60).map(|row| class(usize::from(row % 3 == 0), 2)).collect();
    let score =
        |(row, truth): (usize, &Vec<bool>)| (0.25 + if truth[1] { 0.4 } else { 0.0 } + (row * 7 % 20) as f64 / 60.0).min(0.99);
    let predictions = truth.iter().enumerate().map(score).map(|score| prediction(vec![1.0 - score, score])).collect();
    (truth, predictions)
}

/// 50 rows of independent labels, some without any.
fn independent_labels(labels: usize) -> (Vec<Vec<bool>>, Vec<Prediction>) {
    let truth: Vec<Vec<bool>> = (0..50).map(|row| (0..labels).map(|label| (row + label) % (label + 3) == 0).collect()).collect();
    let of = |(row, truth): (usize, &Vec<bool>)| {
        let score =
            |(label, &has): (usize, &bool)| 0.05 + (row * 31 + label * 17) as f64 % 50.0 / 100.0 + if has { 0.4 } else { 0.0 };
        Prediction::new(Task::MultiLabel, truth.iter().enumerate().map(score).collect(), 0)
    };
    let predictions = truth.iter().enumerate().map(of).collect();
    (truth, predictions)
}

fn names(names: &[&str]) -> LabelSet {
    LabelSet::new(names.iter().copied()).unwrap()
}

fn evaluated(task: Task, labels: &LabelSet, truth: &[Vec<bool>], predictions: &[Prediction]) -> Evaluation {
    Evaluation::of(predictions, Truth { task, labels, truth }, &DecisionRule::default(), 1.0).unwrap()
}

/// A report of rows whose every text is `text`.
fn scored(truth: &[Vec<bool>], predictions: &[Prediction], labels: &LabelSet, text: &str) -> Report {
    report_of(Task::SingleLabel, (truth, predictions), labels, text)
}

fn report_of(task: Task, (truth, predictions): (&[Vec<bool>], &[Prediction]), labels: &LabelSet, text: &str) -> Report {
    let evaluation = evaluated(task, labels, truth, predictions);
    let texts = vec![text.to_string(); truth.len()];
    let rows: Vec<u64> = (101..).take(truth.len()).collect();
    let fold = EvaluationPair { classifier: &evaluation, tfidf: &evaluation };
    let report = ScoredReport {
        kind: "Classifier",
        predictions,
        truth,
        rows: &rows,
        evaluation: &evaluation,
        texts: Some(&texts),
        data: None,
        baseline: Some(Baseline { predictions, evaluation: &evaluation }),
        folds: &[fold; 2],
        base_model: None,
        training: None,
        settings: Map::new(),
        decisions: None,
        prevalences: Prevalences::default(),
        audit: None,
        reasons: BTreeMap::new(),
        notices: vec![format!("look: {text}")],
    };
    report.render(&Origin { subject: text.to_string(), command: text.to_string(), ..Origin::default() }).unwrap()
}

#[test]
fn a_label_that_out_of_fold_scores_speak_against_is_listed() {
    let (mut truth, _) = two_labels();
    let sure = |truth: &Vec<bool>| prediction(if truth[1] { vec![0.05, 0.95] } else { vec![0.95, 0.05] });
    let predictions: Vec<Prediction> = truth.iter().map(sure).collect();
    let section = |truth: &[Vec<bool>]| {
        let html = scored(truth, &predictions, &names(&["calm", "cross"]), "a text").html;
        html.split("Rows whose label may be wrong").nth(1).map(str::to_owned).unwrap()
    };
    assert!(section(&truth).contains("There are none"));
    for row in [7, 20, 33, 46] {
        truth[row].swap(0, 1);
    }
    assert!(["Row 108", "Row 121", "Row 134", "Row 147"].iter().any(|row| section(&truth).contains(row)));
    assert!(!section(&truth).contains("Row 109"));
}

/// What a run of a sweep is of.
#[derive(Clone, Copy)]
struct Setting {
    train_size: usize,
    epochs: usize,
    seed: u64,
    learning_rate: f64,
}

/// A run's settings and metrics, so many of its rows right.
fn run(setting: Setting, right: usize) -> (Map<String, serde_json::Value>, Evaluation) {
    let (truth, _) = two_labels();
    let guess = |(row, truth): (usize, &Vec<bool>)| {
        let score = if truth[1] == (row < right) { 0.7 } else { 0.2 + row as f64 / 1000.0 };
        prediction(vec![1.0 - score, score])
    };
    let predictions: Vec<Prediction> = truth.iter().enumerate().map(guess).collect();
    let Setting { train_size, epochs, seed, learning_rate } = setting;
    let settings = json!({
        "model": "tiny", "split_seed": 32, "train_size": train_size, "epochs": epochs, "learning_rate": learning_rate, "seed": seed
    });
    let evaluation = evaluated(Task::SingleLabel, &names(&["civil", "uncivil"]), &truth, &predictions);
    (settings.as_object().unwrap().clone(), evaluation)
}

/// The report of runs; of those that diverged there is no evaluation.
fn swept(runs: &[(Map<String, serde_json::Value>, Evaluation)], diverged: usize, published: bool, origin: &Origin) -> Report {
    let text = |text: &str| text.to_string();
    let base_model = BaseModelRecord { name: text("tiny"), weights_sha256: text("ab"), tokenizer_sha256: text("cd") };
    let with_evaluation = runs.len() - diverged;
    let mut results = Vec::new();
    for (index, (settings, evaluation)) in runs.iter().enumerate() {
        let (settings, scored) = (settings.clone(), (index < with_evaluation).then_some(evaluation));
        results.push(Run { settings, base_models: vec![&base_model], evaluation: scored, tfidf: evaluation, seconds: 1.0 });
    }
    SweepReport { results: &results, published: if published { &CODELAB } else { &[] } }.render(origin)
}

/// Checks that every tag that is opened is closed, in order; returns the names of all elements.
#[track_caller]
fn elements(html: &str) -> Vec<String> {
    const VOID: [&str; 4] = ["meta", "link", "br", "img"];
    let (mut open, mut seen): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<'), "a tag in a tag: {tag}");
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
            continue;
        }
        let name = tag.split([' ', '\n']).next().unwrap().to_string();
        seen.push(name.clone());
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("a style sheet ends")..];
        }
        if !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new(), "all is closed");
    seen
}

#[test]
fn texts_and_labels_stay_text() {
    let (truth, predictions) = two_labels();
    let labels = names(&["a<script>alert(3)</script>", "b\" onload=\"alert(4)"]);
    let report = scored(&truth, &predictions, &labels, HOSTILE);
    for svg in report.plots.iter().map(|plot| &plot.svg) {
        elements(svg);
        assert!(!svg.contains("<script") && !svg.contains("onload=\"alert"), "{svg}");
    }
    let found = elements(&report.html);
    for forbidden in ["script", "img", "iframe", "object", "form", "base"] {
        assert!(!found.iter().any(|name| name == forbidden), "{forbidden}");
    }
    // What a browser takes for an attribute: nothing of the data is in one unescaped.
    assert!(!report.html.contains("onerror=alert(2)>") && report.html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!report.html.contains('\u{0}') && report.html.contains('\u{fffd}'));
    for outside in ["http://", "https://", "@import", "url(", "src="] {
        let known = report.html.replace("http://www.w3.org/2000/svg", "").replace("&lt;img src=x", "");
        assert!(!known.contains(outside), "{outside}");
    }
    assert!(report.html.contains("default-src 'none'"));
}

#[test]
fn the_page_has_the_numbers_of_the_evaluation() {
    let (truth, predictions) = two_labels();
    let labels = names(&["civil", "uncivil"]);
    let evaluation = evaluated(Task::SingleLabel, &labels, &truth, &predictions);
    let report = scored(&truth, &predictions, &labels, "some text");
    let mut values: Vec<f64> = evaluation.scores.iter().filter_map(|score| score.value).collect();
    values.extend(evaluation.scores.iter().filter_map(|score| score.interval).flatten());
    for value in values {
        assert!(report.html.contains(&format!("{value:.3}")), "{value}");
    }
    let plots: Vec<&str> = report.plots.iter().map(|plot| plot.name.as_str()).collect();
    assert_eq!(plots, ["confusion-matrix", "roc", "precision-recall", "scores", "calibration"]);
    // Ids are unique, every picture has a title, every table a header.
    let ids: Vec<&str> = report.html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    assert_eq!(ids.len(), 2 * plots.len());
    assert_eq!(report.html.matches("<table").count(), report.html.matches("<tbody").count());
    assert!(report.html.matches("scope=\"row\"").count() > 20 && report.html.matches("scope=\"col\"").count() > 10);
}

#[test]
fn errors_are_sorted_by_their_certainty_and_ties_by_row() {
    let labels = names(&["civil", "uncivil"]);
    let truth = [0, 0, 1, 1].map(|of| class(of, 2));
    let predictions = [[0.3, 0.7], [0.1, 0.9], [0.8, 0.2], [0.45, 0.55]].map(|row| prediction(row.to_vec()));
    let html = scored(&truth, &predictions, &labels, "text").html;
    let (errors, calls) = html.split_once("The closest calls").unwrap();
    let (calls, _) = calls.split_once("Rows whose label may be wrong").unwrap();
    let order = |part: &str| -> Vec<String> {
        part.split("<summary>Row ").skip(1).map(|rest| rest.split(':').next().unwrap().to_string()).collect()
    };
    assert_eq!(order(errors), ["102", "103", "101"]);
    assert_eq!(order(calls), ["104", "101", "103", "102"]);
}

/// The names of a report's plots.
fn plots(report: &Report) -> Vec<&str> {
    report.plots.iter().map(|plot| plot.name.as_str()).collect()
}

#[test]
fn several_exclusive_labels_have_small_plots_each_and_many_a_table() {
    let labels = |count: usize| LabelSet::new((0..count).map(|label| format!("label{label}"))).unwrap();
    let rows = |count: usize| -> (Vec<Vec<bool>>, Vec<Prediction>) {
        let probability = |row: usize, label: usize| if label == row * 5 % count { 0.4 } else { 0.6 / (count as f64 - 1.0) };
        let predictions = (0..52).map(|row| prediction((0..count).map(|label| probability(row, label)).collect())).collect();
        ((0..52).map(|row| class(row % count, count)).collect(), predictions)
    };
    let (truth, predictions) = rows(3);
    let three = scored(&truth, &predictions, &labels(3), "t");
    elements(&three.html);
    let kinds = ["roc", "precision-recall", "scores", "calibration"];
    let expected: Vec<String> = (1..=3).flat_map(|place| kinds.map(|kind| format!("{kind}-{place}"))).collect();
    assert_eq!(plots(&three)[0], "confusion-matrix");
    assert_eq!(plots(&three)[1..], expected);
    assert!(three.html.contains("macro ROC-AUC") && three.html.contains("macro F1") && three.html.contains("Labels one by one"));
    let area = evaluated(Task::SingleLabel, &labels(3), &truth, &predictions).value(Metric::MacroRocAuc).unwrap();
    assert!(three.html.contains(&format!("{area:.3}")));
    let (truth, predictions) = rows(13);
    let many = scored(&truth, &predictions, &labels(13), "text");
    elements(&many.html);
    assert_eq!(many.plots, [], "13 labels are a table");
    assert!(many.html.contains("label12") && !many.html.contains("Labels one by one") && many.html.contains("precision ≥ 0.90"));
}

#[test]
fn rows_of_one_class_have_no_curves() {
    let truth = [class(1, 2), class(1, 2)];
    let report = scored(&truth, &[prediction(vec![0.4, 0.6]), prediction(vec![0.7, 0.3])], &names(&["a", "b"]), "t");
    assert!(report.html.contains("No label has rows with it and rows without"));
    assert_eq!(plots(&report), ["confusion-matrix"]);
    elements(&report.html);
}

#[test]
fn independent_labels_have_a_report() {
    let labels = names(&["insult", "<b>threat</b>", "slur"]);
    let (truth, predictions) = independent_labels(3);
    let report = report_of(Task::MultiLabel, (&truth, &predictions), &labels, HOSTILE);
    elements(&report.html);
    assert!(!report.html.contains("<b>threat") && report.html.contains("&lt;b&gt;threat"));
    assert_eq!(report.plots.len(), 12, "four of each label, no confusion matrix");
    let evaluation = evaluated(Task::MultiLabel, &labels, &truth, &predictions);
    for score in &evaluation.scores {
        assert!(report.html.contains(&format!(">{}", score.metric)), "{}", score.metric);
        assert!(report.html.contains(&format!("{:.3}", score.value.unwrap())), "{}", score.metric);
    }
    for label in &evaluation.per_label {
        assert!(report.html.contains(&format!("{:.3}", label.value(Metric::RocAuc).unwrap())), "{}", label.label);
    }
    for part in ["(lower is better)", "over 2 folds", "without any label", "50 rows scored with 3 independent labels"] {
        assert!(report.html.contains(part), "{part}");
    }
}

#[test]
fn the_surest_wrong_answer_about_a_label_puts_its_row_first() {
    let labels = names(&["a", "b"]);
    let truth = [[true, false], [false, false], [true, true], [false, true]].map(Vec::from);
    let rows = [[0.9, 0.8], [0.1, 0.4], [0.05, 0.9], [0.2, 0.9]];
    let predictions = rows.map(|row| Prediction::new(Task::MultiLabel, row.to_vec(), 0));
    let html = report_of(Task::MultiLabel, (&truth, &predictions), &labels, "text").html;
    let (errors, calls) = html.split_once("The closest calls").unwrap();
    let (calls, _) = calls.split_once("Rows whose label may be wrong").unwrap();
    let first = |part: &str| part.split("<summary>Row ").nth(1).unwrap().split("</summary>").next().unwrap().to_string();
    assert_eq!(errors.matches("<summary>").count(), 2);
    assert_eq!(first(errors), "103: labelled <strong>a, b</strong>, answered <strong>b</strong>; a has 0.050");
    assert_eq!(first(calls), "102: labelled <strong>–</strong>, answered <strong>–</strong>; b has 0.400");
}

#[test]
fn a_row_without_a_decision_is_no_error() {
    let truth = [class(0, 3), class(1, 3), class(2, 3)];
    let mut predictions = [[0.5, 0.3, 0.2], [0.45, 0.35, 0.2], [0.2, 0.3, 0.5]].map(|row| prediction(row.to_vec()));
    predictions[1].decision = Decision::Abstain;
    let html = scored(&truth, &predictions, &names(&["a", "b", "c"]), "text").html;
    assert!(html.contains("There are none: every row is answered as it is labelled, or not at all."));
    assert!(html.contains("not decided; a has 0.450") && html.contains("rows on which nothing was decided"));
}

#[test]
fn a_sweep_has_a_line_a_size_and_a_panel_for_each_of_the_other_settings() {
    let mut results = Vec::new();
    for learning_rate in [1e-3, 5e-4] {
        for (size, epochs) in [(400, 8), (200, 4), (200, 8), (400, 4)] {
            for seed in 1..=3 {
                let setting = Setting { train_size: size, epochs, seed, learning_rate };
                results.push(run(setting, 20 + size / 20 + epochs + seed as usize));
            }
        }
    }
    results.push(run(Setting { train_size: 400, epochs: 8, seed: 4, learning_rate: 1e-3 }, 0));
    let origin = Origin { subject: String::from("grid"), ..Origin::default() };
    let report = swept(&results, 1, true, &origin);
    elements(&report.html);
    let plots: Vec<&str> = report.plots.iter().map(|plot| plot.name.as_str()).collect();
    let expected = ["learning-curve-f1-1", "learning-curve-roc-auc-1", "learning-curve-f1-2", "learning-curve-roc-auc-2"];
    assert_eq!(plots, expected);
    let f1 = &report.plots[0].svg;
    for key in ["200 training rows (mean ± deviation)", "400 training rows, codelab", "800 training rows, codelab"] {
        assert!(f1.contains(key), "{key}");
    }
    let mean: f64 = results[..3].iter().map(|run| run.1.value(Metric::F1).unwrap()).sum::<f64>() / 3.0;
    assert!(f1.contains(&format!("400 training rows, 8: {mean:.3} ± ")), "the mean of the seeds is a tooltip");
    assert!(f1.contains("200 training rows, 4: 0.780"), "the codelab's point is one, too");
    assert!(report.html.contains("1 of the 25 runs diverged") && report.html.contains("learning_rate 0.0005"));
    // 8 settings, one row each, sorted by size and epochs within a learning rate.
    let table = report.html.split("<h2>Results</h2>").nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<Vec<&str>> = table.split("<tr><td>").skip(1).map(|row| row.split("</td><td>").take(3).collect()).collect();
    let sizes: Vec<(&str, &str)> = rows.iter().map(|row| (row[0], row[1])).collect();
    assert_eq!(sizes, [("200", "4"), ("200", "8"), ("400", "4"), ("400", "8")].repeat(2));
    let alone = swept(&results[..1], 0, false, &origin);
    assert_eq!(
        alone.plots.iter().map(|plot| plot.name.as_str()).collect::<Vec<_>>(),
        ["learning-curve-f1", "learning-curve-roc-auc"]
    );
    assert!(!alone.html.contains("odelab"));
}

#[test]
fn without_several_epochs_the_training_size_is_along_the_axis() {
    let setting = |train_size| Setting { train_size, epochs: 4, seed: 1, learning_rate: 1e-3 };
    let results: Vec<_> = [100, 200, 400].into_iter().map(|size| run(setting(size), 20 + size / 20)).collect();
    let report = swept(&results, 0, true, &Origin::default());
    let svg = &report.plots[0].svg;
    assert!(svg.contains("F1 over training rows") && svg.contains("4 epochs, codelab") && !svg.contains("6 epochs"), "{svg}");
}

#[test]
fn a_sweep_of_another_task_has_its_own_metrics() {
    let (truth, predictions) = independent_labels(3);
    let evaluation = evaluated(Task::MultiLabel, &names(&["a", "b", "c"]), &truth, &predictions);
    let settings =
        |epochs: usize| json!({"train_size": 50, "epochs": epochs, "seed": 1, "split_seed": 2}).as_object().unwrap().clone();
    let results: Vec<_> = [1, 2].into_iter().map(|epochs| (settings(epochs), evaluation.clone())).collect();
    let report = swept(&results, 0, true, &Origin::default());
    elements(&report.html);
    assert_eq!(plots(&report), ["learning-curve-micro-f1", "learning-curve-macro-f1"]);
    assert!(report.html.contains("TF-IDF micro F1") && report.html.contains("always the same answer, micro F1"));
    assert!(!report.plots[0].svg.contains("codelab"), "what was published is of two labels");
}
