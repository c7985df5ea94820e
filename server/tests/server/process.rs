//! A server in a process of its own, so that it can be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use everfold_server::sqlite::{Database, GroupCount, OpenError};
use serde_json::json;

use crate::commits::{commits, push_of};
use crate::running::{Folder, Reply, Request};
use crate::tokens::{AUDIENCE, Claims, ISSUER, SECRET};

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

/// The program, with the settings of the tests and nothing of the environment.
pub(crate) fn program(data: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfold-server"));
    command.env_clear().arg("--data").arg(data).args(words);
    command
        .env("EVERFOLD_LOG", "warn")
        .env("EVERFOLD_JWT_SECRET", SECRET)
        .env("EVERFOLD_JWT_ISSUER", ISSUER)
        .env("EVERFOLD_JWT_AUDIENCE", AUDIENCE);
    command
}

pub(crate) fn run(data: &Path, words: &[&str]) -> Output {
    program(data, words).output().unwrap()
}

/// What it prints when all is well.
#[track_caller]
pub(crate) fn ask(data: &Path, words: &[&str]) -> String {
    let output = run(data, words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Process {
    pub(crate) fn start(data: &Path, listen: &str) -> Self {
        Self::spawn(&mut program(data, &["--listen", listen]))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
            .unwrap_or_else(|_| panic!("it said {line:?}"));
        Self { child, address }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::to(self.address, method, path)
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Reply {
        self.request("GET", path).token(token).send()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn development_is_not_for_everybody() {
    let folder = Folder::new();

    let output = run(&folder.path("data"), &["--dev", "--listen", "0.0.0.0:0"]);

    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("--dev lets everybody in") && told.contains("DEVELOPMENT"),
        "{told}"
    );
}

#[test]
fn without_a_key_nothing_is_served() {
    let folder = Folder::new();
    let mut command = program(&folder.path("data"), &["--listen", "127.0.0.1:0"]);

    let output = command.env_remove("EVERFOLD_JWT_SECRET").output().unwrap();

    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no key"));
}

#[test]
fn two_servers_do_not_share_a_file() {
    let folder = Folder::new();
    let _first = Process::start(&folder.path("data"), "127.0.0.1:0");

    let second = run(&folder.path("data"), &["--listen", "127.0.0.1:0"]);

    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("another server runs on this file")
    );
}

#[cfg(unix)]
#[test]
fn a_file_with_two_names_is_one() {
    let folder = Folder::new();
    let (data, backup, link) = (folder.path("data"), folder.path("backup"), folder.path("link"));
    let _server = Process::start(&data, "127.0.0.1:0");
    ask(&data, &["backup", backup.to_str().unwrap()]);
    std::os::unix::fs::symlink(&data, &link).unwrap();

    let served = Database::open(&link, GroupCount::default());
    let restored = run(&link, &["restore", backup.to_str().unwrap()]);

    assert!(matches!(served, Err(OpenError::InUse)), "{served:?}");
    let told = String::from_utf8(restored.stderr).unwrap();
    assert!(told.contains("another server runs on this file"), "{told}");
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let folder = Folder::new();
    let file = folder.path("data");
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();

    let output = run(&file, &["--listen", "127.0.0.1:0"]);

    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("the database of another program")
    );
}

#[test]
fn a_token_of_the_program_lets_in() {
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Process::start(&data, "127.0.0.1:0");

    let token = ask(&data, &["token", "--subject", "ann", "--space", "acme"]);

    assert_eq!(server.get("/v1/spaces/acme", token.trim()).status, 200);
    server
        .get("/v1/spaces/other", token.trim())
        .is_problem(403, "space-forbidden");
}

#[test]
fn a_server_whose_log_nobody_takes_serves_on() {
    let folder = Folder::new();
    let mut command = program(&folder.path("data"), &["--listen", "127.0.0.1:0", "--log", "info"]);
    let mut server = Process::spawn(command.stderr(Stdio::piped()));

    // As when the disk is full that it goes to.
    drop(server.child.stderr.take());

    assert_eq!(server.get("/healthz", "").status, 200);
    assert_eq!(server.get("/healthz", "").status, 200);
}

/// A server whose disk stands still, with pushes that wait for it. What `work` returns is given once the disk goes on.
pub(crate) fn with_a_disk_that_stands_still<T>(
    words: &[&str],
    pushes: usize,
    work: impl FnOnce(&mut Process, &dyn Fn(usize) -> Option<Reply>) -> T,
) -> (T, Vec<Option<Reply>>) {
    let folder = Folder::new();
    let data = folder.path("data");
    let mut server = Process::spawn(&mut program(&data, &[&["--listen", "127.0.0.1:0"], words].concat()));
    let (address, token) = (server.address, Claims::owner("acme").sign());
    let capabilities = server.get("/v1/spaces/acme", &token).json();
    let push = |device: usize| {
        let id = format!("c-{device}");
        let mut push = push_of(capabilities["cursor"].as_str().unwrap(), &commits(&id, 1));
        push["replica"] = json!(id);
        let request = Request::to(address, "POST", "/v1/spaces/acme/push").token(&token);
        request.json(&push).try_send()
    };
    // Nobody gets to write.
    let disk = rusqlite::Connection::open(&data).unwrap();
    disk.execute_batch("BEGIN IMMEDIATE").unwrap();

    std::thread::scope(|scope| {
        let push = &push;
        let waiting: Vec<_> = (0..pushes).map(|device| scope.spawn(move || push(device))).collect();
        let all_wait = format!("everfold_pushes {pushes}\n");
        while !server.get("/metrics", "").text.contains(&all_wait) {
            std::thread::yield_now();
        }
        let done = work(&mut server, push);
        disk.execute_batch("ROLLBACK").unwrap();
        (done, waiting.into_iter().map(|push| push.join().unwrap()).collect())
    })
}

#[test]
fn a_space_whose_writes_stand_still_keeps_nobody_from_reading() {
    let token = Claims::owner("acme").sign();

    let ((one_more, read), waited) = with_a_disk_that_stands_still(&[], 64, |server, push| {
        (push(64).unwrap(), server.get("/v1/spaces/acme", &token))
    });

    one_more.is_problem(503, "overloaded");
    assert_eq!((read.status, &read.json()["head"]["number"]), (200, &json!(0)));
    assert!(
        waited
            .iter()
            .all(|reply| reply.as_ref().is_some_and(|reply| reply.status == 200))
    );
}

#[test]
fn help_names_every_flag_with_its_variable() {
    let help = ask(Path::new("data"), &["--help"]);

    for name in [
        "EVERFOLD_LISTEN",
        "EVERFOLD_JWKS",
        "EVERFOLD_LIMITS",
        "--origins",
        "backup",
        "restore",
        "verify",
        "token",
    ] {
        assert!(help.contains(name), "{name} in {help}");
    }
    assert!(!help.contains(SECRET));
}
