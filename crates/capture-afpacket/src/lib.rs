//! Packets from Linux interfaces through AF_PACKET rings, TPACKET_V3 (packet(7); Linux's packet_mmap documentation).
//!
//! The kernel writes packets into blocks of a ring that it shares with the process. A block that is full, or older than
//! [`RETIRE_MS`], becomes the process's; its packets are lent where they lie, and the block goes back when the next ones
//! are asked for. A VLAN tag that the kernel took off is put back in place, before the packet's first octets.
//!
//! Fanout spreads an interface's packets over several sockets, of one process or several. With [`FanoutMode::Hash`] both
//! directions of a flow come to one socket: the kernel's hash is symmetric. So that fragments come there too, the kernel
//! reassembles IPv4 datagrams before it spreads them (`PACKET_FANOUT_FLAG_DEFRAG`): such a datagram counts as one packet.
//!
//! *Invariant*: packets that passed the filter = packets lent + [`dropped`](rockfish_capture::LiveCounters::dropped) +
//! [`errors`](rockfish_capture::LiveCounters::errors), once the intake is closed and nothing more is lent.
#![cfg(target_os = "linux")]
#![deny(unsafe_op_in_unsafe_fn)]

mod open;
mod ring;
mod source;
mod sys;

pub use open::{AfPacket, Config, Fanout, FanoutMode, Timestamps};

/// Milliseconds after which the kernel hands over a block that is not full.
pub const RETIRE_MS: u32 = 50;

/// An instruction of the classic BSD packet filter machine, as the kernel takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump if true.
    pub jt: u8,
    /// Jump if false.
    pub jf: u8,
    /// Constant.
    pub k: u32,
}

impl Instruction {
    /// Ends the program; `octets` of the packet are taken, 0 rejects it.
    pub const fn take(octets: u32) -> Self {
        // BPF_RET | BPF_K
        Self { code: 0x06, jt: 0, jf: 0, k: octets }
    }
}
