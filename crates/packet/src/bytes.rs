//! Bounds-checked reads from network order.

/// `N` octets at `offset`, if they are there.
#[inline(always)]
pub(crate) fn array<const N: usize>(data: &[u8], offset: usize) -> Option<&[u8; N]> {
    data.get(offset..)?.first_chunk::<N>()
}

/// Two octets at `offset` in network order.
#[inline(always)]
pub(crate) fn be16(data: &[u8], offset: usize) -> Option<u16> {
    array::<2>(data, offset).map(|octets| u16::from_be_bytes(*octets))
}

/// Four octets at `offset` in network order.
#[inline(always)]
pub(crate) fn be32(data: &[u8], offset: usize) -> Option<u32> {
    array::<4>(data, offset).map(|octets| u32::from_be_bytes(*octets))
}
