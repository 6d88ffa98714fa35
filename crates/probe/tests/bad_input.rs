//! Input that is wrong, damaged or absurd, and outputs that cannot be written: what is said, how the program ends, and what
//! it leaves behind.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{
    DAY_BEGIN, Ran, S, between, capture, capture_of, files, is_root, packets, packets_of, probe,
    rows, rows_of, run, udp, write_capture,
};

/// Ended with status 2 and one error, which has all of these.
#[track_caller]
fn check_refused(ran: &Ran, folder: &Path, parts: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    let [error] = ran.lines("error: ")[..] else { panic!("one error: {}", ran.err) };
    for part in parts {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.ends_with('.'), "{error}");
    assert_eq!(files(&folder.join("flows")), BTreeMap::new(), "nothing is left behind: {error}");
    assert!(!folder.join("flows.json").exists(), "nothing is left behind: {error}");
}

#[test]
fn what_is_no_capture_is_refused_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("text.pcap"), "this is no capture at all, whatever it is called").unwrap();
    fs::write(at.join("empty.pcap"), "").unwrap();
    fs::write(at.join("short.pcap"), [0xd4, 0xc3, 0xb2, 0xa1, 2]).unwrap();
    fs::create_dir(at.join("empty folder")).unwrap();
    fs::create_dir(at.join("papers")).unwrap();
    fs::write(at.join("papers/letter.txt"), "Dear all").unwrap();
    let radiotap = capture("edge/zeek-radiotap.pcap");
    let nflog = capture("edge/zeek-nflog-http.pcap");
    let cases: &[(&str, &[&str])] = &[
        ("text.pcap", &["text.pcap: not a capture", "74 68 69 73", "expected pcap or pcapng"]),
        ("empty.pcap", &["empty.pcap: empty", "expected a pcap or pcapng capture"]),
        ("short.pcap", &["short.pcap: ", "5", "24"]),
        (
            radiotap.to_str().unwrap(),
            &["zeek-radiotap.pcap: unknown link type 127", "1 (ETHERNET)"],
        ),
        (nflog.to_str().unwrap(), &["zeek-nflog-http.pcap: unknown link type 239"]),
        ("empty folder", &["empty folder: no capture among the 0 files"]),
        ("papers", &["papers: no capture among the 1 files"]),
        ("*.pcapng", &["\"*.pcapng\"", "no file matches"]),
        ("gone.pcap", &["\"gone.pcap\" is no file, folder or interface"]),
        // One bad file among several that are named is an error, not a file left out.
        ("*y.pcap", &["empty.pcap: empty"]),
    ];
    for outputs in ["-o flows", "-o flows --json flows.json", "--json flows.json"] {
        for (source, parts) in cases {
            check_refused(&run(probe(at, outputs).args(["-i", source])), at, parts);
        }
        for (name, octets, parts) in [
            ("no octets", &b""[..], ["standard input: empty", ""]),
            (
                "no capture",
                b"GET / HTTP/1.1\r\n\r\nmore",
                ["standard input: not a capture", "47 45 54"],
            ),
        ] {
            let ran = common::run_with_input(&mut probe(at, &format!("-i - {outputs}")), octets);
            assert!(ran.err.contains("standard input"), "{name}");
            check_refused(&ran, at, &parts);
        }
    }
    // A folder that was there stays as it was.
    fs::create_dir(at.join("flows")).unwrap();
    check_refused(&run(&mut probe(at, "-i text.pcap -o flows")), at, &["not a capture"]);
    assert!(at.join("flows").exists());
}

#[test]
fn what_is_no_capture_in_a_folder_of_captures_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("in")).unwrap();
    fs::write(at.join("in/notes.txt"), "where these come from").unwrap();
    write_capture(&at.join("in/a.pcap"), &[(DAY_BEGIN, udp(("10.0.0.1", 1), ("10.0.0.2", 2)))]);
    let ran = run(&mut probe(at, "-i in -o flows"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let [warning] = ran.logged("WARN")[..] else { panic!("one warning: {}", ran.err) };
    assert!(warning.contains("notes.txt: left out: not a capture"), "{warning}");
    assert_eq!(packets(&rows(&at.join("flows"))), 1);
}

#[test]
fn wrong_filters_are_refused_in_libpcaps_words() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_capture(&at.join("a.pcap"), &[(DAY_BEGIN, udp(("10.0.0.1", 1), ("10.0.0.2", 2)))]);
    for (filter, words) in [
        ("tcp and (", "syntax error"),
        ("host 300.1.2.3", "300.1.2.3"),
        ("port nonsense", "unknown port 'nonsense'"),
    ] {
        let ran = run(probe(at, "-i a.pcap -o flows").args(["--filter", filter]));
        check_refused(&ran, at, &[&format!("filter {filter:?}"), words]);
    }
}

#[test]
fn settings_that_the_writer_cannot_use_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_capture(&at.join("a.pcap"), &[(DAY_BEGIN, udp(("10.0.0.1", 1), ("10.0.0.2", 2)))]);
    let ran = run(&mut probe(at, "-i a.pcap -o flows --row-group-size 1"));
    check_refused(&ran, at, &["row_group_size", "1", "32000th of batch_size"]);
}

#[test]
fn a_capture_without_packets_gives_no_file_and_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let empty = capture("edge/zeek-empty.pcap");
    let ran = run(probe(folder.path(), "-o flows --stats").arg("-i").arg(empty));
    assert_eq!(ran.code, Some(0));
    let [warning] = ran.logged("WARN")[..] else { panic!("one warning: {}", ran.err) };
    assert!(warning.contains("no packets"), "{warning}");
    assert_eq!((ran.statistic("packets read"), ran.statistic("flows")), (0, 0));
    assert_eq!(files(&folder.path().join("flows")), BTreeMap::new());
}

/// Runs on a cut capture with and without `--strict`; the warning and the rows.
#[track_caller]
fn meter_cut(at: &Path, name: &str) -> (String, Vec<common::Row>) {
    let ran = run(&mut probe(at, &format!("-i {name} -o flows-{name}")));
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{name}: {}", ran.err);
    let strict = run(&mut probe(at, &format!("-i {name} -o strict-{name} --strict")));
    assert_eq!(strict.code, Some(3), "{name}: {}", strict.err);
    let found = rows(&at.join(format!("flows-{name}")));
    assert_eq!(found, rows(&at.join(format!("strict-{name}"))), "{name}");
    let [warning] = ran.logged("WARN")[..] else { panic!("{name}: one warning: {}", ran.err) };
    (warning.to_owned(), found)
}

#[test]
fn a_capture_cut_within_a_packet_gives_the_flows_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all: Vec<_> = (0..40_u16)
        .map(|i| (DAY_BEGIN + u64::from(i), udp(("10.0.0.1", 1000 + i % 5), ("10.0.0.2", 53))))
        .collect();
    let whole = capture_of(&all);
    let record = (whole.len() - 24) / all.len();
    for (name, count, into) in
        [("header.pcap", 17, 9), ("data.pcap", 23, 30), ("last.pcap", 39, record - 1)]
    {
        let begin = 24 + count * record;
        fs::write(at.join(name), &whole[..begin + into]).unwrap();
        let (warning, found) = meter_cut(at, name);
        let said = format!("{name}: cut at byte {begin}, {count} packets read before: ");
        assert!(warning.contains(&said), "{warning}");
        assert!(warning.contains(&format!("after {into} octets of a record")), "{warning}");
        assert_eq!((packets(&found), found.len()), (count as u64, 5), "{name}");
    }
    // Nothing is missing: no warning, and nothing strict about it.
    fs::write(at.join("whole.pcap"), &whole).unwrap();
    let ran = run(&mut probe(at, "-i whole.pcap -o flows --strict"));
    assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{}", ran.err);
    // A length that cannot be one is where the file ends.
    let mut corrupt = whole.clone();
    let begin = 24 + 11 * record;
    corrupt[begin + 8..begin + 12].fill(0xff);
    fs::write(at.join("corrupt.pcap"), &corrupt).unwrap();
    let (warning, found) = meter_cut(at, "corrupt.pcap");
    let said = format!("corrupt.pcap: cut at byte {begin}, 11 packets read before: ");
    assert!(warning.contains(&said), "{warning}");
    assert_eq!(packets(&found), 11);
}

#[test]
fn a_compressed_capture_cut_gives_the_flows_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let plain = fs::read(capture("seed/mercury-capture2.pcap")).unwrap();
    let total = packets_of(&capture("seed/mercury-capture2.pcap")).len() as u64;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    for (name, octets) in [("cut.pcap.gz", gzip.finish().unwrap()), ("cut.pcap.zst", zstd)] {
        fs::write(at.join(name), &octets[..octets.len() * 3 / 4]).unwrap();
        let (warning, found) = meter_cut(at, name);
        assert!(warning.contains(&format!("{name}: cut at byte ")), "{warning}");
        assert!(warning.contains(" of the decompressed data, "), "{warning}");
        let read: u64 = warning
            .split_once("decompressed data, ")
            .and_then(|(_, rest)| rest.split_once(" packets read before"))
            .map(|(count, _)| count.parse().unwrap())
            .unwrap();
        // Less than it has, much more than nothing; some of the packets are not IP.
        assert!(read < total && read > total / 2, "{name}: {read} of {total}");
        assert!(packets(&found) <= read && packets(&found) > read * 9 / 10, "{name}");
    }
}

#[test]
fn packets_that_cannot_be_are_counted_by_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let good = || udp(("10.0.0.1", 1000), ("10.0.0.2", 53));
    let tcp = || between("10.0.0.1", "10.0.0.2").tcp(1000, 80, "S", 1, 0).build();
    let v6 = || between("2001:db8::1", "2001:db8::2").udp(1000, 53).payload(b"abc").build();
    let change = |mut frame: Vec<u8>, offset: usize, octets: &[u8]| {
        frame[offset..offset + octets.len()].copy_from_slice(octets);
        frame
    };
    let cut = |mut frame: Vec<u8>, length: usize| {
        frame.truncate(length);
        frame
    };
    // What is done to a packet, its count, and whether it is in a flow nevertheless.
    let cases = [
        ("ip_header_length", change(good(), 14, &[0x40]), false),
        ("ip_header_length", change(good(), 14, &[0x44]), false),
        ("ip_header_length", change(good(), 14, &[0x4f]), false),
        ("ip_total_length", change(good(), 16, &[0, 19]), false),
        ("ip_version", change(good(), 14, &[0x65]), false),
        ("ip_version", change(v6(), 14, &[0x40]), false),
        ("ip_truncated", cut(good(), 14 + 19), false),
        ("ip_truncated", cut(v6(), 14 + 39), false),
        ("link_truncated", cut(good(), 13), false),
        ("link_truncated", Vec::new(), false),
        ("not_ip", change(good(), 12, &[0x08, 0x06]), false),
        ("anomaly length_beyond_frame", change(good(), 16, &[0xff, 0xff]), true),
        ("anomaly length_beyond_frame", change(v6(), 18, &[0xff, 0xff]), true),
        ("anomaly length_zero", change(good(), 16, &[0, 0]), true),
        ("anomaly tcp_header_length", change(tcp(), 14 + 20 + 12, &[0x00]), true),
        ("anomaly tcp_header_length", change(tcp(), 14 + 20 + 12, &[0xf0]), true),
        ("anomaly transport_truncated", cut(good(), 14 + 20 + 3), true),
    ];
    let (mut expected, mut in_flows, mut capture) = (BTreeMap::new(), 0, Vec::new());
    for (index, (name, frame, metered)) in cases.iter().enumerate() {
        *expected.entry(*name).or_insert(0) += 1;
        in_flows += u64::from(*metered);
        capture.push((DAY_BEGIN + index as u64 * S, frame.clone()));
    }
    // Time that goes back a little, and by years.
    for time in [DAY_BEGIN + 10 * S, DAY_BEGIN + 17 * S, 0, 1, DAY_BEGIN] {
        capture.push((time, good()));
        in_flows += 1;
    }
    expected.insert("anomaly time_backwards", 1);
    write_capture(&at.join("odd.pcap"), &capture);
    let mut first = None;
    for workers in ["1", "3"] {
        let flows = format!("flows-{workers}");
        let ran = run(probe(at, "-i odd.pcap --stats").args(["--workers", workers, "-o", &flows]));
        assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{}", ran.err);
        for (name, count) in &expected {
            assert!(ran.statistic(name) >= *count, "{name}: {}", ran.out);
        }
        // A capture that is cut may leave out more than one thing; those ignored are ignored once.
        let ignored: u64 = cases
            .iter()
            .filter(|(_, _, metered)| !metered)
            .map(|(name, ..)| *name)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|name| {
                assert_eq!(ran.statistic(name), expected[name], "{name}: {}", ran.out);
                ran.statistic(name)
            })
            .sum();
        assert_eq!(ran.statistic("ignored"), ignored);
        assert_eq!(ran.statistic("packets in flows"), in_flows);
        assert_eq!(ran.statistic("packets read"), capture.len() as u64);
        assert_eq!(ran.statistic("anomaly time_backwards"), 1, "{}", ran.out);
        let rows = rows(&at.join(&flows));
        assert_eq!(packets(&rows), in_flows);
        for row in &rows {
            assert!(common::number(row, "stime") <= common::number(row, "etime"), "{row:?}");
        }
        let files = files(&at.join(&flows));
        assert!(*first.get_or_insert_with(|| files.clone()) == files, "{workers} workers");
    }
}

#[test]
fn a_clock_that_jumps_to_and_fro_is_metered() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // From 1970 to 2106 and back: what a second costs must not be paid for each of those between.
    let packets: Vec<_> = (0..60_u64)
        .map(|i| {
            let time = if i % 2 == 0 { i } else { u64::from(u32::MAX - 100) * S + i };
            (time, udp(("10.0.0.1", 1000 + (i % 7) as u16), ("10.0.0.2", 53)))
        })
        .collect();
    write_capture(&at.join("jumps.pcap"), &packets);
    for workers in ["1", "2"] {
        let flows = format!("flows-{workers}");
        let ran = run(probe(at, "-i jumps.pcap").args(["--workers", workers, "-o", &flows]));
        assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{}", ran.err);
        assert_eq!(common::packets(&rows(&at.join(&flows))), 60);
    }
    assert!(files(&at.join("flows-1")) == files(&at.join("flows-2")));
}

/// One packet of 40 flows, two seconds apart; they end one after the other with an idle timeout of a second.
fn forty_flows() -> Vec<(u64, Vec<u8>)> {
    (0..40_u16)
        .map(|i| (DAY_BEGIN + u64::from(i) * 2 * S, udp(("10.0.0.1", 1000 + i), ("10.0.0.2", 53))))
        .collect()
}

#[test]
fn outputs_that_cannot_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_capture(&at.join("a.pcap"), &forty_flows());
    fs::write(at.join("file"), "in the way").unwrap();
    for (options, path) in [
        ("-o file", "file"),
        ("-o file/flows", "file"),
        ("--json file/flows.json", "file/flows.json"),
        ("--json gone/flows.json", "gone/flows.json"),
        ("--json .", " ."),
        ("-o flows --json gone/flows.json", "gone/flows.json"),
        ("-o flows --log-file file/log", "file/log"),
    ] {
        let ran = run(&mut probe(at, &format!("-i a.pcap {options}")));
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{options}: {}", ran.err);
        let [error] = ran.lines("error: ")[..] else { panic!("one error: {}", ran.err) };
        assert!(error.contains(path), "{options}: {error}");
        assert_eq!(files(&at.join("flows")), BTreeMap::new(), "{options}");
    }
    assert_eq!(fs::read(at.join("file")).unwrap(), b"in the way");
    if is_root() {
        eprintln!("skipped: a folder without the right to write, since the tests run as root");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir(at.join("locked")).unwrap();
    fs::set_permissions(at.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let ran = run(&mut probe(at, "-i a.pcap -o locked"));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("error: ") && ran.err.contains("locked"), "{}", ran.err);
    assert_eq!(files(&at.join("locked")), BTreeMap::new());
}

/// Runs a script of the shell in the folder, with the probe as `$PROBE`.
fn shell(at: &Path, private_mounts: bool, script: &str) -> Ran {
    let mut command = match private_mounts {
        true => Command::new("unshare"),
        false => Command::new("sh"),
    };
    if private_mounts {
        command.args(["-m", "sh"]);
    }
    command.args(["-c", script]).current_dir(at);
    run(command.env("PROBE", env!("CARGO_BIN_EXE_rockfish_probe")))
}

/// The files in a folder are whole and nothing else is there.
#[track_caller]
fn check_whole(folder: &Path) -> usize {
    let names = files(folder);
    for name in names.keys() {
        assert!(!name.starts_with('.') && name.ends_with(".parquet"), "{name}");
        assert_eq!(rows_of(&folder.join(name)).len(), 8, "{name}");
    }
    names.len()
}

#[test]
fn a_full_disk_leaves_whole_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_capture(&at.join("a.pcap"), &forty_flows());
    // The size of a file with eight flows, to make room for two of them.
    let ran = run(&mut probe(at, "-i a.pcap -o whole --idle-timeout 1 --parquet-batch-size 8"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(check_whole(&at.join("whole")), 5);
    let size = files(&at.join("whole")).values().map(Vec::len).max().unwrap();

    let mounts = is_root() && shell(at, true, "mkdir m && mount -t tmpfs none m").code == Some(0);
    if mounts {
        let pages = (size.div_ceil(4096) * 5).div_ceil(2) + 1;
        let ran = shell(
            at,
            true,
            &format!(
                "mkdir disk; mount -t tmpfs -o size={} none disk && \
                 \"$PROBE\" -i a.pcap -o disk/flows --idle-timeout 1 --parquet-batch-size 8; \
                 status=$?; cp -a disk/flows found; exit $status",
                pages * 4096,
            ),
        );
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        let [error] = ran.lines("error: ")[..] else { panic!("one error: {}", ran.err) };
        assert!(error.contains("disk/flows/"), "{error}");
        assert!(error.to_lowercase().contains("no space left on device"), "{error}");
        let count = check_whole(&at.join("found"));
        assert!((1..5).contains(&count), "{count} files");
        let ran = shell(
            at,
            true,
            "mkdir fixed; mount -t tmpfs -o ro none fixed && \"$PROBE\" -i a.pcap -o fixed",
        );
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.err.starts_with("error: ") && ran.err.contains("fixed"), "{}", ran.err);
    } else {
        eprintln!(
            "skipped: a full file system, since only root may mount one; a limit on the size of files stands in"
        );
    }

    // A limit on the size of files in blocks of 512 octets; its signal is ignored, so that writing fails instead.
    let ran = shell(
        at,
        false,
        &format!(
            "trap '' XFSZ; ulimit -f {}; \"$PROBE\" -i a.pcap -o limited --idle-timeout 1 --parquet-batch-size 20",
            size / 512 - 1
        ),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let [error] = ran.lines("error: ")[..] else { panic!("one error: {}", ran.err) };
    assert!(error.contains("limited/") && error.contains("File too large"), "{error}");
    assert_eq!(check_whole(&at.join("limited")), 0);

    if Path::new("/dev/full").exists() {
        let ran = run(&mut probe(at, "-i a.pcap --json /dev/full"));
        assert_eq!(ran.code, Some(1));
        let [error] = ran.lines("error: ")[..] else { panic!("one error: {}", ran.err) };
        assert!(error.contains("cannot write to /dev/full"), "{error}");
        let ran = shell(at, false, "\"$PROBE\" -i a.pcap --json - > /dev/full");
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.contains("cannot write to standard output"), "{}", ran.err);
    } else {
        eprintln!("skipped: JSON lines on a full disk, since there is no /dev/full");
    }
}
