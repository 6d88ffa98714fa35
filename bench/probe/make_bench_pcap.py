#!/usr/bin/env python3
"""Re-make the benchmark captures for rockfish_probe.  Standard library only; no network.

Reads the small real captures in tests/data/pcap/seed (see the README.md beside them for origin
and licence), splits them into flows, and writes one classic pcap that replays clones of these flows
with new addresses, client ports, MACs, VLAN tags and times (checksums corrected), mixed with
seeded synthetic traffic (DNS with unique names, SYN scans, pings, fragmented datagrams, long
TLS downloads that start with a real handshake).  Same arguments => byte-identical file.

  python3 make_bench_pcap.py --out bench.pcap                      # ~1 GB "mix" profile
  python3 make_bench_pcap.py --out b.pcap --mb 100 --flows 33000
  python3 make_bench_pcap.py --out s.pcap --profile small     # 1-3 packet flows: table stress
  python3 make_bench_pcap.py --out e.pcap --profile elephant  # few flows, big packets
  python3 make_bench_pcap.py --count bench.pcap               # independent count (JSON)

--out also writes FILE.json: an independent re-count of the written file (packets, bytes,
protocols, fragments, distinct outer bidirectional 5-tuples, flow-size quantiles, SHA-256).
"""
import argparse, glob, hashlib, json, math, os, random, struct, sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = os.path.join(HERE, "..", "..", "tests", "data", "pcap", "seed")
EPOCH = 1_760_000_000                     # capture starts here (seconds)
GAP_CAP = 8_000_000                       # longest kept gap inside a flow, microseconds
VLAN_TYPES = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")


def wsum(b):
    if len(b) & 1:
        b = b + b"\0"
    return sum(struct.unpack(">%dH" % (len(b) // 2), b))


def cksum(total):
    return 0xFFFF - total % 65535


def read_pcap(fn):
    d = open(fn, "rb").read()
    assert d[:4] == b"\xd4\xc3\xb2\xa1", fn
    o = 24
    while o + 16 <= len(d):
        s, u, cl, ol = struct.unpack_from("<IIII", d, o)
        o += 16
        if o + cl > len(d):
            break
        yield s * 1_000_000 + u, d[o:o + cl], ol
        o += cl


def dissect(f):
    """Outer headers only -> None or (l3, ver, proto, l4, src, dst, frag_id, first, last)."""
    n = len(f)
    if n < 34:
        return None
    o = 12
    while f[o:o + 2] in VLAN_TYPES and o + 6 <= n:
        o += 4
    et, o = f[o:o + 2], o + 2
    if et == b"\x08\x00":
        if n < o + 20 or f[o] >> 4 != 4 or (f[o] & 15) < 5:
            return None
        w = (f[o + 6] << 8 | f[o + 7]) & 0x3FFF
        return (o, 4, f[o + 9], o + (f[o] & 15) * 4, f[o + 12:o + 16], f[o + 16:o + 20],
                f[o + 4:o + 6] if w else None, not w & 0x1FFF, not w & 0x2000)
    if et == b"\x86\xdd":
        if n < o + 40 or f[o] >> 4 != 6:
            return None
        pr, l4, fid, first, last = f[o + 6], o + 40, None, True, True
        while pr in (0, 43, 60, 44) and l4 + 8 <= n:
            if pr == 44:
                w = f[l4 + 2] << 8 | f[l4 + 3]
                fid, first, last = f[l4 + 4:l4 + 8], not w & 0xFFF8, not w & 1
                pr, l4 = f[l4], l4 + 8
                if not first:
                    break
            else:
                pr, l4 = f[l4], l4 + (f[l4 + 1] + 1) * 8
        return o, 6, pr, l4, f[o + 8:o + 24], f[o + 24:o + 40], fid, first, last
    return None


def is_group(a):
    return a[0] >= 224 if len(a) == 4 else a[0] == 0xFF


class Pkt:                                # one template packet, cut into unchanging pieces
    __slots__ = ("dt", "dir", "mac", "a", "ipm", "b", "kind", "c", "l4m", "d", "cap", "orig")


class Tmpl:
    __slots__ = ("pk", "v6", "proto", "sport", "keepdst", "keepport", "cport", "client",
                 "server", "nbytes", "tagged", "mid")


def cut(f, orig, x, dt, direction, cport, repair=True):
    """Split frame f around the fields that a clone replaces."""
    l3, ver, proto, l4, src, dst, fid, first, _ = x
    p = Pkt()
    p.dt, p.dir, p.cap, p.orig, p.mac = dt, direction, len(f), max(orig, len(f)), f[:12]
    tail = l3 + (20 if ver == 4 else 40)
    p.a = f[12:l3 + (10 if ver == 4 else 8)]
    addr = wsum(src) + wsum(dst)
    p.ipm = None
    if ver == 4:
        p.ipm = (0xFFFF - (f[l3 + 10] << 8 | f[l3 + 11]) - addr) % 65535
    p.kind, p.l4m, p.c, p.d = 0, 0, b"", b""
    ck = {6: 16, 17: 6, 58: 2}.get(proto)
    if first and ck is not None and len(f) >= l4 + ck + 2:
        c0 = f[l4 + ck] << 8 | f[l4 + ck + 1]
        end = l3 + ((f[l3 + 2] << 8 | f[l3 + 3]) if ver == 4 else 40 + (f[l3 + 4] << 8 | f[l3 + 5]))
        if repair and fid is None and l4 < end <= len(f) and (c0 or proto != 17):   # repair offloaded checksums
            c0 = cksum(addr + proto + end - l4 + wsum(f[l4:l4 + ck] + f[l4 + ck + 2:end]))
        if proto == 58:
            p.kind, p.b, p.c = 2, f[tail:l4], f[l4:l4 + ck]
            p.l4m = (0xFFFF - c0 - addr) % 65535
        else:
            sport, dport = struct.unpack_from(">HH", f, l4)
            p.kind, p.b, p.c = 1, f[tail:l4], f[l4 + 4:l4 + ck]
            p.l4m = None if (proto == 17 and c0 == 0) else (0xFFFF - c0 - addr - cport) % 65535
        p.d = f[l4 + ck + 2:]
    else:
        p.b = f[tail:]
    return p


def finish(t):
    t.nbytes = sum(p.cap + 16 for p in t.pk)
    return t


def load_templates(seed_dir):
    """-> (list of flow templates, list of non-IP frames)"""
    flows, order, other = {}, [], []
    for fn in sorted(glob.glob(os.path.join(seed_dir, "*.pcap"))):
        frags = {}
        for ts, f, orig in read_pcap(fn):
            x = dissect(f)
            if x is None:
                if len(f) >= 42 and len(other) < 400:
                    other.append(f)
                continue
            l3, ver, proto, l4, src, dst, fid, first, _ = x
            sp = dp = 0
            if first and proto in (6, 17) and len(f) >= l4 + 8:
                sp, dp = struct.unpack_from(">HH", f, l4)
            if fid is not None:
                fk = (src, dst, fid)
                if first:
                    frags[fk] = (proto, sp, dp)
                elif fk in frags:
                    proto, sp, dp = frags[fk]
                else:
                    continue
            e1, e2 = (src, sp), (dst, dp)
            key = (fn, proto) + ((e1, e2) if e1 <= e2 else (e2, e1))
            t = flows.get(key)
            if t is None or ts - t[1] > 120_000_000 or ts < t[1] - 1_000_000 or len(t[2]) >= 4000:
                t = flows[key] = [e1, ts, []]
                order.append((key, t))
            t[2].append((ts, f, orig, (l3, ver, proto, l4, src, dst, fid, first, None), e1 == t[0]))
            t[1] = max(t[1], ts)
    out = []
    for key, (client, _, raw) in order:
        t = Tmpl()
        x0 = raw[0][3]
        t.v6, t.proto, t.client, t.server = x0[1] == 6, x0[2], x0[4], x0[5]
        t.cport = client[1]
        other_end = key[2] if key[3] == client else key[3]
        t.sport = other_end[1]
        t.keepdst, t.keepport = is_group(t.server) or is_group(t.client), t.cport < 1024
        t.tagged = raw[0][1][12:14] in VLAN_TYPES
        t.mid, t.pk, prev = None, [], raw[0][0]
        for ts, f, orig, x, fwd in raw:
            dt = min(max(ts - prev, 0), GAP_CAP)
            prev = max(prev, ts)
            t.pk.append(cut(f, orig, x, dt, 0 if fwd else 1, t.cport))
        out.append(finish(t))
    return out, other


# ---------------------------------------------------------------- synthetic frames
def ip_frame(src, dst, proto, payload, ident, mac, ttl=64, l4ck=None):
    """Ethernet + IPv4/IPv6 + payload; fills the transport checksum at offset l4ck."""
    if l4ck is not None:
        t = wsum(src) + wsum(dst) + proto + len(payload) + wsum(payload)
        payload = payload[:l4ck] + struct.pack(">H", cksum(t)) + payload[l4ck + 2:]
    if len(src) == 4:
        h = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, 0x4000, ttl, proto, 0)
        h += src + dst
        h = h[:10] + struct.pack(">H", cksum(wsum(h))) + h[12:]
        return mac + b"\x08\x00" + h + payload
    h = struct.pack(">IHBB", 0x60000000 | ident, len(payload), proto, ttl) + src + dst
    return mac + b"\x86\xdd" + h + payload


def udp(sp, dp, data):
    return struct.pack(">HHHH", sp, dp, 8 + len(data), 0) + data


def tcp(sp, dp, seq, ack, flags, data=b"", opts=b"", win=64240):
    return struct.pack(">HHIIBBHHH", sp, dp, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                       (20 + len(opts)) // 4 << 4, flags, win, 0, 0) + opts + data


SYLL = ["ba", "co", "de", "fi", "go", "hu", "jo", "ka", "lu", "mi", "no", "pa", "qu", "ri", "so",
        "te", "va", "wi", "xa", "zo"]


class Gen:
    def __init__(self, a):
        self.a, self.r = a, random.Random(a.seed)
        self.win = int(a.seconds * 1e6)
        self.events, self.clones, self.used, self.nbytes, self.npk = [], [], set(), 24, 0
        self.internal, self.external = [], []
        for i in range(12000):
            v4 = bytes((10, i >> 11 & 31, i >> 3 & 255, 1 + (i & 7) * 31))
            v6 = bytes.fromhex("fd00000a") + struct.pack(">HH", i >> 6, 0) + self.rb(8)
            self.internal.append((v4, v6, b"\x02\x00\x0a" + struct.pack(">I", i)[1:]))
        for i in range(40000):
            while True:
                v4 = self.rb(4)
                if 1 <= v4[0] < 224 and v4[0] not in (10, 127, 0, 100, 169, 172, 192, 198):
                    break
            self.external.append((v4, bytes.fromhex("20010db8") + self.rb(4) + b"\0" * 6 + self.rb(2)))
        self.gw = [b"\x02\x00\x0b\x00\x00" + bytes((i,)) for i in range(4)]
        self.domains = [self.word(2, 4) + "." + ("com", "net", "org", "io", "example")[self.ri(5)]
                        for _ in range(3000)]

    def ri(self, n):
        return int(self.r.random() * n)

    def rb(self, n):
        return self.r.getrandbits(8 * n).to_bytes(n, "big")

    def word(self, lo, hi):
        return "".join(SYLL[self.ri(20)] for _ in range(lo + self.ri(hi - lo + 1)))

    def ends(self, v6):
        u = self.r.random
        c = self.internal[int(len(self.internal) * u() ** 1.6)]
        if u() < 0.18:                                   # east-west
            s = self.internal[int(len(self.internal) * u() ** 3)]
        else:
            s = self.external[int(len(self.external) * u() ** 3)]
        return (c[1], s[1], c[2]) if v6 else (c[0], s[0], c[2])

    def tag(self):
        u = self.r.random()
        if u < 0.12:
            return b"\x81\x00" + struct.pack(">H", 10 + self.ri(40) * 5)
        if u < 0.135:
            return (b"\x88\xa8" + struct.pack(">H", 100 + self.ri(4)) + b"\x81\x00"
                    + struct.pack(">H", 10 + self.ri(200)))
        return b""

    def at(self):
        """Start time: a slow ramp plus some synchronised bursts."""
        u = self.r.random()
        if u < 0.1:
            return int((self.ri(30) / 30 + self.r.random() * 0.0004) * self.win)
        return int(self.r.random() ** 0.85 * self.win)

    def add(self, obj, times, sizes):
        cid = len(self.clones)
        n = 0
        for i, t in enumerate(times):
            if t < self.win:
                self.events.append((t << 44) | (cid << 20) | i)
                self.nbytes += sizes[i] + 16
                n += 1
        self.npk += n
        self.clones.append(obj)

    def clone(self, t, start=None, squeeze=None):
        while True:
            a, b, mac = self.ends(t.v6)
            if t.keepdst:
                b = t.server
                if is_group(t.client):
                    a, b = t.client, a
            cport = t.cport if t.keepport or t.proto not in (6, 17) else 1024 + self.ri(64000)
            k = (a, b, cport, t.sport, t.proto)
            if k not in self.used:
                break
            if t.keepport and t.keepdst:
                return
        self.used.add(k)
        vl = b"" if t.tagged else self.tag()
        speed = 0.4 + self.r.random() * 1.6
        start = self.at() if start is None else start
        if squeeze:
            speed *= squeeze
        times, sizes, now = [], [], start
        for p in t.pk:
            now += int(p.dt * speed) + 1
            times.append(now)
            sizes.append(p.cap + len(vl))
        self.add((t, a, b, wsum(a) + wsum(b), cport, vl, mac, self.gw[self.ri(4)]), times, sizes)

    def raw(self, frames, times):
        """frames already built; adds the VLAN tag"""
        vl = self.tag()
        if vl:
            frames = [f[:12] + vl + f[12:] for f in frames]
        self.add(frames, times, [len(f) for f in frames])

    def macs(self, mac):
        g = self.gw[self.ri(4)]
        return g + mac, mac + g

    def dns(self):
        v6 = self.r.random() < 0.3
        a, b, mac = self.ends(v6)
        up, down = self.macs(mac)
        sp, tid = 1024 + self.ri(64000), self.rb(2)
        self.used.add((a, b, sp, 53, 17))
        u = self.r.random()
        name = self.domains[int(3000 * self.r.random() ** 2)]
        if u < 0.03:                                     # long random labels (tunnel-like)
            name = self.rb(14).hex() + "." + self.rb(10).hex() + "." + name
        elif u < 0.75:
            name = self.word(1, 3) + str(self.ri(1000)) + "." + name
        q = b"".join(bytes((len(x),)) + x.encode() for x in name.split(".")) + b"\0"
        qt = (1, 28, 65, 16, 15, 12)[int(6 * self.r.random() ** 2)]
        q += struct.pack(">HH", qt, 1)
        req = tid + b"\x01\x00\0\1\0\0\0\0\0\1" + q + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
        f = [ip_frame(a, b, 17, udp(sp, 53, req), self.ri(65536), up, l4ck=6)]
        t = [self.at()]
        if self.r.random() < 0.02:
            f.append(f[0])
            t.append(t[0] + 1_000_000)
        if self.r.random() < 0.96:
            if self.r.random() < 0.12:
                res = tid + b"\x81\x83\0\1\0\0\0\0\0\0" + q
            else:
                n = 1 + self.ri(4)
                res = tid + b"\x81\x80\0\1" + struct.pack(">H", n) + b"\0\0\0\0" + q
                for _ in range(n):
                    rd = {1: b"", 28: b"", 65: b"\0\1\0\0\1\0\3\2h2", 16: b"\x20v=spf1 include:_spf.example -all",
                          15: b"\0\x0a\xc0\x0c", 12: b"\xc0\x0c"}[qt] or self.rb(4 if qt == 1 else 16)
                    res += b"\xc0\x0c" + struct.pack(">HHIH", qt, 1, 300, len(rd)) + rd
            f.append(ip_frame(b, a, 17, udp(53, sp, res), self.ri(65536), down, l4ck=6))
            t.append(t[-1] + 300 + int(self.r.expovariate(1 / 15000)))
        self.raw(f, t)

    def scan(self, state=[None, 0, 0]):
        if state[0] is None or state[1] <= 0:            # new scanner, horizontal or vertical
            state[0] = (self.external[self.ri(40000)], self.at(), self.r.random() < 0.5,
                        self.internal[self.ri(12000)], self.ri(1000), (22, 23, 80, 443, 445, 3389, 8080)[self.ri(7)])
            state[1] = 20 + self.ri(600)
            state[2] = 0
        src, t0, vertical, victim, base, port = state[0]
        state[1] -= 1
        state[2] += 1
        v = victim if vertical else self.internal[(base + state[2]) % 12000]
        dp = 1 + (base + state[2] * 7) % 10000 if vertical else port
        sp = 30000 + self.ri(30000)
        up, down = self.macs(v[2])
        seq = self.r.getrandbits(32)
        self.used.add((src[0], v[0], sp, dp, 6))
        f = [ip_frame(src[0], v[0], 6, tcp(sp, dp, seq, 0, 2, opts=b"\x02\x04\x05\xb4"), self.ri(65536), down, 44, 16)]
        t = [t0 + state[2] * 1500]
        if self.r.random() < 0.4:
            f.append(ip_frame(v[0], src[0], 6, tcp(dp, sp, 0, seq + 1, 0x14, win=0), 0, up, 64, 16))
            t.append(t[0] + 150)
        self.raw(f, t)

    def ping(self):
        v6 = self.r.random() < 0.3
        a, b, mac = self.ends(v6)
        up, down = self.macs(mac)
        ident, data, f, t, now = self.rb(2), bytes(range(16, 64)), [], [], self.at()
        for i in range(1 + self.ri(6)):
            for d in (0, 1):
                ty = (8, 0)[d] if not v6 else (128, 129)[d]
                body = bytes((ty, 0, 0, 0)) + ident + struct.pack(">H", i) + struct.pack(">Q", now) + data
                if not v6:
                    body = body[:2] + struct.pack(">H", cksum(wsum(body))) + body[4:]
                s, e = (a, b) if d == 0 else (b, a)
                f.append(ip_frame(s, e, 58 if v6 else 1, body, self.ri(65536), (up, down)[d],
                                  l4ck=2 if v6 else None))
                t.append(now + d * 9000)
            now += 1_000_000
        self.raw(f, t)

    def fragmented(self):
        """UDP answer of 2-5 kB in IPv4/IPv6 fragments; some out of order, some incomplete."""
        v6 = self.r.random() < 0.4
        a, b, mac = self.ends(v6)
        up, down = self.macs(mac)
        sp = 1024 + self.ri(64000)
        self.used.add((a, b, sp, 53, 17))
        f = [ip_frame(a, b, 17, udp(sp, 53, self.rb(2) + b"\x01\0\0\1" + b"\0" * 6 + b"\x03big\x07example\0\0\xff\0\1"),
                      self.ri(65536), up, l4ck=6)]
        d = udp(53, sp, self.rb(1200 + self.ri(3000)))
        ck = cksum(wsum(a) + wsum(b) + 17 + len(d) + wsum(d))
        d = d[:6] + struct.pack(">H", ck) + d[8:]
        ident, parts = self.ri(65536), []
        for o in range(0, len(d), 1232):
            more, part = o + 1232 < len(d), d[o:o + 1232]
            if v6:
                fh = struct.pack(">BBHI", 17, 0, o | more, ident)
                parts.append(ip_frame(b, a, 44, fh + part, 0, down))
            else:
                h = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(part), ident, (0x2000 if more else 0) | o // 8, 60, 17, 0) + b + a
                h = h[:10] + struct.pack(">H", cksum(wsum(h))) + h[12:]
                parts.append(down + b"\x08\x00" + h + part)
        u = self.r.random()
        if u < 0.1:
            parts.reverse()
        elif u < 0.15:
            parts.pop()
        f += parts
        t0 = self.at()
        self.raw(f, [t0] + [t0 + 12000 + i * 40 for i in range(len(parts))])

    def bulk_templates(self, tls, count):
        """Real TLS handshake, then a long synthetic transfer with ACKs, then FIN."""
        pool = [self.rb(1460) for _ in range(256)]
        sums = [wsum(x) for x in pool]
        out = []
        base = [t for t in tls if 7 <= len(t.pk) <= 60 and not t.tagged]
        for i in range(count):
            src = base[self.ri(len(base))]
            segs = min(int(40 * (1 - (i + .5) / count) ** -1.3), 24000)      # heavy tail
            t = Tmpl()
            for s in ("v6", "proto", "sport", "keepdst", "keepport", "cport", "client", "server", "tagged"):
                setattr(t, s, getattr(src, s))
            seq = [0, 0]
            keep = []
            for p in src.pk:
                if p.kind != 1:
                    continue
                tc = p.c                                 # tcp header bytes 4..16
                fl = tc[9]
                if fl & 5:                               # drop FIN/RST of the original
                    continue
                hl = (tc[8] >> 4) * 4
                ln = len(p.d) - (hl - 18)
                iplen = struct.unpack(">H", p.a[-8:-6])[0] - 20 if not t.v6 else struct.unpack(">H", p.a[-4:-2])[0]
                ln = max(min(ln, iplen - hl), 0)
                seq[p.dir] = (struct.unpack(">I", tc[:4])[0] + ln + (1 if fl & 2 else 0)) & 0xFFFFFFFF
                keep.append(p)
            up_heavy = self.r.random() < 0.15
            s_dir = 0 if up_heavy else 1
            c_ip, s_ip = src.client, src.server
            pace = int(60 + self.r.expovariate(1 / 4000))
            t.pk = keep

            def mk(direction, flags, pi, dt):
                sp, dp = (t.cport, t.sport) if direction == 0 else (t.sport, t.cport)
                s, e = (c_ip, s_ip) if direction == 0 else (s_ip, c_ip)
                data = b"" if pi is None else pool[pi]
                h = tcp(sp, dp, seq[direction], seq[1 - direction], flags)
                tot = wsum(s) + wsum(e) + 6 + len(h) + len(data) + wsum(h) + (0 if pi is None else sums[pi])
                fr = ip_frame(s, e, 6, h[:16] + struct.pack(">H", cksum(tot)) + h[18:], 0, b"\0" * 12)
                x = dissect(fr)
                p = cut(fr, len(fr), x, dt, direction, t.cport, repair=False)
                if data:                                 # add payload without copying it per packet
                    extra = len(data)
                    if not t.v6:
                        old = struct.unpack(">H", p.a[-8:-6])[0]
                        p.a = p.a[:-8] + struct.pack(">H", old + extra) + p.a[-6:]
                        p.ipm = (p.ipm + extra) % 65535
                    else:
                        old = struct.unpack(">H", p.a[-4:-2])[0]
                        p.a = p.a[:-4] + struct.pack(">H", old + extra) + p.a[-2:]
                    p.d = (p.d, data)
                    p.cap += extra
                    p.orig += extra
                seq[direction] = (seq[direction] + len(data)) & 0xFFFFFFFF
                t.pk.append(p)

            for k in range(segs):
                mk(s_dir, 0x10, self.ri(256), pace if k % 8 == 0 else 12)
                if k % 2:
                    mk(1 - s_dir, 0x10, None, 30)
            mk(s_dir, 0x11, None, 100)
            seq[s_dir] += 1
            mk(1 - s_dir, 0x11, None, 200)
            seq[1 - s_dir] += 1
            mk(s_dir, 0x10, None, 100)
            out.append(finish(t))
        return out

    def write(self, path):
        ev = sorted(self.events)
        self.events = None
        clones, pack, out, size = self.clones, struct.pack, [], 0
        with open(path, "wb") as fh:
            fh.write(pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            m20, m24 = (1 << 20) - 1, (1 << 24) - 1
            for e in ev:
                ts, c = e >> 44, clones[e >> 20 & m24]
                if type(c) is list:
                    f = c[e & m20]
                    out.append(pack("<IIII", EPOCH + ts // 1000000, ts % 1000000, len(f), len(f)))
                    out.append(f)
                    size += len(f)
                else:
                    t, a, b, s, cport, vl, mac, gw = c
                    p = t.pk[e & m20]
                    n = len(vl)
                    out.append(pack("<IIII", EPOCH + ts // 1000000, ts % 1000000, p.cap + n, p.orig + n))
                    if p.mac[0] & 1:
                        out.append(p.mac)
                    else:
                        out.append(gw + mac if p.dir == 0 else mac + gw)
                    if n:
                        out.append(vl)
                    out.append(p.a)
                    if p.ipm is not None:
                        out.append(pack(">H", 0xFFFF - (p.ipm + s) % 65535))
                    out.append(a + b if p.dir == 0 else b + a)
                    out.append(p.b)
                    if p.kind == 1:
                        out.append(pack(">HH", cport, t.sport) if p.dir == 0 else pack(">HH", t.sport, cport))
                        out.append(p.c)
                        out.append(b"\0\0" if p.l4m is None else pack(">H", 0xFFFF - (p.l4m + s + cport) % 65535))
                        if type(p.d) is tuple:
                            out.extend(p.d)
                        else:
                            out.append(p.d)
                    elif p.kind == 2:
                        out.append(p.c)
                        out.append(pack(">H", 0xFFFF - (p.l4m + s) % 65535))
                        out.append(p.d)
                    size += p.cap
                if size > 1 << 22:
                    fh.write(b"".join(out))
                    out, size = [], 0
            fh.write(b"".join(out))


def classify(t):
    sp = t.sport if t.proto in (6, 17) else 0
    if t.proto == 17:
        return "dns" if sp == 53 else "quic" if sp == 443 else "tunnel" if sp in (6081, 4789, 2152) else "udp"
    if t.proto == 6:
        return "tls" if sp in (443, 8443, 993, 995, 4433) else "http" if sp in (80, 8080, 8000) else "tcp"
    return "icmp" if t.proto in (1, 58) else "tunnel"


MIX = [("sdns", .34), ("dns", .04), ("tls", .24), ("quic", .08), ("http", .05), ("scan", .09), ("udp", .06),
       ("ping", .025), ("icmp", .005), ("tcp", .05), ("tunnel", .008), ("frag", .012)]


def build(a):
    g = Gen(a)
    tmpl, other = load_templates(a.seed_dir)
    cls = {}
    for t in tmpl:
        cls.setdefault(classify(t), []).append(t)
    small = {k: [t for t in v if len(t.pk) <= 80] or v for k, v in cls.items()}
    big = [t for t in tmpl if len(t.pk) > 80 and t.proto in (6, 17)]
    if a.profile == "small":
        mix = [("sdns", .45), ("scan", .40), ("ping1", .05), ("dns", .05), ("udp1", .05)]
    elif a.profile == "elephant":
        mix = [("sdns", .3), ("tls", .5), ("quic", .2)]
        a.flows = min(a.flows, 4000)
    else:
        mix = MIX
    small["udp1"] = [t for t in small["udp"] if len(t.pk) <= 3]
    small["ping1"] = [t for t in small["icmp"] if len(t.pk) <= 4] or small["icmp"]
    synth = {"sdns": g.dns, "scan": g.scan, "ping": g.ping, "frag": g.fragmented}
    for name, share in mix:
        for _ in range(int(a.flows * share)):
            if name in synth:
                synth[name]()
            else:
                g.clone(small[name][g.ri(len(small[name]))])
    for _ in range(0 if a.profile == "small" else a.flows // 60):
        f = other[g.ri(len(other))]
        g.add([f], [g.at()], [len(f)])
    if a.profile != "small":
        bulk = g.bulk_templates(cls["tls"], 64)
        target, guard = a.mb * 1_000_000, 0
        while g.nbytes < target and guard < 200000:
            guard += 1
            t = big[g.ri(len(big))] if g.r.random() < .35 else bulk[g.ri(len(bulk))]
            if t.nbytes > max(target - g.nbytes, 300_000) * 1.5:
                continue
            g.clone(t, start=int(g.r.random() * g.win * 0.8))
    g.write(a.out)


def count(path):
    """Independent count: outer headers, VLAN ignored, non-first fragments keyed by their first one."""
    c, flows, frags, size, h = Counter(), Counter(), {}, Counter(), hashlib.sha256()
    fh = open(path, "rb", buffering=1 << 20)
    hd = fh.read(24)
    h.update(hd)
    first = last = None
    while True:
        rh = fh.read(16)
        if len(rh) < 16:
            break
        s, u, cl, ol = struct.unpack("<IIII", rh)
        f = fh.read(cl)
        h.update(rh)
        h.update(f)
        ts = s * 1_000_000 + u
        first = ts if first is None else first
        last = ts
        c["packets"] += 1
        c["captured_bytes"] += cl
        c["wire_bytes"] += ol
        size["<=64" if ol <= 64 else "<=128" if ol <= 128 else "<=256" if ol <= 256 else "<=512" if ol <= 512
             else "<=1024" if ol <= 1024 else "<=1518" if ol <= 1518 else ">1518"] += 1
        if f[12:14] in VLAN_TYPES:
            c["vlan_packets"] += 1
            c["qinq_packets"] += f[16:18] in VLAN_TYPES
        x = dissect(f)
        if x is None:
            c["other_packets"] += 1
            continue
        l3, ver, proto, l4, src, dst, fid, first_frag, _ = x
        c["ipv%d_packets" % ver] += 1
        sp = dp = 0
        if first_frag and proto in (6, 17, 132) and len(f) >= l4 + 4:
            sp, dp = struct.unpack_from(">HH", f, l4)
        if fid is not None:
            c["fragment_packets"] += 1
            if first_frag:
                frags[(src, dst, fid)] = (proto, sp, dp)
            else:
                proto, sp, dp = frags.get((src, dst, fid), (proto, 0, 0))
        c[{6: "tcp", 17: "udp", 1: "icmp", 58: "icmp6", 47: "gre", 132: "sctp"}.get(proto, "other_ip") + "_packets"] += 1
        e1, e2 = src + struct.pack(">H", sp), dst + struct.pack(">H", dp)
        flows[(proto, e1, e2) if e1 <= e2 else (proto, e2, e1)] += 1
    v = sorted(flows.values())
    q = {k: v[min(int(len(v) * p), len(v) - 1)] for k, p in
         (("p10", .1), ("p50", .5), ("p90", .9), ("p99", .99), ("p999", .999), ("max", 1))} if v else {}
    return dict(sorted(c.items()), distinct_biflow_5tuples=len(flows), packets_per_flow=q, packet_sizes=dict(size),
                seconds=round((last - first) / 1e6, 3) if c["packets"] else 0, file_bytes=os.path.getsize(path),
                sha256=h.hexdigest())


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out")
    ap.add_argument("--count")
    ap.add_argument("--profile", choices=("mix", "small", "elephant"), default="mix")
    ap.add_argument("--mb", type=int, default=1000, help="target file size (mix, elephant)")
    ap.add_argument("--flows", type=int, default=330000, help="number of small flows")
    ap.add_argument("--seconds", type=float, default=900, help="time window of the capture")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--seed-dir", default=SEEDS)
    ap.add_argument("--no-count", action="store_true", help="do not re-count the written file")
    a = ap.parse_args()
    if a.count:
        print(json.dumps(count(a.count), indent=1))
        return
    if not a.out:
        ap.error("--out or --count")
    build(a)
    if not a.no_count:
        m = {"profile": a.profile, "seed": a.seed, "mb": a.mb, "flows_asked": a.flows, **count(a.out)}
        with open(a.out + ".json", "w") as fh:
            json.dump(m, fh, indent=1)
        print(json.dumps(m, indent=1))


if __name__ == "__main__":
    main()
