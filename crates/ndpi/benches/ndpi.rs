//! What libndpi costs for a flow. The example `cost` measures whole captures.

#[path = "../../label/tests/common/packets.rs"]
#[expect(dead_code, reason = "shared with tests")]
mod packets;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use packets::{client_hello, dns_question, ends, packet};
use rockfish_label::{Known, Labeler, PacketView};
use rockfish_ndpi::{NdpiConfig, NdpiLabeler};

fn benches(criterion: &mut Criterion) {
    let Ok(mut labeler) = NdpiLabeler::new(&NdpiConfig::default()) else { return };
    let cases = [
        ("tls", 6, 443, client_hello("www.youtube.com")),
        ("dns", 17, 53, dns_question("www.example.org")),
        (
            "http",
            6,
            80,
            b"GET / HTTP/1.1\r\nUser-Agent: x\r\nHost: www.netflix.com\r\n\r\n".to_vec(),
        ),
        ("unknown", 17, 40001, vec![0; 200]),
    ];
    for (name, protocol, port, payload) in cases {
        let ends = ends(protocol, "203.0.113.1", port);
        let ip = packet(&ends, &payload);
        criterion.bench_function(&format!("flow of one packet, {name}"), |bencher| {
            bencher.iter(|| {
                let handle = labeler.begin(black_box(&ends));
                let view = PacketView {
                    ip: black_box(&ip),
                    payload: &payload,
                    from_initiator: true,
                    time_ms: 1,
                };
                labeler.packet(handle, &view);
                labeler.finish(handle, &Known::default())
            });
        });
    }
    criterion.bench_function("a detection module", |bencher| {
        bencher.iter(|| NdpiLabeler::new(&NdpiConfig::default()).is_ok());
    });
}

criterion_group!(all, benches);
criterion_main!(all);
