//! Requests to one Hub: the token goes to its own origin alone, and every wait is bounded.

use super::settings::Settings;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LOCATION, RANGE};
use ureq::http::uri::Scheme;
use ureq::http::{HeaderName, Response, Uri};
use ureq::{Agent, Body, Timeout};

const MOST_REDIRECTS: usize = 10;
/// Most bytes of an answer in JSON; the list of a repository's files takes some 100 each.
const LARGEST_JSON: u64 = 1 << 24;

const COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");

/// Why a request did not give what it asked for; which file it was for is said by [`HubError`](super::HubError).
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection.
    Unreachable(ureq::Error),
    /// Nothing more arrived for this many seconds.
    Stalled(u64),
    /// The Hub's answer is this status.
    Status(u16),
    /// The answer broke off.
    BrokenOff(io::Error),
    /// The answer is not one to this question.
    Nonsense(&'static str),
    /// This machine cannot keep what arrives.
    Local { action: &'static str, path: PathBuf, source: io::Error },
}

impl Failure {
    /// An input or output error at `path`.
    pub fn local(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Local { action, path, source }
    }
}

pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    answer_seconds: u64,
    quiet_seconds: u64,
}

/// An answer with content, after all redirects.
pub(super) struct Answer {
    response: Response<Body>,
    /// The commit that the Hub itself names, and its tag of the file: SHA-256 of a large one, git hash of a small one.
    pub commit: Option<String>,
    pub tag: Option<String>,
}

impl Client {
    pub fn new(settings: &Settings) -> Self {
        let (answer, quiet) = (Some(settings.connect_limit), Some(settings.quiet_limit));
        let config = Agent::config_builder()
            .user_agent(concat!("lincah/", env!("CARGO_PKG_VERSION")))
            // Both are looked at here: a redirect decides about the token, a status about the message.
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_resolve(answer)
            .timeout_connect(answer)
            .timeout_recv_response(answer)
            .timeout_per_read(quiet)
            .timeout_per_write(quiet);
        Self {
            agent: config.build().new_agent(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            answer_seconds: settings.connect_limit.as_secs(),
            quiet_seconds: settings.quiet_limit.as_secs(),
        }
    }

    /// Asks for `path` at the endpoint, from the byte `range.0` on, up to the byte `range.1` where that is given.
    pub fn get(&self, path: &str, range: Option<(u64, Option<u64>)>) -> Result<Answer, Failure> {
        let endpoint = self.parse(&self.endpoint)?;
        let mut at = self.parse(&format!("{}/{path}", self.endpoint))?;
        let (mut commit, mut tag) = (None, None);
        for _ in 0..=MOST_REDIRECTS {
            let at_home = same_origin(&at, &endpoint);
            let mut request = self.agent.get(at.clone());
            if let (true, Some(token)) = (at_home, &self.token) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            if let Some((first, last)) = range {
                let last = last.map_or(String::new(), |last| last.to_string());
                request = request.header(RANGE, format!("bytes={first}-{last}"));
            }
            let response = request.call().map_err(|error| self.failure(error))?;
            let header = |name: &HeaderName| response.headers().get(name)?.to_str().ok().map(str::to_string);
            if at_home && commit.is_none() {
                commit = header(&COMMIT);
                tag = header(&LINKED_ETAG).or_else(|| header(&ETAG)).filter(|_| commit.is_some());
            }
            match response.status().as_u16() {
                200..=299 => return Ok(Answer { response, commit, tag }),
                301 | 302 | 303 | 307 | 308 => at = header(&LOCATION).and_then(|to| follow(&at, &to)).ok_or(NOWHERE)?,
                status => return Err(Failure::Status(status)),
            }
        }
        Err(Failure::Nonsense("it redirects without end"))
    }

    /// The JSON at `path`.
    pub fn get_json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let mut answer = self.get(path, None)?;
        let text = answer.response.body_mut().with_config().limit(LARGEST_JSON).read_to_vec();
        let text = text.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => Failure::Nonsense("it is far too long"),
            error => self.broken_off(error.into_io()),
        })?;
        serde_json::from_slice(&text).map_err(|_| Failure::Nonsense("it is not the JSON that was asked for"))
    }

    /// Reads the next bytes of an answer.
    pub fn read(&self, content: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, Failure> {
        content.read(buffer).map_err(|error| self.broken_off(error))
    }

    fn parse(&self, url: &str) -> Result<Uri, Failure> {
        let bad = || Failure::Unreachable(ureq::Error::BadUri(format!("`{url}` is not a web address")));
        url.parse().ok().filter(|uri: &Uri| uri.scheme().is_some() && uri.host().is_some()).ok_or_else(bad)
    }

    fn failure(&self, error: ureq::Error) -> Failure {
        match error {
            ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => Failure::Stalled(self.quiet_seconds),
            ureq::Error::Timeout(Timeout::RecvResponse) => Failure::Stalled(self.answer_seconds),
            error => Failure::Unreachable(error),
        }
    }

    fn broken_off(&self, error: io::Error) -> Failure {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(ureq::Error::Timeout(_)) => Failure::Stalled(self.quiet_seconds),
            _ => Failure::BrokenOff(error),
        }
    }
}

impl Answer {
    /// Size of the whole file, where the answer says it.
    pub fn total(&self) -> Option<u64> {
        match self.range() {
            Some((_, total)) => total.parse().ok(),
            None => self.header(CONTENT_LENGTH)?.parse().ok(),
        }
    }

    /// The byte of the file that the content begins with: 0 where the server does not give parts.
    pub fn first(&self) -> Option<u64> {
        match self.range() {
            Some((range, _)) => range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok(),
            None => Some(0),
        }
    }

    pub fn into_content(self) -> impl Read {
        self.response.into_body().into_reader()
    }

    /// What is written before and behind the `/` of `Content-Range: bytes 0-9/10`.
    fn range(&self) -> Option<(&str, &str)> {
        self.header(CONTENT_RANGE)?.split_once('/')
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}

const NOWHERE: Failure = Failure::Nonsense("it redirects to an address that cannot be used");

/// Where a redirect from `at` leads; never from an encrypted connection to a plain one.
fn follow(at: &Uri, to: &str) -> Option<Uri> {
    let to: Uri = match to {
        absolute if absolute.contains("://") => absolute.parse().ok()?,
        path if path.starts_with('/') && !path.starts_with("//") => {
            let mut parts = at.clone().into_parts();
            parts.path_and_query = Some(path.parse().ok()?);
            Uri::from_parts(parts).ok()?
        }
        _ => return None,
    };
    let is_https = |uri: &Uri| uri.scheme() == Some(&Scheme::HTTPS);
    let is_as_safe = is_https(&to) || (to.scheme() == Some(&Scheme::HTTP) && !is_https(at));
    (to.host().is_some() && is_as_safe).then_some(to)
}

/// Whether scheme, host and port are the same.
fn same_origin(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 });
    let host = |uri: &Uri| uri.host().map(str::to_lowercase);
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let home: Uri = "https://hub.example/a".parse().unwrap();
        for (other, same) in [
            ("https://hub.example:443/b?c", true),
            ("https://HUB.example/", true),
            ("https://hub.example:8443/a", false),
            ("http://hub.example/a", false),
            ("https://cdn.hub.example/a", false),
            ("https://hub.example@evil.example/a", false),
        ] {
            assert_eq!(same_origin(&home, &other.parse().unwrap()), same, "{other}");
        }
    }

    #[test]
    fn redirects_lead_to_whole_addresses_and_never_to_plain_ones() {
        let at: Uri = "https://hub.example/a/b".parse().unwrap();
        let to = |to: &str| follow(&at, to).map(|uri| uri.to_string());
        assert_eq!(to("/c?d=1").as_deref(), Some("https://hub.example/c?d=1"));
        assert_eq!(to("https://cdn.example/c").as_deref(), Some("https://cdn.example/c"));
        for nowhere in
            ["", "c", "//evil.example/c", "http://hub.example/c", "ftp://hub.example/c", "https:///c", "file:///etc/passwd"]
        {
            assert_eq!(to(nowhere), None, "{nowhere}");
        }
    }
}
