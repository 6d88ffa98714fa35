#!/usr/bin/env python3
"""The Parquet files, as DuckDB, pandas (with pyarrow) and polars read them: tests/readers.py PROBE

For captures of `tests/data/pcap`: names and types of the columns in order, the same rows and values in every reader, and
packets and octets of all flows equal to a count of the capture that is independent of the probe.
"""
import datetime
import math
import os
import subprocess
import sys
import tempfile

import duckdb
import pandas
import polars
import pyarrow.parquet

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data", "pcap")
sys.path.insert(0, HERE)
import capture_reader

# The contract of the 44 fields: what DuckDB's DESCRIBE shows, in order.
COLUMNS = """
version USMALLINT, flowid VARCHAR, obname VARCHAR, stime TIMESTAMP WITH TIME ZONE, etime TIMESTAMP WITH TIME ZONE,
dur UINTEGER, rtt UINTEGER, pcr INTEGER, proto VARCHAR, saddr VARCHAR, daddr VARCHAR, sport USMALLINT, dport USMALLINT,
iflags VARCHAR, uflags VARCHAR, stcpseq UINTEGER, dtcpseq UINTEGER, svlan USMALLINT, dvlan USMALLINT, spkts UBIGINT,
dpkts UBIGINT, sbytes UBIGINT, dbytes UBIGINT, sentropy UTINYINT, dentropy UTINYINT, ssmallpktcnt UINTEGER,
dsmallpktcnt UINTEGER, slargepktcnt UINTEGER, dlargepktcnt UINTEGER, snonemptypktcnt UINTEGER, dnonemptypktcnt UINTEGER,
sfirstnonemptycnt USMALLINT, dfirstnonemptycnt USMALLINT, smaxpktsize USMALLINT, dmaxpktsize USMALLINT,
savgpayload USMALLINT, davgpayload USMALLINT, sstdevpayload USMALLINT, dstdevpayload USMALLINT, spd VARCHAR, spdt VARCHAR,
reason VARCHAR, smac VARCHAR, dmac VARCHAR
"""
COLUMNS = [tuple(part.split(None, 1)) for part in COLUMNS.replace("\n", " ").strip().split(",")]
COLUMNS = [(name, kind.strip()) for name, kind in COLUMNS]

# All captures but these: no IP packet in them, link types that are refused, or what the independent count does not look into
# (SLL2, IP behind LLC/SNAP or in 802.1ah, headers that state no possible length).
LEFT_OUT = """
seed/ipfixprobe-arp.pcap edge/zeek-empty.pcap edge/zeek-ip4-trunc.pcap edge/zeek-ip6-trunc.pcap edge/zeek-trunc-hdr.pcap
edge/zeek-ipv4-truncated-broken-header.pcap edge/zeek-linuxsll-arp.pcap edge/zeek-vntag.pcap
edge/zeek-llc.pcap edge/zeek-nflog-http.pcap edge/zeek-radiotap.pcap
edge/mercury-sll2_tls.pcap edge/sv-decode-sll2-01.pcap edge/zeek-linux_dlt_sll2.pcap edge/zeek-pbb.pcap
edge/zeek-snap-tcp.pcap edge/zeek-ip-bogus-header-len.pcap edge/zeek-ip6-ext-trunc.pcap
""".split()


def captures():
    """The captures to read, by their path below `tests/data/pcap`."""
    return [capture for folder in ("seed", "edge") for name in sorted(os.listdir(os.path.join(DATA, folder)))
            if (capture := f"{folder}/{name}") not in LEFT_OUT]


def plain(value):
    """A value in the one form that all readers' values can be brought to."""
    if value is None or value is pandas.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (datetime.datetime, pandas.Timestamp)):
        since = value.astimezone(datetime.timezone.utc) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    return value.item() if hasattr(value, "item") else value


def rows(records):
    return [tuple(plain(value) for value in record) for record in records]


def check(probe, capture):
    """Meters one capture and reads what was written; returns (rows, faults)."""
    path = os.path.join(DATA, capture)
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([probe, "-i", path, "--parquet-dir", folder, "-q"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        if done.returncode != 0:
            return 0, [f"exit status {done.returncode}: {done.stderr.strip()}"]
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        if not files or not all(name.endswith(".parquet") for name in files):
            return 0, [f"found {[os.path.basename(f) for f in files]}, expected Parquet files alone"]

        db = duckdb.connect()
        db.read_parquet(files).create_view("flows")
        described = [(name, kind) for name, kind, *_ in db.sql("DESCRIBE flows").fetchall()]
        for found, expected in zip(described, COLUMNS):
            if found != expected:
                faults.append(f"column {found}, expected {expected}")
        if len(described) != len(COLUMNS):
            faults.append(f"{len(described)} columns, expected {len(COLUMNS)}")
        names = [name for name, _ in described]
        by_duckdb = rows(db.sql("SELECT * REPLACE (epoch_us(stime) AS stime, epoch_us(etime) AS etime) FROM flows").fetchall())

        frame = pandas.concat([pandas.read_parquet(name) for name in files])
        by_pandas = rows(frame.astype(object).itertuples(index=False, name=None))
        table = polars.concat([polars.read_parquet(name) for name in files])
        by_polars = rows(table.rows())
        arrow = sum(pyarrow.parquet.ParquetFile(name).metadata.num_rows for name in files)
        for reader, columns, found in (("pandas", list(frame.columns), by_pandas), ("polars", table.columns, by_polars)):
            if columns != names:
                faults.append(f"{reader}: columns {columns}")
            if len(found) != len(by_duckdb):
                faults.append(f"{reader}: {len(found)} rows, DuckDB {len(by_duckdb)}")
            different = next((pair for pair in zip(sorted(found, key=repr), sorted(by_duckdb, key=repr))
                              if pair[0] != pair[1]), None)
            if different:
                faults.append(f"{reader}: row {different[0]}, DuckDB {different[1]}")
        if arrow != len(by_duckdb):
            faults.append(f"metadata: {arrow} rows, DuckDB {len(by_duckdb)}")

        # Sums: every IP packet of the capture is in exactly one flow.
        packets = octets = 0
        for _, link, octets_of_frame, _ in capture_reader.packets(path):
            ip = capture_reader.ip_packet(link, octets_of_frame)
            if ip is not None:
                packets, octets = packets + 1, octets + ip.length
        sums = db.sql("SELECT sum(spkts + dpkts)::BIGINT, sum(sbytes + dbytes)::BIGINT FROM flows").fetchall()[0]
        if sums != (packets, octets):
            faults.append(f"flows have {sums[0]} packets and {sums[1]} octets, the capture {packets} and {octets}")

        # What must hold in every record.
        for rule in ("etime >= stime", "spkts > 0 OR dpkts > 0", "dur = (epoch_us(etime) - epoch_us(stime)) // 1000",
                     "pcr BETWEEN -1000 AND 1000", "snonemptypktcnt <= spkts AND dnonemptypktcnt <= dpkts",
                     "ssmallpktcnt + slargepktcnt <= snonemptypktcnt", "length(spd) <= 8",
                     "length(spd) = least(8, snonemptypktcnt + dnonemptypktcnt)",
                     "len(string_split(spdt, ',')) = greatest(1, length(spd))",
                     "reason IN ('idle', 'active', 'eof', 'end', 'rst', 'resource', 'shutdown')"):
            broken = db.sql(f"SELECT count(*) FROM flows WHERE NOT ({rule})").fetchall()[0][0]
            if broken:
                faults.append(f"{broken} rows where not {rule}")
        distinct = db.sql("SELECT count(DISTINCT flowid) FROM flows").fetchall()[0][0]
        if distinct != len(by_duckdb):
            faults.append(f"{distinct} different flowids of {len(by_duckdb)} rows")
        return len(by_duckdb), faults


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: tests/readers.py PROBE [CAPTURE...]")
    total, failed = 0, 0
    chosen = sys.argv[2:] or captures()
    for capture in chosen:
        count, faults = check(os.path.abspath(sys.argv[1]), capture)
        total += count
        failed += bool(faults)
        for fault in faults[:8]:
            print(f"{capture}: {fault}")
    print(f"DuckDB {duckdb.__version__}, pandas {pandas.__version__}, pyarrow {pyarrow.__version__} and polars "
          f"{polars.__version__} read {total:,} flows of {len(chosen)} captures; {failed} captures with faults")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
