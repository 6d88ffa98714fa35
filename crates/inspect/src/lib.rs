//! Labels for flows: what the meter shows of a flow's packets goes to those who know handshakes and applications, and what
//! they find becomes the labels of its records.
//!
//! A flow costs a small state until it ends, and what looking takes only while it is looked at: a handshake is made with the
//! first payload and dropped when it is read, the labeler's state when it has decided.
#![forbid(unsafe_code)]

mod states;
mod syn;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rockfish_fingerprint::{Handshake, Hellos, Progress, TcpFingerprint, TcpFormat, ndpi_fp};
use rockfish_flow::{Address, Application, Labels, TcpFlags};
use rockfish_label::{AppLabel, Ends, Handle, Known, Labeler, PacketView};
use rockfish_meter::{Inspector, Seen};
use rockfish_packet::{FlowKey, Packet};

use crate::states::States;
use crate::syn::SynCache;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct InspectConfig {
    /// Server names and fingerprints of TLS, QUIC and SYN packets.
    pub fingerprints: bool,
    /// Format of the SYN's.
    pub tcp_format: TcpFormat,
}

/// What is known of one flow, and who is still looking at it.
#[derive(Debug)]
struct State {
    key: FlowKey,
    from_low: bool,
    /// Sequence numbers of the SYN of source and destination.
    syns: [Option<u32>; 2],
    tcp: Option<TcpFingerprint>,
    looking: bool,
    handshake: Option<Box<Handshake>>,
    hellos: Option<Box<Hellos>>,
    application: Looked,
}

/// How far a labeler has come.
#[derive(Clone, Copy, Debug)]
enum Looked {
    /// It has seen no payload.
    NotYet,
    /// It wants more.
    Begun(Handle),
    /// It wants no more.
    Seen(Handle),
    /// The label was asked for.
    Labelled(Option<AppLabel>),
}

/// Inspects the flows of one meter.
pub struct FlowInspector {
    config: InspectConfig,
    states: States<State>,
    syns: SynCache,
    labeler: Option<Box<dyn Labeler>>,
    /// Handshakes that are being read.
    handshakes: usize,
    /// Names that were written before.
    names: HashMap<u32, Arc<str>>,
    /// Lists of risks that were written before.
    risks: HashMap<u64, Arc<str>>,
}

impl FlowInspector {
    /// With a labeler, flows get applications.
    pub fn new(config: InspectConfig, labeler: Option<Box<dyn Labeler>>) -> Self {
        Self {
            config,
            states: States::default(),
            syns: SynCache::new(config.tcp_format),
            labeler,
            handshakes: 0,
            names: HashMap::new(),
            risks: HashMap::new(),
        }
    }

    fn application(&mut self, label: &AppLabel) -> Option<Application> {
        let name = label.name();
        if name.is_none() && label.risk == 0 {
            return None;
        }
        let name = self
            .names
            .entry(label.name_key())
            .or_insert_with(|| name.map(|name| name.to_string()).unwrap_or_default().into());
        let risks = (label.risk != 0).then(|| {
            let list = self
                .risks
                .entry(label.risk)
                .or_insert_with(|| label.risk_names().collect::<Vec<_>>().join(",").into());
            Arc::clone(list)
        });
        Some(Application {
            name: Arc::clone(name),
            category: label.category_name(),
            risk_score: u32::from(label.score),
            risk_severity: label.severity,
            risks,
        })
    }
}

impl State {
    fn ends(&self) -> Ends {
        let address = |address: Address| match self.key.ip_version() {
            4 => {
                let [a, b, c, d, ..] = address;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            _ => IpAddr::V6(Ipv6Addr::from(address)),
        };
        let (low, high) = (address(self.key.low()), address(self.key.high()));
        let ports = (self.key.low_port(), self.key.high_port());
        let (source, destination, source_port, destination_port) = if self.from_low {
            (low, high, ports.0, ports.1)
        } else {
            (high, low, ports.1, ports.0)
        };
        Ends { protocol: self.key.protocol(), source, destination, source_port, destination_port }
    }

    fn hellos(&self) -> Option<&Hellos> {
        self.hellos.as_deref().or_else(|| self.handshake.as_ref()?.hellos())
    }

    /// Reads a packet's part of the handshake; whether more is wanted.
    fn read_handshake(&mut self, seen: &Seen<'_>, handshakes: &mut usize) -> bool {
        if !self.looking {
            return false;
        }
        let Seen { packet, payload, from_source, .. } = *seen;
        let protocol = self.key.protocol();
        let is_syn = packet.tcp_flags.contains(TcpFlags::SYN);
        if protocol == TCP && is_syn {
            self.syns[usize::from(!from_source)] = Some(packet.tcp_sequence);
        }
        if payload.is_empty() {
            return true;
        }
        let syns = self.syns;
        let handshake = self.handshake.get_or_insert_with(|| {
            *handshakes += 1;
            let mut handshake = Handshake::new(protocol);
            for (syn, from_source) in syns.into_iter().zip([true, false]) {
                if let Some(sequence) = syn {
                    handshake.open(from_source, sequence);
                }
            }
            Box::new(handshake)
        });
        let progress = if protocol == UDP {
            handshake.packet(from_source, payload)
        } else {
            if is_syn {
                handshake.open(from_source, packet.tcp_sequence);
            }
            let first = packet.tcp_sequence.wrapping_add(u32::from(is_syn));
            handshake.segment(from_source, first, payload)
        };
        if progress == Progress::Done {
            self.looking = false;
            self.hellos = self.handshake.take().and_then(|handshake| handshake.into_hellos());
            *handshakes -= 1;
        }
        self.looking
    }

    /// Shows a packet to the labeler; whether it wants more.
    fn show(&mut self, seen: &Seen<'_>, labeler: &mut dyn Labeler) -> bool {
        let handle = match self.application {
            Looked::NotYet if seen.payload.is_empty() => return true,
            Looked::NotYet => labeler.begin(&self.ends()),
            Looked::Begun(handle) => handle,
            Looked::Seen(_) | Looked::Labelled(_) => return false,
        };
        if seen.payload.is_empty() {
            return true;
        }
        let view = PacketView {
            ip: seen.network,
            payload: seen.payload,
            from_initiator: seen.from_source,
            time_ms: u64::try_from(seen.packet.time.as_micros() / 1000).unwrap_or_default(),
        };
        let progress = labeler.packet(handle, &view);
        let more = progress == rockfish_label::Progress::More;
        self.application = if more { Looked::Begun(handle) } else { Looked::Seen(handle) };
        more
    }

    /// The label, asked for once.
    fn label(&mut self, labeler: &mut dyn Labeler) -> Option<AppLabel> {
        let ends = self.ends();
        let hellos = self.hellos();
        let known = Known {
            sni: hellos.and_then(|hellos| hellos.sni.as_deref()),
            host: hellos.and_then(|hellos| hellos.http_host.as_deref()),
            dns_name: None,
        };
        let label = match self.application {
            Looked::Labelled(label) => label,
            Looked::NotYet => labeler.guess(&ends, &known),
            Looked::Begun(handle) | Looked::Seen(handle) => labeler.finish(handle, &known),
        };
        self.application = Looked::Labelled(label);
        label
    }
}

impl Inspector for FlowInspector {
    fn begin(&mut self, packet: &Packet) -> Option<u32> {
        let protocol = packet.key.protocol();
        let looking = self.config.fingerprints && matches!(protocol, TCP | UDP);
        if !looking && self.labeler.is_none() {
            return None;
        }
        // As the meter has it: who answers a connection that is being opened is not its source.
        let answers = packet.tcp_flags.contains(TcpFlags::SYN | TcpFlags::ACK);
        Some(self.states.insert(State {
            key: packet.key,
            from_low: packet.from_low != answers,
            syns: [None; 2],
            tcp: None,
            looking,
            handshake: None,
            hellos: None,
            application: Looked::NotYet,
        }))
    }

    fn packet(&mut self, flow: u32, seen: &Seen<'_>) -> bool {
        let Some(state) = self.states.get_mut(flow) else { return false };
        let is_syn = seen.packet.tcp_flags.contains(TcpFlags::SYN);
        if self.config.fingerprints && is_syn && state.tcp.is_none() {
            state.tcp = self.syns.fingerprint(seen.transport, seen.packet.ttl);
        }
        let reading = state.read_handshake(seen, &mut self.handshakes);
        let showing = self.labeler.as_deref_mut().is_some_and(|labeler| state.show(seen, labeler));
        reading || showing
    }

    fn labels(&mut self, flow: u32) -> Option<Box<Labels>> {
        let state = self.states.get_mut(flow)?;
        let label = self.labeler.as_deref_mut().and_then(|labeler| state.label(labeler));
        let application = label.and_then(|label| self.application(&label));
        let state = self.states.get_mut(flow)?;
        let hellos = state.hellos();
        if application.is_none() && state.tcp.is_none() && hellos.is_none() {
            return None;
        }
        let tcp_fingerprint = state.tcp.map(|fingerprint| fingerprint.to_string());
        let mut labels = Labels { application, ..Labels::default() };
        if let Some(hellos) = hellos {
            let ja4 = hellos.ja4.as_ref().map(rockfish_fingerprint::Ja4::as_str);
            labels.fingerprint = hellos
                .transport
                .is_some()
                .then(|| ndpi_fp(tcp_fingerprint.as_deref(), ja4).into_boxed_str());
            labels.host_name = hellos.sni.clone().or_else(|| hellos.http_host.clone());
            labels.ja4 = ja4.map(Into::into);
            labels.ja3s = hellos.ja3s.map(|ja3s| ja3s.to_string().into_boxed_str());
        }
        labels.tcp_fingerprint = tcp_fingerprint.map(String::into_boxed_str);
        Some(Box::new(labels))
    }

    fn end(&mut self, flow: u32) {
        let Some(mut state) = self.states.remove(flow) else { return };
        self.handshakes -= usize::from(state.handshake.is_some());
        if let (Some(labeler), Looked::Begun(_) | Looked::Seen(_)) =
            (self.labeler.as_deref_mut(), state.application)
        {
            state.label(labeler);
        }
    }

    fn tick(&mut self, _: i64) {}

    fn memory(&self) -> usize {
        self.states.memory() + self.handshakes * size_of::<Handshake>()
    }
}

#[cfg(test)]
mod tests;
