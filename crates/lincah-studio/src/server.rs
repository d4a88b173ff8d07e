//! The page and what its script asks for.

use crate::error::StudioError;
use crate::labels::{Answer, Said};
use crate::sitting::Sitting;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// A server that listens already.
pub struct Server {
    shared: Arc<Shared>,
    listener: std::net::TcpListener,
}

struct Shared {
    sitting: Sitting,
    /// What requests may name as their host: a page of another name that leads here is no page of this server.
    hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    who: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saying {
    who: String,
    text: usize,
    /// None to skip.
    labels: Option<Vec<usize>>,
    milliseconds: Option<u64>,
    /// The guideline's version that was shown.
    #[serde(default)]
    guideline: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuidelineChange {
    who: String,
    text: String,
    /// Labels that mean something else by it.
    touches: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publishing {
    /// Labels by their places, with their thresholds.
    thresholds: Vec<(usize, f64)>,
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": message}))).into_response()
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| Box::new(refused(StatusCode::BAD_REQUEST, &error.to_string())))
}

/// Does what waits for the disk or for the labels in a thread that may wait.
async fn done(work: impl FnOnce() -> Result<Value, StudioError> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(error)) if error.is_of_request() => refused(StatusCode::BAD_REQUEST, &error.to_string()),
        Ok(Err(error)) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "it could not be done"),
    }
}

async fn next_text(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match read::<Who>(&body) {
        Ok(Who { who }) => done(move || Ok(json!({"next": shared.sitting.next(&who)}))).await,
        Err(refused) => *refused,
    }
}

/// Answers with the next text, so that a key press is one request.
async fn say(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let Saying { who, text, labels, milliseconds, guideline } = match read(&body) {
        Ok(saying) => saying,
        Err(refused) => return *refused,
    };
    let answer = labels.map_or(Answer::Skipped, Answer::Labels);
    done(move || {
        shared.sitting.say(Said { milliseconds, guideline, ..Said::new(&who, text, answer) })?;
        Ok(json!({"next": shared.sitting.next(&who)}))
    })
    .await
}

async fn undo(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match read::<Who>(&body) {
        Ok(Who { who }) => done(move || Ok(json!({"next": shared.sitting.undo(&who)?}))).await,
        Err(refused) => *refused,
    }
}

async fn change_guideline(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let GuidelineChange { who, text, touches } = match read(&body) {
        Ok(change) => change,
        Err(refused) => return *refused,
    };
    done(move || {
        shared.sitting.change_guideline(&who, &text, &touches)?;
        Ok(json!(shared.sitting.status()))
    })
    .await
}

async fn scored(State(shared): State<Arc<Shared>>) -> Response {
    done(move || Ok(json!(shared.sitting.scored()))).await
}

async fn publish(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match read::<Publishing>(&body) {
        Ok(Publishing { thresholds }) => done(move || Ok(json!(shared.sitting.publish(&thresholds)?))).await,
        Err(refused) => *refused,
    }
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    done(move || Ok(json!(shared.sitting.status()))).await
}

/// Lets in what names this server as its host, and comes from its own page.
async fn around(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let text =
        |headers: &HeaderMap, name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    let (host, origin) = (text(request.headers(), header::HOST), text(request.headers(), header::ORIGIN));
    let known = |name: &str| shared.hosts.iter().any(|host| host == name);
    if !host.is_some_and(|host| known(&host)) {
        return refused(StatusCode::FORBIDDEN, "another host is named; open the page at the address that lincah printed");
    }
    if origin.is_some_and(|origin| !origin.strip_prefix("http://").is_some_and(known)) {
        return refused(StatusCode::FORBIDDEN, "a page of another place asks");
    }
    let is_json = text(request.headers(), header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if request.method() == Method::POST && !is_json {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "it is not application/json");
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn router(shared: Arc<Shared>) -> Router {
    let file = |kind: &'static str, content: &'static str| get(async move || ([(header::CONTENT_TYPE, kind)], content));
    Router::new()
        .route("/", get(async || Html(include_str!("page/studio.html"))))
        .route("/studio.js", file("text/javascript; charset=utf-8", include_str!("page/studio.js")))
        .route("/studio.css", file("text/css; charset=utf-8", include_str!("page/studio.css")))
        .route("/api/status", get(status))
        .route("/api/next", post(next_text))
        .route("/api/say", post(say))
        .route("/api/undo", post(undo))
        .route("/api/guideline", post(change_guideline))
        .route("/api/scored", get(scored))
        .route("/api/publish", post(publish))
        .fallback(async || refused(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(from_fn_with_state(shared.clone(), around))
        .with_state(shared)
}

impl Server {
    /// Listens at an address of this machine's own.
    ///
    /// # Errors
    /// An address that others can reach, as there are no keys; one that cannot be listened at.
    pub fn bind(sitting: Sitting, bind: SocketAddr) -> Result<Self, StudioError> {
        if !bind.ip().is_loopback() {
            return Err(StudioError::PublicBind { bind });
        }
        let listener = std::net::TcpListener::bind(bind).map_err(|source| StudioError::Listen { bind, source })?;
        let port = listener.local_addr().map_or(bind.port(), |address| address.port());
        let hosts = [bind.ip().to_string(), String::from("localhost"), String::from("127.0.0.1"), String::from("[::1]")];
        let hosts = hosts.into_iter().map(|host| format!("{host}:{port}")).collect();
        Ok(Self { shared: Arc::new(Shared { sitting, hosts }), listener })
    }

    /// Where it listens, which of port 0 only this says.
    ///
    /// # Errors
    /// An address that the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// How far things are.
    pub fn sitting(&self) -> &Sitting {
        &self.shared.sitting
    }

    /// Answers until `asked_to_end` says so, which is asked some ten times a second; what is under way is answered.
    ///
    /// # Errors
    /// What the system says of the network.
    pub fn run_until(self, asked_to_end: impl Fn() -> bool + Send + 'static) -> std::io::Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        let result = runtime.block_on(async move {
            self.listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let ends = async move {
                while !asked_to_end() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::select! {
                served = axum::serve(listener, router(self.shared)).into_future() => served,
                () = ends => Ok(()),
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(2));
        result
    }
}
