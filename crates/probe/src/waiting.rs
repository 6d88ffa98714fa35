//! A packet source that may keep one waiting, read on a thread of its own.
//!
//! A read of an idle pipe is not ended by a signal, so whoever waits for it would not see that a stop was asked for.
//! Here the thread waits, and [`Waiting`] looks at the stop flag meanwhile. Blocks change hands, nothing is copied.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rockfish_capture::{Block, CaptureError, PacketSource, Progress, Skipped, Warning};

/// How often the stop flag is looked at while no packets come.
const LOOK: Duration = Duration::from_millis(50);

/// What the source said with a block.
#[derive(Default)]
struct Said {
    progress: Progress,
    skipped: Skipped,
    warnings: Vec<Warning>,
}

type Filled = (Block, Result<bool, CaptureError>, Said);

/// See the module.
pub(crate) struct Waiting {
    empty: Sender<Block>,
    filled: Receiver<Filled>,
    stop: Arc<AtomicBool>,
    said: Said,
    ended: bool,
}

impl Waiting {
    /// Begins to read `source`. The thread lasts until the source ends, or the process does.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(
        mut source: impl PacketSource + 'static,
        stop: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let (empty, blocks) = bounded::<Block>(1);
        let (sender, filled) = bounded::<Filled>(1);
        let said = Said {
            progress: source.progress(),
            skipped: source.skipped(),
            warnings: source.take_warnings(),
        };
        let read = move || {
            for mut block in blocks {
                let result = source.next_block(&mut block);
                let ended = matches!(result, Ok(false));
                let said = Said {
                    progress: source.progress(),
                    skipped: source.skipped(),
                    warnings: source.take_warnings(),
                };
                if sender.send((block, result, said)).is_err() || ended {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("read".to_owned())
            .spawn(read)
            .context("cannot start thread read")?;
        let waiting = Self { empty, filled, stop, said, ended: false };
        waiting.ask(Block::default());
        Ok(waiting)
    }

    /// Has the next block read into this one.
    fn ask(&self, block: Block) {
        // A thread that has ended is noticed where its blocks are waited for.
        let _ = self.empty.send(block);
    }
}

impl PacketSource for Waiting {
    /// As the source's; false as well once a stop was asked for.
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.packets.clear();
        while !self.ended {
            match self.filled.recv_timeout(LOOK) {
                Ok((mut filled, result, mut said)) => {
                    std::mem::swap(block, &mut filled);
                    said.warnings.splice(0..0, self.said.warnings.drain(..));
                    self.said = said;
                    self.ended = matches!(result, Ok(false));
                    if !self.ended {
                        self.ask(filled);
                    }
                    return result;
                }
                Err(RecvTimeoutError::Timeout) if !self.stop.load(Ordering::Relaxed) => {}
                Err(_) => self.ended = true,
            }
        }
        Ok(false)
    }

    fn progress(&self) -> Progress {
        self.said.progress
    }

    fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.said.warnings)
    }

    fn skipped(&self) -> Skipped {
        self.said.skipped
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use rockfish_capture::PacketRef;
    use rockfish_flow::Timestamp;
    use rockfish_packet::LinkType;

    use super::*;

    /// A source of blocks with so many packets each; `None` fails. When they are used up it waits for ever or ends.
    struct Scripted {
        blocks: VecDeque<Option<usize>>,
        progress: Progress,
        then: Option<Receiver<()>>,
    }

    impl PacketSource for Scripted {
        fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
            block.packets.clear();
            match self.blocks.pop_front() {
                Some(Some(count)) => {
                    let packet = PacketRef {
                        time: Timestamp::ZERO,
                        offset: 0,
                        captured: 0,
                        wire: 0,
                        link: LinkType::Ethernet,
                    };
                    block.packets.resize(count, packet);
                    self.progress.packets += count as u64;
                    Ok(true)
                }
                Some(None) => Err(CaptureError::Empty { path: "it".into() }),
                None => {
                    if let Some(then) = &self.then {
                        let _ = then.recv();
                    }
                    Ok(false)
                }
            }
        }

        fn progress(&self) -> Progress {
            self.progress
        }

        fn take_warnings(&mut self) -> Vec<Warning> {
            vec![Warning::NotACapture { path: "it".into(), found: String::new() }]
        }

        fn skipped(&self) -> Skipped {
            Skipped { corrupt: self.progress.packets, ..Skipped::default() }
        }
    }

    fn start(then: Option<Receiver<()>>, stop: &Arc<AtomicBool>) -> Waiting {
        let blocks = [Some(3), None, Some(1), Some(2)].into();
        let source = Scripted { blocks, progress: Progress::default(), then };
        Waiting::start(source, Arc::clone(stop)).unwrap()
    }

    #[test]
    fn blocks_errors_and_what_was_said_come_in_order() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut waiting = start(None, &stop);
        let mut block = Block::default();
        let (mut found, mut warnings) = (Vec::new(), 0);
        loop {
            match waiting.next_block(&mut block) {
                Ok(true) => found.push(block.packets.len()),
                Ok(false) => break,
                Err(_) => found.push(0),
            }
            let so_far = found.iter().sum::<usize>() as u64;
            assert_eq!((waiting.progress().packets, waiting.skipped().corrupt), (so_far, so_far));
            warnings += waiting.take_warnings().len();
        }
        warnings += waiting.take_warnings().len();
        assert_eq!((found, warnings), (vec![3, 0, 1, 2], 6));
        assert!(!waiting.next_block(&mut block).unwrap(), "it stays at its end");
    }

    #[test]
    fn a_stop_ends_it_though_the_source_waits() {
        let stop = Arc::new(AtomicBool::new(false));
        let (_never, then) = bounded(0);
        let mut waiting = start(Some(then), &stop);
        let mut block = Block::default();
        for _ in 0..4 {
            let _ = waiting.next_block(&mut block);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(!waiting.next_block(&mut block).unwrap());
        assert!(block.packets.is_empty());
    }
}
