//! The server as a client sees it, spoken to octet by octet.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rockfish_metrics::{
    Collector, DescriptorEncoder, MAX_CONNECTIONS, Page, Process, Registry, Server, build_info,
    listen_addr,
};

/// Longer than any answer takes, even on a busy machine: a test that waits for this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Answer {
    status: u16,
    /// Names in lower case.
    headers: HashMap<String, String>,
    body: String,
}

fn start(registry: Registry) -> Server {
    Server::start(listen_addr("0").unwrap(), registry, || Ok(())).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).unwrap();
    let text = String::from_utf8(octets).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        })
        .collect();
    Answer { status, headers, body: body.to_owned() }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: sensor\r\n\r\n"))
}

/// Checks that `page` is OpenMetrics text as far as these programs use it, and gives its samples.
fn samples(page: &str) -> Result<HashMap<String, f64>, String> {
    fn is_name(text: &str) -> bool {
        !text.is_empty()
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    }
    let Some(lines) = page.strip_suffix("# EOF\n") else {
        return Err("does not end with # EOF".to_owned());
    };
    let (mut helped, mut families, mut samples) = (HashSet::new(), HashSet::new(), HashMap::new());
    let (mut family, mut kind) = (String::new(), String::new());
    for line in lines.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').ok_or(format!("no help: {line}"))?;
            if !is_name(name) || text.len() < 3 || !text.ends_with('.') || text.ends_with("..") {
                return Err(format!("bad help: {line}"));
            }
            if !helped.insert(name.to_owned()) {
                return Err(format!("a family twice: {line}"));
            }
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind_found) = declared.split_once(' ').ok_or(format!("no type: {line}"))?;
            if !helped.contains(name) || !families.insert(name.to_owned()) {
                return Err(format!("no help before, or a type twice: {line}"));
            }
            if !["counter", "gauge", "info"].contains(&kind_found) || name.ends_with("_total") {
                return Err(format!("bad type: {line}"));
            }
            (family, kind) = (name.to_owned(), kind_found.to_owned());
        } else if let Some(unit) = line.strip_prefix("# UNIT ") {
            let (name, unit) = unit.split_once(' ').ok_or(format!("no unit: {line}"))?;
            if name != family || !name.ends_with(&format!("_{unit}")) {
                return Err(format!("bad unit: {line}"));
            }
        } else {
            let (series, value) = line.rsplit_once(' ').ok_or(format!("no value: {line}"))?;
            let name = series.split('{').next().unwrap_or_default();
            let suffix = match kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            if !is_name(name) || name != format!("{family}{suffix}") {
                return Err(format!("outside its family {family}: {line}"));
            }
            if series.contains('{') && !series.ends_with("\"}") {
                return Err(format!("bad labels: {line}"));
            }
            let value = value.parse().map_err(|_| format!("bad value: {line}"))?;
            if samples.insert(series.to_owned(), value).is_some() {
                return Err(format!("a sample twice: {line}"));
            }
        }
    }
    Ok(samples)
}

#[test]
fn the_check_itself_finds_faults() {
    let good = "# HELP a_bytes Some.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\na_bytes_total{b=\"c\"} 1\n# EOF\n";
    assert_eq!(samples(good).unwrap().get("a_bytes_total{b=\"c\"}"), Some(&1.0));
    for (from, to) in [
        ("# EOF\n", ""),
        ("# HELP a_bytes Some.\n", ""),
        ("# TYPE a_bytes counter\n", ""),
        ("a_bytes_total", "a_bytes"),
        ("a_bytes_total", "b_total"),
        (" bytes\n", " seconds\n"),
        (" 1\n", " one\n"),
        ("\"}", "\""),
        ("Some.", "Some"),
    ] {
        assert!(samples(&good.replace(from, to)).is_err(), "{from:?} as {to:?}");
    }
}

#[derive(Debug, Default)]
struct Work {
    packets: AtomicU64,
}

impl Collector for Work {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::new(encoder);
        page.counter("work_packets", "Packets", self.packets.load(Ordering::Relaxed))?;
        page.gauge("work_lag_seconds", "How far behind", 0.25)?;
        page.counters(
            "work_dropped",
            "Packets lost",
            [("0", 1), ("quote\" back\\ line\n", 2)]
                .map(|(socket, lost)| ([("socket", socket)], lost)),
        )?;
        page.gauges("work_depth", "Waiting", [([("queue", "a")], 3.0)])?;
        page.counters("work_never", "Never", std::iter::empty::<([(&str, &str); 1], u64)>())
    }
}

#[test]
fn metrics_are_open_metrics_text() {
    let work = Arc::new(Work::default());
    let mut registry = Registry::default();
    build_info(&mut registry, "rockfish_probe", "1.2.3");
    registry.register_collector(Box::new(Process::new()));
    registry.register_collector(Box::new(Arc::clone(&work)));
    let server = start(registry);
    for packets in [0, 7, u64::MAX] {
        work.packets.store(packets, Ordering::Relaxed);
        let answer = get(server.local_addr(), "/metrics?name=ignored");
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.headers["content-type"],
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        );
        let found =
            samples(&answer.body).unwrap_or_else(|fault| panic!("{fault}\n{}", answer.body));
        assert!(
            answer.body.contains(&format!("\nwork_packets_total {packets}\n")),
            "{}",
            answer.body
        );
        for (series, value) in [
            ("rockfish_build_info{program=\"rockfish_probe\",version=\"1.2.3\"}", 1.0),
            ("work_lag_seconds", 0.25),
            ("work_dropped_total{socket=\"0\"}", 1.0),
            ("work_dropped_total{socket=\"quote\\\" back\\\\ line\\n\"}", 2.0),
            ("work_depth{queue=\"a\"}", 3.0),
        ] {
            assert_eq!(found.get(series), Some(&value), "{series}\n{}", answer.body);
        }
        assert!(!answer.body.contains("work_never"));
        for name in [
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
            "process_open_fds",
            "process_start_time_seconds",
        ] {
            assert_eq!(found.contains_key(name), cfg!(target_os = "linux"), "{name}");
        }
    }
}

#[test]
fn paths_and_methods() {
    let server = start(Registry::default());
    let address = server.local_addr();
    for (method, path, status) in [
        ("GET", "/metrics", 200),
        ("GET", "/healthz", 200),
        ("GET", "/livez", 200),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/../metrics", 404),
        ("GET", "//metrics", 404),
        ("POST", "/", 404),
        ("POST", "/metrics", 405),
        ("PUT", "/healthz", 405),
        ("DELETE", "/livez", 405),
        ("OPTIONS", "/metrics", 405),
        ("NONSENSE", "/metrics", 405),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        let answer = send(address, &request);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(
            answer.headers.get("allow").map(String::as_str),
            (status == 405).then_some("GET, HEAD")
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["connection"], "close", "one request a connection");
        if status != 200 {
            assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        }
    }
    let head = send(address, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.headers["content-length"], "3");
    let old = send(address, "GET /livez HTTP/1.0\r\n\r\n");
    assert_eq!((old.status, old.body.as_str()), (200, "ok\n"));
}

#[test]
fn health_is_asked_each_time_and_life_goes_on() {
    let well = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&well);
    let server = Server::start(listen_addr(":0").unwrap(), Registry::default(), move || {
        if asked.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(vec!["eth0: the interface is down".to_owned(), "disk\r\nfull\0".to_owned()])
    })
    .unwrap();
    for is_well in [true, false, true] {
        well.store(is_well, Ordering::Relaxed);
        let answer = get(server.local_addr(), "/healthz");
        let expected = if is_well {
            (200, "ok\n")
        } else {
            (503, "eth0: the interface is down\ndisk  full \n")
        };
        assert_eq!((answer.status, answer.body.as_str()), expected);
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        let live = get(server.local_addr(), "/livez");
        assert_eq!((live.status, live.body.as_str()), (200, "ok\n"));
    }
}

/// Writes many samples, or a help of so many octets, or fails, or panics.
#[derive(Debug)]
enum Odd {
    Long(usize),
    Wide(usize),
    Fails,
    Panics,
}

impl Collector for Odd {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        match self {
            Self::Fails => Err(fmt::Error),
            Self::Panics => panic!("a collector's fault"),
            Self::Wide(octets) => Page::new(encoder).gauge("odd", &"x".repeat(*octets), 1.0),
            Self::Long(count) => {
                let samples = (0..*count).map(|i| ([("number", i.to_string())], 1.0));
                Page::new(encoder).gauges("odd", "Many of them", samples)
            }
        }
    }
}

fn with(odd: Odd) -> Server {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(odd));
    start(registry)
}

#[test]
fn a_long_page_comes_whole() {
    let server = with(Odd::Long(50_000));
    let answer = get(server.local_addr(), "/metrics");
    assert!(answer.body.len() > 1 << 20);
    assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
    assert_eq!(samples(&answer.body).unwrap().len(), 50_000);
}

#[test]
fn a_faulty_collector_takes_nothing_else_down() {
    let server = with(Odd::Fails);
    assert_eq!(get(server.local_addr(), "/metrics").status, 500);
    assert_eq!(get(server.local_addr(), "/livez").status, 200);
    let server = with(Odd::Panics);
    let mut stream = connect(server.local_addr());
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0, "closed without an answer");
    assert_eq!(get(server.local_addr(), "/livez").status, 200);
}

#[test]
fn bad_requests_are_refused() {
    let server = start(Registry::default());
    let field = "A: b\r\n";
    for (request, statuses) in [
        ("nonsense\r\n\r\n".to_owned(), [400, 400]),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), [400, 505]),
        (format!("GET / HTTP/1.1\r\n{}\r\n", field.repeat(1000)), [431, 431]),
        (format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(15_000)), [431, 431]),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "b".repeat(15_000)), [414, 431]),
    ] {
        let mut stream = connect(server.local_addr());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        let begin = String::from_utf8_lossy(&answer).chars().take(12).collect::<String>();
        let refused = statuses.iter().any(|status| begin == format!("HTTP/1.1 {status}"));
        // What was sent and not read makes the system reset the connection, with or without the answer.
        let reset = end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        assert!(refused || (reset && begin.is_empty()), "{begin:?} for {:.40}", request);
        assert_eq!(get(server.local_addr(), "/livez").status, 200);
    }
}

#[test]
fn clients_that_hold_connections_keep_nobody_out() {
    // More than the system holds for a client that does not read.
    let server = with(Odd::Wide(8 << 20));
    let address = server.local_addr();
    let begin = |text: &str| {
        let mut stream = connect(address);
        // A connection may have given way to younger ones already.
        let _ = stream.write_all(text.as_bytes());
        stream
    };
    let askers: Vec<_> =
        (0..20).map(|_| begin("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    for _ in 0..3 {
        assert_eq!(get(address, "/livez").status, 200);
    }
    let mut held: Vec<_> =
        (0..150).map(|_| begin("GET /metrics HTTP/1.1\r\nHost: a\r\n")).collect();
    held.extend((0..50).map(|_| begin("")));
    for _ in 0..10 {
        assert_eq!(get(address, "/livez").status, 200);
    }
    assert_eq!(get(address, "/metrics").status, 200);
    // All but the youngest had to give way: their connections are at an end.
    for stream in &mut held[..200 - MAX_CONNECTIONS] {
        match stream.read(&mut [0; 1]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("{other:?}"),
        }
    }
    drop(askers);
}

#[test]
fn a_burst_of_clients_is_answered() {
    let server = start(Registry::default());
    let address = server.local_addr();
    // As many at a time as may be: none has to give way.
    for _ in 0..5 {
        let mut streams: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(address)).collect();
        for stream in &mut streams {
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        }
        for mut stream in streams {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}

#[test]
fn stopping_ends_connections_and_frees_the_port() {
    let server = start(Registry::default());
    let address = server.local_addr();
    let error = Server::start(address, Registry::default(), || Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
    let mut held = connect(address);
    held.write_all(b"GET /livez").unwrap();
    assert_eq!(get(address, "/livez").status, 200);
    drop(server);
    match held.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}"),
    }
    // Nobody listens any more, and the port may be had again.
    drop(TcpListener::bind(address).unwrap());
    let again = Server::start(address, Registry::default(), || Ok(())).unwrap();
    assert_eq!(get(again.local_addr(), "/livez").status, 200);
}
