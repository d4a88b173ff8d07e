//! Rows and predictions, made by arithmetic alone so that they are the same everywhere, and the stored evaluations to hold against them.

use lincah::{Prediction, Task};
use serde_json::Value;

/// Scored rows of one task.
pub struct Case {
    /// The fixture's name.
    pub name: &'static str,
    pub task: Task,
    pub labels: Vec<String>,
    /// `[rows][labels]`.
    pub truth: Vec<Vec<bool>>,
    pub predictions: Vec<Prediction>,
    /// Those of another classifier, for comparisons.
    pub others: Vec<Prediction>,
}

/// What a scoring took, in seconds.
pub const SECONDS: f64 = 2.0;

/// A number of 0 to 96.
fn noise(row: usize, label: usize, salt: usize) -> usize {
    (row * 37 + label * 101 + salt * 53 + row * row * (label + 3)) % 97
}

fn exclusive(name: &'static str, labels: usize, rows: usize, class_of: fn(usize) -> usize) -> Case {
    let truth: Vec<Vec<bool>> = (0..rows).map(|row| (0..labels).map(|label| class_of(row) == label).collect()).collect();
    let predictions = |salt: usize| -> Vec<Prediction> {
        let of = |(row, truth): (usize, &Vec<bool>)| {
            let weights =
                truth.iter().enumerate().map(|(label, &is)| (1 + noise(row, label, salt) + if is { 60 } else { 0 }) as f64);
            let weights: Vec<f64> = weights.collect();
            let sum: f64 = weights.iter().sum();
            let probabilities = weights.iter().map(|weight| weight / sum).collect();
            Prediction::new(Task::SingleLabel, probabilities, usize::from(row % 10 == 3) * 7)
        };
        truth.iter().enumerate().map(of).collect()
    };
    let names = ["civil", "uncivil", "spam", "off topic"];
    let labels = names[..labels].iter().map(ToString::to_string).collect();
    Case { name, task: Task::SingleLabel, labels, predictions: predictions(1), others: predictions(2), truth }
}

fn independent(name: &'static str, labels: usize, rows: usize, has: fn(usize, usize) -> bool) -> Case {
    let truth: Vec<Vec<bool>> = (0..rows).map(|row| (0..labels).map(|label| has(row, label)).collect()).collect();
    let predictions = |salt: usize| -> Vec<Prediction> {
        let of = |(row, truth): (usize, &Vec<bool>)| {
            let score = |(label, &has): (usize, &bool)| {
                (4 + noise(row, label, salt) / 2 + if has { 40 } else { 0 }) as f64 / 128.0 * 1.25
            };
            let probabilities = truth.iter().enumerate().map(score).collect();
            Prediction::new(Task::MultiLabel, probabilities, usize::from(row % 10 == 3) * 7)
        };
        truth.iter().enumerate().map(of).collect()
    };
    let names = ["insult", "threat", "slur", "off topic"];
    let labels = names[..labels].iter().map(ToString::to_string).collect();
    Case { name, task: Task::MultiLabel, labels, predictions: predictions(1), others: predictions(2), truth }
}

/// Two and three labels of both tasks, a class of one row, labels and classes without any, few rows that are all right.
pub fn cases() -> Vec<Case> {
    vec![
        exclusive("two_exclusive", 2, 40, |row| usize::from(row % 3 == 0)),
        exclusive("three_exclusive", 3, 45, |row| row % 3),
        exclusive("rare_class", 3, 20, |row| if row == 7 { 2 } else { row % 2 }),
        exclusive("absent_class", 4, 16, |row| row % 2),
        exclusive("one_class", 2, 8, |_| 1),
        independent("two_independent", 2, 30, |row, label| row % (label + 2) == 0),
        independent("three_independent", 3, 40, |row, label| (row + label) % (label + 2) == 0),
        independent("absent_label", 3, 15, |row, label| label < 2 && row % (label + 3) == 0),
    ]
}

fn fixture(name: &str) -> String {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/evaluations").join(name).with_extension("json");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The stored JSON of that name.
pub fn stored(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).unwrap()
}

/// Checks that `found` has all keys of the fixture, with the same values to the last bit. Values that the platform's logarithm has a part in
/// may differ in theirs; those at `changed` paths (their ends, such as `/intervals/macro_f1`) are not looked at.
#[track_caller]
pub fn assert_keeps(found: &Value, name: &str, changed: &[&str]) {
    let expected = stored(name);
    // Compared as text, since reading a number may move its last bit.
    let (found, stored) = (lines(&projected(found, &expected, ""), ""), fixture(name));
    let expected = lines(&expected, "");
    let literals: Vec<&str> = stored.lines().filter_map(literal).collect();
    assert_eq!(literals.len(), expected.len(), "{name}: a fixture is pretty JSON");
    assert_eq!(
        found.iter().map(|line| &line.0).collect::<Vec<_>>(),
        expected.iter().map(|line| &line.0).collect::<Vec<_>>(),
        "{name}"
    );
    for ((path, found), literal) in found.iter().zip(literals) {
        let of_path = |end: &&str| path.ends_with(end) || path.rsplit_once('/').is_some_and(|(above, _)| above.ends_with(end));
        if found == literal || changed.iter().any(of_path) {
            continue;
        }
        let logarithm = path.ends_with("/log_loss") || path.ends_with("p_value");
        let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        assert!(logarithm && (number(found) - number(literal)).abs() < 1e-12, "{name}: {path} is {found}, was {literal}");
    }
}

/// The scalar on a line of pretty JSON.
fn literal(line: &str) -> Option<&str> {
    let value = line.trim().trim_end_matches(',');
    let value = if value.starts_with('"') { value.split_once("\": ").map_or(value, |(_, value)| value) } else { value };
    (!["{", "}", "[", "]", "{}", "[]"].contains(&value)).then_some(value)
}

/// The part of `found` that `like` has too, in its order.
fn projected(found: &Value, like: &Value, path: &str) -> Value {
    match (found, like) {
        (Value::Object(found), Value::Object(like)) => {
            let of = |(key, like): (&String, &Value)| {
                let found = found.get(key).unwrap_or_else(|| panic!("{path}/{key} is gone"));
                (key.clone(), projected(found, like, &format!("{path}/{key}")))
            };
            Value::Object(like.iter().map(of).collect())
        }
        (Value::Array(found), Value::Array(like)) => {
            assert_eq!(found.len(), like.len(), "{path}");
            let of = |(index, (found, like)): (usize, (&Value, &Value))| projected(found, like, &format!("{path}/{index}"));
            Value::Array(found.iter().zip(like).enumerate().map(of).collect())
        }
        (found, _) => found.clone(),
    }
}

/// Every scalar with its path, in order.
fn lines(value: &Value, path: &str) -> Vec<(String, String)> {
    match value {
        Value::Object(entries) => entries.iter().flat_map(|(key, value)| lines(value, &format!("{path}/{key}"))).collect(),
        Value::Array(entries) => {
            entries.iter().enumerate().flat_map(|(index, value)| lines(value, &format!("{path}/{index}"))).collect()
        }
        scalar => vec![(path.to_string(), scalar.to_string())],
    }
}
