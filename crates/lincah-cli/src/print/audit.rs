//! Where a classifier fails.

use super::{bracketed, number, result_line};
use lincah::audit::{Audit, Drift, IdentityAreas, Part, Robustness, SlicePart};

/// Groups and slices that are shown; --json has all.
const SHOWN: usize = 30;

/// Everything that was looked at, the worst first.
pub(crate) fn print_audit(found: &Audit) {
    result_line!(
        "{} rows, accuracy {} {}; in brackets exact 95 % intervals",
        found.n,
        number(found.overall.accuracy),
        bracketed(Some(found.overall.interval))
    );
    print_parts("functionality", &found.functionalities);
    print_parts("group", &found.groups);
    found.identity.iter().for_each(print_identity);
    print_slices(&found.slices);
    if let Some(robustness) = &found.robustness {
        print_robustness(robustness);
    }
}

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0).max(13)
}

fn left_out(rows: usize) {
    if rows > SHOWN {
        result_line!("  and {} more, in --json", rows - SHOWN);
    }
}

fn print_parts(what: &str, parts: &[Part]) {
    if parts.is_empty() {
        return;
    }
    let width = width(parts.iter().map(|part| part.name.as_str()));
    result_line!();
    result_line!("  {what:<width$}  rows   accuracy");
    for part in parts.iter().take(SHOWN) {
        let interval = bracketed(Some(part.interval));
        let reviewed = if part.reviewed > 0 { format!("  {} left to a person", part.reviewed) } else { String::new() };
        result_line!("  {:<width$}  {:<5}  {} {interval}{reviewed}", part.name, part.rows, number(part.accuracy));
    }
    left_out(parts.len());
}

fn print_identity(areas: &IdentityAreas) {
    let area = |value: Option<f64>| value.map_or(String::from("too few"), |value| format!("{value:.3}"));
    let width = width(areas.groups.iter().map(|group| group.group.as_str()));
    result_line!();
    result_line!("  how well texts about a group are told apart, for {} (areas under the ROC curve)", areas.label);
    result_line!("  {:<width$}  with   without  subgroup  BPSN     BNSP", "group");
    for group in areas.groups.iter().take(SHOWN) {
        result_line!(
            "  {:<width$}  {:<5}  {:<7}  {:<8}  {:<7}  {}",
            group.group,
            group.positives,
            group.negatives,
            area(group.subgroup),
            area(group.background_positive_subgroup_negative),
            area(group.background_negative_subgroup_positive)
        );
    }
    left_out(areas.groups.len());
    let [subgroup, bpsn, bnsp] = areas.means().map(area);
    result_line!("  {:<width$}  {:<5}  {:<7}  {subgroup:<8}  {bpsn:<7}  {bnsp}", "generalized mean, p = -5", "", "");
}

fn print_slices(slices: &[SlicePart]) {
    if slices.is_empty() {
        return;
    }
    let name = |slice: &SlicePart| format!("{} = {}", slice.column, slice.part.name);
    let names: Vec<String> = slices.iter().map(name).collect();
    let width = width(names.iter().map(String::as_str));
    result_line!();
    result_line!("  {:<width$}  rows   accuracy                the rest  p (Fisher, Holm)", "slice");
    for (slice, name) in slices.iter().zip(&names).take(SHOWN) {
        let (part, interval) = (&slice.part, bracketed(Some(slice.part.interval)));
        let accuracy = format!("{} {interval}", number(part.accuracy));
        result_line!("  {name:<width$}  {:<5}  {accuracy:<22}  {:<8}  {:.3}", part.rows, number(slice.rest), slice.p_value);
    }
    left_out(slices.len());
}

fn print_robustness(robustness: &Robustness) {
    result_line!();
    result_line!(
        "  {} texts written otherwise   decisions that flip     labels lost  change of a probability: mean, largest",
        robustness.rows
    );
    for flips in &robustness.kinds {
        let share = format!("{} {}", number(flips.share), bracketed(Some(flips.interval)));
        let kind = match flips.changed == robustness.rows as u64 {
            true => flips.kind.clone(),
            false => format!("{} (changes {})", flips.kind, flips.changed),
        };
        result_line!("  {kind:<30}{share:<24}{:<13}{:.3}, {:.3}", flips.lost, flips.mean_change, flips.largest_change);
    }
}

/// What changed between two sets of texts.
pub(crate) fn print_drift(found: &Drift) {
    let [before, after] = found.texts;
    result_line!("{before} texts before, {after} after");
    for label in &found.labels {
        let (score, given) = (label.mean_score, label.given);
        result_line!();
        result_line!("  {}", label.label);
        result_line!(
            "    mean probability {:.3} before, {:.3} after; given to {:.1} % before, {:.1} % after",
            score[0],
            score[1],
            100.0 * given[0],
            100.0 * given[1]
        );
        let p_value = if label.p_value < 0.001 { String::from("p < 0.001") } else { format!("p = {:.3}", label.p_value) };
        result_line!(
            "    Kolmogorov-Smirnov {:.3} ({p_value}), population stability index {:.3} (above 0.25 is a change)",
            label.statistic,
            label.population_stability_index
        );
        result_line!(
            "    estimated share after {:.3} {}, trained on {:.3}",
            label.prevalence,
            bracketed(Some(label.prevalence_interval)),
            label.trained
        );
    }
}
