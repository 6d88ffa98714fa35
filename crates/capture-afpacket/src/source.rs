//! Lending what the ring holds.

use std::time::{Duration, Instant};

use rockfish_capture::{LiveCounters, LiveError, LiveSource, PacketRef};

use crate::open::AfPacket;
use crate::ring::Cursor;
use crate::sys::Ready;
use crate::{Instruction, RETIRE_MS};

/// Most packets, and about how many octets, that are lent at a time: what is decoded of them stays in the caches.
const MOST_PACKETS: usize = 1024;
const MOST_OCTETS: usize = 256 << 10;

/// How often the interface is looked up: the socket stays with an interface that was renamed and does not say so.
const LOOK: Duration = Duration::from_secs(1);

/// For how long a ring whose interface is gone may still hand over a block.
const LAST_BLOCK: Duration = Duration::from_millis(2 * RETIRE_MS as u64);

impl LiveSource for AfPacket {
    fn next(&mut self, wait: Duration, packets: &mut Vec<PacketRef>) -> Result<&[u8], LiveError> {
        packets.clear();
        let mut until = None;
        loop {
            match &mut self.cursor {
                Some(cursor) if !cursor.is_done() => {
                    let Some(block) = self.map.block(self.block) else { return Ok(&[]) };
                    let found = cursor.take(block, &self.walk, MOST_PACKETS, MOST_OCTETS, packets);
                    self.counters.errors += found.damaged;
                    // The system counted them before they were left out.
                    self.left_out += found.left_out;
                    if !packets.is_empty() {
                        return Ok(self.map.lent(self.block));
                    }
                }
                Some(_) => {
                    self.map.release(self.block);
                    self.block = (self.block + 1) % self.map.block_count();
                    self.cursor = None;
                }
                None => {
                    if let Some(block) = self.map.block(self.block) {
                        self.cursor = Some(Cursor::begin(block));
                        continue;
                    }
                    let now = Instant::now();
                    let left = until.get_or_insert(now + wait).saturating_duration_since(now);
                    if let Some((_, error)) =
                        self.broken.take_if(|(since, _)| now - *since > LAST_BLOCK)
                    {
                        return Err(error);
                    }
                    if left.is_zero() {
                        return Ok(&[]);
                    }
                    self.wait(now, left)?;
                }
            }
        }
    }

    fn close_intake(&mut self) {
        // Without a filter that refuses everything there are packets more, and no harm is done.
        let _ = self.socket.attach(&[Instruction::take(0)]);
    }

    fn counters(&mut self) -> LiveCounters {
        if let Ok(statistics) = self.socket.statistics() {
            self.counters.received += u64::from(statistics.packets);
            self.counters.dropped += u64::from(statistics.drops);
            self.counters.freezes += u64::from(statistics.freezes);
        }
        let received = self.counters.received.saturating_sub(self.left_out);
        LiveCounters { received, ..self.counters }
    }
}

impl AfPacket {
    /// Waits for a block, and finds out what became of the interface.
    fn wait(&mut self, now: Instant, left: Duration) -> Result<(), LiveError> {
        // A block of a ring whose interface is gone comes soon or never.
        let left = if self.broken.is_some() { left.min(LAST_BLOCK / 4) } else { left };
        let failed =
            |doing, source| LiveError::System { interface: self.interface.clone(), doing, source };
        let ready =
            self.socket.wait(left).map_err(|source| failed("waiting for packets", source))?;
        if ready != Ready::Trouble && now - self.looked < LOOK {
            return Ok(());
        }
        self.looked = now;
        let mut trouble = None;
        if ready == Ready::Trouble {
            trouble =
                self.socket.take_error().map_err(|source| failed("asking for an error", source))?;
        }
        let error = match self.socket.interface(&self.interface) {
            Ok(Some(found)) if found.index != self.index => Some(LiveError::Gone {
                interface: self.interface.clone(),
                found: "another interface has its name".to_owned(),
            }),
            Ok(Some(found)) if !found.up => {
                Some(LiveError::Down { interface: self.interface.clone() })
            }
            Ok(Some(_)) => trouble.map(|source| match source.raw_os_error() {
                // It went down and is up again already.
                Some(libc::ENETDOWN) => LiveError::Down { interface: self.interface.clone() },
                _ => failed("receiving packets", source),
            }),
            Ok(None) => Some(LiveError::Gone {
                interface: self.interface.clone(),
                found: "nothing has its name".to_owned(),
            }),
            Err(source) => Some(failed("looking the interface up", source)),
        };
        if let Some(error) = error
            && self.broken.is_none()
        {
            self.close_intake();
            self.broken = Some((now, error));
        }
        Ok(())
    }
}
