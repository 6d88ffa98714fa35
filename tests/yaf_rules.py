#!/usr/bin/env python3
"""Makes YAF's table of flow records again, by the rules that explain it.

tests/data/pcap/expected/yaf-2.16.4-flows.csv.gz is what YAF wrote. Where our records differ from it, the golden test names
a rule of YAF's as the cause. This program shows that these are its rules: an independent meter that follows them makes the
same records of the captures, every field of them (see `tests/data/pcap/README.md` for what is left).

Standard library only; no argument. Exit status 1 if the share or any number of differences is not what is known.
"""
import collections
import csv
import datetime
import gzip
import ipaddress
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import capture_reader

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "pcap")
TABLE = os.path.join(DATA, "expected", "yaf-2.16.4-flows.csv.gz")
TCP, UDP, ICMP = 6, 17, (1, 58)
IDLE_MS, ACTIVE_MS, MAX_PAYLOAD, FRAME_START = 300_000, 1_800_000, 500, 554
FIN, SYN, RST, ACK = 1, 2, 4, 16

# What the rules do not explain, by field: datagrams that YAF leaves out or fills, see the README beside the captures.
KNOWN = {"dataByteCount": 3, "firstEightNonEmptyPacketDirections": 1, "firstNonEmptyPacketSize": 3,
         "flowEndMilliseconds": 1, "maxPacketSize": 3, "missing": 2, "nonEmptyPacketCount": 2, "payloadEntropy": 5,
         "reverseDataByteCount": 1, "reverseFirstNonEmptyPacketSize": 1, "reverseFlowDeltaMilliseconds": 1, "reverseLargePacketCount": 1,
         "reverseMaxPacketSize": 1, "reverseNonEmptyPacketCount": 1, "reverseOctetTotalCount": 1,
         "reversePacketTotalCount": 1, "reversePayloadEntropy": 3, "smallPacketCount": 2}


class Direction:
    def __init__(self):
        self.packets = self.octets = 0
        self.sequence = self.initial = self.vlan = None
        self.union = 0
        self.sizes, self.payload = [], []

    def columns(self, proto):
        """The columns of this direction, without prefix."""
        nonempty = [size for size in self.sizes if size]
        deviation = 0
        if len(nonempty) > 1:
            # The first ten around the whole mean of all.
            mean, ten = sum(nonempty) // len(nonempty), nonempty[:10]
            deviation = int(math.sqrt(sum((size - mean) ** 2 for size in ten) / len(ten)))
        row = {"packetTotalCount": self.packets, "octetTotalCount": self.octets, "dataByteCount": sum(nonempty),
               "smallPacketCount": sum(size < 60 for size in nonempty),
               "largePacketCount": sum(size > 225 for size in nonempty), "nonEmptyPacketCount": len(nonempty),
               "firstNonEmptyPacketSize": nonempty[0] if nonempty else 0, "maxPacketSize": max(nonempty, default=0),
               "standardDeviationPayloadLength": deviation, "payloadEntropy": self.entropy(proto)}
        if proto == TCP and self.packets:
            row.update(tcpSequenceNumber=self.sequence, initialTCPFlags=self.initial, unionTCPFlags=self.union)
        return row

    def entropy(self, proto):
        octets = b""
        if proto == UDP and self.payload:
            octets = self.payload[0][1][:MAX_PAYLOAD]
        elif proto == TCP and self.packets and self.initial & SYN:
            place, end = bytearray(MAX_PAYLOAD), 0
            for offset, part in self.payload:
                if offset < MAX_PAYLOAD:
                    stop = min(MAX_PAYLOAD, offset + len(part))
                    place[offset:stop] = part[:stop - offset]
                    end = max(end, stop)
            octets = bytes(place[:end])
        counts = collections.Counter(octets).values()
        bits = -sum(count / len(octets) * math.log2(count / len(octets)) for count in counts)
        return min(255, int(bits * 32))


class Flow:
    def __init__(self, key, time_ns, macs):
        self.key, self.macs, self.first_ns = key, macs, time_ns
        self.start = self.end = time_ns // 10**6
        self.forward, self.reverse = Direction(), Direction()
        self.directions = self.nonempty = self.state = self.reason = self.delta = 0

    def add(self, packet, backwards):
        side = self.reverse if backwards else self.forward
        if backwards and not side.packets:
            self.delta = (packet.time // 1000 - self.first_ns // 1000) // 1000
        side.packets += 1
        side.octets += packet.octets
        side.vlan = packet.key[6] if side.vlan is None else side.vlan
        self.end = packet.time // 10**6
        offset = 0
        if packet.flags is not None:
            if side.sequence is None:
                side.sequence, side.initial = packet.sequence, packet.flags
            elif packet.sequence <= side.sequence:
                # A packet that is not after the first one takes its place.
                side.union |= side.initial
                side.sequence, side.initial = packet.sequence, packet.flags
            else:
                side.union |= packet.flags
            ours, theirs, acked = (2, 1, 8) if backwards else (1, 2, 4)
            self.state |= ours if packet.flags & FIN else 0
            self.state |= acked if self.state & theirs and packet.flags & ACK else 0
            self.state |= 16 if packet.flags & RST else 0
            offset = packet.sequence - side.sequence - (1 if side.initial & SYN else 0) & 0xFFFFFFFF
        side.sizes.append(packet.size)
        if packet.size:
            side.payload.append((offset, packet.payload))
            # The shift count wraps at 32, so later packets' bits fall onto the first eight.
            if backwards and self.nonempty % 32 < 8:
                self.directions |= 1 << self.nonempty % 32
            self.nonempty += 1
        return self.state & 16 or self.state & 15 == 15

    def columns(self):
        row = {"flowStartMilliseconds": self.start, "flowEndMilliseconds": self.end, "flowEndReason": self.reason,
               "firstEightNonEmptyPacketDirections": self.directions, **self.forward.columns(self.key[1])}
        for name, value in self.reverse.columns(self.key[1]).items():
            row["reverse" + name[0].upper() + name[1:]] = value
        if self.reverse.packets:
            row.update(reverseFlowDeltaMilliseconds=self.delta, reverseVlanId=self.reverse.vlan)
        if self.macs:
            row["sourceMacAddress"], row["destinationMacAddress"] = (mac.hex(":") for mac in self.macs)
        return row


class Packet:
    __slots__ = ("time", "key", "octets", "size", "payload", "sequence", "flags")


def reassembled(waiting, ip):
    """Adds a fragment; gives (octets of the datagram, its payload) when that was the last one that was missing."""
    identification, offset, more = ip.fragment
    parts = waiting.setdefault((ip.source, ip.destination, identification), {"first": None, "end": None, "parts": {}})
    parts["parts"][offset] = (ip.end - ip.transport, ip.frame[ip.transport:ip.end])
    if offset == 0:
        parts["first"] = ip
    if not more:
        parts["end"] = offset + ip.end - ip.transport
    if parts["first"] is None or parts["end"] is None:
        return None
    reached = 0
    for at in sorted(parts["parts"]):
        if at > reached:
            return None
        reached = max(reached, at + parts["parts"][at][0])
    if reached < parts["end"]:
        return None
    del waiting[ip.source, ip.destination, identification]
    whole = bytearray(parts["end"])
    for at, (_, octets) in parts["parts"].items():
        whole[at:at + len(octets)] = octets[:max(0, parts["end"] - at)]
    first = parts["first"]
    ip.proto = first.proto
    return first.transport - first.start + parts["end"], bytes(whole[:parts["end"]])


def decode(time, link, frame, waiting):
    ip = capture_reader.ip_packet(link, frame)
    if ip is None:
        return None
    packet = Packet()
    packet.time, packet.octets, packet.sequence, packet.flags = time, ip.length, 0, None
    body, wire, frame_left = frame[ip.transport:ip.end], ip.end - ip.transport, FRAME_START - ip.transport
    if ip.fragment:
        whole = reassembled(waiting, ip)
        if whole is None:
            return None
        packet.octets, body = whole
        wire, frame_left = len(body), None
    source_port = destination_port = header = 0
    if ip.proto == TCP:
        if len(body) < 20:
            return None
        header = (body[12] >> 4) * 4
        packet.sequence, packet.flags = int.from_bytes(body[4:8], "big"), body[13]
    elif ip.proto == UDP or ip.proto in ICMP:
        header = 8
    if len(body) < header:
        return None
    if ip.proto in (TCP, UDP):
        source_port, destination_port = body[0] << 8 | body[1], body[2] << 8 | body[3]
    elif ip.proto in ICMP:
        destination_port = body[0] << 8 | body[1]
    # Of a reassembled datagram the transport header counts as payload.
    packet.size = wire if ip.fragment else max(0, wire - header)
    packet.payload = body[header:] if frame_left is None else body[header:max(header, frame_left)]
    packet.key = (ip.version, ip.proto, ip.source, ip.destination, source_port, destination_port,
                  ip.vlans[-1] if ip.vlans else 0)
    return packet


def reverse_key(key):
    version, proto, source, destination, source_port, destination_port, vlan = key
    ports = (source_port, destination_port) if proto in ICMP else (destination_port, source_port)
    return (version, proto, destination, source, *ports, vlan)


def meter(path):
    flows, done, waiting, clock = collections.OrderedDict(), [], {}, 0

    def close(key, reason):
        flow = flows.pop(key)
        flow.reason = reason
        done.append(flow)

    for time, link, frame, _ in capture_reader.packets(path):
        # Packets older than the one before are left out.
        if time < clock:
            continue
        clock = time
        packet = decode(time, link, frame, waiting)
        if packet is None:
            continue
        now = time // 10**6
        for key in [key for key, flow in flows.items() if now - flow.end > IDLE_MS]:
            close(key, 1)
        key, backwards = packet.key, False
        if key not in flows and reverse_key(key) in flows:
            key, backwards = reverse_key(key), True
        if key in flows and now - flows[key].start > ACTIVE_MS:
            close(key, 2)
            key, backwards = packet.key, False
        if key not in flows:
            ip = capture_reader.ip_packet(link, frame)
            flows[key] = Flow(key, time, ip.macs)
        flows.move_to_end(key)
        if flows[key].add(packet, backwards):
            close(key, 3)
    for key in list(flows):
        close(key, 4)
    return done


def milliseconds(text):
    time = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=datetime.timezone.utc)
    return round(time.timestamp() * 1000)


def expected_key(row):
    source = row["sourceIPv4Address"] or row["sourceIPv6Address"]
    destination = row["destinationIPv4Address"] or row["destinationIPv6Address"]
    return (6 if ":" in source else 4, int(row["protocolIdentifier"]), ipaddress.ip_address(source).packed,
            ipaddress.ip_address(destination).packed, int(row["sourceTransportPort"]),
            int(row["destinationTransportPort"]), int(row["vlanId"]))


def main():
    with gzip.open(TABLE, "rt", newline="") as table:
        expected = collections.defaultdict(list)
        for row in csv.DictReader(table):
            expected[row["file"]].append(row)
    differences, total, equal = collections.Counter(), 0, 0
    for capture in sorted(expected):
        found = collections.defaultdict(list)
        for flow in meter(os.path.join(DATA, capture)):
            found[flow.key, flow.start].append(flow)
        for row in expected[capture]:
            total += 1
            start = milliseconds(row["flowStartMilliseconds"])
            candidates = found[expected_key(row), start]
            if not candidates:
                differences["missing"] += 1
                continue
            wrong = []
            for name, value in candidates.pop(0).columns().items():
                cell = row[name]
                if name.endswith("Milliseconds") and not name.startswith("reverse"):
                    cell = milliseconds(cell)
                elif not name.endswith("MacAddress"):
                    cell = int(cell or 0)
                if cell != value:
                    wrong.append(name)
            differences.update(wrong)
            equal += not wrong
    print(f"{equal} of {total} records of YAF's are made again in every field")
    if dict(differences) != KNOWN:
        for name in sorted(set(differences) | set(KNOWN)):
            if differences[name] != KNOWN.get(name, 0):
                print(f"{name}: {differences[name]} differences, {KNOWN.get(name, 0)} are known")
        sys.exit(1)


if __name__ == "__main__":
    main()
