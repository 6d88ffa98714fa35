//! What the built-in labeler costs for a flow and for a packet.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use rockfish_label::{BuiltinLabeler, Custom, Ends, Known, Labeler, PacketView, service_of_host};

fn ends(protocol: u8, port: u16) -> Ends {
    Ends {
        protocol,
        source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        destination: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
        source_port: 40000,
        destination_port: port,
    }
}

fn benches(criterion: &mut Criterion) {
    let cases: [(&str, u8, u16, &[u8]); 4] = [
        ("tls", 6, 443, b"\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03"),
        ("http", 6, 80, b"GET / HTTP/1.1\r\nUser-Agent: x\r\nHost: www.netflix.com\r\n\r\n"),
        ("dns", 17, 53, b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03org\x00\x00\x01\x00\x01"),
        ("unknown", 17, 40001, &[0; 200]),
    ];
    let mut labeler = BuiltinLabeler::new(Arc::new(Custom::default()));
    let known = Known { sni: Some("r1---sn-abc.googlevideo.com"), ..Known::default() };
    for (name, protocol, port, payload) in cases {
        let ends = ends(protocol, port);
        criterion.bench_function(&format!("flow of one packet, {name}"), |bencher| {
            bencher.iter(|| {
                let handle = labeler.begin(black_box(&ends));
                let view = PacketView {
                    ip: payload,
                    payload: black_box(payload),
                    from_initiator: true,
                    time_ms: 0,
                };
                labeler.packet(handle, &view);
                labeler.finish(handle, &known)
            });
        });
    }
    criterion.bench_function("service of a host", |bencher| {
        bencher.iter(|| service_of_host(black_box("r1---sn-abc.googlevideo.com")));
    });
    criterion.bench_function("service of a host that has none", |bencher| {
        bencher.iter(|| service_of_host(black_box("a.b.c.example.org")));
    });
}

criterion_group!(all, benches);
criterion_main!(all);
