//! What the user's environment says about where models are kept and fetched from.

use super::HubError;
use lincah_model::platform::{IS_MACOS, IS_WINDOWS, PYTHON};
use lincah_model::regular_file;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const HUB_ENDPOINT: &str = "https://huggingface.co";

/// The environment, read once. It holds a secret and therefore has no `Debug`.
pub(super) struct Settings {
    /// Models lie in `home/models/<name>/`.
    pub home: PathBuf,
    /// The cache that Python's `huggingface_hub` shares.
    pub hub_cache: PathBuf,
    pub endpoint: String,
    pub token: Option<String>,
    pub offline: bool,
    pub python: OsString,
    /// How long to wait for the Hub's first answer, and for the next byte after that.
    pub connect_limit: Duration,
    pub quiet_limit: Duration,
}

impl Settings {
    pub fn from_environment() -> Result<Self, HubError> {
        Self::from_lookup(&|name| std::env::var_os(name).filter(|value| !value.is_empty()), std::env::home_dir())
    }

    /// `lookup` gives the value of a variable that is set and not empty.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<OsString>, user_home: Option<PathBuf>) -> Result<Self, HubError> {
        let text = |name| lookup(name).and_then(|value| value.into_string().ok());
        // The cache outlives the folder that this process happens to be in.
        let path = |name| lookup(name).map(|value| std::path::absolute(&value).unwrap_or_else(|_| value.into()));
        let under_user_home = |folders: &str| user_home.as_ref().map(|home| home.join(folders)).ok_or(HubError::NoHome);
        let xdg_cache = lookup("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());

        let home = match (path("LINCAH_HOME"), &xdg_cache) {
            (Some(home), _) => home,
            (None, Some(cache)) => cache.join("lincah"),
            (None, None) if IS_WINDOWS && path("LOCALAPPDATA").is_some() => {
                path("LOCALAPPDATA").unwrap_or_default().join("lincah")
            }
            (None, None) if IS_MACOS => under_user_home("Library/Caches/lincah")?,
            (None, None) => under_user_home(".cache/lincah")?,
        };
        let hub_home = match (path("HF_HOME"), xdg_cache) {
            (Some(home), _) => home,
            (None, Some(cache)) => cache.join("huggingface"),
            (None, None) => under_user_home(".cache/huggingface").unwrap_or_else(|_| home.join("huggingface")),
        };
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| hub_home.join("token"));
        let token = text("HF_TOKEN")
            .or_else(|| text("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| regular_file::read_text(&token_file, 1 << 16).ok());

        Ok(Self {
            home,
            hub_cache: path("HF_HUB_CACHE").unwrap_or_else(|| hub_home.join("hub")),
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| HUB_ENDPOINT.to_string()).trim_end_matches('/').to_string(),
            token: token.map(|token| token.trim().to_string()).filter(|token| !token.is_empty()),
            offline: text("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            python: lookup("LINCAH_PYTHON").unwrap_or_else(|| PYTHON.into()),
            connect_limit: Duration::from_secs(10),
            quiet_limit: Duration::from_secs(60),
        })
    }
}

/// The spellings of true that `huggingface_hub` takes.
fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str())
}
