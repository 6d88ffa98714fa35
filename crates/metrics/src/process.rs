//! What the system knows of this process.
//!
//! Source: `proc(5)`. On other systems than Linux nothing is written.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Memory, CPU time, open files, threads and start of this process, under the names that every Prometheus client gives
/// them. What cannot be read at a request is left out of its page.
#[derive(Debug)]
pub struct Process {
    #[cfg(target_os = "linux")]
    started: Option<f64>,
}

impl Process {
    /// For this process. Begin it early: the start is worked out once, and clocks drift apart.
    pub fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            started: linux::started(),
        }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

impl Collector for Process {
    #[cfg(not(target_os = "linux"))]
    fn encode(&self, _encoder: DescriptorEncoder<'_>) -> fmt::Result {
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = crate::Page::new(encoder);
        if let Some(stat) = linux::Stat::read() {
            page.gauge(
                "process_resident_memory_bytes",
                "Memory of the process that is in RAM",
                linux::to_octets(stat.resident_pages),
            )?;
            page.counter_f64(
                "process_cpu_seconds",
                "User and system CPU time spent",
                linux::to_seconds(stat.cpu_ticks),
            )?;
            page.gauge("process_threads", "Threads of the process", linux::number(stat.threads))?;
        }
        if let Some(open) = linux::open_files() {
            page.gauge("process_open_fds", "Open file descriptors", linux::number(open))?;
        }
        if let Some(most) = linux::most_files() {
            page.gauge("process_max_fds", "Most file descriptors permitted", linux::number(most))?;
        }
        if let Some(started) = self.started {
            page.gauge(
                "process_start_time_seconds",
                "Start of the process since the Unix epoch",
                started,
            )?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::time::{SystemTime, UNIX_EPOCH};

    use rustix::time::{ClockId, clock_gettime};

    /// What is used of `/proc/self/stat`.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Stat {
        /// User and system time, in clock ticks.
        pub(super) cpu_ticks: u64,
        pub(super) threads: u64,
        /// Start since boot, in clock ticks.
        pub(super) start_ticks: u64,
        pub(super) resident_pages: u64,
    }

    impl Stat {
        pub(super) fn read() -> Option<Self> {
            // Octets, not text: the name of a program need not be UTF-8.
            Self::parse(&fs::read("/proc/self/stat").ok()?)
        }

        pub(super) fn parse(stat: &[u8]) -> Option<Self> {
            // The second field is the program's name in parentheses; it may hold blanks and parentheses itself.
            let end = stat.iter().rposition(|&octet| octet == b')')?;
            let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
            let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
            // Numbers of fields are those of proc(5), where the state after the name is the third.
            let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
            Some(Self {
                cpu_ticks: field(14)?.saturating_add(field(15)?),
                threads: field(20)?,
                start_ticks: field(22)?,
                resident_pages: field(24)?,
            })
        }
    }

    pub(super) fn number(value: u64) -> f64 {
        value as f64
    }

    pub(super) fn to_seconds(ticks: u64) -> f64 {
        number(ticks) / number(rustix::param::clock_ticks_per_second().max(1))
    }

    pub(super) fn to_octets(pages: u64) -> f64 {
        number(pages.saturating_mul(rustix::param::page_size() as u64))
    }

    /// Start of the process in seconds since the Unix epoch: the boot's time from two clocks, since a sandbox may hide
    /// `/proc/stat`, which has it as well.
    pub(super) fn started() -> Option<f64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        let since_boot = clock_gettime(ClockId::Boottime);
        let since_boot = since_boot.tv_sec as f64 + since_boot.tv_nsec as f64 / 1e9;
        let started = now - since_boot + to_seconds(Stat::read()?.start_ticks);
        // Ticks are hundredths; what follows is noise.
        Some((started * 100.0).round() / 100.0)
    }

    pub(super) fn open_files() -> Option<u64> {
        let entries = fs::read_dir("/proc/self/fd").ok()?.filter(Result::is_ok).count();
        // One of them is the folder being read.
        Some((entries as u64).saturating_sub(1))
    }

    pub(super) fn most_files() -> Option<u64> {
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn stat_is_read_whatever_the_name() {
            let tail = "S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 3 0 1234 9000000 250 18446744073709551615 1";
            let expected =
                Some(Stat { cpu_ticks: 12, threads: 3, start_ticks: 1234, resident_pages: 250 });
            for name in [&b"probe"[..], b"a b", b"x) S 1 (", b"\xff\xfe", b""] {
                let stat = [b"42 (", name, b") ", tail.as_bytes()].concat();
                assert_eq!(Stat::parse(&stat), expected, "{name:?}");
            }
            for stat in ["", "42", "42 (probe", "42 (probe)", "42 (probe) S 1 2 3"] {
                assert_eq!(Stat::parse(stat.as_bytes()), None, "{stat}");
            }
        }

        #[test]
        fn this_process_is_described() {
            let stat = Stat::read().unwrap();
            assert!(stat.threads >= 1 && to_octets(stat.resident_pages) > 65_536.0, "{stat:?}");
            let before = open_files().unwrap();
            let _file = fs::File::open("/proc/self/stat").unwrap();
            // Other tests open files as well.
            assert!(before >= 1);
            assert!(most_files().unwrap() >= 3);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            let started = started().unwrap();
            assert!(started <= now + 1.0 && started > now - 86_400.0, "{started} {now}");
        }
    }
}
