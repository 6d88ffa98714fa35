//! The shim over libndpi, behind types that are safe to use.
#![expect(
    unsafe_code,
    reason = "libndpi is a C library; everything that touches it is in this module"
)]
#![deny(unsafe_op_in_unsafe_fn)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// A detection module of the library's.
#[repr(C)]
struct RawModule {
    _opaque: [u8; 0],
    _neither_send_nor_sync: PhantomData<*mut u8>,
}

/// A flow of the library's.
#[repr(C)]
struct RawFlow {
    _opaque: [u8; 0],
    _neither_send_nor_sync: PhantomData<*mut u8>,
}

/// `struct rockfish_result` of the shim.
#[repr(C)]
struct RawFinding {
    risk: u64,
    master: u16,
    app: u16,
    category: u16,
    confidence: u8,
    decided: u8,
    host_length: u16,
    host: *const c_char,
}

unsafe extern "C" {
    fn rockfish_ndpi_release() -> u32;
    fn rockfish_ndpi_revision() -> *const c_char;
    fn rockfish_ndpi_flow_size() -> u32;
    fn rockfish_ndpi_library_flow_size() -> u32;
    fn rockfish_ndpi_result_size() -> u32;
    fn rockfish_ndpi_new() -> *mut RawModule;
    fn rockfish_ndpi_load_protocols(module: *mut RawModule, path: *const c_char) -> c_int;
    fn rockfish_ndpi_load_categories(module: *mut RawModule, path: *const c_char) -> c_int;
    fn rockfish_ndpi_finalize(module: *mut RawModule);
    fn rockfish_ndpi_free(module: *mut RawModule);
    fn rockfish_ndpi_flow_new() -> *mut RawFlow;
    fn rockfish_ndpi_flow_reset(flow: *mut RawFlow);
    fn rockfish_ndpi_flow_free(flow: *mut RawFlow);
    fn rockfish_ndpi_packet(
        module: *mut RawModule,
        flow: *mut RawFlow,
        packet: *const u8,
        length: u16,
        time_ms: u64,
        direction: u8,
        result: *mut RawFinding,
    );
    fn rockfish_ndpi_give_up(module: *mut RawModule, flow: *mut RawFlow, result: *mut RawFinding);
    fn rockfish_ndpi_match_host(
        module: *mut RawModule,
        host: *const c_char,
        length: u32,
        category: *mut u16,
    ) -> u16;
    fn rockfish_ndpi_is_by_address(module: *mut RawModule, one: u32, other: u32, app: u16)
    -> c_int;
    fn rockfish_ndpi_name(module: *mut RawModule, number: u16) -> *const c_char;
    fn rockfish_ndpi_category(module: *mut RawModule, number: u16) -> u16;
    fn rockfish_ndpi_risks() -> u32;
    fn rockfish_ndpi_severity(risk: u32) -> u8;
    fn rockfish_ndpi_score(risk: u64) -> u16;
}

/// Numbers that the library may have given to its protocols.
pub(crate) const MOST_PROTOCOLS: u16 = 1024;

/// The library makes and destroys modules through variables that all of them share.
static LIFE: Mutex<()> = Mutex::new(());

/// What the library says of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) risk: u64,
    pub(crate) master: u16,
    pub(crate) app: u16,
    pub(crate) category: u16,
    pub(crate) confidence: u8,
    pub(crate) decided: bool,
    /// Name of the host, as far as the library keeps it.
    pub(crate) host: &'a [u8],
}

/// The flow of the headers and the flow of the library differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizesDiffer {
    pub(crate) compiled: u32,
    pub(crate) library: u32,
}

/// Release of the headers: major and minor number.
pub(crate) fn release() -> (u16, u16) {
    // SAFETY: takes nothing and gives a constant.
    let number = unsafe { rockfish_ndpi_release() };
    ((number / 100) as u16, (number % 100) as u16)
}

/// The release that is there at run time, as it calls itself.
pub(crate) fn revision() -> String {
    // SAFETY: gives a constant string that ends with zero.
    let text = unsafe {
        let text = rockfish_ndpi_revision();
        if text.is_null() { None } else { Some(CStr::from_ptr(text)) }
    };
    text.map_or_else(|| "unknown".to_owned(), |text| text.to_string_lossy().into_owned())
}

/// Whether what was compiled fits the library that is there.
pub(crate) fn check_sizes() -> Result<(), SizesDiffer> {
    // SAFETY: both take nothing and give a number.
    let (compiled, library, result) = unsafe {
        (rockfish_ndpi_flow_size(), rockfish_ndpi_library_flow_size(), rockfish_ndpi_result_size())
    };
    assert_eq!(
        result as usize,
        size_of::<RawFinding>(),
        "the shim's result is not as declared here"
    );
    if compiled == library { Ok(()) } else { Err(SizesDiffer { compiled, library }) }
}

/// How severe the library holds a risk: 1 low to 4 severe, 0 for a number that it does not know.
pub(crate) fn severity(risk: u32) -> u8 {
    // SAFETY: numbers in, number out; the shim checks the range.
    unsafe { rockfish_ndpi_severity(risk) }
}

/// How many risks the library knows.
pub(crate) fn risks() -> u32 {
    // SAFETY: takes nothing and gives a constant.
    unsafe { rockfish_ndpi_risks() }
}

/// The score of a set of risks.
pub(crate) fn score(risk: u64) -> u16 {
    // SAFETY: numbers in, number out; the library walks over the bits that it knows.
    unsafe { rockfish_ndpi_score(risk) }
}

/// One detection module. It may go to another thread, but only one at a time may use it.
#[derive(Debug)]
pub(crate) struct Module {
    raw: NonNull<RawModule>,
}

// SAFETY: a module has no ties to the thread that made it. What modules share is used while they are made and destroyed
// alone, and that is done under LIFE.
unsafe impl Send for Module {}

/// One flow of a module. Flows are used with any module, one at a time.
#[derive(Debug)]
pub(crate) struct Flow {
    raw: NonNull<RawFlow>,
}

// SAFETY: a flow is memory that belongs to whoever has it; nothing else points to it.
unsafe impl Send for Flow {}

impl Module {
    /// A module with all protocols, and these files, which must have been checked; and the names of the protocols that it
    /// had before it read them.
    pub(crate) fn new(
        protocols: Option<&Path>,
        categories: Option<&Path>,
    ) -> Result<(Self, Vec<String>), Refused> {
        let path = |path: &Path| {
            use std::os::unix::ffi::OsStrExt;
            CString::new(path.as_os_str().as_bytes()).map_err(|_| Refused::Path)
        };
        let protocols = protocols.map(path).transpose()?;
        let categories = categories.map(path).transpose()?;
        let _alone = LIFE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: takes nothing; under LIFE.
        let raw = NonNull::new(unsafe { rockfish_ndpi_new() }).ok_or(Refused::Memory)?;
        let module = Unfinished { raw };
        let names = (1..MOST_PROTOCOLS).map(|number| name(raw, number)).collect();
        if let Some(path) = &protocols {
            // SAFETY: the module was just made; the path ends with zero and outlives the call.
            if unsafe { rockfish_ndpi_load_protocols(raw.as_ptr(), path.as_ptr()) } < 0 {
                return Err(Refused::Protocols);
            }
        }
        if let Some(path) = &categories {
            // SAFETY: as before.
            if unsafe { rockfish_ndpi_load_categories(raw.as_ptr(), path.as_ptr()) } < 0 {
                return Err(Refused::Categories);
            }
        }
        // SAFETY: as before; once for each module.
        unsafe { rockfish_ndpi_finalize(raw.as_ptr()) };
        std::mem::forget(module);
        Ok((Self { raw }, names))
    }

    /// Shows it a packet, from the IP header on.
    #[inline]
    pub(crate) fn packet<'a>(
        &mut self,
        flow: &'a mut Flow,
        packet: &[u8],
        time_ms: u64,
        from_initiator: bool,
    ) -> Finding<'a> {
        let mut raw = RawFinding::EMPTY;
        let length = packet.len().min(usize::from(u16::MAX)) as u16;
        // SAFETY: module and flow live and nobody else uses them, both being borrowed for writing. `packet` has `length`
        // octets, and the library keeps no pointer into it that it follows in a later call: every call sets them anew.
        unsafe {
            rockfish_ndpi_packet(
                self.raw.as_ptr(),
                flow.raw.as_ptr(),
                packet.as_ptr(),
                length,
                time_ms,
                if from_initiator { 1 } else { 2 },
                &raw mut raw,
            );
        }
        raw.finding(flow)
    }

    /// What it says of a flow that gets no more packets.
    #[inline]
    pub(crate) fn give_up<'a>(&mut self, flow: &'a mut Flow) -> Finding<'a> {
        let mut raw = RawFinding::EMPTY;
        // SAFETY: module and flow live and nobody else uses them.
        unsafe { rockfish_ndpi_give_up(self.raw.as_ptr(), flow.raw.as_ptr(), &raw mut raw) };
        raw.finding(flow)
    }

    /// The number and the category of a host's service. The name has to be in lower case.
    pub(crate) fn match_host(&mut self, host: &str) -> Option<(u16, u16)> {
        // The library reads one octet past the name when it looks for its end.
        let mut buffer = [0; 256];
        buffer
            .get_mut(..host.len())
            .filter(|part| part.len() < 256)?
            .copy_from_slice(host.as_bytes());
        let mut category = 0;
        // SAFETY: the module lives and nobody else uses it; the name is followed by a zero, since it is shorter than the
        // buffer, and outlives the call.
        let number = unsafe {
            rockfish_ndpi_match_host(
                self.raw.as_ptr(),
                buffer.as_ptr().cast(),
                host.len() as u32,
                &raw mut category,
            )
        };
        (number != 0).then_some((number, category))
    }

    /// Whether one of the addresses alone suggests this service, and the library goes by that.
    pub(crate) fn is_by_address(&mut self, one: Ipv4Addr, other: Ipv4Addr, app: u16) -> bool {
        let word = |address: Ipv4Addr| u32::from_ne_bytes(address.octets());
        // SAFETY: the module lives and nobody else uses it; numbers in, number out.
        unsafe { rockfish_ndpi_is_by_address(self.raw.as_ptr(), word(one), word(other), app) != 0 }
    }

    /// The name of a protocol; that of protocol 0 for a number that none has.
    pub(crate) fn name(&mut self, number: u16) -> String {
        name(self.raw, number)
    }

    /// The category of a protocol.
    pub(crate) fn category(&mut self, number: u16) -> u16 {
        // SAFETY: the module lives and nobody else uses it; the library checks the number.
        unsafe { rockfish_ndpi_category(self.raw.as_ptr(), number) }
    }
}

/// Call it only for a module that lives and that nobody else uses.
fn name(module: NonNull<RawModule>, number: u16) -> String {
    // SAFETY: as said above; what is given back ends with zero and is good as long as the module is. It is copied here.
    let text = unsafe {
        let text = rockfish_ndpi_name(module.as_ptr(), number);
        if text.is_null() { None } else { Some(CStr::from_ptr(text)) }
    };
    text.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}

impl Drop for Module {
    fn drop(&mut self) {
        let _alone = LIFE.lock().unwrap_or_else(PoisonError::into_inner);
        drop(Unfinished { raw: self.raw });
    }
}

/// A module that is destroyed when it goes. Dropped only under LIFE or by [`Module`], which takes LIFE.
struct Unfinished {
    raw: NonNull<RawModule>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // SAFETY: the module lives and nobody else has it.
        unsafe { rockfish_ndpi_free(self.raw.as_ptr()) };
    }
}

/// Why there is no module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Memory,
    Path,
    Protocols,
    Categories,
}

impl Flow {
    /// A new one; nothing if memory is out.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: takes nothing; the memory is zeroed, which is how a flow begins.
        NonNull::new(unsafe { rockfish_ndpi_flow_new() }).map(|raw| Self { raw })
    }

    /// Frees what it holds and makes it as new.
    #[inline]
    pub(crate) fn reset(&mut self) {
        // SAFETY: the flow lives and nobody else uses it.
        unsafe { rockfish_ndpi_flow_reset(self.raw.as_ptr()) };
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        // SAFETY: the flow lives and nobody else has it.
        unsafe { rockfish_ndpi_flow_free(self.raw.as_ptr()) };
    }
}

impl RawFinding {
    const EMPTY: Self = Self {
        risk: 0,
        master: 0,
        app: 0,
        category: 0,
        confidence: 0,
        decided: 0,
        host_length: 0,
        host: std::ptr::null(),
    };

    fn finding<'a>(&self, _flow: &'a Flow) -> Finding<'a> {
        let host: &'a [u8] = if self.host.is_null() {
            &[]
        } else {
            // SAFETY: the shim gives a field of the flow and how much of it is filled; it lives and stays as it is while the
            // flow is borrowed.
            unsafe { std::slice::from_raw_parts(self.host.cast(), usize::from(self.host_length)) }
        };
        Finding {
            risk: self.risk,
            master: self.master,
            app: self.app,
            category: self.category,
            confidence: self.confidence,
            decided: self.decided != 0,
            host,
        }
    }
}
