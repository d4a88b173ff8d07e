//! Routes, and the server around them.

use crate::config::ServeConfig;
use crate::error::{ErrorForm, Refusal, ServeError};
use crate::shapes::{label_studio, moderations, own, perspective, pipeline, text_embeddings_inference, vllm};
use crate::state::ServeState;
use crate::{discovery, open_api};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use lincah::{ComputeOptions, Error};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Shared = State<Arc<ServeState>>;

/// Who asks.
#[derive(Clone)]
struct Who(String);

fn answered(result: Result<Value, Refusal>, form: ErrorForm) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refusal.response(form),
    }
}

/// In whose form a path tells errors.
fn form_of(path: &str) -> ErrorForm {
    match path {
        "/predict" | "/info" => ErrorForm::Inference,
        "/v1/moderations" | "/classify" => ErrorForm::OpenAi,
        _ if path.starts_with("/v1alpha1/") || path.starts_with("/$discovery/") => ErrorForm::Google,
        _ => ErrorForm::Own,
    }
}

async fn score(State(state): Shared, body: Bytes) -> Response {
    answered(own::score(&state, &body).await, ErrorForm::Own)
}

async fn predict(State(state): Shared, body: Bytes) -> Response {
    answered(text_embeddings_inference::predict(&state, &body).await, ErrorForm::Inference)
}

async fn classify(State(state): Shared, body: Bytes) -> Response {
    answered(vllm::classify(&state, &body).await, ErrorForm::OpenAi)
}

async fn moderate(State(state): Shared, body: Bytes) -> Response {
    answered(moderations::moderate(&state, &body).await, ErrorForm::OpenAi)
}

async fn run_pipeline(State(state): Shared, Path(name): Path<String>, body: Bytes) -> Response {
    answered(pipeline::classify(&state, &name, &body).await, ErrorForm::Own)
}

/// The method stands behind a colon, in the last part of the path.
async fn comments(
    State(state): Shared,
    Extension(Who(who)): Extension<Who>,
    Path(method): Path<String>,
    body: Bytes,
) -> Response {
    let result = match method.as_str() {
        "comments:analyze" => perspective::analyze(&state, &body).await,
        "comments:suggestscore" => on_disk(move || perspective::suggest_score(&state, &who, &body)).await,
        _ => Err(Refusal::NotFound(format!("there is no method `{method}`"))),
    };
    answered(result, ErrorForm::Google)
}

async fn discovered(headers: HeaderMap) -> Json<Value> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("x-forwarded-host").or_else(|| text("host")).unwrap_or("localhost");
    Json(discovery::document(host, text("x-forwarded-proto").unwrap_or("http")))
}

async fn label_studio_predict(State(state): Shared, body: Bytes) -> Response {
    answered(label_studio::predict(&state, &body).await, ErrorForm::Own)
}

async fn label_studio_webhook(State(state): Shared, body: Bytes) -> Response {
    answered(on_disk(move || label_studio::webhook(&state, &body)).await, ErrorForm::Own)
}

/// Waits for a disk in a thread that may wait.
async fn on_disk(work: impl FnOnce() -> Result<Value, Refusal> + Send + 'static) -> Result<Value, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Refusal::Failed(String::from("it could not be done"))))
}

async fn health(State(state): Shared) -> Response {
    match state.is_ready() {
        true => Json(json!({"status": "ready"})).into_response(),
        false => Refusal::Unavailable("the server ends").response(ErrorForm::Own),
    }
}

async fn metrics(State(state): Shared) -> Response {
    let waiting = state.classifiers.all().into_iter().map(|served| (served.name.clone(), served.waiting()));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.text(waiting)).into_response()
}

async fn page() -> Response {
    let policy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("page.html"))).into_response()
}

async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page.js")).into_response()
}

/// What may be asked without a key.
fn is_open(path: &str) -> bool {
    path.starts_with("/health")
        || matches!(path, "/" | "/page.js" | "/openapi.json" | "/label-studio/health")
        || path.starts_with("/$discovery/")
}

/// Whether a page of another origin asks.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text("origin") else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_none() || ![text("host"), text("x-forwarded-host")].contains(&authority)
}

/// Looks at the key, reads the body within its limit, counts and times.
async fn around(State(state): Shared, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or(String::from("none"), |path| path.as_str().to_owned());
    let form = form_of(&path);
    let mut who = String::new();
    let answered = admitted(&state, request, &path, next, &mut who).await;
    let response = answered.unwrap_or_else(|refusal| refusal.response(form));
    let (status, milliseconds) = (response.status().as_u16(), begun.elapsed().as_secs_f64() * 1000.0);
    tracing::info!(route, status, who, milliseconds, "request");
    state.metrics.requests.with_label_values(&[route.as_str(), response.status().as_str()]).inc();
    state.metrics.seconds.with_label_values(&[&route]).observe(begun.elapsed().as_secs_f64());
    response
}

async fn admitted(state: &ServeState, request: Request, path: &str, next: Next, asks: &mut String) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let who = match (state.keys.who(&parts.headers, &parts.uri), is_open(path)) {
        (Some(who), _) => who,
        (None, true) => String::from("anyone"),
        (None, false) => return Err(Refusal::NoKey),
    };
    asks.clone_from(&who);
    parts.extensions.insert(Who(who));
    // A browser lets any page ask this machine; only keys keep it out.
    if state.keys.is_empty() && is_foreign(&parts.headers) {
        return Err(Refusal::Foreign);
    }
    // What needs no key takes no body.
    if is_open(path) {
        return Ok(next.run(Request::from_parts(parts, Body::empty())).await);
    }
    // Whoever sends slowly is not waited for longer than anybody else.
    let limit = state.config.max_body_bytes;
    let read = tokio::time::timeout(state.config.timeout(), to_bytes(body, limit)).await;
    let body = read
        .map_err(|_| Refusal::Unavailable("the request did not come in time"))?
        .map_err(|_| Refusal::TooLarge(format!("the request is longer than {limit} bytes, or was cut off")))?;
    state.metrics.body_bytes.observe(body.len() as f64);
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// All routes.
pub fn router(state: Arc<ServeState>) -> Router {
    let not_found = |request: Request| async move {
        let path = request.uri().path().to_owned();
        Refusal::NotFound(format!("there is nothing at {path}")).response(form_of(&path))
    };
    Router::new()
        .route("/", get(page))
        .route("/page.js", get(script))
        .route("/openapi.json", get(async || Json(open_api::document())))
        .route("/health", get(health))
        .route("/health/ready", get(health))
        .route("/health/live", get(async || Json(json!({"status": "live"}))))
        .route("/info", get(async |State(state): Shared| Json(text_embeddings_inference::info(&state))))
        .route("/metrics", get(metrics))
        .route("/v1/score", post(score))
        .route("/v1/models", get(async |State(state): Shared| Json(own::models(&state))))
        .route("/v1/moderations", post(moderate))
        .route("/classify", post(classify))
        .route("/predict", post(predict))
        .route("/models/{*name}", post(run_pipeline))
        .route("/v1alpha1/{method}", post(comments))
        .route("/$discovery/rest", get(discovered))
        .route("/label-studio/health", get(async || Json(label_studio::health())))
        .route("/label-studio/setup", post(async |State(state): Shared| Json(label_studio::setup(&state))))
        .route("/label-studio/predict", post(label_studio_predict))
        .route("/label-studio/webhook", post(label_studio_webhook))
        .route(
            "/label-studio/train",
            post(async || (StatusCode::CREATED, Json(json!({"status": "train with the journal: lincah train"})))),
        )
        .fallback(not_found)
        .layer(from_fn_with_state(state.clone(), around))
        .with_state(state)
}

/// A server that listens already.
pub struct Server {
    state: Arc<ServeState>,
    listener: std::net::TcpListener,
}

impl Server {
    /// Listens, and loads everything.
    ///
    /// # Errors
    /// As [`ServeConfig::check`] and [`ServeState::load`]; an address that cannot be listened at.
    pub fn bind(config: ServeConfig, compute: ComputeOptions) -> Result<Self, ServeError> {
        config.check()?;
        let bind = config.bind;
        let listener =
            std::net::TcpListener::bind(bind).map_err(ServeError::file("listen at", std::path::Path::new(&bind.to_string())))?;
        let state = Arc::new(ServeState::load(config, compute)?);
        Ok(Self { state, listener })
    }

    /// Where it listens, which of port 0 only this says.
    ///
    /// # Errors
    /// An address that the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The names of what is served.
    pub fn names(&self) -> Vec<String> {
        self.state.names()
    }

    /// The same in a runtime of its own, until `asked_to_end` says so, which is asked some ten times a second.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn run_until(
        self,
        asked_to_end: impl Fn() -> bool + Send + 'static,
        on_reload: impl Fn(&str, &Result<(), Error>) + Send + Sync + 'static,
    ) -> std::io::Result<()> {
        let ends = async move {
            while !asked_to_end() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let (runtime, timeout) = (tokio::runtime::Runtime::new()?, self.state.config.timeout());
        let result = runtime.block_on(self.run(ends, on_reload));
        // A disk that does not answer keeps nobody for ever.
        runtime.shutdown_timeout(timeout);
        result
    }

    /// Answers until `ends`; then what is under way is answered, for as long as a request may take. `on_reload` hears of folders that have changed.
    ///
    /// # Errors
    /// What the system says of the network.
    pub async fn run(
        self,
        ends: impl Future<Output = ()> + Send + 'static,
        on_reload: impl Fn(&str, &Result<(), Error>) + Send + Sync + 'static,
    ) -> std::io::Result<()> {
        self.listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(self.listener)?;
        let (state, timeout) = (self.state.clone(), self.state.config.timeout());
        let reload = self.state.config.reload_seconds;
        let watching = (reload > 0.0).then(|| {
            let state = self.state.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs_f64(reload)).await;
                    let of_state = state.clone();
                    let reloaded = tokio::task::spawn_blocking(move || of_state.reload()).await.unwrap_or_default();
                    reloaded.iter().for_each(|(name, result)| on_reload(name, result));
                }
            })
        });
        let (connections, routes) = (Connections::new(&state), router(state.clone()));
        tokio::pin!(ends);
        loop {
            let taken = tokio::select! {
                taken = connections.next(&listener) => taken,
                () = &mut ends => break,
            };
            match taken {
                Ok((stream, permit)) => connections.serve(stream, routes.clone(), permit),
                // Too many files are open, or the client has gone: others come.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        state.end();
        drop(listener);
        connections.drain(timeout).await;
        if let Some(watching) = watching {
            watching.abort();
        }
        Ok(())
    }
}

/// Connections: so many at once, each with a time for the head of a request, all answered before the end.
struct Connections {
    builder: Builder<TokioExecutor>,
    graceful: GracefulShutdown,
    permits: Arc<Semaphore>,
}

impl Connections {
    fn new(state: &ServeState) -> Self {
        let mut builder = Builder::new(TokioExecutor::new()).http1_only();
        let head = Duration::from_secs_f64(state.config.head_seconds);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(head);
        Self { builder, graceful: GracefulShutdown::new(), permits: Arc::new(Semaphore::new(state.config.max_connections)) }
    }

    /// The next one, once there is room for it.
    async fn next(&self, listener: &TcpListener) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        listener.accept().await.map(|(stream, _)| (stream, permit))
    }

    fn serve(&self, stream: TcpStream, routes: Router, permit: OwnedSemaphorePermit) {
        // An answer is one small packet more often than not.
        let _ = stream.set_nodelay(true);
        let connection = self.builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).into_owned();
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            let _permit = permit;
            // A client that has gone, or was too slow, has nothing more to hear.
            let _ = connection.await;
        });
    }

    /// Answers what is under way, for so long at most.
    async fn drain(self, most: Duration) {
        let _ = tokio::time::timeout(most, self.graceful.shutdown()).await;
    }
}
