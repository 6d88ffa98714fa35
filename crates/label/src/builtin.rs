//! The labeler that needs no library.

use std::sync::Arc;

use crate::detect::{self, Look, Verdict};
use crate::hosts::service_of_host;
use crate::http;
use crate::label::{AppLabel, Confidence};
use crate::labeler::{Ends, Handle, Known, Labeler, PacketView, Progress};
use crate::ports::{is_usual, of_protocol, service_of_ports};
use crate::rules::Custom;
use crate::slab::Slab;
use crate::{AppName, Category};

/// Packets with payload after which a flow is given up.
const MOST_PACKETS: u8 = 10;
/// The same for dialogues that may go on under TLS.
const MOST_WATCHED: u8 = 24;

/// nDPI's numbers of the risks that can be told here.
const RISK_UNUSUAL_PORT: u64 = 1 << 5;
const RISK_UNSAFE: u64 = 1 << 22;

/// Knows the common protocols by their payload, services by the names of their hosts, the rest by its ports.
///
/// What it says is less than what libndpi says: about a hundred protocols instead of four hundred, and of the risks only two
/// (a known protocol on an unusual port, a protocol that sends passwords in the clear).
#[derive(Debug)]
pub struct BuiltinLabeler {
    flows: Slab<Detection>,
    custom: Arc<Custom>,
}

/// What the payload of a flow's packets says, one packet after the other.
#[derive(Clone, Debug)]
pub struct Detection {
    ends: Ends,
    /// Service that a host name or the payload tells, with its category.
    service: Option<(AppName, Category)>,
    /// The host rule that matched.
    host_rule: Option<AppName>,
    found: AppName,
    /// What one packet looked like; how often, and from which directions.
    maybe: AppName,
    maybes: u8,
    maybe_sides: u8,
    packets: u8,
    done: bool,
    watch: bool,
}

impl BuiltinLabeler {
    /// Goes by these custom rules as well.
    pub fn new(custom: Arc<Custom>) -> Self {
        Self { flows: Slab::default(), custom }
    }
}

impl Detection {
    /// Of a flow that no payload was seen of.
    #[inline]
    pub fn new(ends: &Ends) -> Self {
        let found = match ends.protocol {
            6 | 17 => AppName::UNKNOWN,
            protocol => of_protocol(protocol).unwrap_or(AppName::UNKNOWN),
        };
        Self {
            ends: *ends,
            service: None,
            host_rule: None,
            found,
            maybe: AppName::UNKNOWN,
            maybes: 0,
            maybe_sides: 0,
            packets: 0,
            done: !matches!(ends.protocol, 6 | 17),
            watch: false,
        }
    }

    /// The flow's ends.
    pub const fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Whether more packets can tell more.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// The protocol, or [`AppName::UNKNOWN`].
    pub const fn protocol(&self) -> AppName {
        self.found
    }

    /// The protocol that some packets looked like, if the ports or enough packets speak for it.
    pub fn likely(&self) -> AppName {
        let ends = &self.ends;
        let usual = || service_of_ports(ends.protocol, ends.source_port, ends.destination_port);
        if self.found != AppName::UNKNOWN {
            self.found
        } else if self.maybe != AppName::UNKNOWN && usual() == Some(self.maybe) {
            self.maybe
        } else {
            AppName::UNKNOWN
        }
    }

    /// The service, if the payload names it, and its category.
    pub const fn service(&self) -> Option<(AppName, Category)> {
        self.service
    }

    /// A packet with payload.
    pub fn see(&mut self, packet: &PacketView<'_>, custom: &Custom) -> Progress {
        if self.done {
            return Progress::Done;
        }
        let (from, to) = if packet.from_initiator {
            (self.ends.source_port, self.ends.destination_port)
        } else {
            (self.ends.destination_port, self.ends.source_port)
        };
        let look = Look { payload: packet.payload, from, to };
        self.packets += 1;
        let verdict = if self.ends.protocol == 6 { detect::tcp(&look) } else { detect::udp(&look) };
        let verdict = match verdict {
            Verdict::Answer(name) if self.maybe == name => Verdict::Maybe(name),
            Verdict::Answer(_) => Verdict::None,
            // As nDPI has it: only what speaks one dialect from the start is named after NetBIOS.
            Verdict::Sure(AppName::NETBIOS, AppName::SMB_V23) if self.maybe == AppName::SMB_V23 => {
                Verdict::Sure(AppName::SMB_V23, AppName::UNKNOWN)
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Sure(name, app) => {
                self.take(name, app, packet.payload, custom);
                self.done = true;
            }
            Verdict::Watch(name) => {
                if !self.watch {
                    self.take(name, AppName::UNKNOWN, packet.payload, custom);
                    self.watch = true;
                }
            }
            Verdict::Maybe(name) => {
                if self.maybe != name {
                    (self.maybe, self.maybes, self.maybe_sides) = (name, 0, 0);
                }
                self.maybes += 1;
                self.maybe_sides |= 1 << u8::from(packet.from_initiator);
                // RTP goes one way often enough; of the others both ends have to speak.
                let both = self.maybe_sides == 3;
                if both && self.maybes >= 2 || is_stream(name) && self.maybes >= 3 {
                    self.take(name, AppName::UNKNOWN, packet.payload, custom);
                    self.done = true;
                }
            }
            Verdict::None | Verdict::Answer(_) => {}
        }
        let most = if self.watch { MOST_WATCHED } else { MOST_PACKETS };
        if self.packets >= most {
            self.done = true;
        }
        if self.done { Progress::Done } else { Progress::More }
    }

    fn take(&mut self, name: AppName, app: AppName, payload: &[u8], custom: &Custom) {
        // Mail that goes on under TLS, on whatever port it began.
        let name = match (self.watch, name) {
            (
                true,
                AppName::TLS | AppName::IMAPS | AppName::POPS | AppName::SMTPS | AppName::FTPS,
            ) => match self.found {
                AppName::IMAP => AppName::IMAPS,
                AppName::POP3 => AppName::POPS,
                AppName::SMTP => AppName::SMTPS,
                AppName::FTP_CONTROL => AppName::FTPS,
                other => other,
            },
            (true, _) => return,
            (false, name) => name,
        };
        self.found = name;
        if app != AppName::UNKNOWN {
            self.service = Some((app, app.category()));
        }
        if matches!(name, AppName::HTTP | AppName::HTTP_PROXY)
            && let Some(host) = http::host(payload)
        {
            self.host_rule = custom.host(host);
            if self.service.is_none() {
                self.service = service_of_host(host);
            }
        }
        if name == AppName::DNS && !custom.is_empty() {
            self.host_rule =
                dns_question(payload, &mut [0; 255]).and_then(|asked| custom.host(asked));
        }
    }
}

/// Protocols that often go one way.
fn is_stream(name: AppName) -> bool {
    matches!(name, AppName::RTP | AppName::RTCP | AppName::IPSEC | AppName::WIREGUARD)
}

/// The name that a DNS message asks for, as it stands there.
fn dns_question<'a>(data: &[u8], buffer: &'a mut [u8; 255]) -> Option<&'a str> {
    let mut length = 0;
    let mut at = 12;
    loop {
        let octets = usize::from(*data.get(at)?);
        if octets == 0 {
            break;
        }
        // A pointer in a question leads nowhere.
        if octets > 63 {
            return None;
        }
        if length > 0 {
            *buffer.get_mut(length)? = b'.';
            length += 1;
        }
        let label = data.get(at + 1..at + 1 + octets)?;
        buffer.get_mut(length..length + octets)?.copy_from_slice(label);
        length += octets;
        at += 1 + octets;
    }
    std::str::from_utf8(buffer.get(..length)?).ok().filter(|name| !name.is_empty())
}

/// Whether the protocol carries services that have names.
fn carries(name: AppName) -> bool {
    matches!(
        name,
        AppName::TLS
            | AppName::QUIC
            | AppName::DTLS
            | AppName::HTTP
            | AppName::HTTP_PROXY
            | AppName::HTTP2
    )
}

/// What a flow is by custom rules: they go before anything else.
fn by_rule(
    custom: &Custom,
    ends: &Ends,
    master: AppName,
    host: Option<AppName>,
) -> Option<(AppName, AppName)> {
    if let Some(name) = custom.port(ends).filter(|name| !name.is_known()) {
        return Some((AppName::UNKNOWN, name));
    }
    let app = host.or_else(|| custom.address(ends))?;
    Some((master, app))
}

impl BuiltinLabeler {
    fn label(&self, flow: &Detection, known: &Known<'_>) -> Option<AppLabel> {
        let ends = &flow.ends;
        let custom = &*self.custom;
        let named = known.sni.or(known.host);
        let mut confidence = Confidence::Payload;
        let mut master = flow.likely();
        let mut service = flow.service;
        if master == AppName::UNKNOWN {
            confidence = Confidence::Port;
            let guess = service_of_ports(ends.protocol, ends.source_port, ends.destination_port);
            master = custom
                .port(ends)
                .filter(|name| name.is_known())
                .or(guess)
                .unwrap_or(AppName::UNKNOWN);
            (master, service) = match master {
                AppName::DOH_DOT => (AppName::TLS, Some((AppName::DOH_DOT, Category::NETWORK))),
                other => (other, service),
            };
        }
        let mut name = named;
        if carries(master) {
            if service.is_none() {
                service = named.and_then(service_of_host);
            }
            if service.is_none() && named.is_none() && flow.host_rule.is_none() {
                name = known.dns_name;
                service = known.dns_name.and_then(service_of_host);
                if service.is_some() {
                    confidence = Confidence::Related;
                }
            }
        } else {
            name = None;
        }
        let host_rule = flow.host_rule.or_else(|| name.and_then(|host| custom.host(host)));
        let mut category = service.map_or_else(
            || master.category(),
            |(_, category)| {
                if category == Category::UNSPECIFIED { master.category() } else { category }
            },
        );
        let mut app = service.map_or(AppName::UNKNOWN, |(app, _)| app);
        if let Some((rule_master, rule_app)) = by_rule(custom, ends, master, host_rule) {
            (master, app) = (rule_master, rule_app);
            confidence = Confidence::Custom;
            if app.is_known() {
                category = app.category();
            }
        }
        if master == AppName::UNKNOWN && app == AppName::UNKNOWN {
            return None;
        }
        if let Some(own) = custom.category(ends, name) {
            category = own;
        }
        let mut label = AppLabel { master, app, category, confidence, ..AppLabel::default() };
        let mut risk = 0;
        if confidence == Confidence::Payload {
            if !is_usual(master, ends.protocol, ends.source_port, ends.destination_port) {
                risk |= RISK_UNUSUAL_PORT;
            }
            if matches!(
                master,
                AppName::TELNET
                    | AppName::FTP_CONTROL
                    | AppName::POP3
                    | AppName::IMAP
                    | AppName::SMB_V1
                    | AppName::RSH
            ) {
                risk |= RISK_UNSAFE;
            }
        }
        label.set_risk(risk & custom.risk_mask(ends, name));
        Some(label)
    }
}

impl Labeler for BuiltinLabeler {
    fn begin(&mut self, ends: &Ends) -> Handle {
        self.flows.insert(Detection::new(ends))
    }

    fn packet(&mut self, handle: Handle, packet: &PacketView<'_>) -> Progress {
        let Some(flow) = self.flows.get_mut(handle) else { return Progress::Done };
        if packet.payload.is_empty() {
            return if flow.is_done() { Progress::Done } else { Progress::More };
        }
        flow.see(packet, &self.custom)
    }

    fn finish(&mut self, handle: Handle, known: &Known<'_>) -> Option<AppLabel> {
        let flow = self.flows.remove(handle)?;
        self.label(&flow, known)
    }

    fn guess(&mut self, ends: &Ends, known: &Known<'_>) -> Option<AppLabel> {
        self.label(&Detection::new(ends), known)
    }

    fn open(&self) -> usize {
        self.flows.len()
    }

    fn describe(&self) -> String {
        concat!("built-in labels ", env!("CARGO_PKG_VERSION")).to_owned()
    }
}
