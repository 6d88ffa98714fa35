//! DELTA_BINARY_PACKED (Parquet format, encoding 5).

/// Values in a block, and in each of its four parts.
const BLOCK: usize = 128;
const PART: usize = 32;

/// Appends `values` as differences, each part in as many bits as its largest needs.
///
/// Differences wrap at 64 bits. Values of 32-bit columns must be below 2^31, so that no difference wraps at 32 bits.
pub(crate) fn push_delta(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = u64>) {
    let count = values.len();
    push_varint(out, BLOCK as u64);
    push_varint(out, (BLOCK / PART) as u64);
    push_varint(out, count as u64);
    let mut values = values;
    let mut previous = values.next().unwrap_or(0);
    push_varint(out, zigzag(previous.cast_signed()));
    let mut deltas = [0_i64; BLOCK];
    loop {
        let mut filled = 0;
        let mut least = i64::MAX;
        for (delta, value) in deltas.iter_mut().zip(&mut values) {
            *delta = value.wrapping_sub(previous).cast_signed();
            least = least.min(*delta);
            previous = value;
            filled += 1;
        }
        if filled == 0 {
            return;
        }
        // What is behind the last value must not widen its part.
        deltas[filled..].fill(least);
        push_block(out, &deltas, least);
        if filled < BLOCK {
            return;
        }
    }
}

fn push_block(out: &mut Vec<u8>, deltas: &[i64; BLOCK], least: i64) {
    push_varint(out, zigzag(least));
    let mut rest = [0_u64; BLOCK];
    for (rest, delta) in rest.iter_mut().zip(deltas) {
        *rest = delta.wrapping_sub(least).cast_unsigned();
    }
    let parts = rest.as_chunks::<PART>().0;
    for part in parts {
        let bits = part.iter().fold(0, |bits, value| bits | value);
        out.push((64 - bits.leading_zeros()) as u8);
    }
    let widths = out.len() - parts.len();
    for (i, part) in parts.iter().enumerate() {
        let width = u32::from(out[widths + i]);
        push_packed(out, part, width);
    }
}

/// Appends 32 values of `width` bits each, lowest bit first: four octets for each bit of width.
fn push_packed(out: &mut Vec<u8>, values: &[u64; PART], width: u32) {
    if width == 0 {
        return;
    }
    let mut word = 0_u64;
    let mut filled = 0;
    for value in values {
        word |= value << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= 64;
            // The part of the value that did not fit; a shift by the full width would be none.
            word = if filled == 0 { 0 } else { value >> (width - filled) };
        }
    }
    // 32 values fill whole words, or whole words and a half.
    if filled > 0 {
        out.extend_from_slice(&word.to_le_bytes()[..4]);
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// Appends a number in ULEB128.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
