//! A Hub on this machine that speaks the few routes that are asked for, and misbehaves on demand.

use super::{REPOSITORY, sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// Files are refused with this status; the list of files is not.
    Status(u16),
    /// The first answer with content breaks off after this many bytes.
    CutOnce(usize),
    /// As above, and then the whole file comes where its rest was asked for.
    CutOnceThenIgnoreRange(usize),
    /// One byte of the content is not what its hash says.
    WrongContent,
    /// Connections are taken and never answered.
    Silent,
    /// Every answer with content breaks off after this many bytes.
    CutAlways(usize),
    /// Large files are said to have this many bytes.
    Announce(u64),
    /// The content never ends.
    Endless,
    /// Large files lie at another endpoint, which need not be one.
    RedirectTo(&'static str),
    /// The list of files is no JSON.
    NoJson,
}

/// Files larger than this are stored apart and named by their SHA-256, as on the Hub.
const LARGE: usize = 500;

pub struct FakeHub {
    pub endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeHub {
    pub fn start(files: &[(&str, &[u8])], fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = Server {
            endpoint: endpoint.clone(),
            files: files.iter().map(|(name, content)| (name.to_string(), content.to_vec())).collect(),
            fault: Mutex::new(fault),
            requests: requests.clone(),
        };
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away early is what some tests are about.
                let _ = server.answer(stream);
            }
        });
        Self { endpoint, requests }
    }

    /// Every request so far as `path range authorization`, `-` for what was not sent.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

struct Server {
    endpoint: String,
    files: Vec<(String, Vec<u8>)>,
    fault: Mutex<Fault>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let path = lines.next().unwrap_or(Ok(String::new()))?.split(' ').nth(1).unwrap_or("").to_string();
        let (mut range, mut authorization) = ("-".to_string(), "-".to_string());
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "range" => range = value.trim_start_matches("bytes=").to_string(),
                "authorization" => authorization = value.to_string(),
                _ => {}
            }
        }
        self.requests.lock().unwrap().push(format!("{path} {range} {authorization}"));
        let fault = *self.fault.lock().unwrap();
        if fault == Fault::Silent {
            std::thread::sleep(Duration::from_secs(3));
            return Ok(());
        }
        if path == format!("/api/models/{REPOSITORY}/revision/main")
            || path == format!("/api/models/{REPOSITORY}/revision/{COMMIT}")
        {
            let siblings: Vec<String> = self.files.iter().map(|(name, _)| format!(r#"{{"rfilename":"{name}"}}"#)).collect();
            let body = match fault {
                Fault::NoJson => "<html>".to_string(),
                _ => format!(r#"{{"sha":"{COMMIT}","siblings":[{}]}}"#, siblings.join(",")),
            };
            return reply(&mut stream, "200 OK", &format!("Content-Length: {}", body.len()), body.as_bytes());
        }
        let file = |prefix: &str| self.files.iter().find(|(name, _)| path == format!("{prefix}{name}"));
        if let Some((_, content)) = file("/large/") {
            return self.send(&mut stream, content, &range, "");
        }
        if path.starts_with("/round") {
            return reply(&mut stream, "302 Found", "Location: /round\r\nContent-Length: 0", b"");
        }
        match (fault, file(&format!("/{REPOSITORY}/resolve/{COMMIT}/"))) {
            (Fault::Status(status), _) => reply(&mut stream, &format!("{status} Refused"), "Content-Length: 0", b""),
            (_, None) => reply(&mut stream, "404 Not Found", "Content-Length: 0", b""),
            (_, Some((name, content))) if content.len() > LARGE => {
                let tag = sha256(content);
                let endpoint = if let Fault::RedirectTo(endpoint) = fault { endpoint } else { &self.endpoint };
                let location = format!("{endpoint}/large/{name}");
                let headers =
                    format!("Location: {location}\r\nx-repo-commit: {COMMIT}\r\nx-linked-etag: \"{tag}\"\r\nContent-Length: 0");
                reply(&mut stream, "302 Found", &headers, b"")
            }
            (_, Some((name, content))) => {
                let tag = format!("{:0>40}", name.len());
                self.send(&mut stream, content, &range, &format!("\r\nx-repo-commit: {COMMIT}\r\nETag: \"{tag}\""))
            }
        }
    }

    fn send(&self, stream: &mut TcpStream, content: &[u8], range: &str, headers: &str) -> std::io::Result<()> {
        let mut fault = self.fault.lock().unwrap();
        let (first, last) = range.split_once('-').unwrap();
        let mut first: usize = first.parse().unwrap();
        let last = last.parse().unwrap_or(content.len().saturating_sub(1));
        if *fault == Fault::CutOnceThenIgnoreRange(0) {
            first = 0;
        }
        let mut body = content[first..=last].to_vec();
        let total = if let Fault::Announce(total) = *fault { total } else { content.len() as u64 };
        let length = match *fault {
            Fault::Endless => String::new(),
            _ => format!("\r\nContent-Length: {}", body.len()),
        };
        let headers = format!("Content-Range: bytes {first}-{last}/{total}{length}{headers}");
        if body.len() > 1 {
            match *fault {
                Fault::CutOnce(count) => {
                    body.truncate(count);
                    *fault = Fault::Nothing;
                }
                Fault::CutOnceThenIgnoreRange(count) if count > 0 => {
                    body.truncate(count);
                    *fault = Fault::CutOnceThenIgnoreRange(0);
                }
                Fault::CutOnceThenIgnoreRange(_) => *fault = Fault::Nothing,
                Fault::CutAlways(count) => body.truncate(count),
                Fault::WrongContent => body[0] ^= 1,
                Fault::Endless => {
                    reply(stream, "206 Partial Content", &headers, &body)?;
                    // Until the client goes away, or has taken so much that the test fails.
                    return (0..1000).try_for_each(|_| stream.write_all(&[7; 1 << 16]));
                }
                _ => {}
            }
        }
        reply(stream, "206 Partial Content", &headers, &body)
    }
}

fn reply(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n\r\n").as_bytes())?;
    stream.write_all(body)
}
