//! Backups, and what devices are told after a restore.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::commits::{commits, push_of};
use crate::process::{Process, ask, run};
use crate::running::{Folder, Reply, Running};
use crate::tokens::{Claims, now};

struct Device<'s> {
    server: &'s Process,
    token: String,
}

impl<'s> Device<'s> {
    fn new(server: &'s Process) -> Self {
        Self {
            server,
            token: Claims::owner("acme").sign(),
        }
    }

    fn head(&self) -> Value {
        self.server.get("/v1/spaces/acme", &self.token).json()
    }

    fn cursor(&self) -> String {
        self.head()["cursor"].as_str().unwrap().to_owned()
    }

    fn push(&self, prefix: &str, count: usize) -> Value {
        let push = push_of(&self.cursor(), &commits(prefix, count));
        let reply = self
            .server
            .request("POST", "/v1/spaces/acme/push")
            .token(&self.token)
            .json(&push)
            .send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.head()
    }

    fn pull(&self, after: &str) -> Reply {
        self.server
            .get(&format!("/v1/spaces/acme/pull?after={after}"), &self.token)
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_backup_is_made_while_the_server_runs_and_restored_under_a_new_epoch() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let server = Process::start(&data, "127.0.0.1:0");
    let device = Device::new(&server);
    let backed_up = device.push("kept", 10);
    ask(&data, &["backup", path(&backup)]);
    let early = device.cursor();
    let lost = device.push("lost", 5);
    let late = device.cursor();
    drop(server);
    assert!(ask(&backup, &["verify"]).contains("1 spaces, 10 commits"));

    let told = ask(&data, &["restore", path(&backup)]);

    let server = Process::start(&data, "127.0.0.1:0");
    let device = Device::new(&server);
    let restored = device.head();
    assert!(told.contains("space acme: 10 commits, new epoch"));
    assert_ne!(restored["epoch"], lost["epoch"]);
    assert_eq!(restored["head"], backed_up["head"]);
    for cursor in [&early, &late] {
        let reply = device.pull(cursor);
        reply.is_problem(412, "epoch-changed");
        let problem = reply.json();
        assert_eq!(problem["epoch"], restored["epoch"]);
        let forked = &problem["forkedFrom"];
        assert_eq!(
            (&forked["epoch"], &forked["number"]),
            (&lost["epoch"], &json!(10)),
            "{problem}"
        );
        assert_eq!(forked["hash"], backed_up["head"]["hash"]);
    }
    // The log goes on, and ids that were lost can come again.
    assert_eq!(device.push("lost", 5)["head"]["number"], 15);
    drop(server);
    assert!(ask(&data, &["verify"]).contains("15 commits"));
}

#[test]
fn a_backup_is_not_written_into_another_one_that_is_under_way() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let server = Process::start(&data, "127.0.0.1:0");
    Device::new(&server).push("kept", 10);
    let under_way = File::create(folder.path("backup.sqlite3.partial.lock")).unwrap();
    under_way.lock().unwrap();

    let refused = everfold_server::sqlite::backup(&data, &backup);

    let refused = refused.expect_err("is refused").to_string();
    assert!(refused.contains("another backup to it is under way"), "{refused}");
    assert!(!backup.exists());
    drop(under_way);
    everfold_server::sqlite::backup(&data, &backup).unwrap();
    assert!(ask(&backup, &["verify"]).contains("10 commits"));
    let beside = std::fs::read_dir(folder.path("")).unwrap();
    let partial = beside.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("partial")
    });
    assert_eq!(partial.count(), 0);
}

#[test]
fn a_backup_of_a_busy_server_ends() {
    let server = Running::with(|settings| settings.limits.space_bytes = 1 << 30);
    let (data, backup) = (server.folder.path("data.sqlite3"), server.folder.path("backup.sqlite3"));
    let base = server.cursor("acme");
    // More than is copied in one step.
    for round in 0..20 {
        let mut commits = commits(&format!("large-{round}"), 20);
        for commit in &mut commits {
            commit["streams"][0]["events"][0]["data"] = json!("x".repeat(200_000));
        }
        assert_eq!(server.push("acme", &push_of(&base, &commits)).status, 200);
    }
    let (busy, ended) = (AtomicBool::new(true), mpsc::channel());

    let copied = std::thread::scope(|scope| {
        let (server, busy) = (&server, &busy);
        for device in 0..2 {
            scope.spawn(move || {
                for number in 0.. {
                    let id = format!("of-{device}-{number}");
                    let mut push = push_of(&server.cursor("acme"), &commits(&id, 1));
                    push["replica"] = json!(id);
                    assert_eq!(server.push("acme", &push).status, 200);
                    if !busy.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
        }
        let (data, backup) = (&data, &backup);
        scope.spawn(move || ended.0.send(everfold_server::sqlite::backup(data, backup)));
        let copied = ended.1.recv_timeout(Duration::from_secs(120));
        busy.store(false, Ordering::SeqCst);
        copied
    });

    copied.expect("others write, and it ends all the same").unwrap();
    assert!(ask(&backup, &["verify"]).contains("1 spaces"));
}

#[test]
fn epochs_that_began_after_the_backup_are_known_after_it_is_restored_again() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let mut epochs = Vec::new();
    {
        let server = Process::start(&data, "127.0.0.1:0");
        let device = Device::new(&server);
        epochs.push(device.push("first", 4));
        ask(&data, &["backup", path(&backup)]);
        epochs[0] = device.push("more", 3);
    }
    for round in 0..2 {
        ask(&data, &["restore", path(&backup)]);
        let server = Process::start(&data, "127.0.0.1:0");
        epochs.push(Device::new(&server).push(&format!("round-{round}"), 2));
    }
    let server = Process::start(&data, "127.0.0.1:0");
    let device = Device::new(&server);

    for past in &epochs[..2] {
        let reply = device.pull(past["cursor"].as_str().unwrap());
        reply.is_problem(412, "epoch-changed");
        assert_eq!(reply.json()["forkedFrom"]["number"], 4, "{}", reply.text);
    }
    assert_eq!(device.pull(epochs[2]["cursor"].as_str().unwrap()).status, 200);
}

#[test]
fn after_the_wrong_backup_the_right_one_has_all_in_common_that_it_holds() {
    let folder = Folder::new();
    let (data, older, newer) = (
        folder.path("data.sqlite3"),
        folder.path("older.sqlite3"),
        folder.path("newer.sqlite3"),
    );
    let first = {
        let server = Process::start(&data, "127.0.0.1:0");
        let device = Device::new(&server);
        device.push("first", 4);
        ask(&data, &["backup", path(&older)]);
        device.push("more", 3);
        ask(&data, &["backup", path(&newer)]);
        device.push("lost", 2)
    };
    ask(&data, &["restore", path(&older)]);
    let second = {
        let server = Process::start(&data, "127.0.0.1:0");
        Device::new(&server).push("wrong", 5)
    };

    ask(&data, &["restore", path(&newer)]);

    let server = Process::start(&data, "127.0.0.1:0");
    let device = Device::new(&server);
    for (past, common) in [(&first, 7), (&second, 4)] {
        let reply = device.pull(past["cursor"].as_str().unwrap());
        reply.is_problem(412, "epoch-changed");
        assert_eq!(reply.json()["forkedFrom"]["number"], common, "{}", reply.text);
    }
}

#[test]
fn a_space_that_is_not_in_the_backup_begins_again_and_devices_are_told() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let cursor = {
        let server = Process::start(&data, "127.0.0.1:0");
        ask(&data, &["backup", path(&backup)]);
        Device::new(&server).push("lost", 3)["cursor"]
            .as_str()
            .unwrap()
            .to_owned()
    };

    ask(&data, &["restore", path(&backup)]);

    let server = Process::start(&data, "127.0.0.1:0");
    let reply = Device::new(&server).pull(&cursor);
    reply.is_problem(412, "epoch-changed");
    assert_eq!(reply.json()["forkedFrom"]["number"], 0);
}

#[test]
fn nothing_is_written_over_and_nothing_restored_under_a_running_server() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let server = Process::start(&data, "127.0.0.1:0");
    ask(&data, &["backup", path(&backup)]);

    let again = run(&data, &["backup", path(&backup)]);
    let running = run(&data, &["restore", path(&backup)]);
    drop(server);
    let none = run(&data, &["restore", path(&folder.path("no-backup"))]);
    let foreign = run(&data, &["restore", path(&folder.write("foreign", "not a database"))]);

    for (output, words) in [
        (again, "is there already"),
        (running, "another server runs on this file"),
        (none, "unable to open"),
        (foreign, "not a database"),
    ] {
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(words), "{told}");
    }
    assert!(ask(&data, &["verify"]).contains("0 commits"));
}

#[test]
fn a_backup_is_not_put_beside_what_is_left_of_another_file() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let mut server = Process::start(&data, "127.0.0.1:0");
    Device::new(&server).push("c", 10);
    server.kill();
    std::fs::rename(folder.path("data.sqlite3-wal"), folder.path("backup.sqlite3-wal")).unwrap();
    let _server = Process::start(&data, "127.0.0.1:0");

    let output = run(&data, &["backup", path(&backup)]);

    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("backup.sqlite3-wal is there already"), "{told}");
    assert!(!backup.exists());
}

#[test]
fn what_a_restore_replaces_is_kept() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    {
        let server = Process::start(&data, "127.0.0.1:0");
        ask(&data, &["backup", path(&backup)]);
        Device::new(&server).push("late", 3);
    }

    let told = ask(&data, &["restore", path(&backup)]);

    let kept = told
        .lines()
        .find_map(|line| line.strip_prefix("what was there before is now "))
        .unwrap();
    assert!(ask(Path::new(kept), &["verify"]).contains("3 commits"));
}

#[test]
fn a_file_that_is_damaged_is_replaced_all_the_same() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let mut server = Process::start(&data, "127.0.0.1:0");
    let device = Device::new(&server);
    device.push("kept", 10);
    ask(&data, &["backup", path(&backup)]);
    let lost = device.push("lost", 5);
    server.terminate();
    server.child.wait().unwrap();
    // It is still known for a log, and nothing in it can be read.
    let mut pages = std::fs::read(&data).unwrap();
    pages[4_096..].fill(0xA5);
    std::fs::write(&data, pages).unwrap();

    let told = ask(&data, &["restore", path(&backup)]);

    assert!(told.contains("space acme: 10 commits"), "{told}");
    assert!(told.contains("it could not be read"), "{told}");
    let server = Process::start(&data, "127.0.0.1:0");
    let reply = Device::new(&server).pull(lost["cursor"].as_str().unwrap());
    reply.is_problem(412, "epoch-changed");
    assert_eq!(reply.json()["forkedFrom"]["number"], 10, "{}", reply.text);
}

#[test]
fn what_a_killed_server_left_is_moved_as_a_whole_or_not_at_all() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let mut server = Process::start(&data, "127.0.0.1:0");
    ask(&data, &["backup", path(&backup)]);
    Device::new(&server).push("late", 3);
    // Its commits are in the log beside the file.
    server.kill();
    // Whatever its name will be, one of its parts has no place there.
    for second in now()..now() + 60 {
        folder.write(&format!("data.sqlite3.replaced-{second}-shm/taken"), "");
    }

    let restored = run(&data, &["restore", path(&backup)]);

    let told = String::from_utf8(restored.stdout).unwrap();
    let kept = told
        .lines()
        .find_map(|line| line.strip_prefix("what was there before is now "));
    let of_before = kept.unwrap_or(path(&data));
    assert!(ask(Path::new(of_before), &["verify"]).contains("3 commits"));
}

#[test]
fn what_is_left_of_a_file_that_is_gone_is_put_aside_too() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    let mut server = Process::start(&data, "127.0.0.1:0");
    let device = Device::new(&server);
    device.push("kept", 10);
    ask(&data, &["backup", path(&backup)]);
    device.push("lost", 200);
    server.kill();
    std::fs::remove_file(&data).unwrap();
    let left = std::fs::read(folder.path("data.sqlite3-wal")).unwrap();

    let told = ask(&data, &["restore", path(&backup)]);

    // It would be taken for that of the backup, and written over it.
    assert!(ask(&data, &["verify"]).contains("1 spaces, 10 commits"));
    let server = Process::start(&data, "127.0.0.1:0");
    assert_eq!(Device::new(&server).push("later", 3)["head"]["number"], 13);
    let kept = told
        .lines()
        .find_map(|line| line.strip_prefix("what was there before is now "))
        .unwrap();
    assert!(std::fs::read(format!("{kept}-wal")).unwrap() == left);
}

#[test]
fn a_restore_that_fails_leaves_nothing() {
    let folder = Folder::new();
    let (data, backup) = (folder.path("data.sqlite3"), folder.path("backup.sqlite3"));
    {
        let server = Process::start(&data, "127.0.0.1:0");
        Device::new(&server).push("c", 10);
        ask(&data, &["backup", path(&backup)]);
    }
    let mut pages = std::fs::read(&backup).unwrap();
    pages[4_096..].fill(0xA5);
    std::fs::write(&backup, pages).unwrap();

    let output = run(&data, &["restore", path(&backup)]);

    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("malformed"), "{told}");
    assert!(!folder.path("data.sqlite3.restoring").exists());
    assert!(ask(&data, &["verify"]).contains("10 commits"));
}

#[test]
fn verify_names_the_commit_that_is_not_what_it_was() {
    let folder = Folder::new();
    let data = folder.path("backup.sqlite3");
    {
        let running = folder.path("data.sqlite3");
        let server = Process::start(&running, "127.0.0.1:0");
        Device::new(&server).push("c", 20);
        // One file, without a log beside it.
        ask(&running, &["backup", path(&data)]);
    }
    let changes = [
        "UPDATE log SET text = replace(text, '\"of\":\"c-6\"', '\"of\":\"c-9\"') WHERE id = 'c-6'",
        "UPDATE log SET hash = randomblob(32) WHERE id = 'c-6'",
        "UPDATE log SET digest = randomblob(32) WHERE id = 'c-6'",
        "UPDATE log SET id = 'other' WHERE id = 'c-6'",
        "UPDATE stream SET version = 2 WHERE id = 's-c-6'",
        "DELETE FROM log WHERE id = 'c-6'",
        "DELETE FROM log WHERE id = 'c-19'",
        "UPDATE space SET number = 19",
    ];
    let whole = std::fs::read(&data).unwrap();
    for change in changes {
        std::fs::write(&data, &whole).unwrap();
        let connection = rusqlite::Connection::open(&data).unwrap();
        assert_eq!(connection.execute(change, []).unwrap(), 1, "{change}");
        drop(connection);

        let output = run(&data, &["verify"]);

        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains("acme"), "{change}: {told}");
        let last = change.contains("c-19") || change.contains("number");
        assert!(
            told.contains("commit 7") || last && told.contains("commit 2"),
            "{change}: {told}"
        );
    }
}
