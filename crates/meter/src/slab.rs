//! Flows in chunks that never move: growing copies nothing and never holds the flows twice.

use crate::flow::Flow;

const CHUNK_BITS: u32 = 13;
const CHUNK: usize = 1 << CHUNK_BITS;

#[derive(Debug, Default)]
pub(crate) struct Slab {
    chunks: Vec<Vec<Flow>>,
    free: Vec<u32>,
    used: usize,
}

impl Slab {
    #[inline(always)]
    pub(crate) fn get(&self, slot: u32) -> &Flow {
        &self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize & (CHUNK - 1)]
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut Flow {
        &mut self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize & (CHUNK - 1)]
    }

    /// A slot for a new flow. It may hold an old flow's values.
    pub(crate) fn take(&mut self) -> u32 {
        self.used += 1;
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) << CHUNK_BITS;
        // The push above made sure that there is a last chunk.
        let Some(chunk) = self.chunks.last_mut() else { return 0 };
        chunk.push(Flow::vacant());
        (before + chunk.len() - 1) as u32
    }

    pub(crate) fn release(&mut self, slot: u32) {
        self.used -= 1;
        self.free.push(slot);
    }

    /// Flows in use.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// All slots, in use or not.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Flow)> {
        self.chunks.iter().flatten().enumerate().map(|(slot, flow)| (slot as u32, flow))
    }

    pub(crate) fn memory(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Flow>()
    }
}
