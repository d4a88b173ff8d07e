//! Who may ask.

use crate::error::ServeError;
use axum::http::{HeaderMap, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lincah::regular_file;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::path::Path;
use subtle::{Choice, ConstantTimeEq};

/// Shortest key.
const SHORTEST: usize = 16;

/// Keys by the names of those who have them; only their hashes are kept.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<(String, [u8; 32])>);

fn hashed(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

impl Keys {
    /// Reads a file of `NAME:KEY` lines; empty lines and those that begin with # say nothing.
    pub(crate) fn read(path: &Path) -> Result<Self, ServeError> {
        let text = regular_file::read_text(path, regular_file::SMALL).map_err(ServeError::file("read", path))?;
        let mut keys: Vec<(String, [u8; 32])> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = || ServeError::Key { path: path.to_path_buf(), line: number + 1 };
            let (name, key) = line.split_once(':').ok_or_else(wrong)?;
            if name.is_empty() || key.len() < SHORTEST || keys.iter().any(|(known, _)| known == name) {
                return Err(wrong());
            }
            keys.push((name.to_owned(), hashed(key.as_bytes())));
        }
        if keys.is_empty() {
            return Err(ServeError::Key { path: path.to_path_buf(), line: 1 });
        }
        Ok(Self(keys))
    }

    /// Whether nobody needs one.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who asks: nobody in particular where no keys are needed, `None` where the key is missing or wrong. Every key is looked at, whichever fits.
    pub(crate) fn who(&self, headers: &HeaderMap, uri: &Uri) -> Option<String> {
        if self.0.is_empty() {
            return Some(String::from("anyone"));
        }
        let given = hashed(given(headers, uri)?.as_bytes());
        let mut who = None;
        for (name, key) in &self.0 {
            let same: Choice = key.ct_eq(&given);
            if bool::from(same) {
                who = Some(name.clone());
            }
        }
        who
    }
}

/// The key of a request: as bearer, as the password of basic authentication (all that Label Studio has), as `X-API-Key` or `X-Goog-Api-Key`, or as
/// `key` in the address, as Google's clients give it.
fn given(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    let authorized = || {
        let value = text(header::AUTHORIZATION.as_str())?;
        let (kind, value) = value.split_once(' ')?;
        match kind.to_ascii_lowercase().as_str() {
            "bearer" => Some(value.trim().to_owned()),
            "basic" => {
                let user_and_password = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
                user_and_password.split_once(':').map(|(_, password)| password.to_owned())
            }
            _ => None,
        }
    };
    let in_address = || {
        let encoded = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="))?;
        percent_decode_str(encoded).decode_utf8().ok().map(|key| key.into_owned())
    };
    authorized().or_else(|| text("x-api-key")).or_else(|| text("x-goog-api-key")).or_else(in_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_however_it_is_given_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, "# people\nana:0123456789abcdef\n\nbudi:fedcba98+/76543210==\n").unwrap();
        let keys = Keys::read(&path).unwrap();
        let who = |name: &'static str, value: &str, uri: &str| {
            let mut headers = HeaderMap::new();
            if !name.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
            keys.who(&headers, &uri.parse().unwrap())
        };
        assert_eq!(who("authorization", "Bearer 0123456789abcdef", "/").as_deref(), Some("ana"));
        assert_eq!(who("x-api-key", "fedcba98+/76543210==", "/").as_deref(), Some("budi"));
        assert_eq!(who("", "", "/v1alpha1/comments:analyze?alt=json&key=fedcba98%2B%2F76543210%3D%3D").as_deref(), Some("budi"));
        // label-studio:0123456789abcdef
        assert_eq!(who("authorization", "Basic bGFiZWwtc3R1ZGlvOjAxMjM0NTY3ODlhYmNkZWY=", "/").as_deref(), Some("ana"));
        for (name, value) in
            [("authorization", "Bearer 0123456789abcdeF"), ("authorization", "Basic 0123456789abcdef"), ("x-api-key", "")]
        {
            assert_eq!(who(name, value, "/"), None);
        }
        assert_eq!(who("", "", "/"), None);
        assert_eq!(Keys::default().who(&HeaderMap::new(), &"/".parse().unwrap()).as_deref(), Some("anyone"));
        for wrong in ["ana:short", "no colon at all here", "ana:0123456789abcdef\nana:fedcba9876543210", "# nothing"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(Keys::read(&path).is_err(), "{wrong}");
        }
    }
}
