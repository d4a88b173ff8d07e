//! Learning curves: a metric over epochs or training sizes, mean and standard deviation over seeds.

use super::chart::{Axis, Chart, Drawing, Key, Sign, Size, hollow, series};
use super::codelab::PublishedPoint;
use super::{decimals, mean_with_deviation, setting};
use crate::classifier::BaseModelRecord;
use crate::evaluation::Evaluation;
use crate::metrics::Metric;
use crate::statistics::mean_deviation;
use crate::sweep::varied_settings;
use maud::{Markup, html};
use serde_json::{Map, Value};

/// Settings that only say which draw of chance a run is.
const SEEDS: [&str; 2] = ["seed", "split_seed"];

/// A training of a sweep and what came out.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// All settings by the names of the command's options; among them `train_size`, `epochs`, `seed` and `split_seed`.
    pub settings: Map<String, Value>,
    /// The base models.
    pub base_models: Vec<&'a BaseModelRecord>,
    /// Metrics on the scored rows; absent where the training diverged.
    pub evaluation: Option<&'a Evaluation>,
    /// Metrics of TF-IDF with logistic regression, trained on the same rows.
    pub tfidf: &'a Evaluation,
    /// Seconds of training.
    pub seconds: f64,
}

/// Runs that differ in their seeds alone.
pub(super) struct Group<'a> {
    pub(super) settings: Map<String, Value>,
    pub(super) runs: Vec<&'a Run<'a>>,
}

impl Group<'_> {
    /// The metric of each run that has it.
    pub(super) fn values(&self, metric: Metric) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.evaluation.and_then(|evaluation| evaluation.value(metric))).collect()
    }

    fn number(&self, name: &str) -> f64 {
        self.settings.get(name).and_then(Value::as_f64).unwrap_or(0.0)
    }

    /// What was published for these settings.
    pub(super) fn published(&self, points: &[PublishedPoint]) -> Option<PublishedPoint> {
        let alike = |point: &&PublishedPoint| {
            point.train_size as f64 == self.number("train_size") && point.epochs as f64 == self.number("epochs")
        };
        points.iter().find(alike).copied()
    }
}

/// The results by their settings without the seeds, by training size and epochs where all else is equal.
pub(super) fn groups<'a>(results: &'a [Run<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for run in results {
        let mut settings = run.settings.clone();
        SEEDS.iter().for_each(|name| drop(settings.shift_remove(*name)));
        match groups.iter_mut().find(|group| group.settings == settings) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { settings, runs: vec![run] }),
        }
    }
    let first_of_panel = |groups: &[Group], group: &Group| {
        groups.iter().position(|other| panel_settings(&other.settings) == panel_settings(&group.settings)).unwrap_or(0)
    };
    let order: Vec<usize> = groups.iter().map(|group| first_of_panel(&groups, group)).collect();
    let mut ordered: Vec<(usize, Group)> = order.into_iter().zip(groups).collect();
    ordered.sort_by(|(left_panel, left), (right_panel, right)| {
        let key = |group: &Group| (group.number("train_size"), group.number("epochs"));
        let ((left_size, left_epochs), (right_size, right_epochs)) = (key(left), key(right));
        let sizes = left_size.total_cmp(&right_size).then(left_epochs.total_cmp(&right_epochs));
        left_panel.cmp(right_panel).then(sizes)
    });
    ordered.into_iter().map(|(_, group)| group).collect()
}

/// Names of the settings that have several values, in the options' order.
pub(super) fn varied(groups: &[Group]) -> Vec<String> {
    varied_settings(&groups.iter().map(|group| &group.settings).collect::<Vec<_>>())
}

/// All that puts runs on different plots.
fn panel_settings(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut panel = settings.clone();
    panel.shift_remove("epochs");
    panel.shift_remove("train_size");
    panel
}

/// The metrics of the plots, those that stand for all others; none without runs.
pub(super) fn curves(groups: &[Group]) -> Vec<Metric> {
    let first = groups.iter().flat_map(|group| &group.runs).next();
    first.map_or(Vec::new(), |run| run.tfidf.headline().to_vec())
}

/// What was published of a metric.
fn published(metric: Metric, point: &PublishedPoint) -> Option<f64> {
    match metric {
        Metric::F1 => Some(point.f1),
        Metric::RocAuc => Some(point.roc_auc),
        _ => None,
    }
}

/// The plots of one combination of the other settings.
pub(super) struct Panel {
    /// The settings that tell it from the other panels.
    pub(super) title: String,
    /// Plots, each with what the same answer for every row reaches.
    pub(super) drawings: Vec<(Drawing, Option<f64>)>,
}

/// A panel for each combination of the settings other than training size, epochs and seeds, all with the same axes.
pub(super) fn panels(groups: &[Group], published: &[PublishedPoint]) -> Vec<Panel> {
    let varied = varied(groups);
    let over_sizes = !varied.iter().any(|name| name == "epochs") && varied.iter().any(|name| name == "train_size");
    let others: Vec<&String> = varied.iter().filter(|name| !["epochs", "train_size"].contains(&name.as_str())).collect();
    let mut panels: Vec<(Map<String, Value>, Vec<&Group>)> = Vec::new();
    for group in groups {
        let key = panel_settings(&group.settings);
        match panels.iter_mut().find(|(other, _)| *other == key) {
            Some((_, members)) => members.push(group),
            None => panels.push((key, vec![group])),
        }
    }
    let several = panels.len() > 1;
    let panel = |(index, (settings, members)): (usize, &(Map<String, Value>, Vec<&Group>))| {
        let named = others.iter().map(|name| format!("{name} {}", setting(settings.get(*name).unwrap_or(&Value::Null))));
        let lines = Lines { members, all: groups, published, over_sizes };
        let suffix = if several { format!("-{}", index + 1) } else { String::new() };
        let drawings = curves(groups).into_iter();
        let drawings = drawings.filter_map(|metric| Some((lines.drawing(metric, &suffix)?, lines.constant(metric))));
        Panel { title: named.collect::<Vec<_>>().join(", "), drawings: drawings.collect() }
    };
    panels.iter().enumerate().map(panel).collect()
}

/// What the plots of a panel are drawn from.
struct Lines<'a> {
    members: &'a [&'a Group<'a>],
    /// The groups of all panels, for the axes.
    all: &'a [Group<'a>],
    published: &'a [PublishedPoint],
    /// Whether the training size is along the axis, and not the epochs.
    over_sizes: bool,
}

/// One line: its name and a mean with its deviation at each place along the axis.
struct Line {
    name: String,
    points: Vec<(f64, f64, f64)>,
}

impl Lines<'_> {
    fn along(&self) -> (&'static str, &'static str) {
        if self.over_sizes { ("train_size", "epochs") } else { ("epochs", "train_size") }
    }

    fn drawing(&self, metric: Metric, suffix: &str) -> Option<Drawing> {
        let (along, _) = self.along();
        let lines = self.lines(metric);
        let published = self.published_lines(metric);
        let mut places: Vec<f64> = self.all.iter().map(|group| group.number(along)).collect();
        places.extend(published.iter().flat_map(|line| line.points.iter().map(|point| point.0)));
        places.sort_by(f64::total_cmp);
        places.dedup();
        let (low, high) = self.range(metric, &published)?;
        let y = Axis::metric(metric.name(), low, high);
        let constant = self.constant(metric).filter(|&value| y.contains(value));
        let label = if self.over_sizes { "training rows" } else { "epochs" };
        let chart = Chart { size: Size::Full, x: Axis::values(label, &places), y, keys: self.keys(&lines, &published, constant) };
        let marks = html! {
            @if let Some(value) = constant {
                (chart.line("chance thin dotted", [(f64::NEG_INFINITY, value), (f64::INFINITY, value)]))
            }
            @for (index, line) in published.iter().enumerate() { (drawn(&chart, line, (index, &lines), "thin dashed")) }
            @for (index, line) in lines.iter().enumerate() { (drawn(&chart, line, (index, &lines), "")) }
        };
        let name = format!("learning-curve-{}{suffix}", metric.key().replace('_', "-"));
        Some(chart.drawing(name, (&format!("{metric} over {label}"), described(metric, &lines, label)), marks))
    }

    /// A line for each value of the setting that is not along the axis.
    fn lines(&self, metric: Metric) -> Vec<Line> {
        let (along, apart) = self.along();
        let point = |group: &&Group| {
            let found = mean_deviation(&group.values(metric))?;
            Some((group.number(apart), (group.number(along), found.mean, found.deviation.unwrap_or(0.0))))
        };
        lines(apart, self.members.iter().filter_map(point))
    }

    /// The published points that belong on these axes: over training sizes, those of epochs that are ours.
    fn published_lines(&self, metric: Metric) -> Vec<Line> {
        let (_, apart) = self.along();
        let ours = |key: f64| self.all.iter().any(|group| group.number(apart) == key);
        let point = |point: &PublishedPoint| {
            let (epochs, size, value) = (point.epochs as f64, point.train_size as f64, published(metric, point)?);
            let (key, place) = if self.over_sizes { (epochs, size) } else { (size, epochs) };
            (!self.over_sizes || ours(key)).then_some((key, (place, value, 0.0)))
        };
        lines(apart, self.published.iter().filter_map(point))
    }

    /// The lowest and highest of all panels, deviations and what is published included; none if no run has the metric.
    fn range(&self, metric: Metric, published: &[Line]) -> Option<(f64, f64)> {
        let found = self.all.iter().filter_map(|group| mean_deviation(&group.values(metric)));
        let mut ends: Vec<f64> =
            found.flat_map(|found| [-1.0, 1.0].map(|sign| found.mean + sign * found.deviation.unwrap_or(0.0))).collect();
        ends.first()?;
        ends.extend(published.iter().flat_map(|line| line.points.iter().map(|point| point.1)));
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        Some((low, ends.iter().copied().fold(f64::NEG_INFINITY, f64::max)))
    }

    /// What the same answer for every row reaches, on average over the runs.
    fn constant(&self, metric: Metric) -> Option<f64> {
        let constant = |run: &&Run| run.tfidf.score(metric).and_then(|score| score.constant_answer);
        let values: Vec<f64> = self.all.iter().flat_map(|group| &group.runs).filter_map(constant).collect();
        mean_deviation(&values).map(|found| found.mean)
    }

    fn keys(&self, lines: &[Line], published: &[Line], constant: Option<f64>) -> Vec<Key> {
        let runs = self.members.iter().map(|group| group.runs.len()).max().unwrap_or(0);
        let of_several = if runs > 1 { " (mean ± deviation)" } else { "" };
        let ours = lines
            .iter()
            .enumerate()
            .map(|(index, line)| Key::new(series(index), Sign::Marked("", index), format!("{}{of_several}", line.name)));
        let theirs = published.iter().enumerate().map(|(index, line)| {
            let place = place(line, index, lines);
            Key::new(series(place), Sign::Marked("thin dashed", place), format!("{}, codelab (Gemma 2B)", line.name))
        });
        let mut keys: Vec<Key> = ours.chain(theirs).collect();
        keys.extend(
            constant.map(|value| {
                Key::new("chance", Sign::Line("thin dotted"), format!("always the same answer, {}", decimals(value)))
            }),
        );
        keys
    }
}

/// Points by the setting `apart`, ascending.
fn lines(apart: &str, points: impl Iterator<Item = (f64, (f64, f64, f64))>) -> Vec<Line> {
    let mut lines: Vec<(f64, Line)> = Vec::new();
    for (key, point) in points {
        match lines.iter_mut().find(|(other, _)| *other == key) {
            Some((_, line)) => line.points.push(point),
            None => {
                let name = if apart == "epochs" { format!("{key} epochs") } else { format!("{key} training rows") };
                lines.push((key, Line { name, points: vec![point] }));
            }
        }
    }
    lines.sort_by(|left, right| left.0.total_cmp(&right.0));
    lines
        .into_iter()
        .map(|(_, mut line)| {
            line.points.sort_by(|left, right| left.0.total_cmp(&right.0));
            line
        })
        .collect()
}

/// The colour and marker of a published line: those of our line of that name, or the next that are free.
fn place(line: &Line, index: usize, ours: &[Line]) -> usize {
    ours.iter().position(|other| other.name == line.name).unwrap_or(ours.len() + index)
}

/// A line with its markers and deviations, moved a little aside so that deviations don't hide each other.
fn drawn(chart: &Chart, line: &Line, (index, ours): (usize, &[Line]), classes: &str) -> Markup {
    let place = if classes.is_empty() { index } else { place(line, index, ours) };
    let class = format!("{} {classes}", series(place));
    let shift = if classes.is_empty() { 5.0 * (index as f64 - (ours.len() as f64 - 1.0) / 2.0) } else { 0.0 };
    let tooltip = |(x, mean, deviation): &(f64, f64, f64)| {
        let around = if *deviation > 0.0 { format!(" ± {}", decimals(*deviation)) } else { String::new() };
        format!("{}, {x}: {}{around}", line.name, decimals(*mean))
    };
    html! {
        g transform=(format!("translate({shift} 0)")) {
            (chart.line(&class, line.points.iter().map(|point| (point.0, point.1))))
            @for point in &line.points {
                @let (x, mean, deviation) = *point;
                @if deviation > 0.0 { (chart.line(&format!("{} thin", series(place)), [(x, mean - deviation), (x, mean + deviation)])) }
                (chart.mark(&format!("{} {}", series(place), hollow(classes)), place, (x, mean), 0.0, &tooltip(point)))
            }
        }
    }
}

fn described(metric: Metric, lines: &[Line], label: &str) -> String {
    let line = |line: &Line| {
        let points = line.points.iter().map(|(x, mean, deviation)| {
            let around = if *deviation > 0.0 { format!(" ± {}", decimals(*deviation)) } else { String::new() };
            format!("{x}: {}{around}", decimals(*mean))
        });
        format!("{}: {}", line.name, points.collect::<Vec<_>>().join(", "))
    };
    format!("{metric} over {label}. {}.", lines.iter().map(line).collect::<Vec<_>>().join("; "))
}

/// Mean and standard deviation of a group, as in the table.
pub(super) fn cell(group: &Group, metric: Metric) -> String {
    mean_with_deviation(&group.values(metric))
}

/// The same of the baseline; one number where the runs agree, as they do unless their rows are split differently.
pub(super) fn baseline_cell(group: &Group, of: impl Fn(&Evaluation) -> Option<f64>) -> String {
    let mut values: Vec<f64> = group.runs.iter().filter_map(|run| of(run.tfidf)).collect();
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        values.truncate(1);
    }
    mean_with_deviation(&values)
}
