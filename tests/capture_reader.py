"""Reads capture files and IP headers, for tests: written apart from the probe, so that it can be held against it.

Slow and plain on purpose. Standard library only.
"""
import gzip
import struct

VLAN = (0x8100, 0x88A8, 0x9100)
IPV4, IPV6 = 0x0800, 0x86DD


def packets(path):
    """Yields (time in ns, link type, octets, octets on the wire) of a pcap or pcapng file, plain or gzip."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng(data)
    elif len(data) >= 24:
        yield from _pcap(data)


def _pcap(data):
    order, unit = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
                   b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}[data[:4]]
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured, wire = struct.unpack_from(order + "IIII", data, at)
        at += 16
        if at + captured > len(data):
            return
        yield seconds * 10**9 + fraction * unit, link, data[at:at + captured], wire
        at += captured


def _pcapng(data):
    at, order, interfaces = 0, "<", []
    while at + 12 <= len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or at + length > len(data):
            return
        body = data[at + 8:at + length - 4]
        if kind == 1:
            ticks, option = 10**6, 8
            while option + 4 <= len(body):
                code, size = struct.unpack_from(order + "HH", body, option)
                if code == 0:
                    break
                if code == 9:
                    exponent = body[option + 4]
                    ticks = 2 ** (exponent & 127) if exponent & 128 else 10**exponent
                option += 4 + (size + 3) // 4 * 4
            interfaces.append((struct.unpack_from(order + "H", body, 0)[0], ticks))
        elif kind == 6:
            interface, high, low, captured, wire = struct.unpack_from(order + "IIIII", body, 0)
            link, ticks = interfaces[interface]
            yield (high << 32 | low) * 10**9 // ticks, link, body[20:20 + captured], wire
        at += length


class Ip:
    """An IP packet in a frame. `start`, `transport` and `end` are offsets in it; `end` may lie beyond what was captured.

    `fragment` is None, or (identification, offset in octets, whether more follow). `proto` is the last header's number.
    """
    __slots__ = ("version", "source", "destination", "proto", "length", "vlans", "macs", "start", "transport", "end",
                 "fragment", "frame")


def ip_packet(link, frame):
    """The outer IP packet of a frame, or None if there is none whose headers are whole."""
    size = len(frame)
    ip = Ip()
    ip.vlans, ip.macs, ip.fragment, ip.frame = [], None, None, frame
    if link == 1:
        if size < 14:
            return None
        ip.macs, kind, at = (frame[6:12], frame[:6]), frame[12] << 8 | frame[13], 14
        while True:
            if kind in VLAN:
                if at + 4 > size:
                    return None
                ip.vlans.append((frame[at] << 8 | frame[at + 1]) & 0xFFF)
                kind, at = frame[at + 2] << 8 | frame[at + 3], at + 4
            elif kind in (0x8847, 0x8848):
                bottom = 0
                while not bottom:
                    if at + 4 > size:
                        return None
                    bottom, at = frame[at + 2] & 1, at + 4
                kind = _by_version(frame, at)
            elif kind == 0x8864:
                if at + 8 > size:
                    return None
                kind = {0x0021: IPV4, 0x0057: IPV6}.get(frame[at + 6] << 8 | frame[at + 7])
                at += 8
            else:
                break
    elif link in (12, 14, 101, 228, 229):
        kind, at = _by_version(frame, 0), 0
    elif link == 0 and size >= 4:
        family = min(struct.unpack_from("<I", frame)[0], struct.unpack_from(">I", frame)[0])
        kind, at = IPV4 if family == 2 else IPV6, 4
    elif link == 113 and size >= 16:
        kind, at = frame[14] << 8 | frame[15], 16
    else:
        return None
    ip.start = at
    if kind == IPV4:
        return _ipv4(ip, frame, at)
    if kind == IPV6:
        return _ipv6(ip, frame, at)
    return None


def _by_version(frame, at):
    return {4: IPV4, 6: IPV6}.get(frame[at] >> 4) if at < len(frame) else None


def _ipv4(ip, frame, at):
    if at + 20 > len(frame) or frame[at] >> 4 != 4:
        return None
    header = (frame[at] & 15) * 4
    if header < 20 or at + header > len(frame):
        return None
    ip.version, ip.proto, ip.length = 4, frame[at + 9], frame[at + 2] << 8 | frame[at + 3]
    ip.source, ip.destination = frame[at + 12:at + 16], frame[at + 16:at + 20]
    word = frame[at + 6] << 8 | frame[at + 7]
    if word & 0x3FFF:
        ip.fragment = frame[at + 4:at + 6], (word & 0x1FFF) * 8, bool(word & 0x2000)
    ip.transport, ip.end = at + header, at + ip.length
    return ip


def _ipv6(ip, frame, at):
    if at + 40 > len(frame) or frame[at] >> 4 != 6:
        return None
    ip.version, ip.length = 6, 40 + (frame[at + 4] << 8 | frame[at + 5])
    ip.source, ip.destination = frame[at + 8:at + 24], frame[at + 24:at + 40]
    ip.end = at + ip.length
    kind, at = frame[at + 6], at + 40
    while kind in (0, 43, 44, 60):
        if at + 8 > len(frame):
            return None
        if kind == 44:
            word = frame[at + 2] << 8 | frame[at + 3]
            kind, at, identification = frame[at], at + 8, frame[at + 4:at + 8]
            if word & 0xFFF9:
                ip.fragment = identification, word & 0xFFF8, bool(word & 1)
                break
        else:
            kind, at = frame[at], at + (frame[at + 1] + 1) * 8
    ip.proto, ip.transport = kind, at
    return ip
