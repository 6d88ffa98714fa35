//! The flow key, equal for both directions, and its hash.

use rockfish_flow::Address;

/// Addresses, ports and protocol of a flow in canonical order: the lower end first, so that both directions have one key.
///
/// Forty octets as five words, so that two keys are compared and hashed without a loop. Which end is the source, the key
/// does not say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialOrd, Ord)]
pub struct FlowKey {
    words: [u64; 5],
}

impl PartialEq for FlowKey {
    /// Without a branch on the way; the derived comparison is a call of `memcmp`.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

const PROTOCOL_SHIFT: u32 = 32;
const KIND_SHIFT: u32 = 40;
const VLAN_SHIFT: u32 = 48;
const KIND_V6: u64 = 1;
const KIND_ONE_WAY: u64 = 2;
const KIND_NONE: u64 = 4;

#[inline(always)]
fn halves(address: &Address) -> [u64; 2] {
    let (low, high) = address.split_at(8);
    let word =
        |octets: &[u8]| octets.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet));
    [word(low), word(high)]
}

#[inline(always)]
fn address(words: [u64; 2]) -> Address {
    let mut address = [0; 16];
    address[..8].copy_from_slice(&words[0].to_le_bytes());
    address[8..].copy_from_slice(&words[1].to_le_bytes());
    address
}

impl FlowKey {
    /// A key that no packet has.
    pub const NONE: Self = Self { words: [0, 0, 0, 0, KIND_NONE << KIND_SHIFT] };

    /// The key of an IPv4 packet and whether its sender is the key's lower end.
    #[inline(always)]
    pub fn v4(
        source: [u8; 4],
        destination: [u8; 4],
        ports: [u16; 2],
        protocol: u8,
    ) -> (Self, bool) {
        let source = u64::from(u32::from_le_bytes(source));
        let destination = u64::from(u32::from_le_bytes(destination));
        Self::ordered([source, 0], [destination, 0], ports, protocol, 0)
    }

    /// The key of an IPv6 packet and whether its sender is the key's lower end.
    #[inline(always)]
    pub fn v6(
        source: &Address,
        destination: &Address,
        ports: [u16; 2],
        protocol: u8,
    ) -> (Self, bool) {
        Self::ordered(halves(source), halves(destination), ports, protocol, KIND_V6)
    }

    #[inline(always)]
    fn ordered(
        source: [u64; 2],
        destination: [u64; 2],
        [source_port, destination_port]: [u16; 2],
        protocol: u8,
        kind: u64,
    ) -> (Self, bool) {
        let rest = u64::from(protocol) << PROTOCOL_SHIFT | kind << KIND_SHIFT;
        let (source_port, destination_port) = (u64::from(source_port), u64::from(destination_port));
        if (source, source_port) <= (destination, destination_port) {
            let ports = source_port | destination_port << 16;
            (
                Self {
                    words: [source[0], source[1], destination[0], destination[1], rest | ports],
                },
                true,
            )
        } else {
            let ports = destination_port | source_port << 16;
            (
                Self {
                    words: [destination[0], destination[1], source[0], source[1], rest | ports],
                },
                false,
            )
        }
    }

    /// Makes the VLAN id part of the key (as YAF does unless told otherwise).
    #[inline(always)]
    pub fn set_vlan(&mut self, vlan: u16) {
        self.words[4] |= u64::from(vlan) << VLAN_SHIFT;
    }

    /// Makes a key of one direction alone: the sender comes first, whatever the order of the ends.
    pub fn set_one_way(&mut self, sender_is_low: bool) {
        if !sender_is_low {
            let [a, b, c, d, rest] = self.words;
            let ports = rest & 0xffff_ffff;
            let swapped = (ports >> 16 | ports << 16) & 0xffff_ffff;
            self.words = [c, d, a, b, rest & !0xffff_ffff | swapped];
        }
        self.words[4] |= KIND_ONE_WAY << KIND_SHIFT;
    }

    /// Whether this is a key of one direction alone.
    #[inline]
    pub const fn is_one_way(&self) -> bool {
        self.words[4] >> KIND_SHIFT & KIND_ONE_WAY != 0
    }

    /// Address of the lower end.
    #[inline]
    pub fn low(&self) -> Address {
        address([self.words[0], self.words[1]])
    }

    /// Address of the upper end.
    #[inline]
    pub fn high(&self) -> Address {
        address([self.words[2], self.words[3]])
    }

    /// Port of the lower end.
    #[inline]
    pub const fn low_port(&self) -> u16 {
        self.words[4] as u16
    }

    /// Port of the upper end.
    #[inline]
    pub const fn high_port(&self) -> u16 {
        (self.words[4] >> 16) as u16
    }

    /// IANA protocol number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        (self.words[4] >> PROTOCOL_SHIFT) as u8
    }

    /// 4 or 6.
    #[inline]
    pub const fn ip_version(&self) -> u8 {
        if self.words[4] >> KIND_SHIFT & KIND_V6 == 0 { 4 } else { 6 }
    }

    /// VLAN id in the key, or 0.
    #[inline]
    pub const fn vlan(&self) -> u16 {
        (self.words[4] >> VLAN_SHIFT) as u16
    }

    /// A hash under a secret seed, so that nobody can send packets that fall on one place of the table.
    ///
    /// Folded 64×64-bit multiplication (the mixing step of wyhash, public domain).
    #[inline(always)]
    pub fn hash(&self, seed: &HashSeed) -> u64 {
        let [a, b, c, d, rest] = self.words;
        let s = &seed.0;
        // An IPv4 key has two empty words, known from its kind; mixing them would only cost.
        let (low, high) = if rest >> KIND_SHIFT & KIND_V6 == 0 {
            (a, c)
        } else {
            (fold(a ^ s[0], b ^ s[1]), fold(c ^ s[2], d ^ s[3]))
        };
        fold(fold(low ^ s[4], high ^ s[5]) ^ s[6], rest ^ s[7])
    }
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// The secret of [`FlowKey::hash`]. Records do not depend on it.
#[derive(Clone, Debug)]
pub struct HashSeed([u64; 8]);

impl HashSeed {
    /// Eight words drawn from `random` by the SplitMix64 generator.
    pub fn new(random: u64) -> Self {
        let mut state = random;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = state;
            word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ word >> 31
        }))
    }
}

impl HashSeed {
    /// One step of a hash over a run of words.
    #[inline]
    pub fn mix(&self, state: u64, word: u64) -> u64 {
        fold(state ^ word ^ self.0[0], self.0[1] ^ word.rotate_left(32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key_and_hash() {
        let seed = HashSeed::new(7);
        let (there, low) = FlowKey::v4([10, 0, 0, 1], [192, 0, 2, 9], [4000, 53], 17);
        let (back, other) = FlowKey::v4([192, 0, 2, 9], [10, 0, 0, 1], [53, 4000], 17);
        assert_eq!(there, back);
        assert_ne!(low, other);
        assert_eq!(there.hash(&seed), back.hash(&seed));
        let (low_address, low_port) =
            if low { ([10, 0, 0, 1], 4000) } else { ([192, 0, 2, 9], 53) };
        assert_eq!(&there.low()[..4], &low_address);
        assert_eq!(there.low_port(), low_port);
        assert_eq!((there.protocol(), there.ip_version(), there.vlan()), (17, 4, 0));
    }

    #[test]
    fn what_is_in_the_key_tells_flows_apart() {
        let source: Address = std::array::from_fn(|i| i as u8);
        let destination: Address = std::array::from_fn(|i| 255 - i as u8);
        let (plain, low) = FlowKey::v6(&source, &destination, [1, 2], 6);
        let mut tagged = plain;
        tagged.set_vlan(4095);
        assert_ne!(plain, tagged);
        assert_eq!((tagged.vlan(), tagged.ip_version(), tagged.protocol()), (4095, 6, 6));
        assert_eq!(if low { plain.low() } else { plain.high() }, source);
        assert_eq!(if low { plain.low_port() } else { plain.high_port() }, 1);

        let (mut there, there_low) = FlowKey::v6(&source, &destination, [1, 2], 17);
        let (mut back, back_low) = FlowKey::v6(&destination, &source, [2, 1], 17);
        there.set_one_way(there_low);
        back.set_one_way(back_low);
        assert_ne!(there, back);
        assert_eq!((there.low(), there.low_port(), there.high_port()), (source, 1, 2));
        assert_eq!((back.low(), back.low_port(), back.high_port()), (destination, 2, 1));
    }

    #[test]
    fn an_end_that_talks_to_itself_is_the_lower_end() {
        let (_, low) = FlowKey::v4([127, 0, 0, 1], [127, 0, 0, 1], [7, 7], 17);
        assert!(low);
    }
}
