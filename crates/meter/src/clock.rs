//! Capture time as one clock for all meters of a capture.

use rockfish_flow::Timestamp;

/// Follows the packets' times and says when a second has passed.
///
/// It never runs backwards for packets that are a little out of order. A jump back by more than the idle timeout is a step
/// of the capturing clock, or the next of several captures: the clock follows it.
#[derive(Clone, Debug)]
pub struct Clock {
    now: Timestamp,
    step_back_us: i64,
}

/// What a packet's time did to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The same second, or nothing new.
    Same,
    /// The packet is earlier than one before it.
    Backwards,
    /// A new second: the time to tell the meters before the packet.
    Tick(Timestamp),
}

impl Clock {
    /// A clock that has not started; `idle_timeout_us` is how far back a packet may lie without moving it.
    pub fn new(idle_timeout_us: i64) -> Self {
        Self { now: Timestamp::MIN, step_back_us: idle_timeout_us }
    }

    /// Takes the time of the next packet.
    #[inline]
    pub fn observe(&mut self, time: Timestamp) -> Advance {
        if time >= self.now {
            let before = self.now.as_secs();
            self.now = time;
            if time.as_secs() == before { Advance::Same } else { Advance::Tick(time) }
        } else if self.now.micros_since(time) > self.step_back_us {
            self.now = time;
            Advance::Tick(time)
        } else {
            Advance::Backwards
        }
    }

    /// The latest time seen; [`Timestamp::MIN`] before the first packet.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_once_a_second_and_follow_a_step_back() {
        let mut clock = Clock::new(300_000_000);
        let at = Timestamp::from_micros;
        for (micros, expected) in [
            (5_200_000, Advance::Tick(at(5_200_000))),
            (5_900_000, Advance::Same),
            (5_100_000, Advance::Backwards),
            (6_000_000, Advance::Tick(at(6_000_000))),
            (900_000_000, Advance::Tick(at(900_000_000))),
            (600_000_000, Advance::Backwards),
            (599_999_999, Advance::Tick(at(599_999_999))),
            (600_000_000, Advance::Tick(at(600_000_000))),
        ] {
            assert_eq!(clock.observe(at(micros)), expected, "{micros}");
        }
    }
}
