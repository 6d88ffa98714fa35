//! Places for the state of flows, used again and again.

use crate::Handle;

/// Values by [`Handle`]. A place that was freed is the next to be used, so memory stays where it is warm.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts a value in and says where it is.
    #[inline]
    pub fn insert(&mut self, value: T) -> Handle {
        if let Some(free) = self.free.pop() {
            self.places[free as usize] = Some(value);
            return Handle::new(free);
        }
        self.places.push(Some(value));
        Handle::new((self.places.len() - 1) as u32)
    }

    /// The value there, unless it was taken out.
    #[inline]
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        self.places.get_mut(handle.index())?.as_mut()
    }

    /// Takes the value out and frees its place.
    #[inline]
    pub fn remove(&mut self, handle: Handle) -> Option<T> {
        let value = self.places.get_mut(handle.index())?.take()?;
        self.free.push(handle.index() as u32);
        Some(value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that are there.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
    }
}
