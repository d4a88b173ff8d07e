//! What goes wrong when a server starts, and what a client is told.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A file.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A configuration that is none.
    #[error("{} is no configuration: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// Nothing to serve.
    #[error("there is no classifier to serve; name its folder")]
    NoClassifier,
    /// Two of one name.
    #[error("two classifiers are called `{name}`; give one another name, as NAME=DIR")]
    SameName {
        /// The name.
        name: String,
    },
    /// An environment variable that says something else than its setting can be.
    #[error("the environment variable {name} says `{value}`; it must be {expected}")]
    Variable {
        /// The variable.
        name: String,
        /// What it says, or the entry of it that is wrong.
        value: String,
        /// What it may say.
        expected: &'static str,
    },
    /// A value out of range.
    #[error("`{field}` must be {expected}")]
    Value {
        /// The setting.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A setting of a classifier that there is not.
    #[error("the {what} `{name}` is of the classifier `{classifier}`, which is not served")]
    UnknownClassifier {
        /// What kind of setting.
        what: &'static str,
        /// Which.
        name: String,
        /// The classifier.
        classifier: String,
    },
    /// Anybody could ask.
    #[error("{bind} can be reached from other machines; give a key file, or bind to 127.0.0.1")]
    PublicWithoutKey {
        /// The address.
        bind: SocketAddr,
    },
    /// A line of the key file.
    #[error("line {line} of {} is no NAME:KEY with a key of at least 16 characters, or repeats a name", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A classifier that cannot be loaded.
    #[error("{name}")]
    Classifier {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: Box<lincah::Error>,
    },
    /// The decision log.
    #[error(transparent)]
    Log(#[from] crate::decision_log::LogError),
}

impl ServeError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }
}

/// What a client did, or has to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A request that says nothing that can be answered.
    Bad(String),
    /// No key, or a wrong one.
    NoKey,
    /// A page of somebody else's asks.
    Foreign,
    /// No classifier or path of that name.
    NotFound(String),
    /// More than is allowed.
    TooLarge(String),
    /// The queue is full.
    Busy,
    /// It took too long, or the server ends.
    Unavailable(&'static str),
    /// Something of ours.
    Failed(String),
}

/// In whose form errors are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorForm {
    /// Our own, and that of the HF pipeline: `{"error": message}`.
    Own,
    /// text-embeddings-inference.
    Inference,
    /// OpenAI and vLLM.
    OpenAi,
    /// Google's.
    Google,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::NoKey => StatusCode::UNAUTHORIZED,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Bad(message) | Self::NotFound(message) | Self::TooLarge(message) | Self::Failed(message) => message.clone(),
            Self::NoKey => String::from("a key is needed: Authorization: Bearer KEY"),
            Self::Foreign => String::from("a page of another origin asks; give the server keys to let it"),
            Self::Busy => String::from("too many texts are waiting"),
            Self::Unavailable(why) => (*why).to_owned(),
        }
    }

    fn body(&self, form: ErrorForm) -> Value {
        let (status, message) = (self.status(), self.message());
        match form {
            ErrorForm::Own => json!({"error": message}),
            ErrorForm::Inference => {
                let kind = match self {
                    Self::Bad(_) | Self::NotFound(_) | Self::NoKey | Self::Foreign | Self::TooLarge(_) => "Validation",
                    Self::Busy => "Overloaded",
                    Self::Unavailable(_) => "Unhealthy",
                    Self::Failed(_) => "Backend",
                };
                json!({"error": message, "error_type": kind})
            }
            ErrorForm::OpenAi => {
                let kind = match self {
                    Self::Busy => "rate_limit_error",
                    Self::Unavailable(_) | Self::Failed(_) => "server_error",
                    Self::NoKey => "authentication_error",
                    _ => "invalid_request_error",
                };
                json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
            }
            ErrorForm::Google => {
                let kind = match self {
                    Self::Bad(_) | Self::TooLarge(_) => "INVALID_ARGUMENT",
                    Self::NotFound(_) => "NOT_FOUND",
                    Self::NoKey => "UNAUTHENTICATED",
                    Self::Foreign => "PERMISSION_DENIED",
                    Self::Busy => "RESOURCE_EXHAUSTED",
                    Self::Unavailable(_) => "UNAVAILABLE",
                    Self::Failed(_) => "INTERNAL",
                };
                let code = match self {
                    Self::TooLarge(_) => 400,
                    _ => status.as_u16(),
                };
                json!({"error": {"code": code, "message": message, "status": kind, "details": []}})
            }
        }
    }

    pub(crate) fn response(&self, form: ErrorForm) -> Response {
        let status = match (self, form) {
            (Self::TooLarge(_), ErrorForm::Google) => StatusCode::BAD_REQUEST,
            _ => self.status(),
        };
        let mut response = (status, Json(self.body(form))).into_response();
        let headers = response.headers_mut();
        if matches!(self, Self::Busy | Self::Unavailable(_)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if *self == Self::NoKey {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
