//! A server under test, asked over a socket.

use super::Bench;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server that is stopped when it goes out of scope.
pub struct Serving {
    pub child: Child,
    pub address: String,
    /// What it says on standard error.
    pub told: Arc<Mutex<Vec<String>>>,
}

/// What it answers.
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.body))
    }
}

impl Serving {
    pub fn start(bench: &Bench, options: &str) -> Self {
        Self::start_with(bench, options, &[])
    }

    /// The same with environment variables.
    pub fn start_with(bench: &Bench, options: &str, variables: &[(&str, &str)]) -> Self {
        Self::of(bench, &format!("serve {options}"), variables)
    }

    /// A verb that says on standard error where it listens.
    pub fn of(bench: &Bench, verb: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = bench.command(&format!("{verb} --bind 127.0.0.1:0"));
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let told = lines.next().expect("it says where it listens").unwrap();
            if let Some((_, address)) = told.split_once("http://") {
                break address.split_whitespace().next().unwrap().to_owned();
            }
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let further = told.clone();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| further.lock().unwrap().push(line)));
        Self { child, address, told }
    }

    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (headers, body) = text.split_once("\r\n\r\n").unwrap();
        Answer { status: headers[9..12].parse().unwrap(), headers: headers.to_lowercase(), body: body.to_owned() }
    }

    pub fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.request_with(&[method, path], &format!("Host: here\r\n{headers}"), body)
    }

    /// The same with a host among the headers.
    pub fn request_with(&self, method_and_path: &[&str], headers: &str, body: &[u8]) -> Answer {
        let (line, length) = (method_and_path.join(" "), body.len());
        let head = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.raw(&[head.as_bytes(), body].concat())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "", b"")
    }

    pub fn ask_to_end(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits until it has ended; whether all went well.
    pub fn has_ended(mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
