//! A project's folder: created, said something in, killed, opened again.

use lincah::Task;
use lincah::data::journal::Journal;
use lincah::data::text_columns::TextColumns;
use lincah_studio::{Answer, Mix, NewProject, Project, Reason, Said, Scores, StudioError, next};
use std::collections::HashSet;
use std::path::Path;

fn new(folder: &Path, task: Task) -> NewProject {
    let texts = folder.join("texts.csv");
    let rows: String = (0..40).map(|row| format!("text {row}\n")).collect();
    // Twice the same, and one without text.
    std::fs::write(&texts, format!("comment\n{rows}text 3\n\"\"\n")).unwrap();
    let columns = TextColumns::new(["comment"]);
    let labels = vec!["civil".to_owned(), "uncivil".to_owned()];
    NewProject { texts, columns, read: Default::default(), task, labels, seed: 7, audit_texts: 10 }
}

fn label(project: &mut Project, who: &str, text: usize, label: usize) {
    project.say(Said::new(who, text, Answer::Labels(vec![label]))).unwrap();
}

#[test]
fn what_was_said_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    assert!(matches!(Project::open(&path), Err(StudioError::NoProject { .. })));
    let mut project = Project::create(&path, &new(folder.path(), Task::SingleLabel)).unwrap();
    assert_eq!((project.texts().len(), project.audit().len()), (40, 10));
    assert!(matches!(Project::open(&path), Err(StudioError::Library(_))), "it is open already");
    label(&mut project, "ana", 3, 1);
    label(&mut project, "ana", 5, 0);
    label(&mut project, "ben", 3, 0);
    project.say(Said::new("ana", 8, Answer::Skipped)).unwrap();
    let refused = [vec![], vec![0, 1], vec![2]].map(|labels| project.say(Said::new("ana", 9, Answer::Labels(labels))));
    assert!(refused.iter().all(|refused| matches!(refused, Err(StudioError::Labels { .. }))));
    assert!(matches!(project.say(Said::new("ana", 40, Answer::Skipped)), Err(StudioError::NoText { last: 39, .. })));
    let order = project.lot().order.clone();
    drop(project);

    // A line that a kill cut short.
    let journal = path.join("journal.jsonl");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend(br#"{"time":"2026-01-31T12:00:00Z","who":"an"#);
    std::fs::write(&journal, bytes).unwrap();
    let mut project = Project::open(&path).unwrap();
    assert_eq!(project.lot().order, order);
    assert_eq!(project.labels().texts(), [3, 5, 8]);
    assert_eq!(project.labels().answer(3), Some(&Answer::Labels(vec![0])));
    assert_eq!(project.labels().answer_of("ana", 3), Some(&Answer::Labels(vec![1])));
    assert_eq!((project.labels().labelled(), project.labels().label_rows()), (2, vec![2, 0]));
    label(&mut project, "ana", 11, 1);
    let rows = project.dataset([11, 8, 3]).unwrap();
    assert_eq!((rows.texts.as_slice(), rows.classes()), (&["text 11".to_owned(), "text 3".to_owned()][..], vec![1, 0]));
    // What `train` makes of the journal alone.
    let rows = Journal::read(&journal).unwrap().dataset(Task::SingleLabel, &[]).unwrap();
    assert_eq!((rows.texts.len(), rows.labels.names()), (3, &["civil".to_owned(), "uncivil".to_owned()][..]));
    assert!(matches!(Project::create(&path, &new(folder.path(), Task::SingleLabel)), Err(StudioError::NotEmpty { .. })));
}

#[test]
fn undo_goes_back_to_the_first_thing_that_somebody_said_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    let mut project = Project::create(&path, &new(folder.path(), Task::MultiLabel)).unwrap();
    let say = |project: &mut Project, who: &str, text: usize, labels: &[usize]| {
        project.say(Said::new(who, text, Answer::Labels(labels.to_vec()))).unwrap();
    };
    say(&mut project, "ana", 1, &[0, 1]);
    say(&mut project, "ana", 1, &[]);
    say(&mut project, "ben", 1, &[1]);
    project.say(Said::new("ana", 2, Answer::Skipped)).unwrap();
    assert_eq!(project.undo("ana").unwrap(), Some(2));
    drop(project);
    let mut project = Project::open(&path).unwrap();
    assert_eq!(project.labels().answer(2), None);
    assert_eq!(project.undo("ana").unwrap(), Some(1));
    assert_eq!(project.labels().answer_of("ana", 1), Some(&Answer::Labels(vec![0, 1])));
    assert_eq!(project.undo("ana").unwrap(), Some(1));
    assert_eq!(project.labels().answer_of("ana", 1), None);
    assert_eq!(project.undo("ana").unwrap(), None);
    assert_eq!(project.labels().answer(1), Some(&Answer::Labels(vec![1])));
    // After an undo something else can be said, and taken back.
    say(&mut project, "ana", 4, &[0]);
    drop(project);
    let mut project = Project::open(&path).unwrap();
    assert_eq!((project.undo("ana").unwrap(), project.undo("ana").unwrap()), (Some(4), None));
}

#[test]
fn the_queue_never_repeats_leaves_the_audit_to_the_lot_and_asks_for_what_the_turn_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut project = Project::create(&folder.path().join("project"), &new(folder.path(), Task::SingleLabel)).unwrap();
    // The higher its number, the likelier is a text uncivil.
    let scores =
        Scores { probabilities: (0..40).map(|text| (text, vec![1.0 - text as f64 / 40.0, text as f64 / 40.0])).collect() };
    let audit: HashSet<usize> = project.audit().iter().copied().collect();
    let mut seen = HashSet::new();
    for turn in 0..40 {
        let order = project.lot().order.clone();
        let reason = Mix::default().reason(turn);
        let found = next((Task::SingleLabel, project.labels()), project.lot(), &scores, reason, &|text| text != order[0]);
        let Some((text, reason)) = found else { break };
        assert!(seen.insert(text) && text != order[0]);
        assert!(reason == Reason::Random || !audit.contains(&text));
        label(&mut project, "ana", text, usize::from(text > 20));
    }
    // All but the one that somebody else looks at.
    assert_eq!(seen.len(), 39);
    let rest: Vec<usize> = project.lot().order[10..].to_vec();
    let fresh = Project::create(&folder.path().join("fresh"), &new(folder.path(), Task::SingleLabel)).unwrap();
    let first = |reason| next((Task::SingleLabel, fresh.labels()), fresh.lot(), &scores, reason, &|_| true).unwrap();
    assert_eq!(first(Reason::Positive), (*rest.iter().max().unwrap(), Reason::Positive));
    let uncertain = rest.iter().min_by_key(|text| text.abs_diff(20)).unwrap();
    assert_eq!(first(Reason::Uncertain).0.abs_diff(20), uncertain.abs_diff(20));
    assert_eq!(first(Reason::Random), (fresh.lot().order[0], Reason::Random));
    // Without scores all are drawn by lot.
    let none = next((Task::SingleLabel, fresh.labels()), fresh.lot(), &Scores::default(), Reason::Uncertain, &|_| true);
    assert_eq!(none, Some((fresh.lot().order[0], Reason::Random)));
}

#[test]
fn a_changed_guideline_brings_back_the_labels_that_it_touches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    let mut project = Project::create(&path, &new(folder.path(), Task::SingleLabel)).unwrap();
    label(&mut project, "ana", 3, 1);
    label(&mut project, "ana", 5, 0);
    project.say(Said::new("ana", 8, Answer::Skipped)).unwrap();
    project.change_guideline("ana", "Insults are uncivil.", &[1]).unwrap();
    assert_eq!(project.to_review().collect::<Vec<_>>(), [3]);
    assert!(matches!(project.change_guideline("ana", "", &[2]), Err(StudioError::NoLabel { label: 2, labels: 2 })));
    let said = |guideline| Said { guideline, ..Said::new("ben", 3, Answer::Labels(vec![1])) };
    assert!(matches!(project.say(said(2)), Err(StudioError::NoGuideline { version: 2, newest: 1 })));
    project.say(said(1)).unwrap();
    assert_eq!(project.to_review().count(), 0);
    project.undo("ben").unwrap();
    assert_eq!(project.to_review().collect::<Vec<_>>(), [3]);
    project.say(said(1)).unwrap();
    project.change_guideline("ana", "Insults are uncivil, irony is civil.", &[0]).unwrap();
    drop(project);
    let project = Project::open(&path).unwrap();
    assert_eq!((project.guideline().version(), project.guideline().newest().unwrap().touches.as_slice()), (2, &[0][..]));
    assert_eq!((project.to_review().collect::<Vec<_>>(), project.labels().opinions(3).last().unwrap().guideline), (vec![5], 1));
}
