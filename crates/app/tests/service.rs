//! What a service manager hears, on a socket as systemd makes one. The test program runs itself again as the service.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rockfish_app::service::Service;

/// Set for the process that is the service: the interval that it must find, as text.
const INTERVAL: &str = "ROCKFISH_TEST_INTERVAL";

/// Not a test in itself: the process that the others start.
#[test]
fn child() {
    let Ok(interval) = std::env::var(INTERVAL) else {
        return;
    };
    let service = Service::from_environment();
    assert_eq!(format!("{:?}", service.watchdog_interval()), interval);
    service.ready("capturing on eth0\nWATCHDOG=trigger");
    service.status(format_args!("{} packets", 7));
    service.alive();
    service.stopping("writing open flows");
}

/// Starts the service, with `$$` in `variables` being its process id.
fn run(variables: &[(&str, &str)], interval: Option<Duration>) {
    let mut script = String::new();
    for (name, value) in variables {
        script.push_str(&format!("{name}=\"{value}\" "));
    }
    let output = Command::new("sh")
        .args(["-c", &format!("{script} exec \"$0\" --exact child --nocapture --test-threads=1")])
        .arg(std::env::current_exe().unwrap())
        .env(INTERVAL, format!("{interval:?}"))
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .env_remove("WATCHDOG_PID")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{variables:?}: {}", String::from_utf8_lossy(&text));
}

fn listen(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    // The service has ended when this is read: what it said is there.
    socket.set_nonblocking(true).unwrap();
    socket
}

fn heard(socket: &UnixDatagram) -> Vec<String> {
    let mut messages = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => messages.push(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return messages,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_manager_hears_states_and_the_watchdog_if_it_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = listen(&path);
    let here = ("NOTIFY_SOCKET", path.to_str().unwrap());
    for (variables, interval) in [
        (vec![here], None),
        (vec![here, ("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "$$")], Some(15_000_000)),
        (vec![here, ("WATCHDOG_USEC", "3000")], Some(1_500)),
        // For another process; off; nonsense.
        (vec![here, ("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")], None),
        (vec![here, ("WATCHDOG_USEC", "0"), ("WATCHDOG_PID", "$$")], None),
        (vec![here, ("WATCHDOG_USEC", "soon")], None),
    ] {
        run(&variables, interval.map(Duration::from_micros));
        let mut expected = vec![
            "READY=1\nSTATUS=capturing on eth0 WATCHDOG=trigger\n",
            "STATUS=7 packets\n",
            "WATCHDOG=1\n",
            "STOPPING=1\nSTATUS=writing open flows\n",
        ];
        if interval.is_none() {
            expected.remove(2);
        }
        assert_eq!(heard(&socket), expected, "{variables:?}");
    }
}

#[test]
fn without_a_manager_nothing_is_said_and_nothing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let watchdog = ("WATCHDOG_USEC", "30000000");
    run(&[], None);
    run(&[watchdog], None);
    run(&[("NOTIFY_SOCKET", ""), watchdog], None);
    // A manager that has gone is no reason to stop working.
    run(&[("NOTIFY_SOCKET", gone.to_str().unwrap()), watchdog], Some(Duration::from_secs(15)));
}
