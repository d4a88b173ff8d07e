//! A sweep's runs, and their means.

use super::evaluation::headline;
use super::result_line;
use lincah::statistics::mean_deviation;
use lincah::sweep::{RunResult, varied_settings};
use serde_json::{Map, Value};

fn shown(settings: &Map<String, Value>, name: &str) -> String {
    match settings.get(name) {
        None | Some(Value::Null) => String::from("-"),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// What came out of a run, by the settings that differ from run to run.
pub(crate) fn run_line(result: &RunResult, varied: &[String]) -> String {
    let settings = result.settings();
    let settings: Vec<String> = varied.iter().map(|name| format!("{name} {}", shown(&settings, name))).collect();
    let metrics = result.evaluation.as_ref().map_or(String::from("diverged"), headline);
    format!("{}  {metrics}", settings.join(", "))
}

/// A line for every setting, the mean over its seeds, in the plan's order.
pub(crate) fn print_sweep(results: &[&RunResult]) {
    let Some(first) = results.first() else { return };
    let settings: Vec<Map<String, Value>> = results.iter().map(|result| result.settings()).collect();
    let columns: Vec<String> =
        varied_settings(&settings.iter().collect::<Vec<_>>()).into_iter().filter(|name| name != "seed").collect();
    let mut groups: Vec<(Vec<String>, Vec<&RunResult>)> = Vec::new();
    for (result, settings) in results.iter().zip(&settings) {
        let key: Vec<String> = columns.iter().map(|name| shown(settings, name)).collect();
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, runs)) => runs.push(result),
            None => groups.push((key, vec![result])),
        }
    }
    let metrics = first.tfidf.headline();
    let title = [String::from("runs")].into_iter().chain(metrics.iter().map(|metric| metric.name().to_owned()));
    let title = title.chain(metrics.iter().map(|metric| format!("TF-IDF {}", metric.name())));
    let title = title.chain([format!("always-same {}", metrics[0].name())]);
    let mut lines = vec![columns.iter().cloned().chain(title).collect::<Vec<String>>()];
    for (key, runs) in groups {
        let mean = |values: Vec<f64>| {
            mean_deviation(&values).map_or(String::from("-"), |found| match found.deviation {
                Some(deviation) => format!("{:.3} ± {deviation:.3}", found.mean),
                None => format!("{:.3}", found.mean),
            })
        };
        let trained = metrics.map(|metric| mean(runs.iter().filter_map(|run| run.evaluation.as_ref()?.value(metric)).collect()));
        let tfidf = metrics.map(|metric| mean(runs[..1].iter().filter_map(|run| run.tfidf.value(metric)).collect()));
        let constant = runs[0].tfidf.score(metrics[0]).and_then(|score| score.constant_answer);
        let constant = constant.map_or(String::from("-"), |value| format!("{value:.3}"));
        let cells = [runs.len().to_string()].into_iter().chain(trained).chain(tfidf).chain([constant]);
        lines.push(key.into_iter().chain(cells).collect());
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        result_line!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
