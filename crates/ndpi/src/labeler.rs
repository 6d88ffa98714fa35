//! The labeler itself.

use std::collections::HashMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rockfish_label::{
    AppLabel, AppName, Category, CategoryRules, Confidence, Custom, Detection, Dialect, Ends,
    Handle, Known, Labeler, PacketView, Progress, RuleError, Rules, Slab, TooManyNames,
    risk_severity, service_of_host, service_of_ports,
};

use crate::aliases::current_name;
use crate::ffi::{self, Finding, Flow, Module, Refused};
use crate::hello::shorten;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// libndpi's risk of DNS messages over UDP that are longer than those of RFC 1035.
const RISK_LARGE_DNS: u64 = 1 << 37;
const LARGE_DNS: usize = 512;

/// libndpi's states that are kept for the next flows.
const MOST_SPARE: usize = 4096;

/// How a [`NdpiLabeler`] is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NdpiConfig {
    /// Custom protocols, in the format of nDPI's `protos.txt`.
    pub protocol_file: Option<PathBuf>,
    /// Custom categories, in the format of nDPI's `categories.txt`.
    pub categories_file: Option<PathBuf>,
    /// Most packets of a flow that libndpi is shown.
    pub limits: Limits,
}

/// Packets with payload after which libndpi is asked for what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of a TCP flow.
    pub tcp: u8,
    /// Of a UDP flow, or one of any other protocol.
    pub udp: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tcp: 24, udp: 24 }
    }
}

/// Why there is no labeler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NdpiError {
    /// A custom file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A custom file is not as it should be.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The checked copy of a custom file, which libndpi reads, cannot be written.
    #[error("no temporary file for libndpi")]
    Copy(#[source] std::io::Error),
    /// libndpi gave no detection module.
    #[error("libndpi {revision} cannot start: {found}")]
    Start {
        /// Which libndpi.
        revision: String,
        /// What it refused.
        found: &'static str,
    },
    /// The library that is there is not the one that this was built for.
    #[error(
        "libndpi {revision} has flows of {found} octets, expected {expected}: it is not the release that this was built for"
    )]
    Library {
        /// Which libndpi.
        revision: String,
        /// Octets of its flows.
        found: u32,
        /// Octets of flows in the headers that this was built with.
        expected: u32,
    },
    /// Too many names of protocols.
    #[error(transparent)]
    Names(#[from] TooManyNames),
}

/// Labels of libndpi, with what others know better put over them.
///
/// libndpi says what the protocol is. The service behind TLS, DTLS and QUIC goes by the server name that is known from
/// elsewhere: libndpi 4.2 does not see it in a QUIC hello that is split, and takes an address for a service. What only an
/// address says is left out. DNS is DNS, whatever it asks for.
pub struct NdpiLabeler {
    // Flows before the module, so that they go first.
    flows: Slab<State>,
    spare: Vec<Flow>,
    module: Module,
    custom: Arc<Custom>,
    limits: Limits,
    names: Vec<Option<Protocol>>,
    /// Names that are not those of custom rules, with their categories.
    known: HashMap<AppName, Category>,
    /// Numbers of the protocols that carry services with names.
    carriers: Vec<u16>,
    /// By number of the risk: 0 to 3.
    severities: [u8; 64],
    scratch: Vec<u8>,
    counters: NdpiCounters,
}

/// What was done, for who wants to know what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NdpiCounters {
    /// Packets shown to libndpi.
    pub packets: u64,
    /// Flows that libndpi was shown a packet of.
    pub flows: u64,
    /// Flows that it gave up.
    pub given_up: u64,
    /// States of libndpi that are in use.
    pub in_use: u64,
}

#[derive(Clone, Copy, Debug)]
struct Protocol {
    name: AppName,
    category: Category,
}

/// A flow.
struct State {
    /// What this project's own detection says; it needs no library.
    own: Detection,
    looked: Looked,
}

enum Looked {
    /// libndpi was not asked yet.
    New,
    /// Packets that it was shown.
    At(Flow, u8),
    /// It was not asked, and will not be: its own detection knows all that it would say.
    Passed,
    Decided(Decision),
}

/// What is kept of a flow when libndpi has said its word.
#[derive(Clone, Debug, Default)]
struct Decision {
    risk: u64,
    /// Name of the host that libndpi saw, where a service may be behind it.
    host: Option<Box<str>>,
    master: AppName,
    app: AppName,
    category: Category,
    confidence: Confidence,
    /// Whether libndpi has the service from something else than the name of a host or an address: a certificate, a user
    /// agent, an attribute.
    own_app: bool,
}

/// libndpi's release and the check of its structures, for `--version`.
///
/// # Errors
/// The library that is there is not the one that this was built for.
pub fn version() -> Result<String, NdpiError> {
    let revision = ffi::revision();
    match ffi::check_sizes() {
        Ok(()) => Ok(format!("libndpi {revision}")),
        Err(sizes) => {
            Err(NdpiError::Library { revision, found: sizes.library, expected: sizes.compiled })
        }
    }
}

/// Which releases of libndpi read what is handed over to them.
pub fn dialect() -> Dialect {
    let (major, minor) = ffi::release();
    Dialect::new(major, minor)
}

fn read(path: &Path) -> Result<Vec<u8>, NdpiError> {
    std::fs::read(path).map_err(|source| NdpiError::Read { path: path.to_owned(), source })
}

/// A file that goes when this is dropped; libndpi reads it once.
fn copy(text: &str) -> Result<Option<tempfile::NamedTempFile>, NdpiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut file =
        tempfile::Builder::new().prefix("rockfish-ndpi-").tempfile().map_err(NdpiError::Copy)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(NdpiError::Copy)?;
    Ok(Some(file))
}

impl NdpiLabeler {
    /// Reads and checks the custom files and makes a labeler with them.
    ///
    /// # Errors
    /// A file cannot be read or is not right, or libndpi does not start.
    pub fn new(config: &NdpiConfig) -> Result<Self, NdpiError> {
        let rules = match &config.protocol_file {
            Some(path) => Rules::parse(&path.display().to_string(), &read(path)?)?,
            None => Rules::default(),
        };
        let categories = match &config.categories_file {
            Some(path) => CategoryRules::parse(&path.display().to_string(), &read(path)?)?,
            None => CategoryRules::default(),
        };
        Self::with_rules(&rules, &categories, config.limits)
    }

    /// A labeler with rules that have been read: one for each thread, all with the same rules.
    ///
    /// # Errors
    /// libndpi does not start.
    pub fn with_rules(
        rules: &Rules,
        categories: &CategoryRules,
        limits: Limits,
    ) -> Result<Self, NdpiError> {
        version()?;
        let custom = Arc::new(Custom::new(rules, categories.clone()));
        let protocols = copy(&rules.sanitized(dialect()))?;
        let category_file = copy(&categories.sanitized())?;
        let path = |file: &Option<tempfile::NamedTempFile>| {
            file.as_ref().map(|file| file.path().to_owned())
        };
        let (module, names) =
            Module::new(path(&protocols).as_deref(), path(&category_file).as_deref()).map_err(
                |refused| NdpiError::Start {
                    revision: ffi::revision(),
                    found: match refused {
                        Refused::Memory => "out of memory",
                        Refused::Path => "the name of its temporary file has a zero in it",
                        Refused::Protocols => "it does not take the custom protocols",
                        Refused::Categories => "it does not take the custom categories",
                    },
                },
            )?;
        let mut severities = [0; 64];
        let risks = ffi::risks();
        for (risk, severity) in (0..).zip(&mut severities).skip(1) {
            let level = if risk < risks { ffi::severity(risk) } else { risk_severity(risk) };
            *severity = level.min(3);
        }
        let mut labeler = Self {
            flows: Slab::default(),
            spare: Vec::new(),
            module,
            custom,
            limits,
            names: Vec::new(),
            known: HashMap::new(),
            carriers: Vec::new(),
            severities,
            scratch: Vec::new(),
            counters: NdpiCounters::default(),
        };
        for number in 1..ffi::MOST_PROTOCOLS {
            let name = labeler.protocol(number).name;
            if is_secure(name) || is_web(name) {
                labeler.carriers.push(number);
            }
        }
        for (number, name) in (1..).zip(&names).filter(|(_, name)| !name.is_empty()) {
            let category = labeler.category(number);
            labeler.known.insert(AppName::intern(current_name(name))?, category);
        }
        Ok(labeler)
    }

    /// What was done so far.
    pub fn counters(&self) -> NdpiCounters {
        self.counters
    }

    /// Name and category of one of libndpi's numbers.
    fn protocol(&mut self, number: u16) -> Protocol {
        const UNKNOWN: Protocol =
            Protocol { name: AppName::UNKNOWN, category: Category::UNSPECIFIED };
        if number == 0 {
            return UNKNOWN;
        }
        let place = usize::from(number);
        if let Some(Some(protocol)) = self.names.get(place) {
            return *protocol;
        }
        let name = self.module.name(number);
        // A full table of names leaves a label out rather than the flow.
        let name = AppName::intern(current_name(&name)).unwrap_or(AppName::UNKNOWN);
        let category = self.category(number);
        let protocol = Protocol { name, category };
        if self.names.len() <= place {
            self.names.resize(place + 1, None);
        }
        self.names[place] = Some(protocol);
        protocol
    }

    fn category(&mut self, number: u16) -> Category {
        Category(u8::try_from(self.module.category(number)).unwrap_or(0))
    }

    /// The service of a host: what this project knows, then what libndpi knows.
    fn service(&mut self, host: &str) -> Option<(AppName, Category)> {
        let own = service_of_host(host);
        if own.is_some() {
            return own;
        }
        let mut buffer = [0; 255];
        let lower = buffer.get_mut(..host.len())?;
        lower.copy_from_slice(host.as_bytes());
        lower.make_ascii_lowercase();
        let (number, category) = self.module.match_host(std::str::from_utf8(lower).ok()?)?;
        let protocol = self.protocol(number);
        let category = u8::try_from(category).map_or(protocol.category, Category);
        Some((protocol.name, category))
    }

    fn decide(&mut self, ends: &Ends, finding: &Found) -> Decision {
        let (mut master, mut app) = (finding.master, finding.app);
        // libndpi says (0, TLS) or (TLS, TLS) where there is no service.
        if master == 0 || master == app {
            (master, app) = (app, 0);
        }
        let confidence = match finding.confidence {
            0 => Confidence::Unknown,
            1 => Confidence::Port,
            2 => Confidence::Address,
            3 => Confidence::Related,
            _ => Confidence::Payload,
        };
        let mut risk = finding.risk;
        // What this number means was changed after release 4.8.
        if ffi::release() < (4, 10) && risk >> 21 & 1 == 1 {
            risk = risk & !(1 << 21) | 1 << 60;
        }
        let mut master = self.protocol(master).name;
        let mut confidence = confidence;
        // Releases before 4.6 guess that any stream of datagrams is a call.
        if master == AppName::TEAMS && ends.protocol == UDP && ffi::release() < (4, 6) {
            (master, app, confidence) = (AppName::UNKNOWN, 0, Confidence::Unknown);
        }
        let service = self.protocol(app).name;
        let host = finding.host.as_deref();
        let named = is_secure(master) && host.is_some()
            || is_web(master)
                && host
                    .and_then(|host| self.module.match_host(host))
                    .is_some_and(|(number, _)| number == app);
        let own_app = app != 0
            && !is_naming(master)
            && !named
            && (master == AppName::STUN || !self.is_by_address(ends, app));
        Decision {
            risk,
            host: finding.host.clone(),
            master,
            app: service,
            category: Category(u8::try_from(finding.category).unwrap_or(0)),
            confidence,
            own_app,
        }
    }

    fn is_by_address(&mut self, ends: &Ends, app: u16) -> bool {
        match (ends.source, ends.destination) {
            (IpAddr::V4(one), IpAddr::V4(other)) => self.module.is_by_address(one, other, app),
            _ => false,
        }
    }

    /// Takes what libndpi says, frees its state and keeps the rest.
    fn settle(&mut self, ends: &Ends, mut flow: Flow, finding: &Found) -> Decision {
        flow.reset();
        self.counters.in_use -= 1;
        // As many as are used at one time are kept; a burst's worth goes back.
        if self.spare.len() < MOST_SPARE {
            self.spare.push(flow);
        }
        self.decide(ends, finding)
    }

    /// The label, from what libndpi said, if it was asked, and what is known.
    fn compose(&mut self, own: &Detection, seen: &Decision, known: &Known<'_>) -> Option<AppLabel> {
        let ends = own.ends();
        let Decision { mut risk, mut master, mut app, mut category, mut confidence, .. } = *seen;
        let mut own_app = seen.own_app;
        // A name that others have found is whole and not that of a certificate.
        let named = known.sni.or(known.host).filter(|name| !name.is_empty());
        let host = named.or(seen.host.as_deref());
        if matches!(confidence, Confidence::Unknown | Confidence::Port | Confidence::Address)
            || is_doubtful(master)
        {
            if is_doubtful(master) {
                (master, app, confidence) =
                    (AppName::UNKNOWN, AppName::UNKNOWN, Confidence::Unknown);
            }
            let found = own.likely();
            if found != AppName::UNKNOWN {
                (master, confidence) = (found, Confidence::Payload);
                (app, category) = own.service().unwrap_or((AppName::UNKNOWN, found.category()));
                own_app = app != AppName::UNKNOWN && !is_web(master);
            } else if confidence != Confidence::Port
                && let Some(guess) =
                    service_of_ports(ends.protocol, ends.source_port, ends.destination_port)
            {
                (master, app, confidence) = (guess, AppName::UNKNOWN, Confidence::Port);
                category = guess.category();
            }
        }
        if is_web(master) && matches!(own.protocol(), AppName::HTTP_CONNECT | AppName::HTTP_PROXY) {
            master = own.protocol();
        }
        if app == AppName::UNKNOWN
            && (master == AppName::STUN || is_web(master))
            && let Some(service) = own.service()
        {
            (app, category) = service;
            own_app = true;
        }
        if !own_app && app != AppName::UNKNOWN {
            // An address is no service, and what a name says is looked up below.
            (app, category) = (AppName::UNKNOWN, master.category());
        }
        if is_secure(master) || is_web(master) && !own_app {
            if let Some(service) = host.and_then(|host| self.service(host)) {
                (app, category) = service;
            } else if host.is_none()
                && !own_app
                && let Some(service) = known.dns_name.and_then(|name| self.service(name))
            {
                (app, category) = service;
                confidence = Confidence::Related;
            }
        }
        if master == AppName::DOH_DOT && app == AppName::UNKNOWN {
            (master, app) = (AppName::TLS, AppName::DOH_DOT);
        }
        // Custom rules go before all that.
        let is_new = |name: AppName| !self.known.contains_key(&name);
        let category_of = |name: AppName| self.known.get(&name).copied().unwrap_or_default();
        let by_port = self.custom.port(ends);
        if let Some(name) = by_port.filter(|name| is_new(*name)) {
            (master, app, confidence) = (AppName::UNKNOWN, name, Confidence::Custom);
        } else if let Some(name) =
            host.and_then(|host| self.custom.host(host)).or_else(|| self.custom.address(ends))
        {
            (app, confidence) = (name, Confidence::Custom);
            if !is_new(name) {
                category = category_of(name);
            }
        } else if matches!(confidence, Confidence::Unknown | Confidence::Port)
            && let Some(name) = by_port
        {
            (master, app, category) = (name, AppName::UNKNOWN, category_of(name));
            confidence = Confidence::Port;
        }
        if let Some(own) = self.custom.category(ends, host) {
            category = own;
        }
        risk &= self.custom.risk_mask(ends, host);
        let mut label = AppLabel { risk, master, app, category, confidence, ..AppLabel::default() };
        if label.is_unknown() && risk == 0 {
            return None;
        }
        if risk != 0 {
            label.score = ffi::score(risk);
            label.severity = (1..64)
                .filter(|bit| risk >> bit & 1 == 1)
                .map(|bit: usize| self.severities[bit])
                .max()
                .unwrap_or(0);
        }
        Some(label)
    }
}

/// Protocols that libndpi 4.2 sees where they are not, since it goes by a few octets. This project's own detection decides.
fn is_doubtful(master: AppName) -> bool {
    ffi::release() < (5, 0) && matches!(master, AppName::NATS | AppName::NOE | AppName::CASSANDRA)
}

/// Protocols whose services go by a server name.
fn is_secure(master: AppName) -> bool {
    matches!(master, AppName::TLS | AppName::QUIC | AppName::DTLS)
}

/// Protocols whose services go by a host name or by what is said.
fn is_web(master: AppName) -> bool {
    matches!(master, AppName::HTTP | AppName::HTTP_PROXY)
}

/// Protocols that ask for names, and are no service of those.
fn is_naming(master: AppName) -> bool {
    matches!(master, AppName::DNS | AppName::MDNS | AppName::LLMNR)
}

/// [`Finding`], owned.
struct Found {
    risk: u64,
    master: u16,
    app: u16,
    category: u16,
    confidence: u8,
    host: Option<Box<str>>,
}

impl Found {
    /// With the name of the host, in lower case, if that matters.
    fn of(finding: &Finding<'_>, with_host: bool) -> Self {
        let host = if with_host { std::str::from_utf8(finding.host).ok() } else { None };
        Self {
            risk: finding.risk,
            master: finding.master,
            app: finding.app,
            category: finding.category,
            confidence: finding.confidence,
            host: host.filter(|host| !host.is_empty()).map(|host| host.to_ascii_lowercase().into()),
        }
    }
}

impl NdpiLabeler {
    /// Whether a host's name is kept: where a service may be behind it, or a rule.
    fn wants_host(&self, finding: &Finding<'_>) -> bool {
        self.carriers.contains(&finding.master)
            || self.carriers.contains(&finding.app)
            || !self.custom.is_empty()
    }

    /// Shows libndpi that a connection was opened. It is not shown packets without payload; without a SYN it takes some
    /// protocols for none, FTP's data connections for one.
    fn open_connection(&mut self, ends: &Ends, flow: &mut Flow, time_ms: u64) {
        let empty = PacketView { ip: &[], payload: &[], from_initiator: true, time_ms };
        make_header(ends, &empty, &mut self.scratch);
        let header = if ends.source.is_ipv4() { 20 } else { 40 };
        if let Some(flags) = self.scratch.get_mut(header + 13) {
            *flags = 2;
        }
        self.module.packet(flow, &self.scratch, time_ms, true);
    }

    /// Shows libndpi a packet; its decision, when it has come to one.
    fn show(
        &mut self,
        ends: &Ends,
        flow: &mut Flow,
        packet: &PacketView<'_>,
        last: bool,
    ) -> Option<Found> {
        self.counters.packets += 1;
        let octets = if packet.ip.is_empty() {
            make_header(ends, packet, &mut self.scratch);
            &self.scratch
        } else if packet.payload.first() == Some(&0x16)
            && ends.protocol == TCP
            && shorten(packet, &mut self.scratch)
        {
            &self.scratch
        } else {
            packet.ip
        };
        let mut finding = self.module.packet(flow, octets, packet.time_ms, packet.from_initiator);
        if !finding.decided {
            if !last {
                return None;
            }
            self.counters.given_up += 1;
            finding = self.module.give_up(flow);
        }
        Some(Found::of(&finding, self.wants_host(&finding)))
    }

    /// Asks for what there is.
    fn give_up(&mut self, ends: &Ends, mut flow: Flow) -> Decision {
        self.counters.given_up += 1;
        let finding = self.module.give_up(&mut flow);
        let found = Found::of(&finding, self.wants_host(&finding));
        self.settle(ends, flow, &found)
    }

    /// Ends a flow at a packet that libndpi need not see.
    fn stop(&mut self, ends: &Ends, flow: Flow, packet: &PacketView<'_>) -> Decision {
        let mut decision = self.give_up(ends, flow);
        if decision.master == AppName::DNS && packet.payload.len() > LARGE_DNS {
            decision.risk |= RISK_LARGE_DNS;
        }
        decision
    }
}

/// Whether libndpi has seen all that it can make use of.
///
/// - Behind a ServerHello of TLS 1.3 all is encrypted, certificates too.
/// - Of a DNS answer that is no error only the length matters to it: names come from the question.
fn is_settled(ends: &Ends, own: &Detection, packet: &PacketView<'_>) -> bool {
    match own.protocol() {
        AppName::TLS => is_server_hello_13(packet.payload),
        AppName::DNS => {
            let header = packet.payload.get(2..4);
            ends.protocol == UDP
                && header.is_some_and(|header| header[0] & 0x80 != 0 && header[1] & 0x0f == 0)
        }
        _ => false,
    }
}

/// Whether this begins with a ServerHello that chooses a cipher suite of TLS 1.3 (RFC 8446, section 4.1.3 and B.4).
fn is_server_hello_13(payload: &[u8]) -> bool {
    // Record header, handshake header, version, random.
    let hello = payload.first() == Some(&0x16) && payload.get(5) == Some(&2);
    let suite = || {
        let session = usize::from(*payload.get(43)?);
        payload.get(44 + session..46 + session)
    };
    hello && matches!(suite(), Some([0x13, 1..=5]))
}

impl Labeler for NdpiLabeler {
    fn begin(&mut self, ends: &Ends) -> Handle {
        self.flows.insert(State { own: Detection::new(ends), looked: Looked::New })
    }

    fn packet(&mut self, handle: Handle, packet: &PacketView<'_>) -> Progress {
        let Some(state) = self.flows.get_mut(handle) else { return Progress::Done };
        if matches!(state.looked, Looked::Decided(_) | Looked::Passed) {
            return Progress::Done;
        }
        if packet.payload.is_empty() {
            return Progress::More;
        }
        state.own.see(packet, &self.custom);
        let ends = *state.own.ends();
        // An offer of SMB 1 and 2 decides nothing, for libndpi neither: the answer does.
        let offer = state.own.likely() == AppName::SMB_V23 && !state.own.is_done();
        if offer && matches!(state.looked, Looked::New) {
            return Progress::More;
        }
        // The state is taken out while libndpi looks at it.
        let (mut flow, shown) = match std::mem::replace(&mut state.looked, Looked::Passed) {
            Looked::At(flow, _) if is_settled(&ends, &state.own, packet) => {
                let decision = self.stop(&ends, flow, packet);
                if let Some(state) = self.flows.get_mut(handle) {
                    state.looked = Looked::Decided(decision);
                }
                return Progress::Done;
            }
            Looked::At(flow, shown) => (flow, shown + 1),
            _ => {
                if is_plain(&state.own) {
                    return Progress::Done;
                }
                let Some(mut flow) = self.spare.pop().or_else(Flow::new) else {
                    return Progress::Done;
                };
                self.counters.flows += 1;
                self.counters.in_use += 1;
                if ends.protocol == TCP && state.own.protocol() == AppName::UNKNOWN {
                    self.open_connection(&ends, &mut flow, packet.time_ms);
                }
                (flow, 1)
            }
        };
        let most = if ends.protocol == TCP { self.limits.tcp } else { self.limits.udp };
        let found = self.show(&ends, &mut flow, packet, shown >= most);
        let (looked, progress) = match found {
            None => (Looked::At(flow, shown), Progress::More),
            Some(found) => (Looked::Decided(self.settle(&ends, flow, &found)), Progress::Done),
        };
        if let Some(state) = self.flows.get_mut(handle) {
            state.looked = looked;
        }
        progress
    }

    fn finish(&mut self, handle: Handle, known: &Known<'_>) -> Option<AppLabel> {
        let State { own, looked } = self.flows.remove(handle)?;
        let decision = match looked {
            Looked::Decided(decision) => decision,
            Looked::At(flow, _) => self.give_up(own.ends(), flow),
            Looked::New | Looked::Passed => Decision::default(),
        };
        self.compose(&own, &decision, known)
    }

    fn guess(&mut self, ends: &Ends, known: &Known<'_>) -> Option<AppLabel> {
        self.compose(&Detection::new(ends), &Decision::default(), known)
    }

    fn open(&self) -> usize {
        self.flows.len()
    }

    fn describe(&self) -> String {
        format!("libndpi {}", ffi::revision())
    }
}

/// Protocols that libndpi would call the same, without a risk that it knows or with few: it is not asked. What it says of
/// QUIC's hello, it cannot say of one that is split; the name and the fingerprint come from elsewhere.
fn is_plain(own: &Detection) -> bool {
    // The old SMB is a risk.
    if own.service().is_some_and(|(name, _)| name == AppName::SMB_V1) {
        return false;
    }
    matches!(
        own.protocol(),
        AppName::QUIC
            | AppName::NTP
            | AppName::DHCP
            | AppName::DHCPV6
            | AppName::MDNS
            | AppName::LLMNR
            | AppName::SSDP
            | AppName::SNMP
            | AppName::NETBIOS
            | AppName::SMB_V23
            | AppName::ICMP
            | AppName::ICMPV6
            | AppName::IGMP
            | AppName::GRE
            | AppName::ESP
            | AppName::AH
            | AppName::IP_OSPF
            | AppName::IP_PIM
            | AppName::VRRP
            | AppName::SCTP
    )
}

/// Headers for a payload whose own are not there: of a datagram that was put together from fragments.
fn make_header(ends: &Ends, packet: &PacketView<'_>, out: &mut Vec<u8>) {
    out.clear();
    let (from, to, ports) = if packet.from_initiator {
        (ends.source, ends.destination, [ends.source_port, ends.destination_port])
    } else {
        (ends.destination, ends.source, [ends.destination_port, ends.source_port])
    };
    let transport: &[u8] = match ends.protocol {
        TCP => &[0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0],
        UDP => &[0; 4],
        _ => &[],
    };
    let ports_octets = if transport.is_empty() { 0 } else { 4 };
    let longest = usize::from(u16::MAX) - 60 - transport.len() - ports_octets;
    let payload = packet.payload.get(..longest).unwrap_or(packet.payload);
    let inner = (payload.len() + transport.len() + ports_octets) as u16;
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend_from_slice(&[0x45, 0]);
            out.extend_from_slice(&(inner + 20).to_be_bytes());
            out.extend_from_slice(&[0, 0, 0, 0, 64, ends.protocol, 0, 0]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        (from, to) => {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            out.extend_from_slice(&[0x60, 0, 0, 0]);
            out.extend_from_slice(&inner.to_be_bytes());
            out.extend_from_slice(&[ends.protocol, 64]);
            out.extend_from_slice(&octets(from));
            out.extend_from_slice(&octets(to));
        }
    }
    if ports_octets > 0 {
        out.extend_from_slice(&ports[0].to_be_bytes());
        out.extend_from_slice(&ports[1].to_be_bytes());
        if ends.protocol == UDP {
            out.extend_from_slice(&inner.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        } else {
            out.extend_from_slice(transport);
        }
    }
    out.extend_from_slice(payload);
}
