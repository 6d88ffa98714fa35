//! The classic BSD packet filter machine.
//!
//! Source: S. McCanne, V. Jacobson, "The BSD Packet Filter", USENIX Winter 1993, section 3.3; where it is silent (division
//! by zero, shifts by 32 and more, loads beyond the packet, jumps back) as libpcap's own machine does.
//!
//! Invariant: running ends and reads nothing but the packet, whatever the program.

use std::fmt;

use pcap::BpfInstruction;

/// Words of scratch memory.
const MEMORY: usize = 16;
/// Steps after which a packet counts as not matched. Only `protochain` loops, through a packet's headers of at least
/// eight octets each; no packet has so many.
const MAX_STEPS: u32 = 1 << 20;

/// An instruction that is not known, or that jumps out of its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownInstruction {
    /// Its index in the program.
    pub index: usize,
    /// Its operation code.
    pub code: u16,
}

impl fmt::Display for UnknownInstruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instruction {} with code {:#06x}, expected one of the classic filter machine",
            self.index, self.code
        )
    }
}

/// An instruction as libpcap makes it and the kernel takes it (`struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawInstruction {
    /// Operation code.
    pub code: u16,
    /// Instructions to pass over if a test is true.
    pub jt: u8,
    /// Instructions to pass over if a test is false.
    pub jf: u8,
    /// Constant.
    pub k: u32,
}

/// The numbers of libpcap's instructions.
pub(crate) fn numbers(
    instructions: &[BpfInstruction],
) -> Result<Vec<RawInstruction>, UnknownInstruction> {
    let mut raw = Vec::with_capacity(instructions.len());
    for (index, instruction) in instructions.iter().enumerate() {
        // The binding keeps the four numbers to itself and only writes them out.
        let text = instruction.to_string();
        let numbers: Vec<u32> = text.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [code, jt, jf, k] = numbers[..] else {
            return Err(UnknownInstruction { index, code: u16::MAX });
        };
        raw.push(RawInstruction { code: code as u16, jt: jt as u8, jf: jf as u8, k });
    }
    Ok(raw)
}

/// Where a loaded value stands in the packet, and how many octets it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Word,
    Half,
    Byte,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Or,
    And,
    Xor,
    ShiftLeft,
    ShiftRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equal,
    Greater,
    GreaterEqual,
    AnyBit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    Constant(u32),
    Index,
}

/// Jump targets are indices in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instruction {
    LoadAbsolute(Width, u32),
    LoadIndirect(Width, u32),
    LoadLength,
    LoadConstant(u32),
    LoadMemory(usize),
    IndexConstant(u32),
    IndexMemory(usize),
    IndexLength,
    /// Four times the low half of an octet: the length of an IPv4 header.
    IndexHeaderLength(u32),
    Store(usize),
    StoreIndex(usize),
    Compute(Operator, Operand),
    Negate,
    Jump(usize),
    Branch(Test, Operand, usize, usize),
    ReturnConstant(u32),
    ReturnAccumulator,
    ReturnIndex,
    ToIndex,
    ToAccumulator,
}

/// A program that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program(Vec<Instruction>);

impl Program {
    /// Checks and takes over libpcap's instructions.
    pub(crate) fn new(instructions: &[BpfInstruction]) -> Result<Self, UnknownInstruction> {
        let raw: Vec<_> =
            numbers(instructions)?.iter().map(|i| (i.code, i.jt, i.jf, i.k)).collect();
        Self::from_raw(&raw)
    }

    /// As [`Self::new`], of code, jump offsets if true and if false, and constant.
    fn from_raw(raw: &[(u16, u8, u8, u32)]) -> Result<Self, UnknownInstruction> {
        let mut program = Vec::with_capacity(raw.len());
        for (index, (code, if_true, if_false, k)) in raw.iter().copied().enumerate() {
            let instruction = decode(code, if_true, if_false, k, index, raw.len());
            program.push(instruction.ok_or(UnknownInstruction { index, code })?);
        }
        Ok(Self(program))
    }

    /// The program that matches nothing.
    pub(crate) fn reject() -> Self {
        Self(vec![Instruction::ReturnConstant(0)])
    }

    pub(crate) fn is_reject(&self) -> bool {
        self.0 == [Instruction::ReturnConstant(0)]
    }

    /// Whether a packet with these captured octets and this length on the wire is accepted.
    pub(crate) fn matches(&self, wire: u32, data: &[u8]) -> bool {
        self.run(wire, data).is_some_and(|result| result != 0)
    }

    /// What the program returns; none if it reads beyond the packet, divides by zero, or does not end.
    fn run(&self, wire: u32, data: &[u8]) -> Option<u32> {
        let (mut accumulator, mut index) = (0u32, 0u32);
        let mut memory = [0u32; MEMORY];
        let mut at = 0;
        for _ in 0..MAX_STEPS {
            let instruction = self.0.get(at)?;
            at += 1;
            match *instruction {
                Instruction::LoadAbsolute(width, k) => accumulator = load(data, width, k as usize)?,
                Instruction::LoadIndirect(width, k) => {
                    // Not a sum of 32 bits: what wraps around lies beyond the packet too.
                    accumulator = load(data, width, (index as usize).checked_add(k as usize)?)?;
                }
                Instruction::LoadLength => accumulator = wire,
                Instruction::LoadConstant(k) => accumulator = k,
                Instruction::LoadMemory(k) => accumulator = memory[k],
                Instruction::IndexConstant(k) => index = k,
                Instruction::IndexMemory(k) => index = memory[k],
                Instruction::IndexLength => index = wire,
                Instruction::IndexHeaderLength(k) => {
                    index = (load(data, Width::Byte, k as usize)? & 0x0f) << 2;
                }
                Instruction::Store(k) => memory[k] = accumulator,
                Instruction::StoreIndex(k) => memory[k] = index,
                Instruction::Compute(operator, operand) => {
                    accumulator = compute(operator, accumulator, value(operand, index))?;
                }
                Instruction::Negate => accumulator = accumulator.wrapping_neg(),
                Instruction::Jump(target) => at = target,
                Instruction::Branch(test, operand, if_true, if_false) => {
                    let operand = value(operand, index);
                    let result = match test {
                        Test::Equal => accumulator == operand,
                        Test::Greater => accumulator > operand,
                        Test::GreaterEqual => accumulator >= operand,
                        Test::AnyBit => accumulator & operand != 0,
                    };
                    at = if result { if_true } else { if_false };
                }
                Instruction::ReturnConstant(k) => return Some(k),
                Instruction::ReturnAccumulator => return Some(accumulator),
                Instruction::ReturnIndex => return Some(index),
                Instruction::ToIndex => index = accumulator,
                Instruction::ToAccumulator => accumulator = index,
            }
        }
        None
    }
}

#[inline]
fn value(operand: Operand, index: u32) -> u32 {
    match operand {
        Operand::Constant(k) => k,
        Operand::Index => index,
    }
}

/// A value of the packet in network order.
#[inline]
fn load(data: &[u8], width: Width, at: usize) -> Option<u32> {
    let rest = data.get(at..)?;
    match width {
        Width::Word => rest.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets)),
        Width::Half => rest.first_chunk::<2>().map(|octets| u32::from(u16::from_be_bytes(*octets))),
        Width::Byte => rest.first().map(|octet| u32::from(*octet)),
    }
}

fn compute(operator: Operator, a: u32, b: u32) -> Option<u32> {
    Some(match operator {
        Operator::Add => a.wrapping_add(b),
        Operator::Sub => a.wrapping_sub(b),
        Operator::Mul => a.wrapping_mul(b),
        Operator::Div => a.checked_div(b)?,
        Operator::Mod => a.checked_rem(b)?,
        Operator::Or => a | b,
        Operator::And => a & b,
        Operator::Xor => a ^ b,
        Operator::ShiftLeft => a.checked_shl(b).unwrap_or(0),
        Operator::ShiftRight => a.checked_shr(b).unwrap_or(0),
    })
}

/// One instruction of `length`, at `index`; none if it is not known, or jumps or stores out of bounds.
fn decode(
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
    index: usize,
    length: usize,
) -> Option<Instruction> {
    let memory = || usize::try_from(k).ok().filter(|k| *k < MEMORY);
    let forward = |offset: usize| Some(index + 1 + offset).filter(|target| *target < length);
    let operand = if code & 0x08 == 0 { Operand::Constant(k) } else { Operand::Index };
    let compute = |operator| Instruction::Compute(operator, operand);
    let branch = |test| {
        Some(Instruction::Branch(
            test,
            operand,
            forward(if_true.into())?,
            forward(if_false.into())?,
        ))
    };
    Some(match code {
        0x00 => Instruction::LoadConstant(k),
        0x20 => Instruction::LoadAbsolute(Width::Word, k),
        0x28 => Instruction::LoadAbsolute(Width::Half, k),
        0x30 => Instruction::LoadAbsolute(Width::Byte, k),
        0x40 => Instruction::LoadIndirect(Width::Word, k),
        0x48 => Instruction::LoadIndirect(Width::Half, k),
        0x50 => Instruction::LoadIndirect(Width::Byte, k),
        0x60 => Instruction::LoadMemory(memory()?),
        0x80 => Instruction::LoadLength,
        0x01 => Instruction::IndexConstant(k),
        0x61 => Instruction::IndexMemory(memory()?),
        0x81 => Instruction::IndexLength,
        0xb1 => Instruction::IndexHeaderLength(k),
        0x02 => Instruction::Store(memory()?),
        0x03 => Instruction::StoreIndex(memory()?),
        0x04 | 0x0c => compute(Operator::Add),
        0x14 | 0x1c => compute(Operator::Sub),
        0x24 | 0x2c => compute(Operator::Mul),
        0x34 | 0x3c => compute(Operator::Div),
        0x44 | 0x4c => compute(Operator::Or),
        0x54 | 0x5c => compute(Operator::And),
        0x64 | 0x6c => compute(Operator::ShiftLeft),
        0x74 | 0x7c => compute(Operator::ShiftRight),
        0x84 => Instruction::Negate,
        0x94 | 0x9c => compute(Operator::Mod),
        0xa4 | 0xac => compute(Operator::Xor),
        0x05 => {
            // The only jump that may go back: its offset is signed.
            let target = i64::try_from(index).ok()? + 1 + i64::from(k as i32);
            Instruction::Jump(usize::try_from(target).ok().filter(|target| *target < length)?)
        }
        0x15 | 0x1d => branch(Test::Equal)?,
        0x25 | 0x2d => branch(Test::Greater)?,
        0x35 | 0x3d => branch(Test::GreaterEqual)?,
        0x45 | 0x4d => branch(Test::AnyBit)?,
        0x06 => Instruction::ReturnConstant(k),
        0x0e => Instruction::ReturnIndex,
        0x16 => Instruction::ReturnAccumulator,
        0x07 => Instruction::ToIndex,
        0x87 => Instruction::ToAccumulator,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACCEPT: (u16, u8, u8, u32) = (0x16, 0, 0, 0);

    #[test]
    fn instructions() {
        // Program, length on the wire, packet, what it returns.
        type Raw = &'static [(u16, u8, u8, u32)];
        let cases: &[(Raw, &[u8], Option<u32>)] = &[
            (&[(0x20, 0, 0, 1), ACCEPT], &[0, 1, 2, 3, 4], Some(0x0102_0304)),
            (&[(0x20, 0, 0, 2), ACCEPT], &[0, 1, 2, 3, 4], None),
            (&[(0x28, 0, 0, 3), ACCEPT], &[0, 1, 2, 3, 4], Some(0x0304)),
            (&[(0x30, 0, 0, 4), ACCEPT], &[0, 1, 2, 3, 4], Some(4)),
            (&[(0x30, 0, 0, u32::MAX), ACCEPT], &[0], None),
            (&[(0x01, 0, 0, 3), (0x50, 0, 0, 1), ACCEPT], &[0, 1, 2, 3, 4], Some(4)),
            (&[(0x01, 0, 0, u32::MAX), (0x50, 0, 0, 1), ACCEPT], &[9], None),
            (&[(0xb1, 0, 0, 0), (0x87, 0, 0, 0), ACCEPT], &[0x4f], Some(60)),
            (&[(0xb1, 0, 0, 1), (0x87, 0, 0, 0), ACCEPT], &[0x4f], None),
            (&[(0x80, 0, 0, 0), ACCEPT], &[], Some(99)),
            (&[(0x81, 0, 0, 0), (0x0e, 0, 0, 0)], &[], Some(99)),
            (&[(0, 0, 0, 7), (2, 0, 0, 15), (0, 0, 0, 0), (0x60, 0, 0, 15), ACCEPT], &[], Some(7)),
            (
                &[(1, 0, 0, 7), (3, 0, 0, 3), (1, 0, 0, 0), (0x61, 0, 0, 3), (0x0e, 0, 0, 0)],
                &[],
                Some(7),
            ),
            (&[(0, 0, 0, 7), (0x04, 0, 0, u32::MAX), ACCEPT], &[], Some(6)),
            (&[(0, 0, 0, 7), (0x14, 0, 0, 8), ACCEPT], &[], Some(u32::MAX)),
            (&[(0, 0, 0, 7), (1, 0, 0, 3), (0x2c, 0, 0, 0), ACCEPT], &[], Some(21)),
            (&[(0, 0, 0, 7), (0x34, 0, 0, 2), ACCEPT], &[], Some(3)),
            (&[(0, 0, 0, 7), (0x3c, 0, 0, 2), ACCEPT], &[], None),
            (&[(0, 0, 0, 7), (0x94, 0, 0, 4), ACCEPT], &[], Some(3)),
            (&[(0, 0, 0, 7), (0x9c, 0, 0, 4), ACCEPT], &[], None),
            (&[(0, 0, 0, 6), (0x44, 0, 0, 1), ACCEPT], &[], Some(7)),
            (&[(0, 0, 0, 6), (0x54, 0, 0, 3), ACCEPT], &[], Some(2)),
            (&[(0, 0, 0, 6), (0xa4, 0, 0, 3), ACCEPT], &[], Some(5)),
            (&[(0, 0, 0, 6), (0x64, 0, 0, 3), ACCEPT], &[], Some(48)),
            (&[(0, 0, 0, 6), (0x64, 0, 0, 32), ACCEPT], &[], Some(0)),
            (&[(0, 0, 0, 6), (0x74, 0, 0, 1), ACCEPT], &[], Some(3)),
            (&[(0, 0, 0, 6), (1, 0, 0, 99), (0x7c, 0, 0, 0), ACCEPT], &[], Some(0)),
            (&[(0, 0, 0, 1), (0x84, 0, 0, 0), ACCEPT], &[], Some(u32::MAX)),
            (&[(0, 0, 0, 5), (0x15, 0, 1, 5), (6, 0, 0, 1), (6, 0, 0, 2)], &[], Some(1)),
            (&[(0, 0, 0, 5), (0x25, 0, 1, 5), (6, 0, 0, 1), (6, 0, 0, 2)], &[], Some(2)),
            (&[(0, 0, 0, 5), (0x35, 0, 1, 5), (6, 0, 0, 1), (6, 0, 0, 2)], &[], Some(1)),
            (&[(0, 0, 0, 5), (0x45, 0, 1, 2), (6, 0, 0, 1), (6, 0, 0, 2)], &[], Some(2)),
            (&[(5, 0, 0, 1), (6, 0, 0, 1), (6, 0, 0, 2)], &[], Some(2)),
            (&[(0, 0, 0, 5), (7, 0, 0, 0), (0x0e, 0, 0, 0)], &[], Some(5)),
            // Ends without a result, or never.
            (&[(0, 0, 0, 1)], &[], None),
            (&[], &[], None),
            (&[(5, 0, 0, u32::MAX)], &[], None),
        ];
        for (raw, data, expected) in cases {
            let program = Program::from_raw(raw).unwrap();
            assert_eq!(program.run(99, data), *expected, "{raw:x?}");
        }
    }

    #[test]
    fn what_is_not_a_program() {
        for (raw, index) in [
            (&[(0xffff, 0, 0, 0)][..], 0),
            (&[ACCEPT, (0x02, 0, 0, 16)], 1),
            (&[(0x60, 0, 0, u32::MAX), ACCEPT], 0),
            (&[(0x15, 1, 0, 0), ACCEPT], 0),
            (&[(0x15, 0, 1, 0), ACCEPT], 0),
            (&[(0x05, 0, 0, 1), ACCEPT], 0),
            (&[ACCEPT, (0x05, 0, 0, -3i32 as u32)], 1),
        ] {
            assert_eq!(Program::from_raw(raw).map_err(|e| e.index), Err(index), "{raw:x?}");
        }
    }

    proptest! {
        /// Whatever is accepted as a program ends.
        #[test]
        fn every_program_ends(
            raw in proptest::collection::vec(
                (0..0x100u16, 0..4u8, 0..4u8, prop_oneof![0..70u32, any::<u32>()]), 0..12),
            data in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Ok(program) = Program::from_raw(&raw) {
                program.matches(data.len() as u32, &data);
            }
        }
    }
}
