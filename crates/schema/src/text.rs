//! Values as text, appended to a buffer without a detour through formatting machinery.

use rockfish_flow::{Address, FIRST_PACKETS, MacAddress};

/// All pairs of hexadecimal digits.
static HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = [digits[i >> 4], digits[i & 15]];
        i += 1;
    }
    table
};

/// All pairs of decimal digits.
static PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        table[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    table
};

/// The letters of every set of TCP flags, and how many they are.
static FLAGS: [([u8; 8], u8); 256] = {
    let letters = rockfish_flow::TcpFlags::LETTERS;
    let mut table = [([0; 8], 0); 256];
    let mut bits = 0;
    while bits < 256 {
        let mut bit = 0;
        while bit < 8 {
            if bits >> bit & 1 == 1 {
                let entry: &mut ([u8; 8], u8) = &mut table[bits];
                entry.0[entry.1 as usize] = letters[bit];
                entry.1 += 1;
            }
            bit += 1;
        }
        bits += 1;
    }
    table
};

/// Keywords of the IANA registry "Assigned Internet Protocol Numbers" in capitals; the number where there is none.
static PROTOCOLS: [&str; 256] = [
    "HOPOPT",
    "ICMP",
    "IGMP",
    "GGP",
    "IPV4",
    "ST",
    "TCP",
    "CBT",
    "EGP",
    "IGP",
    "BBN-RCC-MON",
    "NVP-II",
    "PUP",
    "ARGUS",
    "EMCON",
    "XNET",
    "CHAOS",
    "UDP",
    "MUX",
    "DCN-MEAS",
    "HMP",
    "PRM",
    "XNS-IDP",
    "TRUNK-1",
    "TRUNK-2",
    "LEAF-1",
    "LEAF-2",
    "RDP",
    "IRTP",
    "ISO-TP4",
    "NETBLT",
    "MFE-NSP",
    "MERIT-INP",
    "DCCP",
    "3PC",
    "IDPR",
    "XTP",
    "DDP",
    "IDPR-CMTP",
    "TP++",
    "IL",
    "IPV6",
    "SDRP",
    "IPV6-ROUTE",
    "IPV6-FRAG",
    "IDRP",
    "RSVP",
    "GRE",
    "DSR",
    "BNA",
    "ESP",
    "AH",
    "I-NLSP",
    "SWIPE",
    "NARP",
    "MIN-IPV4",
    "TLSP",
    "SKIP",
    "IPV6-ICMP",
    "IPV6-NONXT",
    "IPV6-OPTS",
    "61",
    "CFTP",
    "63",
    "SAT-EXPAK",
    "KRYPTOLAN",
    "RVD",
    "IPPC",
    "68",
    "SAT-MON",
    "VISA",
    "IPCV",
    "CPNX",
    "CPHB",
    "WSN",
    "PVP",
    "BR-SAT-MON",
    "SUN-ND",
    "WB-MON",
    "WB-EXPAK",
    "ISO-IP",
    "VMTP",
    "SECURE-VMTP",
    "VINES",
    "IPTM",
    "NSFNET-IGP",
    "DGP",
    "TCF",
    "EIGRP",
    "OSPFIGP",
    "SPRITE-RPC",
    "LARP",
    "MTP",
    "AX.25",
    "IPIP",
    "MICP",
    "SCC-SP",
    "ETHERIP",
    "ENCAP",
    "99",
    "GMTP",
    "IFMP",
    "PNNI",
    "PIM",
    "ARIS",
    "SCPS",
    "QNX",
    "A/N",
    "IPCOMP",
    "SNP",
    "COMPAQ-PEER",
    "IPX-IN-IP",
    "VRRP",
    "PGM",
    "114",
    "L2TP",
    "DDX",
    "IATP",
    "STP",
    "SRP",
    "UTI",
    "SMP",
    "SM",
    "PTP",
    "ISIS OVER IPV4",
    "FIRE",
    "CRTP",
    "CRUDP",
    "SSCOPMCE",
    "IPLT",
    "SPS",
    "PIPE",
    "SCTP",
    "FC",
    "RSVP-E2E-IGNORE",
    "MOBILITY HEADER",
    "UDPLITE",
    "MPLS-IN-IP",
    "MANET",
    "HIP",
    "SHIM6",
    "WESP",
    "ROHC",
    "ETHERNET",
    "AGGFRAG",
    "NSH",
    "HOMA",
    "BIT-EMU",
    "148",
    "149",
    "150",
    "151",
    "152",
    "153",
    "154",
    "155",
    "156",
    "157",
    "158",
    "159",
    "160",
    "161",
    "162",
    "163",
    "164",
    "165",
    "166",
    "167",
    "168",
    "169",
    "170",
    "171",
    "172",
    "173",
    "174",
    "175",
    "176",
    "177",
    "178",
    "179",
    "180",
    "181",
    "182",
    "183",
    "184",
    "185",
    "186",
    "187",
    "188",
    "189",
    "190",
    "191",
    "192",
    "193",
    "194",
    "195",
    "196",
    "197",
    "198",
    "199",
    "200",
    "201",
    "202",
    "203",
    "204",
    "205",
    "206",
    "207",
    "208",
    "209",
    "210",
    "211",
    "212",
    "213",
    "214",
    "215",
    "216",
    "217",
    "218",
    "219",
    "220",
    "221",
    "222",
    "223",
    "224",
    "225",
    "226",
    "227",
    "228",
    "229",
    "230",
    "231",
    "232",
    "233",
    "234",
    "235",
    "236",
    "237",
    "238",
    "239",
    "240",
    "241",
    "242",
    "243",
    "244",
    "245",
    "246",
    "247",
    "248",
    "249",
    "250",
    "251",
    "252",
    "253",
    "254",
    "255",
];

/// A protocol number: its keyword in capitals, else the number.
#[inline]
pub fn protocol(number: u8) -> &'static str {
    PROTOCOLS[usize::from(number)]
}

/// A set of TCP flags as letters in the order `FSRPAUEC`.
#[inline]
pub fn flags(bits: u8) -> &'static [u8] {
    let (letters, count) = &FLAGS[usize::from(bits)];
    &letters[..usize::from(*count)]
}

/// A UUID with its four hyphens.
#[inline]
pub fn uuid(octets: &[u8; 16]) -> [u8; 36] {
    let words = octets.as_chunks::<4>().0;
    let digits = |i: usize| hex_word(u32::from_be_bytes(words[i]));
    let (first, second, third, fourth) = (digits(0), digits(1), digits(2), digits(3));
    let mut text = [b'-'; 36];
    text[..8].copy_from_slice(&first);
    text[9..13].copy_from_slice(&second[..4]);
    text[14..18].copy_from_slice(&second[4..]);
    text[19..23].copy_from_slice(&third[..4]);
    text[24..28].copy_from_slice(&third[4..]);
    text[28..].copy_from_slice(&fourth);
    text
}

/// The eight hexadecimal digits of a word, all at once: this is made four times for every flow.
#[inline]
fn hex_word(word: u32) -> [u8; 8] {
    // A digit to each octet.
    let mut digits = u64::from(word);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 where the digit is a letter.
    let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (digits + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

/// Appends a MAC address: lower case, colons.
pub fn push_mac(out: &mut Vec<u8>, address: &MacAddress) {
    let mut text = [b':'; 17];
    for (i, octet) in address.iter().enumerate() {
        text[3 * i..3 * i + 2].copy_from_slice(&HEX[usize::from(*octet)]);
    }
    out.extend_from_slice(&text);
}

/// Appends a number in decimal.
#[inline]
pub fn push_decimal(out: &mut Vec<u8>, value: u64) {
    let mut text = [0; 20];
    let start = decimal(&mut text, value);
    out.extend_from_slice(&text[start..]);
}

/// Writes a number's digits at the end of `text`; returns where they begin.
#[inline]
fn decimal(text: &mut [u8; 20], mut value: u64) -> usize {
    let mut at = text.len();
    while value >= 100 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value >= 10 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&PAIRS[value as usize]);
    } else {
        at -= 1;
        text[at] = b'0' + value as u8;
    }
    at
}

/// Appends an IP address: dotted decimal, or RFC 5952 with the dotted form of section 5 for IPv4-mapped addresses.
pub fn push_address(out: &mut Vec<u8>, version: u8, address: &Address) {
    if version == 4 {
        push_ipv4(out, &[address[0], address[1], address[2], address[3]]);
    } else {
        push_ipv6(out, address);
    }
}

/// Appends an IPv4 address in dotted decimal.
pub fn push_ipv4(out: &mut Vec<u8>, address: &[u8; 4]) {
    let mut text = [b'.'; 16];
    let mut at = 0;
    for octet in *address {
        if octet >= 100 {
            text[at] = b'0' + octet / 100;
            text[at + 1..at + 3].copy_from_slice(&PAIRS[usize::from(octet % 100)]);
            at += 3;
        } else if octet >= 10 {
            text[at..at + 2].copy_from_slice(&PAIRS[usize::from(octet)]);
            at += 2;
        } else {
            text[at] = b'0' + octet;
            at += 1;
        }
        // One octet of the buffer is for the full stop that the last number has no use for.
        text[at] = b'.';
        at += 1;
    }
    out.extend_from_slice(&text[..at - 1]);
}

/// Appends an IPv6 address as in RFC 5952.
pub fn push_ipv6(out: &mut Vec<u8>, address: &Address) {
    let mut groups = [0_u16; 8];
    for (group, octets) in groups.iter_mut().zip(address.as_chunks::<2>().0) {
        *group = u16::from_be_bytes(*octets);
    }
    if groups[..6] == [0, 0, 0, 0, 0, 0xffff] {
        out.extend_from_slice(b"::ffff:");
        push_ipv4(out, &[address[12], address[13], address[14], address[15]]);
        return;
    }
    let (gap, gap_len) = longest_zero_run(&groups);
    let mut text = [0; 40];
    let mut at = 0;
    let mut i = 0;
    while i < 8 {
        if i == gap && gap_len > 1 {
            text[at..at + 2].copy_from_slice(b"::");
            at += 2;
            i += gap_len;
            continue;
        }
        if at > 0 && text[at - 1] != b':' {
            text[at] = b':';
            at += 1;
        }
        let digits = HEX[usize::from(groups[i] >> 8)];
        let more = HEX[usize::from(groups[i] & 0xff)];
        let all = [digits[0], digits[1], more[0], more[1]];
        let skip = (groups[i].leading_zeros() / 4).min(3) as usize;
        text[at..at + 4 - skip].copy_from_slice(&all[skip..]);
        at += 4 - skip;
        i += 1;
    }
    out.extend_from_slice(&text[..at]);
}

/// The first of the longest runs of zero groups: where and how long.
fn longest_zero_run(groups: &[u16; 8]) -> (usize, usize) {
    let mut best = (0, 0);
    let mut current = 0;
    for (i, group) in groups.iter().enumerate() {
        current = if *group == 0 { current + 1 } else { 0 };
        if current > best.1 {
            best = (i + 1 - current, current);
        }
    }
    best
}

/// Appends the directions of the first non-empty packets: `0` or `1` each, the lowest bit first.
pub fn push_directions(out: &mut Vec<u8>, bits: u8, count: u8) {
    for i in 0..usize::from(count).min(FIRST_PACKETS) {
        out.push(b'0' + (bits >> i & 1));
    }
}

/// Appends the gaps before the first non-empty packets, separated by commas.
#[inline]
pub fn push_gaps(out: &mut Vec<u8>, gaps: &[u32; FIRST_PACKETS], count: u8) {
    // Eight numbers of ten digits and seven commas, written from the end.
    let mut text = [0; 8 * 11];
    let mut at = text.len();
    for gap in gaps[..usize::from(count).min(FIRST_PACKETS)].iter().rev() {
        let mut value = *gap;
        at -= 1;
        text[at] = b',';
        while value >= 100 {
            at -= 2;
            text[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
            value /= 100;
        }
        if value >= 10 {
            at -= 2;
            text[at..at + 2].copy_from_slice(&PAIRS[value as usize]);
        } else {
            at -= 1;
            text[at] = b'0' + value as u8;
        }
    }
    out.extend_from_slice(&text[at..text.len() - usize::from(at < text.len())]);
}

/// Appends a time as ISO 8601 in UTC with milliseconds, truncated: `2025-01-15T10:30:00.000Z`. Years beyond four digits
/// have a sign, as the standard wants.
pub fn push_iso8601(out: &mut Vec<u8>, micros: i64) {
    let days = micros.div_euclid(86_400_000_000);
    let within = micros.rem_euclid(86_400_000_000) / 1000;
    let (year, month, day) = civil_from_days(days);
    if (0..=9999).contains(&year) {
        push_two(out, year / 100);
        push_two(out, year % 100);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        push_decimal(out, year.unsigned_abs());
    }
    let milli = within % 1000;
    for (mark, value) in [
        (b'-', month),
        (b'-', day),
        (b'T', within / 3_600_000),
        (b':', within / 60_000 % 60),
        (b':', within / 1000 % 60),
        (b'.', milli / 10),
    ] {
        out.push(mark);
        push_two(out, value);
    }
    out.push(b'0' + (milli % 10) as u8);
    out.push(b'Z');
}

fn push_two(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&PAIRS[(value % 100).unsigned_abs() as usize]);
}

/// Year, month and day (both from 1) of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years are counted from 1 March, so that the leap day comes last, in eras of 400 years = 146,097 days.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn made(make: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before ".to_vec();
        make(&mut out);
        String::from_utf8_lossy(&out[7..]).into_owned()
    }

    #[test]
    fn protocols_are_the_registrys() {
        for (number, keyword) in [
            (1, "ICMP"),
            (6, "TCP"),
            (17, "UDP"),
            (47, "GRE"),
            (50, "ESP"),
            (58, "IPV6-ICMP"),
            (132, "SCTP"),
            (136, "UDPLITE"),
            (61, "61"),
            (253, "253"),
            (255, "255"),
            (0, "HOPOPT"),
        ] {
            assert_eq!(protocol(number), keyword);
        }
    }

    #[test]
    fn every_set_of_flags_is_as_the_vocabulary_prints_it() {
        for bits in 0..=255 {
            let expected = rockfish_flow::TcpFlags::from_bits(bits).to_string();
            assert_eq!(flags(bits), expected.as_bytes());
        }
    }

    #[test]
    fn directions_and_gaps() {
        for (bits, count, gaps, spd, spdt) in [
            (0, 0, [7; 8], "", ""),
            (0b0110, 4, [0, 120, 33, 5, 9, 9, 9, 9], "0110", "0,120,33,5"),
            (0xff, 8, [u32::MAX; 8], "11111111", &["4294967295"; 8].join(",")),
            (1, 1, [0; 8], "1", "0"),
            (1, 200, [0; 8], "10000000", "0,0,0,0,0,0,0,0"),
        ] {
            assert_eq!(made(|out| push_directions(out, bits, count)), spd);
            assert_eq!(made(|out| push_gaps(out, &gaps, count)), spdt);
        }
    }

    #[test]
    fn times() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_736_937_000_123_999, "2025-01-15T10:30:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999Z"),
            (253_402_300_800_000_000, "+10000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(made(|out| push_iso8601(out, micros)), expected);
        }
        made(|out| push_iso8601(out, i64::MIN));
        made(|out| push_iso8601(out, i64::MAX));
    }

    #[test]
    fn macs_and_uuids() {
        assert_eq!(
            made(|out| push_mac(out, &[0, 0x16, 0xcf, 0x41, 0x9c, 0xff])),
            "00:16:cf:41:9c:ff"
        );
        assert_eq!(
            &uuid(&std::array::from_fn(|i| i as u8 * 0x11)),
            b"00112233-4455-6677-8899-aabbccddeeff"
        );
    }

    /// Addresses in which zero groups are common, so that runs of every length and place occur.
    fn address() -> impl Strategy<Value = [u8; 16]> {
        proptest::array::uniform8(prop_oneof![Just(0_u16), Just(0xffff), 0..16_u16, any::<u16>()])
            .prop_map(|groups| Ipv6Addr::from(groups).octets())
    }

    proptest! {
        #[test]
        fn ipv6_is_as_std_prints_it(address in address()) {
            prop_assert_eq!(made(|out| push_ipv6(out, &address)), Ipv6Addr::from(address).to_string());
        }

        #[test]
        fn ipv4_mapped_is_as_std_prints_it(address: [u8; 4]) {
            let mapped = Ipv4Addr::from(address).to_ipv6_mapped();
            prop_assert_eq!(made(|out| push_ipv6(out, &mapped.octets())), mapped.to_string());
            prop_assert_eq!(made(|out| push_ipv4(out, &address)), Ipv4Addr::from(address).to_string());
        }

        #[test]
        fn decimals_are_as_std_prints_them(value: u64, shift in 0_u32..64) {
            let value = value >> shift;
            prop_assert_eq!(made(|out| push_decimal(out, value)), value.to_string());
        }

        #[test]
        fn days_go_on_one_by_one(day in -1_000_000_i64..3_000_000) {
            let (year, month, date) = civil_from_days(day);
            let next = civil_from_days(day + 1);
            let first_of_next = if month == 12 { (year + 1, 1, 1) } else { (year, month + 1, 1) };
            prop_assert!(next == (year, month, date + 1) && date < 31 || next == first_of_next && date >= 28);
        }
    }
}
