//! All routes in front of a tiny classifier, asked without a network; what `cargo test` and the fuzz target share.

#[path = "../../../lincah/tests/tiny_model/mod.rs"]
mod tiny_model;
mod valid_bodies;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use lincah::{
    AgileClassifier, BaseModel, Dataset, DatasetOptions, Device, LabelColumns, LabelSet, Prompt, Recipe, Task, Trainer,
};
use lincah_serve::{ServeConfig, ServeState, router};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tower::ServiceExt;
pub use valid_bodies::valid_bodies;

/// The secret of the decision log.
pub const SECRET: &str = "a-secret-of-more-than-thirty-two-characters";

/// A server without a network, with a journal.
pub struct Asked {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    routes: Router,
}

impl Asked {
    /// With a decision log or without, which grows with every answer.
    pub fn new(has_decision_log: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        tiny_model::write(&path("model"));
        trained(&path("model")).save(&path("kind")).unwrap();
        std::fs::write(path("secret"), SECRET).unwrap();
        let config = ServeConfig {
            classifiers: [(String::from("kind"), path("kind"))].into(),
            feedback: Some(path("journal.jsonl")),
            decision_log: has_decision_log.then(|| path("log.jsonl")),
            decision_log_key_file: has_decision_log.then(|| path("secret")),
            max_texts: 16,
            max_text_bytes: 1000,
            ..ServeConfig::default()
        };
        config.check().unwrap();
        let routes = router(Arc::new(ServeState::load(config, Device::Cpu.into()).unwrap()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, runtime, routes }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a route answers to a body; a panic of its handler is one of the caller's.
    pub fn ask(&self, route: &str, body: &[u8]) -> (StatusCode, Vec<u8>) {
        let request = Request::post(route).body(Body::from(body.to_vec())).unwrap();
        self.runtime.block_on(async {
            let answer = self.routes.clone().oneshot(request).await.unwrap();
            (answer.status(), to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec())
        })
    }
}

/// A classifier that tells A from B.
fn trained(model: &Path) -> AgileClassifier {
    let csv = String::from("text,label\n")
        + &(0..12).map(|row| format!("{} {row},{}\n", ["x", "y"][row % 2], ["A", "B"][row % 2])).collect::<String>();
    let options = DatasetOptions::new("text", LabelColumns::one("label", ["A", "B"]));
    let data =
        Dataset::from_reader("data", Box::new(std::io::Cursor::new(csv.into_bytes())), &Default::default(), &options).unwrap();
    let base = BaseModel::open(model.to_str().unwrap(), Device::Cpu).unwrap();
    let prompt = Prompt::new(Task::SingleLabel, LabelSet::new(["A", "B"]).unwrap()).unwrap();
    let prompt = prompt.with_instruction("Say").with_separator("|").unwrap();
    let recipe = Recipe { epochs: 1, batch_size: 4, max_tokens: 80, ..Recipe::default() };
    Trainer::new(&base, prompt, recipe).unwrap().fit(&data, &mut |_| ControlFlow::Continue(())).unwrap()
}
