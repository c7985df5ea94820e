//! A server that runs in this process, on a port and in a folder of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use everfold::sync::Rules;
use everfold_server::settings::Settings;
use everfold_server::{NoRules, Server};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::tokens::{self, Claims};

/// A folder that goes when this does.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("everfold-server-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) folder: Arc<Folder>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What everybody starts from: tokens as [`tokens`] signs them, and nothing else.
pub(crate) fn settings(data: &Path) -> Settings {
    let mut settings = Settings {
        listen: "127.0.0.1:0".to_owned(),
        data: data.to_owned(),
        ..Settings::default()
    };
    settings.tokens.secret = Some(tokens::SECRET.to_owned());
    settings.tokens.issuer = Some(tokens::ISSUER.to_owned());
    settings.tokens.audience = Some(tokens::AUDIENCE.to_owned());
    settings
}

impl Running {
    pub(crate) fn start() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(Arc::new(Folder::new()), change, Arc::new(NoRules))
    }

    pub(crate) fn with_rules(rules: Arc<dyn Rules>) -> Self {
        Self::start_in(Arc::new(Folder::new()), |_| (), rules)
    }

    pub(crate) fn start_in(folder: Arc<Folder>, change: impl FnOnce(&mut Settings), rules: Arc<dyn Rules>) -> Self {
        let mut settings = settings(&folder.path("data.sqlite3"));
        change(&mut settings);
        let (stop, stopped) = oneshot::channel::<()>();
        let (told, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::bind(settings, rules).await.unwrap();
                told.send(server.addresses()[0]).unwrap();
                server.run(async { drop(stopped.await) }).await;
            });
        });
        Self {
            address: address.recv().unwrap(),
            folder,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Stops it, and waits until it has.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Asks it to stop.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Reply {
        self.request("GET", path).token(token).send()
    }

    /// Pushes to a space, as somebody who may write everything.
    pub(crate) fn push(&self, space: &str, body: &Value) -> Reply {
        let token = Claims::owner(space).sign();
        self.request("POST", &format!("/v1/spaces/{space}/push"))
            .token(&token)
            .json(body)
            .send()
    }

    /// Where the log of a space ends, as a cursor.
    pub(crate) fn cursor(&self, space: &str) -> String {
        self.capabilities(space)["cursor"].as_str().unwrap().to_owned()
    }

    /// How many commits a space has.
    pub(crate) fn number(&self, space: &str) -> u64 {
        self.capabilities(space)["head"]["number"].as_u64().unwrap()
    }

    pub(crate) fn capabilities(&self, space: &str) -> Value {
        let reply = self.get(&format!("/v1/spaces/{space}"), &Claims::owner(space).sign());
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    /// All commits of a space.
    pub(crate) fn commits(&self, space: &str) -> Vec<Value> {
        let token = Claims::owner(space).sign();
        let page = self
            .get(&format!("/v1/spaces/{space}/pull?limit=10000&maxBytes=8388608"), &token)
            .json();
        assert_eq!(page["more"], false);
        page["commits"].as_array().unwrap().clone()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request {
            address: self.address,
            head: format!("{method} {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n"),
            body: Vec::new(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A request that is written by hand, so that it can be wrong.
pub(crate) struct Request {
    address: SocketAddr,
    head: String,
    body: Vec<u8>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) text: String,
}

impl Request {
    pub(crate) fn to(address: SocketAddr, method: &str, path: &str) -> Self {
        Self {
            address,
            head: format!("{method} {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n"),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &[name, ": ", value, "\r\n"].concat();
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// With a length that is right.
    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        Self {
            body,
            ..self.header("content-length", &length)
        }
    }

    /// With a length that may be wrong.
    pub(crate) fn body_of_length(self, length: usize, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self.header("content-length", &length.to_string())
        }
    }

    /// Sends it, and leaves the connection open.
    pub(crate) fn open(self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // A server that has heard enough answers and closes.
        drop(stream.write_all(&[self.head.as_bytes(), b"\r\n", &self.body].concat()));
        stream
    }

    pub(crate) fn send(self) -> Reply {
        self.try_send().unwrap()
    }

    /// As many clients do: everything must have been taken before the answer is looked at.
    #[track_caller]
    pub(crate) fn send_patiently(self) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .write_all(&[self.head.as_bytes(), b"\r\n", &self.body].concat())
            .expect("it takes the whole body");
        Reply::read(&mut stream).unwrap()
    }

    /// Sends a part of what it promised, and no more.
    pub(crate) fn send_cut(self) -> Option<Reply> {
        let mut stream = self.open();
        drop(stream.shutdown(std::net::Shutdown::Write));
        Reply::read(&mut stream)
    }

    /// None if the connection broke before there was an answer.
    pub(crate) fn try_send(self) -> Option<Reply> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        drop(stream.write_all(&[self.head.as_bytes(), b"\r\n", &self.body].concat()));
        Reply::read(&mut stream)
    }
}

impl Reply {
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..at].to_vec()).ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut body = bytes.split_off(at + 4);
        let reply = Self {
            status,
            head,
            bytes: Vec::new(),
            text: String::new(),
        };
        if reply.header("transfer-encoding") == Some("chunked") {
            body = unchunked(&body)?;
        }
        match reply.header("content-length").map(str::parse::<usize>) {
            Some(Ok(length)) if length > body.len() => return None,
            None if ended.is_err() => return None,
            _ => {}
        }
        Some(Self {
            text: String::from_utf8_lossy(&body).into_owned(),
            bytes: body,
            ..reply
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// The slug of a problem document, which must be one in every way.
    #[track_caller]
    pub(crate) fn slug(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}\n{}",
            self.head,
            self.text
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{}", self.text);
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{}",
            self.text
        );
        let slug = problem["type"]
            .as_str()
            .unwrap()
            .strip_prefix("urn:everfold:problem:")
            .unwrap();
        slug.to_owned()
    }

    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, slug: &str) {
        assert_eq!((self.status, &*self.slug()), (status, slug), "{}", self.text);
    }
}

fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(body.get(end + 2..end + 2 + length)?);
        body = body.get(end + 4 + length..)?;
    }
}
