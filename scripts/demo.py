#!/usr/bin/env python3
"""Meters a capture and shows what the Parquet files say: scripts/demo.py PROBE CAPTURE"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import duckdb

TALKERS = """
SELECT host, sum(sent) AS sent, sum(received) AS received, sum(flows) AS flows
FROM (SELECT saddr AS host, sbytes AS sent, dbytes AS received, 1 AS flows FROM flows
      UNION ALL SELECT daddr, dbytes, sbytes, 1 FROM flows)
GROUP BY host ORDER BY sum(sent) + sum(received) DESC, host LIMIT 10
"""
CONVERSATIONS = """
SELECT saddr, daddr, proto, dport, count(*) AS flows, sum(spkts + dpkts) AS packets, sum(sbytes + dbytes) AS octets,
       round(avg(nullif(rtt, 0)) / 1000, 1) AS rtt_ms
FROM flows GROUP BY ALL ORDER BY octets DESC, saddr, daddr, dport LIMIT 10
"""
PROTOCOLS = """
SELECT proto, count(*) AS flows, sum(spkts + dpkts) AS packets, sum(sbytes + dbytes) AS octets,
       string_agg(DISTINCT reason, ' ' ORDER BY reason) AS reasons
FROM flows GROUP BY proto ORDER BY octets DESC
"""
ENTROPY = """
SELECT CASE WHEN greatest(sentropy, dentropy) >= 230 THEN 'encrypted or compressed (230-255)'
            WHEN greatest(sentropy, dentropy) >= 150 THEN 'mixed (150-229)'
            WHEN greatest(sentropy, dentropy) > 0 THEN 'text and structure (1-149)' ELSE 'no payload' END AS payload,
       count(*) AS flows, sum(sbytes + dbytes) AS octets
FROM flows GROUP BY payload ORDER BY octets DESC
"""


def show(title, relation):
    """Prints a result as a plain table; numbers to the right."""
    rows = [["" if value is None else f"{value:,}" if isinstance(value, (int, float)) else str(value) for value in row]
            for row in relation.fetchall()]
    right = ["VARCHAR" not in str(kind) for kind in relation.types]
    table = [list(relation.columns)] + rows
    widths = [max(len(row[i]) for row in table) for i in range(len(right))]
    print(f"\n{title}")
    for row in table:
        print("  " + "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right)).rstrip())


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: scripts/demo.py PROBE CAPTURE")
    probe, capture = sys.argv[1:]
    folder = tempfile.mkdtemp(prefix="rockfish-demo-")
    try:
        command = [probe, "-i", capture, "--parquet-dir", folder, "--stats"]
        print("$ " + " ".join([os.path.basename(probe)] + command[1:]), flush=True)
        begin = time.monotonic()
        subprocess.run(command, check=True, timeout=300, stdin=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".parquet"))
        if not files:
            sys.exit(f"error: {folder}: no Parquet file was written")
        db = duckdb.connect()
        db.read_parquet(files).create_view("flows")
        flows, packets, octets, *times = db.sql(
            "SELECT count(*), sum(spkts + dpkts), sum(sbytes + dbytes), epoch(min(stime)), epoch(max(etime)) FROM flows"
        ).fetchall()[0]
        first, last = (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) for seconds in times)
        print(f"\n{os.path.basename(capture)}: {flows:,} flows of {packets:,} packets and {octets:,} octets, "
              f"{first} to {last}, in {seconds:.2f} s")
        print(f"{len(files)} Parquet file(s), {sum(map(os.path.getsize, files)):,} octets, "
              f"{len(db.sql('SELECT * FROM flows').columns)} columns: {os.path.basename(files[0])}")
        show("Top talkers (octets)", db.sql(TALKERS))
        show("Conversations", db.sql(CONVERSATIONS))
        show("Protocols", db.sql(PROTOCOLS))
        show("Payload by entropy", db.sql(ENTROPY))
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: rockfish_probe ended with status {error.returncode}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
