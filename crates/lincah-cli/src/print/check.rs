//! What a check of data found: the worst first.

use super::data::{row_list, shortcut_text};
use super::{note, result_line};
use lincah::checked::{Checked, Suspects};
use lincah::data::check::{DataCheck, Groups, NearDuplicates, Shortcut};
use lincah::label_errors::{Suggested, SuspectedRow};
use lincah::{Dataset, RowLabels};

/// Findings of each kind that are shown.
const SHOWN: usize = 5;

/// Every kind of finding with its rows by number.
pub(crate) fn print_check(checked: &Checked, data: &Dataset) {
    let found = &checked.found;
    let counts: Vec<String> = found.report.classes.iter().map(|class| format!("{} {}", class.rows, class.label)).collect();
    let split = found.split.as_ref();
    let sides =
        split.map_or(String::new(), |split| format!("; {} to train on, {} held out", split.train_rows, split.holdout_rows));
    result_line!("{} rows ({}){sides}", data.len(), counts.join(", "));
    let findings = [
        leaks(found),
        contradictions(found),
        shortcuts(checked),
        groups(found),
        labels(found),
        label_errors(checked),
        characters(found),
        repetitions(found),
        lengths(checked),
    ];
    let nothing = findings.iter().all(Vec::is_empty);
    for line in findings.into_iter().flatten() {
        result_line!("{line}");
    }
    if nothing {
        result_line!("Nothing stands out.");
    }
    if let Some(strongest) =
        found.shortcuts.iter().find(|shortcut| !shortcut.flagged).filter(|_| !found.shortcuts.iter().any(|of| of.flagged))
    {
        result_line!("Surface: {}, which is not flagged", shortcut_text(strongest));
    }
    if found.shortcuts.is_empty() {
        note!("note: too few rows per label to look for shortcuts");
    }
    if let [_, others @ ..] = found.encoding.scripts.as_slice()
        && !others.is_empty()
    {
        let scripts: Vec<String> =
            found.encoding.scripts.iter().map(|count| format!("{} {}", count.rows, count.script)).collect();
        note!("note: rows by script: {}", scripts.join(", "));
    }
}

fn leaks(found: &DataCheck) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(split) = found.split.as_ref().filter(|split| split.overlap.rows > 0) {
        let rows: Vec<u64> = split.overlap.pairs.iter().map(|&(_, row)| row).collect();
        lines.push(format!("Leak: {} held-out texts are in the training too: rows {}", rows.len(), row_list(&rows)));
    }
    let across: Vec<&NearDuplicates> = found.near_duplicates.iter().filter(|group| group.across_split).collect();
    lines.extend(near_duplicates("Leak: near-duplicates on both sides of the split", &across));
    lines
}

fn near_duplicates(title: &str, groups: &[&NearDuplicates]) -> Vec<String> {
    if groups.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{title}: {}", counted(groups.len(), "group"))];
    for group in groups.iter().take(SHOWN) {
        let labels = if group.same_labels { "" } else { ", labelled in more than one way" };
        lines.push(format!("  rows {} (similarity {:.2}{labels})", row_list(&group.rows), group.similarity));
    }
    lines.extend(left_out(groups.len()));
    lines
}

/// How many findings of a kind are not shown.
fn left_out(count: usize) -> Option<String> {
    (count > SHOWN).then(|| format!("  and {} more (--json has all)", count - SHOWN))
}

fn counted(count: usize, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}

fn contradictions(found: &DataCheck) -> Vec<String> {
    let groups = &found.report.conflicting_labels;
    if groups.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("Contradictions: {} labelled in more than one way", counted(groups.len(), "text"))];
    lines.extend(groups.iter().take(SHOWN).map(|rows| format!("  rows {}", row_list(rows))));
    lines.extend(left_out(groups.len()));
    lines
}

fn shortcuts(checked: &Checked) -> Vec<String> {
    let found = &checked.found;
    let flagged: Vec<_> = found.shortcuts.iter().filter(|shortcut| shortcut.flagged).collect();
    if flagged.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::from("Shortcuts: the look of a text tells its label; is this what should be learned?")];
    let stays = |shortcut: &Shortcut| {
        checked.trimmed.iter().any(|other| (other.feature, &other.label) == (shortcut.feature, &shortcut.label))
    };
    let text = |shortcut: &&Shortcut| match stays(shortcut) {
        true => format!("  {}", shortcut_text(shortcut)),
        false => {
            format!("  {}; gone where white space is trimmed, as trainings do without --keep-whitespace", shortcut_text(shortcut))
        }
    };
    lines.extend(flagged.iter().take(SHOWN).map(text));
    lines.extend(left_out(flagged.len()));
    lines
}

fn groups(found: &DataCheck) -> Vec<String> {
    let line = |groups: &Groups| {
        let crossing = match (groups.on_both_sides, groups.held_out_rows_on_both_sides) {
            (Some(crossing), Some(rows)) => {
                format!("; {crossing} on both sides of the split, with {} held out", counted(rows, "row"))
            }
            _ => String::new(),
        };
        let labels = match (groups.determines_label, groups.p_value <= 0.05) {
            (true, _) => String::from("; each has one label only"),
            (false, true) => {
                format!(
                    "; they tell of the label: {:.0} % of their rows share one, {:.0} % by chance",
                    100.0 * groups.label_purity,
                    100.0 * groups.chance_purity
                )
            }
            (false, false) => String::from("; they tell nothing of the label"),
        };
        let what = if groups.given { "Groups" } else { "Groups, perhaps" };
        format!(
            "{what}: column {} has {} of up to {}{crossing}{labels}",
            groups.column,
            counted(groups.groups, "value"),
            counted(groups.largest, "row")
        )
    };
    found.groups.iter().take(SHOWN).map(line).chain(left_out(found.groups.len())).collect()
}

fn labels(found: &DataCheck) -> Vec<String> {
    let mut lines: Vec<String> = found
        .report
        .similar_labels
        .iter()
        .map(|labels| format!("Labels: {} differ in case or spaces only", labels.join(", ")))
        .collect();
    if !found.small_labels.is_empty() {
        let labels: Vec<String> = found.small_labels.iter().take(8).map(|of| format!("{} ({})", of.label, of.rows)).collect();
        let more = found.small_labels.len().saturating_sub(8);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("Labels with too few rows to learn or measure: {}{more}", labels.join(", ")));
    }
    lines
}

fn label_errors(checked: &Checked) -> Vec<String> {
    let Some(Suspects { rows, agreement, source }) = checked.suspects.as_ref().filter(|suspects| !suspects.rows.is_empty())
    else {
        return Vec::new();
    };
    let set = |labels: &[String]| if labels.is_empty() { String::from("none") } else { labels.join(";") };
    let line = |row: &SuspectedRow| {
        let given = match &row.labels {
            RowLabels::One { label } => label.clone(),
            RowLabels::Any { labels } => set(labels),
        };
        let suggested = match &row.suggested {
            Suggested::One(label) => label.clone(),
            Suggested::Any(labels) => set(labels),
        };
        format!("  row {:<6} {given}, perhaps {suggested} ({:.3})", row.row, row.score)
    };
    let mut lines = vec![
        format!("Labels that may be wrong: {} to look at, the surest first (0 is the surest)", counted(rows.len(), "row")),
        format!(
            "  by {}, which agrees with the labels of {:.0} % of the rows: the fewer, the less this list says",
            source,
            100.0 * agreement
        ),
    ];
    lines.extend(rows.iter().take(SHOWN).map(line));
    lines.extend(left_out(rows.len()));
    lines
}

fn characters(found: &DataCheck) -> Vec<String> {
    let encoding = &found.encoding;
    let kinds = [
        ("broken by a wrong encoding, such as Ã© for é", &encoding.mojibake),
        ("lost, shown as U+FFFD", &encoding.replacement_characters),
        ("invisible", &encoding.invisible_characters),
    ];
    let line = |(what, rows): (&str, &Vec<u64>)| format!("Characters {what}: {}: {}", counted(rows.len(), "row"), row_list(rows));
    kinds.into_iter().filter(|(_, rows)| !rows.is_empty()).map(line).collect()
}

fn repetitions(found: &DataCheck) -> Vec<String> {
    let mut lines = Vec::new();
    let repeated = &found.report.normalized_duplicates;
    if let Some(first) = repeated.groups.first() {
        lines.push(format!(
            "Duplicates: {} another's text, the first rows {}",
            counted_repeats(repeated.extra_rows),
            row_list(first)
        ));
    }
    let within: Vec<&NearDuplicates> = found.near_duplicates.iter().filter(|group| !group.across_split).collect();
    lines.extend(near_duplicates("Near-duplicates", &within));
    lines
}

fn counted_repeats(rows: usize) -> String {
    if rows == 1 { String::from("1 row repeats") } else { format!("{rows} rows repeat") }
}

fn lengths(checked: &Checked) -> Vec<String> {
    let Some(tokens) = checked.tokens.as_ref().filter(|tokens| !tokens.too_long.is_empty()) else { return Vec::new() };
    vec![format!(
        "Lengths: {} longer than {} tokens, prompt included, and would be read in part: {}",
        if tokens.too_long.len() == 1 { String::from("1 row is") } else { format!("{} rows are", tokens.too_long.len()) },
        tokens.max_tokens,
        row_list(&tokens.too_long)
    )]
}
