//! Tunnels, when the inner packet is to be metered: GRE (RFC 2784, RFC 2890; version 1: RFC 2637) with ERSPAN
//! (draft-foschiano-erspan), IP-in-IP (RFC 2003, RFC 2473), 6in4 (RFC 4213), VXLAN (RFC 7348), Geneve (RFC 8926), GRE-in-UDP
//! (RFC 8086).

use crate::bytes::{array, be16};
use crate::decode::{Context, Decoder, View};
use crate::{Anomaly, Ignored, PacketBatch};

const VXLAN_PORT: u16 = 4789;
const GENEVE_PORT: u16 = 6081;
const GRE_UDP_PORT: u16 = 4754;

impl Decoder {
    /// Tries the packet inside; false if the outer one is to be metered.
    #[cold]
    pub(crate) fn ip_tunnel(
        &mut self,
        protocol: u8,
        view: View<'_>,
        at: usize,
        mut context: Context,
        out: &mut PacketBatch,
    ) -> bool {
        let Some(layers) = context.layers.checked_sub(1) else { return false };
        context.layers = layers;
        let inner = match protocol {
            4 => self.ipv4(view, at, context, out),
            41 => self.ipv6(view, at, context, out),
            _ => self.gre(view, at, context, out),
        };
        self.inner_result(inner)
    }

    /// The same for tunnels over UDP, known by their destination port.
    pub(crate) fn udp_tunnel(
        &mut self,
        [_, port]: [u16; 2],
        view: View<'_>,
        at: usize,
        mut context: Context,
        out: &mut PacketBatch,
    ) -> bool {
        if !matches!(port, VXLAN_PORT | GENEVE_PORT | GRE_UDP_PORT) {
            return false;
        }
        let Some(layers) = context.layers.checked_sub(1) else { return false };
        context.layers = layers;
        let inner = match port {
            VXLAN_PORT => match array::<8>(view.data, at) {
                // The flag that says the network identifier counts; without it this is not VXLAN.
                Some(header) if header[0] & 0x08 != 0 => self.ethernet(view, at + 8, context, out),
                _ => Err(Ignored::NotIp),
            },
            GENEVE_PORT => match array::<8>(view.data, at) {
                Some(header) if header[0] >> 6 == 0 => {
                    let options = usize::from(header[0] & 0x3f) * 4;
                    let protocol = u16::from_be_bytes([header[2], header[3]]);
                    self.network(protocol, view, at + 8 + options, context, out)
                }
                _ => Err(Ignored::NotIp),
            },
            _ => self.gre(view, at, context, out),
        };
        self.inner_result(inner)
    }

    fn inner_result(&mut self, inner: Result<(), Ignored>) -> bool {
        if inner.is_err() {
            self.counters_note(Anomaly::TunnelUndecoded);
        }
        inner.is_ok()
    }

    fn gre(
        &mut self,
        view: View<'_>,
        at: usize,
        context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        const CHECKSUM: u16 = 0x8000;
        const ROUTING: u16 = 0x4000;
        const KEY: u16 = 0x2000;
        const SEQUENCE: u16 = 0x1000;
        const ACKNOWLEDGMENT: u16 = 0x0080;
        let flags = be16(view.data, at).ok_or(Ignored::LinkTruncated)?;
        let protocol = be16(view.data, at + 2).ok_or(Ignored::LinkTruncated)?;
        let version = flags & 7;
        // Source routes (RFC 1701) were taken out of GRE; their length is not in the header.
        if version > 1 || flags & ROUTING != 0 {
            return Err(Ignored::NotIp);
        }
        let mut inner = at + 4;
        for (bit, present) in
            [(CHECKSUM, true), (KEY, true), (SEQUENCE, true), (ACKNOWLEDGMENT, version == 1)]
        {
            if present && flags & bit != 0 {
                inner += 4;
            }
        }
        match protocol {
            0x880b => self.ppp(view, inner, context, out),
            // ERSPAN: type I has no header and no sequence number, type II has both.
            0x88be if flags & SEQUENCE == 0 => self.ethernet(view, inner, context, out),
            0x88be => self.ethernet(view, inner + 8, context, out),
            // ERSPAN type III; bit 0 of its last octet announces a platform-specific subheader of 8 octets.
            0x22eb => {
                let header = array::<12>(view.data, inner).ok_or(Ignored::LinkTruncated)?;
                let subheader = usize::from(header[11] & 1) * 8;
                self.ethernet(view, inner + 12 + subheader, context, out)
            }
            _ => self.network(protocol, view, inner, context, out),
        }
    }
}
