//! The probe on an interface: a pair of virtual ones in a network namespace of the test's own. Without root nothing of this
//! can run, and the tests say so.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{Ran, Row, S, number, packets, rows, run, signal, text};
use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, LinkType, PacketBatch};
use rockfish_testkit::netns::{CAPTURE, NetNs, SENDER};
use rockfish_testkit::{Packets, Rate, Sender};

/// A wait that takes so long has failed.
const STUCK: Duration = Duration::from_secs(60);

/// A namespace, or the end of the test where there can be none.
macro_rules! network {
    () => {
        match NetNs::with_pair() {
            Ok(net) => net,
            Err(reason) => {
                eprintln!("skipped: {reason}");
                return;
            }
        }
    };
}

/// What the program has said so far.
#[derive(Default)]
struct Said {
    text: Mutex<String>,
    more: Condvar,
}

impl Said {
    /// Waits until a line with `what` is there, from the octet `from` on; returns it.
    #[track_caller]
    fn wait_for(&self, what: &str) -> String {
        let end = Instant::now() + STUCK;
        let mut text = self.text.lock().unwrap();
        loop {
            if let Some(line) = text.lines().find(|line| line.contains(what)) {
                return line.to_owned();
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing said of {what:?}: {text}");
            text = self.more.wait_timeout(text, left).unwrap().0;
        }
    }
}

/// A probe that captures.
struct Probe {
    child: Option<Child>,
    said: Arc<Said>,
    reader: Option<JoinHandle<()>>,
}

impl Probe {
    /// Starts the program and waits until it captures.
    #[track_caller]
    fn start(net: &NetNs, folder: &Path, line: &str) -> Self {
        Self::start_with(net, folder, line, |_| {})
    }

    #[track_caller]
    fn start_with(net: &NetNs, folder: &Path, line: &str, set: impl Fn(&mut Command)) -> Self {
        let mut command = net.command(env!("CARGO_BIN_EXE_rockfish_probe"));
        command.args(["-i", CAPTURE, "-o"]).arg(folder.join("flows")).args(["--stats", "-v"]);
        command.args(line.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        set(&mut command);
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Said::default());
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let to = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                to.text.lock().unwrap().push_str(&line);
                to.more.notify_all();
                line.clear();
            }
        });
        said.wait_for(" capturing ");
        Self { child: Some(child), said, reader: Some(reader) }
    }

    fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Ends it with SIGTERM.
    fn stop(mut self) -> Ran {
        self.signal("TERM");
        self.end()
    }

    fn end(&mut self) -> Ran {
        let mut child = self.child.take().unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        let err = self.said.text.lock().unwrap().clone();
        Ran { code, out, err }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Frames that every interface takes and every kernel delivers as they are: those of the project's captures, but for
/// headers of VLANs that are cut off, which the kernel drops.
fn golden() -> Packets {
    let mut frames = Vec::new();
    for folder in ["seed", "edge"] {
        let mut files: Vec<_> = fs::read_dir(rockfish_testkit::captures().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            // Compressed captures and those of other links than Ethernet are not for this.
            if let Ok(packets) = Packets::read(&file) {
                frames.extend(packets.iter().map(<[u8]>::to_vec));
            }
        }
    }
    let whole = |frame: &Vec<u8>| {
        let tagged = matches!(frame.get(12..14), Some([0x81, 0] | [0x88, 0xa8]));
        frame.len() >= if tagged { 64 } else { 14 }
    };
    let packets: Packets = frames.into_iter().filter(whole).collect();
    assert!(packets.len() > 10_000, "{} frames", packets.len());
    packets
}

/// The same frames without IP fragments and tunnels: what only one worker can meter as one.
fn spreadable(packets: &Packets) -> Packets {
    packets
        .iter()
        .filter(|frame| {
            let mut decoder = Decoder::new(DecodeConfig::default(), HashSeed::new(1));
            let mut batch = PacketBatch::default();
            let wire = frame.len() as u32;
            let (time, link) = (rockfish_flow::Timestamp::ZERO, LinkType::Ethernet);
            decoder.decode(&Frame { time, link, wire, data: frame, offset: 0 }, &mut batch);
            let ordinary = |protocol| matches!(protocol, 1 | 6 | 17 | 58);
            decoder.counters().fragments == 0
                && batch.packets.iter().all(|packet| ordinary(packet.key.protocol()))
        })
        .collect()
}

/// What the probe makes of these frames as a capture, a microsecond apart.
fn as_a_file(folder: &Path, frames: &Packets, line: &str) -> (Ran, Vec<Row>) {
    let timed: Vec<_> = frames
        .iter()
        .enumerate()
        .map(|(number, frame)| (1_700_000_000 * S + number as u64, frame.to_vec()))
        .collect();
    common::write_capture(&folder.join("frames.pcap"), &timed);
    let line = format!("-i frames.pcap -o expected --stats {line}");
    let ran = run(&mut common::probe(folder, &line));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    (ran, rows(&folder.join("expected")))
}

/// How often each record is there, times and what is made of them left out.
fn timeless(rows: &[Row]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let mut row = row.clone();
        for column in ["flowid", "stime", "etime", "dur", "rtt", "spdt"] {
            row.remove(column).unwrap();
        }
        if text(&row, "reason") == "eof" {
            row["reason"] = "shutdown".into();
        }
        *counts.entry(serde_json::to_string(&row).unwrap()).or_default() += 1;
    }
    counts
}

#[track_caller]
fn assert_same_records(live: &[Row], file: &[Row]) {
    let (live, file) = (timeless(live), timeless(file));
    let differ = |a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>| {
        let rows = a.iter().filter(|(row, count)| b.get(*row) != Some(count));
        rows.map(|(row, count)| format!("{count} × {row}")).take(3).collect::<Vec<_>>()
    };
    assert!(
        live == file,
        "only live: {:#?}\nonly of the file: {:#?}",
        differ(&live, &file),
        differ(&file, &live)
    );
}

/// Sends frames and waits until the capture side has received them.
fn send(net: &NetNs, frames: &Packets) -> u64 {
    let before = net.counters(CAPTURE).rx_packets;
    let sent = net.replay(frames, Rate::Top);
    assert_eq!(sent.refused, [0usize; 0], "frames that the interface does not take");
    let end = Instant::now() + STUCK;
    while net.counters(CAPTURE).rx_packets < before + sent.packets {
        assert!(Instant::now() < end, "the peer receives what is sent");
    }
    sent.packets
}

/// What was received = what is in flows + what was ignored + what the kernel dropped; and the files hold all of it.
#[track_caller]
fn assert_conserved(ran: &Ran, sent: u64, rows: &[Row]) {
    assert_eq!(ran.statistic("packets received"), sent, "{}", ran.out);
    let dropped = ran.statistic("dropped by the kernel");
    let flows = ran.statistic("packets in flows");
    assert_eq!(flows + ran.statistic("ignored") + dropped, sent, "{}", ran.out);
    assert_eq!(ran.statistic("flow records lost"), 0, "{}", ran.out);
    assert_eq!(packets(rows), flows);
    assert_eq!(rows.len() as u64, ran.statistic("flows"));
}

fn udp(source: [u8; 4], port: u16) -> Vec<u8> {
    let source = std::net::Ipv4Addr::from(source).to_string();
    common::udp((&source, port), ("192.0.2.1", 53))
}

#[test]
fn an_interface_gives_the_records_of_the_file() {
    for line in ["--live afpacket", "--live afpacket --afp-block-count 8", "--live pcap"] {
        let net = network!();
        let folder = tempfile::tempdir().unwrap();
        let frames = golden();
        let (file, expected) = as_a_file(folder.path(), &frames, "");
        let probe = Probe::start(&net, folder.path(), line);
        let sent = send(&net, &frames);
        let ran = probe.stop();
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.err);
        let live = rows(&folder.path().join("flows"));
        assert_conserved(&ran, sent, &live);
        for name in ["ignored", "fragments", "datagrams reassembled", "octets on the wire"] {
            assert_eq!(ran.statistic(name), file.statistic(name), "{line}: {name}");
        }
        assert_same_records(&live, &expected);
    }
}

/// A probe that cannot keep up says how much it lost, to the packet, and under `--strict` by its status.
#[test]
fn what_the_kernel_drops_is_counted() {
    for kind in
        ["afpacket --afp-block-size 65536 --afp-block-count 2", "pcap --pcap-buffer-size 65536"]
    {
        let net = network!();
        let folder = tempfile::tempdir().unwrap();
        let line = format!("--live {kind} --strict");
        let probe = Probe::start(&net, folder.path(), &line);
        probe.signal("STOP");
        let sent = send(&net, &golden());
        probe.signal("CONT");
        let ran = probe.stop();
        let live = rows(&folder.path().join("flows"));
        assert!(ran.statistic("dropped by the kernel") > 1000, "{kind}: {}", ran.out);
        assert!(packets(&live) > 10, "{kind}: {}", ran.out);
        assert_conserved(&ran, sent, &live);
        assert_eq!(ran.code, Some(3), "{kind}: {}", ran.err);
    }
}

#[test]
fn two_workers_give_the_records_of_one() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let frames = spreadable(&golden());
    let (_, expected) = as_a_file(folder.path(), &frames, "");
    let probe = Probe::start(&net, folder.path(), "--live afpacket --workers 2");
    let sent = send(&net, &frames);
    let ran = probe.stop();
    let live = rows(&folder.path().join("flows"));
    assert_conserved(&ran, sent, &live);
    assert_same_records(&live, &expected);
}

/// The kernel reassembles before it spreads: what comes to the workers of N fragments is one packet.
#[test]
fn two_workers_lose_no_fragment() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let frames = golden();
    let snmp = |name: &str| {
        let done = net.command("cat").arg("/proc/thread-self/net/snmp").output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with("Ip:"));
        let names: Vec<_> = lines.next().unwrap().split(' ').collect();
        let values: Vec<_> = lines.next().unwrap().split(' ').collect();
        let place = names.iter().position(|other| *other == name).unwrap();
        values[place].parse::<u64>().unwrap()
    };
    let probe = Probe::start(&net, folder.path(), "--live afpacket --workers 2");
    let sent = send(&net, &frames);
    let ran = probe.stop();
    let (fragments, whole) = (snmp("ReasmReqds"), snmp("ReasmOKs"));
    assert!(whole > 10, "{whole} datagrams");
    let live = rows(&folder.path().join("flows"));
    assert_conserved(&ran, sent - fragments + whole, &live);
}

#[test]
fn two_processes_share_a_group() {
    let net = network!();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let frames = spreadable(&golden());
    let (_, expected) = as_a_file(folders[0].path(), &frames, "");
    let line = "--live afpacket --afp-fanout-group 7 --afp-fanout-mode hash";
    let probes = folders.each_ref().map(|folder| Probe::start(&net, folder.path(), line));
    let sent = send(&net, &frames);
    let [one, other] = probes.map(Probe::stop);
    let received = |ran: &Ran| ran.statistic("packets received");
    assert_eq!(received(&one) + received(&other), sent);
    assert!(received(&one) > 0 && received(&other) > 0, "both take part");
    let live: Vec<Row> =
        folders.iter().flat_map(|folder| rows(&folder.path().join("flows"))).collect();
    assert_same_records(&live, &expected);
}

#[test]
fn the_kernel_filters_tags_that_it_took_off() {
    let frames: Packets = (0..60u16)
        .map(|number| {
            let frame = udp([10, 0, 0, 1], 1000 + number);
            let tag = [0x81, 0, 0, (number % 3) as u8 + 6];
            [&frame[..12], &tag[..], &frame[12..]].concat()
        })
        .collect();
    for kind in ["afpacket", "pcap"] {
        let net = network!();
        let folder = tempfile::tempdir().unwrap();
        let live = format!("--live {kind} --vlan-key");
        let probe = Probe::start_with(&net, folder.path(), &live, |command| {
            command.args(["--filter", "vlan 7 and udp"]);
        });
        send(&net, &frames);
        let ran = probe.stop();
        assert_eq!(ran.statistic("packets received"), 20, "{kind}: {}", ran.out);
        let rows = rows(&folder.path().join("flows"));
        assert_eq!(rows.len(), 20);
        assert!(rows.iter().all(|row| number(row, "svlan") == 7), "{kind}");
    }
}

/// Time goes on without packets: flows end and files appear.
#[test]
fn flows_end_and_files_rotate_on_an_idle_interface() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let probe =
        Probe::start(&net, folder.path(), "--live afpacket --idle-timeout 1 --rotate-interval 1");
    send(&net, &(0..50).map(|port| udp([10, 0, 0, 1], 2000 + port)).collect());
    let flows = folder.path().join("flows");
    let end = Instant::now() + STUCK;
    let finished = loop {
        assert!(Instant::now() < end, "no file came");
        let complete = complete_files(&flows);
        if !complete.is_empty() {
            break complete;
        }
    };
    let rows: Vec<Row> = finished.iter().flat_map(|path| common::rows_of(path)).collect();
    assert_eq!(common::tally(&rows, "reason"), BTreeMap::from([("idle", 50)]));
    let ran = probe.stop();
    assert_eq!((ran.code, ran.statistic("packets in flows")), (Some(0), 50));
}

#[test]
fn sighup_ends_the_file_while_packets_are_awaited() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let probe = Probe::start(&net, folder.path(), "--live afpacket --idle-timeout 1");
    send(&net, &(0..50).map(|port| udp([10, 0, 0, 1], 2000 + port)).collect());
    let flows = folder.path().join("flows");
    let end = Instant::now() + STUCK;
    while complete_files(&flows).is_empty() {
        assert!(Instant::now() < end, "no file came");
        // What has not ended by the first signal is in the file of a later one.
        probe.signal("HUP");
        std::thread::sleep(Duration::from_millis(100));
    }
    probe.stop();
    assert_eq!(packets(&rows(&flows)), 50);
}

#[test]
fn an_interface_that_comes_back_is_captured_again() {
    type Change = fn(&NetNs);
    let changes: [(&str, Change, Change); 3] = [
        ("is down; ", |net| net.down(CAPTURE), |net| net.up(CAPTURE)),
        ("cap0", |net| net.rename(CAPTURE, "other0"), |net| net.rename("other0", CAPTURE)),
        ("cap0", |net| net.delete(CAPTURE), |net| net.pair(SENDER, CAPTURE)),
    ];
    for kind in ["afpacket", "afpacket --workers 2", "pcap"] {
        for (trouble, away, back) in changes {
            let net = network!();
            net.up("lo");
            let folder = tempfile::tempdir().unwrap();
            let probe = Probe::start(
                &net,
                folder.path(),
                &format!("--live {kind} --metrics-listen 0 --rotate-interval 0"),
            );
            let address = address_of(&probe);
            assert_eq!(get(&net, address, "/healthz").0, 200);
            let sent = send(&net, &(0..40).map(|n| udp([10, 0, 0, n], 2000)).collect());
            away(&net);
            // What is seen first of an interface that goes is that it is down.
            assert!(probe.said.wait_for("trying to open it again").contains(trouble));
            let (code, why) = get(&net, address, "/healthz");
            assert_eq!(code, 503, "{why}");
            assert!(why.contains(CAPTURE), "{why}");
            back(&net);
            let again = probe.said.wait_for("capturing again");
            if kind.ends_with('2') {
                let other = if again.contains("cap0 0") { "cap0 1" } else { "cap0 0" };
                probe.said.wait_for(&format!("capturing again worker=\"{other}\""));
            }
            assert_eq!(get(&net, address, "/healthz").0, 200);
            let after = send(&net, &(0..40).map(|n| udp([10, 0, 1, n], 2000)).collect());
            let ran = probe.stop();
            assert_eq!(ran.code, Some(0), "{}", ran.err);
            let rows = rows(&folder.path().join("flows"));
            assert_eq!(packets(&rows), sent + after, "{kind}, {trouble}: {}", ran.out);
        }
    }
}

/// The Parquet files under their final names. Others come and go meanwhile.
fn complete_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect()
}

/// Sends until told to stop; the number of packets sent so far.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
}

/// Runs `body` while ever new flows are sent.
fn under_load(net: &NetNs, body: impl FnOnce(&Load)) -> u64 {
    let load = Load { stop: Arc::default(), sent: Arc::default() };
    let (stop, sent) = (Arc::clone(&load.stop), Arc::clone(&load.sent));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            net.enter(|| {
                let sender = Sender::open(SENDER).unwrap();
                for round in 0u32.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let [a, b, c, _] = (0x0a00_0000 + (round << 8)).to_be_bytes();
                    let frames: Packets =
                        (0..200).map(|d| udp([a, b, c, d], 1024 + round as u16)).collect();
                    let done = sender.send(&frames, Rate::Top).unwrap();
                    sent.fetch_add(done.packets, Ordering::Relaxed);
                }
            });
        });
        // The load ends, whatever becomes of the test.
        let _guard = StopOnDrop(&load.stop);
        body(&load);
    });
    load.sent.load(Ordering::Relaxed)
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Load {
    fn wait_for(&self, packets: u64) {
        let end = Instant::now() + STUCK;
        while self.sent.load(Ordering::Relaxed) < packets {
            assert!(Instant::now() < end, "packets are sent");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn sigterm_under_load_writes_all_that_was_taken() {
    for kind in ["afpacket", "afpacket --workers 2", "pcap"] {
        let net = network!();
        let folder = tempfile::tempdir().unwrap();
        let mut probe = Probe::start(
            &net,
            folder.path(),
            &format!("--live {kind} --rotate-interval 1 --max-flows 0"),
        );
        let mut ended = None;
        under_load(&net, |load| {
            load.wait_for(40_000);
            probe.signal("TERM");
            ended = Some(probe.end());
        });
        let ran = ended.unwrap();
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let rows = rows(&folder.path().join("flows"));
        let received = ran.statistic("packets received");
        assert!(received >= 30_000, "{received}");
        assert_conserved(&ran, received, &rows);
        assert!(common::tally(&rows, "reason")["shutdown"] > 0);
    }
}

#[test]
fn kill_leaves_whole_files_only() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let flows = folder.path().join("flows");
    let line = "--live afpacket --rotate-interval 1 --idle-timeout 1";
    let mut probe = Probe::start(&net, folder.path(), line);
    let sent = under_load(&net, |load| {
        let end = Instant::now() + STUCK;
        while complete_files(&flows).len() < 2 {
            assert!(Instant::now() < end, "files come");
            load.wait_for(1);
        }
        probe.signal("KILL");
        probe.end();
    });
    let rows: Vec<Row> =
        complete_files(&flows).iter().flat_map(|path| common::rows_of(path)).collect();
    assert!(!rows.is_empty());
    assert!(packets(&rows) < sent, "what was open is missing");
    // The next one removes what is not whole.
    let probe = Probe::start(&net, folder.path(), line);
    probe.stop();
    assert_eq!(common::files(&flows).len(), complete_files(&flows).len());
}

#[test]
fn a_flood_of_new_sources_is_bounded_and_accounted_for() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let probe = Probe::start(&net, folder.path(), "--live afpacket --max-flows 2000");
    let sent = under_load(&net, |load| load.wait_for(60_000));
    let end = Instant::now() + STUCK;
    while net.counters(CAPTURE).rx_packets < sent {
        assert!(Instant::now() < end, "the peer receives what is sent");
    }
    let ran = probe.stop();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.statistic("most flows open at a time"), 2000);
    let rows = rows(&folder.path().join("flows"));
    assert_conserved(&ran, sent, &rows);
    let reasons = common::tally(&rows, "reason");
    assert_eq!(reasons["shutdown"], 2000);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
}

/// Root's rights end before the first packet is looked at, and what is left suffices to open the interface again.
#[test]
fn another_user_captures_and_owns_the_files() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let nobody = "nobody";
    let open = "chmod 755 . && mkdir -m 777 flows";
    assert!(Command::new("sh").current_dir(&folder).args(["-c", open]).status().unwrap().success());
    for kind in ["afpacket", "pcap"] {
        let probe = Probe::start(&net, folder.path(), &format!("--live {kind} --user {nobody}"));
        let status = fs::read_to_string(format!("/proc/{}/status", probe.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(field("Uid:").iter().all(|uid| uid != "0"), "{status}");
        assert_eq!(field("CapEff:"), ["0000000000002000"], "the right to capture alone");
        assert_eq!(field("NoNewPrivs:"), ["1"]);
        let sent = send(&net, &(0..9).map(|n| udp([10, 0, 0, n], 2000)).collect());
        net.down(CAPTURE);
        probe.said.wait_for("is down");
        net.up(CAPTURE);
        probe.said.wait_for("capturing again");
        let after = send(&net, &(0..9).map(|n| udp([10, 0, 1, n], 2000)).collect());
        let ran = probe.stop();
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let flows = folder.path().join("flows");
        assert_eq!(packets(&rows(&flows)), sent + after);
        for file in fs::read_dir(&flows).unwrap() {
            let path = file.unwrap().path();
            assert_ne!(fs::metadata(&path).unwrap().uid(), 0, "{}", path.display());
            fs::remove_file(path).unwrap();
        }
    }
}

/// A disk that is full costs records, which are counted; when there is room again, writing goes on.
#[test]
fn a_full_disk_is_told_and_survived() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let flows = folder.path().join("flows");
    fs::create_dir(&flows).unwrap();
    let mount = |options: &str| {
        let mut command = net.command("mount");
        command.args(["-t", "tmpfs", "-o", options, "none"]).arg(&flows);
        assert!(command.status().unwrap().success());
    };
    mount("size=4k");
    net.up("lo");
    let line = "--live afpacket --metrics-listen 0 --idle-timeout 1 --rotate-interval 1";
    let probe = Probe::start(&net, folder.path(), line);
    let address = address_of(&probe);
    let first = send(&net, &(0..200).map(|n| udp([10, 0, 0, n], 2000)).collect());
    probe.said.wait_for("No space left on device");
    assert_eq!(get(&net, address, "/healthz"), (503, "output: nothing can be written\n".into()));
    mount("remount,size=64m");
    probe.said.wait_for("writing again");
    let second = send(&net, &(0..200).map(|n| udp([10, 0, 1, n], 2000)).collect());
    let ran = probe.stop();
    let list = "cd \"$0\" && tar -c .";
    let tar = net.command("sh").args(["-c", list]).arg(&flows).output().unwrap();
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let mut unpack =
        Command::new("tar").args(["-x", "-C"]).arg(&copy).stdin(Stdio::piped()).spawn().unwrap();
    unpack.stdin.take().unwrap().write_all(&tar.stdout).unwrap();
    assert!(unpack.wait().unwrap().success());
    let rows = rows(&copy);
    assert_eq!(packets(&rows) + ran.statistic("flow records lost"), first + second, "{}", ran.out);
    assert!(ran.statistic("flow records lost") > 0);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[test]
fn figures_and_health_are_served_where_asked() {
    let net = network!();
    net.up("lo");
    let folder = tempfile::tempdir().unwrap();
    let probe = Probe::start(&net, folder.path(), "--live afpacket --metrics-listen 0");
    let address = address_of(&probe);
    assert!(address.ip().is_loopback());
    let sent = send(&net, &(0..100).map(|n| udp([10, 0, 0, n], 2000)).collect());
    let end = Instant::now() + STUCK;
    let value = |page: &str, name: &str| -> f64 {
        let line = page.lines().find(|line| line.starts_with(name));
        line.map_or(f64::NAN, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
    };
    let page = loop {
        let (code, page) = get(&net, address, "/metrics");
        assert_eq!(code, 200);
        if value(&page, "rockfish_packets_total") == sent as f64 {
            break page;
        }
        assert!(Instant::now() < end, "{page}");
    };
    for (name, expected) in [
        ("rockfish_socket_packets_total{worker=\"0\"}", sent as f64),
        ("rockfish_socket_dropped_packets_total{worker=\"0\"}", 0.0),
        ("rockfish_open_flows{worker=\"0\"}", sent as f64),
        ("rockfish_flow_packets_total", sent as f64),
        ("rockfish_ignored_packets_total{reason=\"not_ip\"}", 0.0),
        ("rockfish_lost_records_total", 0.0),
    ] {
        assert_eq!(value(&page, name), expected, "{name}: {page}");
    }
    assert_eq!(get(&net, address, "/healthz"), (200, "ok\n".into()));
    probe.stop();
}

/// The service manager hears when it begins, that it lives, and when it ends.
#[test]
fn the_service_manager_is_told() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(STUCK)).unwrap();
    let mut probe = Probe::start_with(&net, folder.path(), "--live afpacket", |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    });
    let hear = || {
        let mut octets = [0; 1024];
        let count = socket.recv(&mut octets).unwrap();
        String::from_utf8(octets[..count].to_vec()).unwrap()
    };
    assert!(hear().starts_with("READY=1\nSTATUS=capturing from cap0"));
    assert_eq!(hear().trim(), "WATCHDOG=1");
    assert_eq!(hear().trim(), "WATCHDOG=1");
    probe.signal("TERM");
    while !hear().starts_with("STOPPING=1") {}
    assert_eq!(probe.end().code, Some(0));
}

#[test]
fn what_cannot_be_captured_is_said_at_once() {
    let net = network!();
    let folder = tempfile::tempdir().unwrap();
    for (line, expected) in [
        ("-i nosuch0 --live afpacket", "error: nosuch0: no such interface"),
        ("-i nosuch0 --live pcap", "error: nosuch0: no such interface"),
        (
            "-i nosuch0",
            "error: input.source (--source): \"nosuch0\" is no file, folder or interface",
        ),
        ("-i cap0 --live afpacket --user nosuchuser", "error: user \"nosuchuser\": no such user"),
        ("-i cap0 --live pcap --workers 2", "error: workers (--workers): 2 workers take"),
        ("-i cap0 --live afpacket --filter xyzzy", "error: cap0: filter"),
        ("-i any --live afpacket", "error: any: found \"any\", expected one interface"),
        ("-i lo --live afpacket", "error: lo: the interface is down"),
        (
            "-i cap0 --live afpacket --metrics-listen a:b",
            "error: metrics.listen (--metrics-listen)",
        ),
        (
            "-i cap0 --live afpacket --afp-block-size 5000",
            "error: cap0: found 64 ring blocks of 5000",
        ),
        ("-i ring0 --live fmadio", "error: "),
    ] {
        let mut command = net.command(env!("CARGO_BIN_EXE_rockfish_probe"));
        command.current_dir(folder.path()).args(line.split_whitespace()).args(["-o", "flows"]);
        let ran = run(command.stdin(Stdio::null()));
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.err);
        let error = ran.lines("error: ");
        assert!(error.iter().any(|error| error.starts_with(expected)), "{line}: {}", ran.err);
    }
    assert!(!folder.path().join("flows").exists(), "nothing is left behind");
}

fn address_of(probe: &Probe) -> SocketAddr {
    let line = probe.said.wait_for("serving metrics");
    let address = line.rsplit_once("address=").unwrap().1.trim();
    address.parse().unwrap()
}

/// Status and body.
fn get(net: &NetNs, address: SocketAddr, path: &str) -> (u16, String) {
    net.enter(|| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(STUCK)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    })
}
