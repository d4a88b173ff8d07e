//! Reports: nothing from the data becomes markup, the page is whole, the numbers are those of the metrics.

use lincah::report::{Baseline, CODELAB, Origin, Report, ScoredReport, SweepReport};
use lincah::sweep::RunResult;
use lincah::{BaseModelRecord, Evaluation, LabelSet, Prediction, Prompt, Recipe, Task};

const HOSTILE: &str = "</p></details><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & \u{0} \u{202e}";

fn prediction(probabilities: Vec<f64>) -> Prediction {
    Prediction::new(Task::SingleLabel, probabilities, 0)
}

/// 60 rows of two labels, the score rising with the truth but not always.
fn two_labels() -> (Vec<usize>, Vec<Prediction>) {
    let truth: Vec<usize> = (0..60).map(|row| usize::from(row % 3 == 0)).collect();
    let score = |(row, &truth): (usize, &usize)| (0.25 + 0.4 * truth as f64 + (row * 7 % 20) as f64 / 60.0).min(0.99);
    let predictions = truth.iter().enumerate().map(score).map(|score| prediction(vec![1.0 - score, score])).collect();
    (truth, predictions)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// A report of rows whose every text is `text`.
fn scored(truth: &[usize], predictions: &[Prediction], labels: &[String], text: &str) -> Report {
    let evaluation = Evaluation::of(predictions, truth, labels, 1.0).unwrap();
    let texts = vec![text.to_string(); truth.len()];
    let rows: Vec<u64> = (101..).take(truth.len()).collect();
    let report = ScoredReport {
        kind: "Classifier",
        predictions,
        truth,
        rows: &rows,
        evaluation: &evaluation,
        texts: Some(&texts),
        data: None,
        baseline: Some(Baseline { predictions, evaluation: &evaluation }),
        folds: &[],
        base_model: None,
        training: None,
        recipe: None,
        notices: vec![format!("look: {text}")],
    };
    report.render(&Origin { subject: text.to_string(), command: text.to_string(), ..Origin::default() }).unwrap()
}

fn run(train_size: usize, epochs: usize, seed: u64, learning_rate: f64, right: usize) -> RunResult {
    let labels = names(&["civil", "uncivil"]);
    let (truth, _) = two_labels();
    let guess = |(row, &truth): (usize, &usize)| {
        let score = if (truth == 1) == (row < right) { 0.7 } else { 0.2 + row as f64 / 1000.0 };
        prediction(vec![1.0 - score, score])
    };
    let predictions: Vec<Prediction> = truth.iter().enumerate().map(guess).collect();
    let evaluation = Evaluation::of(&predictions, &truth, &labels, 1.0).unwrap();
    RunResult {
        run: format!("{train_size}-{epochs}-{seed}-{learning_rate}"),
        base_model: BaseModelRecord {
            name: String::from("tiny"),
            weights_sha256: String::from("ab"),
            tokenizer_sha256: String::from("cd"),
        },
        split_seed: 32,
        train_size,
        prompt: Prompt::new(LabelSet::new(labels.clone()).unwrap()).unwrap(),
        recipe: Recipe { epochs, seed, learning_rate, ..Recipe::default() },
        evaluation: Some(evaluation.clone()),
        tfidf: evaluation,
        seconds: 1.0,
    }
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
    let evaluation = Evaluation::of(&predictions, &truth, &labels, 1.0).unwrap();
    let report = scored(&truth, &predictions, &labels, "some text");
    for value in [evaluation.f1, evaluation.precision, evaluation.roc_auc.unwrap(), evaluation.intervals.unwrap().f1[1]] {
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
    let truth = [0, 0, 1, 1];
    let predictions = [[0.3, 0.7], [0.1, 0.9], [0.8, 0.2], [0.45, 0.55]].map(|row| prediction(row.to_vec()));
    let html = scored(&truth, &predictions, &labels, "text").html;
    let (errors, calls) = html.split_once("The closest calls").unwrap();
    let order = |part: &str| -> Vec<String> {
        part.split("<summary>Row ").skip(1).map(|rest| rest.split(':').next().unwrap().to_string()).collect()
    };
    assert_eq!(order(errors), ["102", "103", "101"]);
    assert_eq!(order(calls), ["104", "101", "103", "102"]);
}

#[test]
fn many_labels_and_one_class_leave_out_what_is_of_two() {
    let labels: Vec<String> = (0..12).map(|label| format!("label{label}")).collect();
    let truth: Vec<usize> = (0..48).map(|row| row % 12).collect();
    let predictions: Vec<Prediction> =
        (0..48).map(|row| prediction((0..12).map(|label| if label == row * 5 % 12 { 0.34 } else { 0.06 }).collect())).collect();
    let report = scored(&truth, &predictions, &labels, "text");
    elements(&report.html);
    assert_eq!(report.plots, [], "12 labels are a table");
    assert!(report.html.contains("with more they are left out") && report.html.contains("label11"));
    assert!(!report.html.contains("ROC-AUC") && report.html.contains("macro F1"));
    let three = scored(
        &[0, 1, 2],
        &predictions[..3].iter().map(|_| prediction(vec![0.5, 0.3, 0.2])).collect::<Vec<_>>(),
        &labels[..3],
        "t",
    );
    assert_eq!(three.plots.len(), 1);
    let one_class = scored(&[1, 1], &[prediction(vec![0.4, 0.6]), prediction(vec![0.7, 0.3])], &names(&["a", "b"]), "t");
    assert!(one_class.html.contains("Every row has the same true label"));
    elements(&one_class.html);
}

#[test]
fn a_sweep_has_a_line_a_size_and_a_panel_for_each_of_the_other_settings() {
    let mut results = Vec::new();
    for learning_rate in [1e-3, 5e-4] {
        for (size, epochs) in [(400, 8), (200, 4), (200, 8), (400, 4)] {
            for seed in 1..=3 {
                results.push(run(size, epochs, seed, learning_rate, 20 + size / 20 + epochs + seed as usize));
            }
        }
    }
    results.push(RunResult { evaluation: None, ..run(400, 8, 4, 1e-3, 0) });
    let origin = Origin { subject: String::from("grid"), ..Origin::default() };
    let report = SweepReport { results: &results, published: &CODELAB }.render(&origin);
    elements(&report.html);
    let plots: Vec<&str> = report.plots.iter().map(|plot| plot.name.as_str()).collect();
    let expected = ["learning-curve-f1-1", "learning-curve-roc-auc-1", "learning-curve-f1-2", "learning-curve-roc-auc-2"];
    assert_eq!(plots, expected);
    let f1 = &report.plots[0].svg;
    for key in ["200 training rows (mean ± deviation)", "400 training rows, codelab", "800 training rows, codelab"] {
        assert!(f1.contains(key), "{key}");
    }
    let mean: f64 = results[..3].iter().map(|run| run.evaluation.as_ref().unwrap().f1).sum::<f64>() / 3.0;
    assert!(f1.contains(&format!("400 training rows, 8: {mean:.3} ± ")), "the mean of the seeds is a tooltip");
    assert!(f1.contains("200 training rows, 4: 0.780"), "the codelab's point is one, too");
    assert!(report.html.contains("1 of the 25 runs diverged") && report.html.contains("learning_rate 0.0005"));
    // 8 settings, one row each, sorted by size and epochs within a learning rate.
    let table = report.html.split("<h2>Results</h2>").nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<Vec<&str>> = table.split("<tr><td>").skip(1).map(|row| row.split("</td><td>").take(3).collect()).collect();
    let sizes: Vec<(&str, &str)> = rows.iter().map(|row| (row[0], row[1])).collect();
    assert_eq!(sizes, [("200", "4"), ("200", "8"), ("400", "4"), ("400", "8")].repeat(2));
    let alone = SweepReport { results: &results[..1], published: &[] }.render(&origin);
    assert_eq!(
        alone.plots.iter().map(|plot| plot.name.as_str()).collect::<Vec<_>>(),
        ["learning-curve-f1", "learning-curve-roc-auc"]
    );
    assert!(!alone.html.contains("odelab"));
}

#[test]
fn without_several_epochs_the_training_size_is_along_the_axis() {
    let results: Vec<RunResult> = [100, 200, 400].into_iter().map(|size| run(size, 4, 1, 1e-3, 20 + size / 20)).collect();
    let report = SweepReport { results: &results, published: &CODELAB }.render(&Origin::default());
    let svg = &report.plots[0].svg;
    assert!(svg.contains("F1 over training rows") && svg.contains("4 epochs, codelab") && !svg.contains("6 epochs"), "{svg}");
}
