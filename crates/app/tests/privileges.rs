//! Giving up root, in a process of its own, since there is no way back. The test program runs itself again as that process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]
#![expect(clippy::print_stderr, reason = "a test that is left out says so")]

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Uid, User, geteuid, setuid};
use rockfish_app::privileges::Capability::{self, NetAdmin, NetRaw};
use rockfish_app::privileges::{PrivilegeError, RunsAs, drop_to};

/// Names the scene that the process is to play, and with whom.
const SCENE: &str = "ROCKFISH_TEST_SCENE";
const USER: &str = "ROCKFISH_TEST_USER";

/// Bits of the capabilities as the system shows them.
const NET_ADMIN_BIT: u64 = 1 << 12;
const NET_RAW_BIT: u64 = 1 << 13;

/// A user other than root, one with supplementary groups if there is such a one.
fn ordinary_user() -> Option<User> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let members =
        groups.lines().filter_map(|line| line.rsplit(':').next()).flat_map(|m| m.split(','));
    members
        .chain(["nobody", "daemon"])
        .filter_map(|name| User::from_name(name).ok().flatten())
        .find(|user| !user.uid.is_root() && user.gid.as_raw() != 0)
}

/// Fields of the state of a thread, or of another program's.
fn status(text: &str) -> HashMap<String, String> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn thread_status() -> HashMap<String, String> {
    status(&fs::read_to_string("/proc/thread-self/status").unwrap())
}

fn assert_capabilities(status: &HashMap<String, String>, expected: u64) {
    for (name, expected) in
        [("CapEff", expected), ("CapPrm", expected), ("CapInh", 0), ("CapAmb", 0)]
    {
        assert_eq!(u64::from_str_radix(&status[name], 16).unwrap(), expected, "{name}");
    }
}

fn packet_socket() -> nix::Result<()> {
    socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).map(drop)
}

/// Must hold in any thread of a process that gave up root.
fn assert_ordinary(user: &User) {
    let ids = vec![user.uid.to_string(); 4].join("\t");
    let mut threads = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = status(&fs::read_to_string(task.unwrap().path().join("status")).unwrap());
        assert_eq!(task["Uid"], ids);
        assert_eq!(task["Gid"], vec![user.gid.to_string(); 4].join("\t"));
        threads += 1;
    }
    assert!(threads >= 2);
    let own = tempfile::NamedTempFile::new().unwrap();
    assert!(chown(own.path(), Some(user.uid.as_raw() + 1), None).is_err());
    // Opened only: whoever may write must not do so here.
    assert!(fs::OpenOptions::new().append(true).open("/etc/passwd").is_err());
    assert!(fs::read("/etc/shadow").is_err());
    assert!(setuid(Uid::from_raw(0)).is_err());
    let from = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if from.trim().parse::<u16>().unwrap() > 80 {
        assert!(TcpListener::bind("127.0.0.1:80").is_err());
    }
    // Another program gets nothing of it.
    let output = Command::new("cat").arg("/proc/self/status").output().unwrap();
    let output = status(&String::from_utf8(output.stdout).unwrap());
    assert_capabilities(&output, 0);
    assert_eq!((output["NoNewPrivs"].as_str(), &output["Uid"]), ("1", &ids));
    // What is said of the process goes on to be readable for it.
    assert!(fs::read_dir("/proc/self/fd").unwrap().count() > 0);
}

fn in_a_new_thread(work: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(work).join().unwrap());
}

fn play(scene: &str) {
    let name = std::env::var(USER).unwrap();
    let user = User::from_name(&name).unwrap().unwrap();
    let (keep, bits): (&[Capability], _) = match scene {
        "keep none" => (&[], 0),
        "keep two" => (&[NetRaw, NetAdmin, NetRaw], NET_RAW_BIT | NET_ADMIN_BIT),
        _ => (&[NetRaw], NET_RAW_BIT),
    };
    let (go, wait) = mpsc::channel::<()>();
    let early = thread::spawn(move || {
        let _ = wait.recv();
        (thread_status(), packet_socket())
    });
    let asked = if scene == "by number" { user.uid.to_string() } else { name.clone() };
    let runs_as: RunsAs = drop_to(&asked, keep).unwrap();
    assert_eq!((runs_as.user.as_str(), runs_as.uid), (name.as_str(), user.uid.as_raw()));
    assert_eq!(runs_as.gid, user.gid.as_raw());
    assert_eq!(runs_as.capabilities.len(), bits.count_ones() as usize);
    let id = Command::new("id").args(["-G", &name]).output().unwrap().stdout;
    let id = String::from_utf8(id).unwrap();
    let sorted = |mut groups: Vec<u32>| {
        groups.sort_unstable();
        groups
    };
    let groups = id.split_whitespace().map(|group| group.parse().unwrap()).collect();
    assert_eq!(sorted(runs_as.groups), sorted(groups));

    in_a_new_thread(|| {
        assert_capabilities(&thread_status(), bits);
        assert_eq!(packet_socket().is_ok(), bits != 0);
        assert_ordinary(&user);
    });
    drop(go);
    let (status, socket) = early.join().unwrap();
    assert_capabilities(&status, 0);
    assert!(socket.is_err(), "a thread that was there before may still capture");

    if scene == "again" {
        // Already that user: only capabilities change.
        assert_eq!(drop_to(&name, keep).unwrap().capabilities, [NetRaw]);
        let error = drop_to("root", keep).unwrap_err();
        assert!(matches!(error, PrivilegeError::Root { .. }), "{error}");
        if let Some(other) = ["daemon", "bin"].iter().find(|&&other| other != name) {
            let error = drop_to(other, &[]).unwrap_err();
            let expected = format!(
                "cannot become user \"{other}\": running with uid {}, expected to be started as root",
                user.uid
            );
            assert_eq!(error.to_string(), expected);
        }
        let error = drop_to(&name, &[NetRaw, NetAdmin]).unwrap_err();
        let expected = "cannot keep CAP_NET_ADMIN: the process was started without, expected root with all capabilities";
        assert_eq!(error.to_string(), expected);
        assert_eq!(drop_to(&name, &[]).unwrap().capabilities, []);
        in_a_new_thread(|| assert!(packet_socket().is_err()));
        assert_ordinary(&user);
    }
}

/// Not a test in itself: the process that the others start.
#[test]
fn child() {
    if let Ok(scene) = std::env::var(SCENE) {
        play(&scene);
    }
}

fn run(scene: &str) {
    if !geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let own = thread_status();
    let own = u64::from_str_radix(&own["CapPrm"], 16).unwrap();
    // CAP_SETGID, CAP_SETUID, and what is kept.
    let needed = 1 << 6 | 1 << 7 | NET_RAW_BIT | NET_ADMIN_BIT;
    let Some(user) = ordinary_user().filter(|_| own & needed == needed) else {
        eprintln!("skipped: needs root with its capabilities, and an ordinary user");
        return;
    };
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(SCENE, scene)
        .env(USER, &user.name)
        .env("TMPDIR", "/tmp")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{scene}: {}", String::from_utf8_lossy(&text));
}

#[test]
fn threads_started_later_may_capture_and_nothing_else() {
    run("keep one");
}

#[test]
fn without_capabilities_nothing_is_left() {
    run("keep none");
}

#[test]
fn several_capabilities_are_kept() {
    run("keep two");
}

#[test]
fn a_user_has_a_number() {
    run("by number");
}

#[test]
fn once_is_for_good() {
    run("again");
}

#[test]
fn who_cannot_be_found_or_is_root_is_refused() {
    for (user, expected) in [
        (
            "no-such-user",
            "user \"no-such-user\": no such user, expected the name or the uid of one that exists",
        ),
        ("4294967294", "user \"4294967294\": no such user"),
        ("4294967296", "user \"4294967296\": no such user"),
        ("+0", "user \"+0\": no such user"),
        ("", "user \"\": no such user"),
        ("a\0b", "user \"a\\0b\": no such user"),
        ("root", "user \"root\" is root, expected one without privileges"),
        ("0", "user \"0\" is root, expected one without privileges"),
    ] {
        let error = drop_to(user, &[NetRaw]).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{user}: {error}");
        assert!(error.is_usage());
    }
}

#[test]
fn what_a_process_runs_as_is_a_line() {
    let mut runs_as = RunsAs {
        user: "rockfish".to_owned(),
        uid: 987,
        gid: 986,
        groups: vec![986, 44],
        capabilities: vec![NetRaw, NetAdmin],
    };
    let begin = "user rockfish (uid 987, gid 986, groups 986 44) with";
    assert_eq!(runs_as.to_string(), format!("{begin} CAP_NET_RAW, CAP_NET_ADMIN"));
    runs_as.capabilities.clear();
    assert_eq!(runs_as.to_string(), format!("{begin} no capabilities"));
}
