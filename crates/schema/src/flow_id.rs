//! Column `flowid`: a UUID of version 5 (RFC 9562, section 5.5) that says the same of the same flow every time.
//!
//! The observation's namespace is the UUID of its name in [`ROOT_NAMESPACE`]. A flow's name in it is, big-endian:
//!
//! | octets | what |
//! |---|---|
//! | 1 | IP version, 4 or 6 |
//! | 1 | protocol number |
//! | 2 | VLAN id of the key, or 0 |
//! | 4 or 16 | source address |
//! | 4 or 16 | destination address |
//! | 2 | source port |
//! | 2 | destination port; of ICMP and ICMPv6, type and code of the first packet |
//! | 8 | start, microseconds since 1970-01-01T00:00:00Z |
//! | 4 | ordinal among the flows with equal key and start |
//!
//! With the namespace that is 44 octets for IPv4, so one block of SHA-1, and 68 for IPv6, two.

use rockfish_flow::FlowRecord;
use sha1::block_api::compress;

/// The namespace of observation domains.
pub const ROOT_NAMESPACE: [u8; 16] = [
    0x62, 0x1d, 0xb5, 0xc9, 0xda, 0x77, 0x4f, 0xb4, 0x87, 0x08, 0x5b, 0x57, 0xbe, 0x81, 0xfe, 0x1e,
];

/// FIPS 180-4, section 5.3.1.
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// The namespace of one observation domain's flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowIdNamespace([u8; 16]);

impl FlowIdNamespace {
    /// That of `observation`.
    pub fn new(observation: &str) -> Self {
        use sha1::Digest;
        let digest =
            sha1::Sha1::new().chain_update(ROOT_NAMESPACE).chain_update(observation).finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(stamp(first))
    }

    /// The namespace's own UUID.
    pub const fn uuid(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id of a flow.
    #[inline]
    pub fn id(&self, record: &FlowRecord) -> [u8; 16] {
        // Padded by hand: the message has one of two lengths, and this is made for every flow.
        let mut state = INITIAL;
        if record.ip_version == 4 {
            let mut block = [0; 64];
            let end = self.fill::<4>(record, &mut block);
            block[end] = 0x80;
            block[56..].copy_from_slice(&(8 * end as u64).to_be_bytes());
            compress(&mut state, &[block]);
        } else {
            let mut message = [0; 128];
            let end = self.fill::<16>(record, &mut message);
            message[end] = 0x80;
            message[120..].copy_from_slice(&(8 * end as u64).to_be_bytes());
            let (blocks, _) = message.as_chunks::<64>();
            compress(&mut state, blocks);
        }
        let mut id = [0; 16];
        for (octets, word) in id.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *octets = word.to_be_bytes();
        }
        stamp(id)
    }

    /// Writes namespace and name, with addresses of `N` octets; returns where they end.
    #[inline]
    fn fill<const N: usize>(&self, record: &FlowRecord, out: &mut [u8]) -> usize {
        let mut at = 0;
        let mut put = |octets: &[u8]| {
            out[at..at + octets.len()].copy_from_slice(octets);
            at += octets.len();
        };
        put(&self.0);
        put(&[record.ip_version, record.protocol]);
        put(&record.key_vlan.to_be_bytes());
        put(&record.source[..N]);
        put(&record.destination[..N]);
        put(&record.source_port.to_be_bytes());
        // Type and code may be part of the key; they always tell the same of the same flow.
        match record.protocol {
            1 | 58 => put(&[record.icmp_type, record.icmp_code]),
            _ => put(&record.destination_port.to_be_bytes()),
        }
        put(&record.start.as_micros().to_be_bytes());
        put(&record.ordinal.to_be_bytes());
        at
    }
}

/// Sets version 5 and the variant.
fn stamp(mut uuid: [u8; 16]) -> [u8; 16] {
    uuid[6] = uuid[6] & 0x0f | 0x50;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use crate::visit::tests::sample;
    use proptest::prelude::*;
    use sha1::Digest;

    fn show(uuid: &[u8; 16]) -> String {
        String::from_utf8(text::uuid(uuid).to_vec()).unwrap_or_default()
    }

    #[test]
    fn the_rfcs_example() {
        // RFC 9562, appendix A.4: www.example.com in the DNS namespace.
        let dns = [
            0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4,
            0x30, 0xc8,
        ];
        let digest = sha1::Sha1::new().chain_update(dns).chain_update("www.example.com").finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        assert_eq!(show(&stamp(id)), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }

    #[test]
    fn ids_are_for_good() {
        // Files of years ago must meet the same ids: these never change.
        let gnat = FlowIdNamespace::new("gnat");
        assert_eq!(show(gnat.uuid()), "ce4f92ca-48d4-569a-95b3-399134ed873e");
        let mut record = sample();
        assert_eq!(show(&gnat.id(&record)), "c447442d-880a-5b9b-8bce-025a4e8ca347");
        record.ip_version = 6;
        assert_eq!(show(&gnat.id(&record)), "319cc5bc-b3c1-5cc2-9a7b-f7dff284b4c9");
    }

    proptest! {
        #[test]
        fn padding_by_hand_is_sha1(
            v6: bool, protocol in prop_oneof![Just(1u8), Just(58), any::<u8>()], key_vlan: u16, ordinal: u32, source_port: u16, destination_port: u16, icmp: [u8; 2],
            source: [u8; 16], destination: [u8; 16], start: i64,
        ) {
            let mut record = sample();
            let width = if v6 { 16 } else { 4 };
            record.ip_version = if v6 { 6 } else { 4 };
            (record.protocol, record.key_vlan, record.ordinal) = (protocol, key_vlan, ordinal);
            (record.source_port, record.destination_port) = (source_port, destination_port);
            (record.source, record.destination) = (source, destination);
            [record.icmp_type, record.icmp_code] = icmp;
            let last = if matches!(protocol, 1 | 58) { icmp } else { destination_port.to_be_bytes() };
            record.start = rockfish_flow::Timestamp::from_micros(start);
            let namespace = FlowIdNamespace::new("here");
            let digest = sha1::Sha1::new()
                .chain_update(namespace.uuid())
                .chain_update([record.ip_version, protocol])
                .chain_update(key_vlan.to_be_bytes())
                .chain_update(&source[..width])
                .chain_update(&destination[..width])
                .chain_update(source_port.to_be_bytes())
                .chain_update(last)
                .chain_update(start.to_be_bytes())
                .chain_update(ordinal.to_be_bytes())
                .finalize();
            let mut id = [0; 16];
            id.copy_from_slice(&digest[..16]);
            prop_assert_eq!(namespace.id(&record), stamp(id));
        }
    }
}
