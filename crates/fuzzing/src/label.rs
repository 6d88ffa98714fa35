//! Labels and custom rules.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rockfish_label::{
    BuiltinLabeler, CategoryRules, Custom, Dialect, Ends, Known, Labeler, PacketView, Progress,
    Rules,
};

use crate::Input;

/// The first octet says what the rest is: packets of one flow, or a custom file.
pub fn label(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() & 3 {
        0 => rules(input.0),
        1 => categories(input.0),
        _ => flow(&mut input),
    }
}

/// What was read can be written for libndpi, and that can be read.
fn rules(text: &[u8]) {
    match Rules::parse("input", text) {
        Err(error) => {
            assert!(error.line > 0);
            assert!(error.to_string().starts_with("input: line "), "{error}");
        }
        Ok(rules) => {
            for dialect in [Dialect::new(4, 2), Dialect::new(5, 0)] {
                let written = rules.sanitized(dialect);
                let again = Rules::parse("written", written.as_bytes());
                assert_eq!(again.map(|rules| rules.sanitized(dialect)), Ok(written));
            }
        }
    }
}

fn categories(text: &[u8]) {
    if let Ok(rules) = CategoryRules::parse("input", text) {
        let written = rules.sanitized();
        let again = CategoryRules::parse("written", written.as_bytes());
        assert_eq!(again.map(|rules| rules.sanitized()), Ok(written));
    }
}

/// Three octets of ports and protocol, then packets: a direction and a length of two octets before each.
fn flow(input: &mut Input<'_>) {
    const PORTS: [u16; 16] =
        [53, 80, 443, 445, 22, 25, 110, 143, 993, 3478, 5353, 161, 1194, 3306, 51820, 40001];
    let (protocol, ports) = (input.byte(), input.byte());
    let ends = Ends {
        protocol: [6, 17, 6, 17, 1, 47, 132, 58][usize::from(protocol & 7)],
        source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        destination: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
        source_port: 50000,
        destination_port: PORTS[usize::from(ports & 15)],
    };
    let mut labeler = BuiltinLabeler::new(Arc::new(Custom::default()));
    let handle = labeler.begin(&ends);
    let mut done = false;
    while !input.is_empty() {
        let (from_initiator, length) = (input.byte() & 1 == 0, input.number(2) as usize);
        let payload = input.take(length);
        let view = PacketView { ip: &[], payload, from_initiator, time_ms: 0 };
        let now = labeler.packet(handle, &view) == Progress::Done;
        assert!(now || !done, "it wants more after it was done");
        done = now;
        rockfish_label::http_host(payload);
    }
    assert_eq!(labeler.open(), 1);
    let label = labeler.finish(handle, &Known { sni: Some("www.example.org"), ..Known::default() });
    assert!(
        label.is_none_or(|label| label.name().is_some_and(|name| !name.to_string().is_empty()))
    );
    assert_eq!(labeler.open(), 0);
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_drawn_and_texts_changed() {
        let texts: [&[u8]; 4] = [
            b"tcp:81,udp:5061-5062@SIP\nhost:\"a.example\"@B\nip:10.0.0.0/8:1@C\n",
            b"ipv6:[2001:db8::/32]:443@D=7\nip_risk_mask:10.0.0.0/8=0x1\ntrusted_issuer_dn:\"CN=a\"\n",
            b"a.example\t100\n10.0.0.0/8\tWeb\n",
            b"\x00\x00\x00\x30\x16\x03\x01\x00\x2b\x01\x00\x00\x27\x03\x03",
        ];
        let mut state = 7u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        for round in 0..50_000 {
            let mut data = vec![next()];
            match texts.get(round % 5) {
                Some(text) => data.extend_from_slice(text),
                None => data.extend((0..next()).map(|_| next())),
            }
            for _ in 0..next() & 3 {
                let place = usize::from(next()) % data.len();
                data[place] = next();
            }
            super::label(&data);
        }
    }
}
