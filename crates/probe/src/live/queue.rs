//! The way from the workers to the writer: bounded, and never waited for while packets come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rockfish_flow::FlowRecord;

/// How long a worker that may wait sleeps before it looks again whether there is room.
const LOOK: Duration = Duration::from_millis(5);

/// What the queue holds and has lost.
#[derive(Debug, Default)]
pub(crate) struct QueueCounters {
    waiting: AtomicUsize,
    lost: AtomicU64,
}

impl QueueCounters {
    /// Records that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Records that found no room.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A worker's end.
#[derive(Clone, Debug)]
pub(crate) struct QueueSender {
    sender: Sender<Vec<FlowRecord>>,
    counters: Arc<QueueCounters>,
    limit: usize,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct QueueReceiver {
    receiver: Receiver<Vec<FlowRecord>>,
    counters: Arc<QueueCounters>,
}

/// A queue for `limit` records.
pub(crate) fn queue(limit: usize) -> (QueueSender, QueueReceiver, Arc<QueueCounters>) {
    // The channel has no limit of its own: records are counted, not the messages that they come in.
    let (sender, receiver) = unbounded();
    let counters = Arc::new(QueueCounters::default());
    (
        QueueSender { sender, counters: Arc::clone(&counters), limit },
        QueueReceiver { receiver, counters: Arc::clone(&counters) },
        counters,
    )
}

impl QueueSender {
    /// Records that the queue takes at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Hands records over, or loses and counts them where there is no room.
    pub(crate) fn offer(&self, records: Vec<FlowRecord>) {
        let count = records.len();
        if count == 0 {
            return;
        }
        let before = self.counters.waiting.fetch_add(count, Ordering::Relaxed);
        if before + count > self.limit || self.sender.send(records).is_err() {
            self.counters.waiting.fetch_sub(count, Ordering::Relaxed);
            self.counters.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Hands records over, and waits for room first unless `give_up` says that there will be none.
    pub(crate) fn put(&self, records: Vec<FlowRecord>, give_up: impl Fn() -> bool) {
        while self.counters.waiting() + records.len() > self.limit
            && self.counters.waiting() > 0
            && !give_up()
        {
            std::thread::sleep(LOOK);
        }
        self.offer(records);
    }
}

impl QueueReceiver {
    /// The next records, if any come within `wait`. An error: none will ever come.
    pub(crate) fn next(&self, wait: Duration) -> Result<Option<Vec<FlowRecord>>, Closed> {
        match self.receiver.recv_timeout(wait) {
            Ok(records) => Ok(Some(records)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Closed),
        }
    }

    /// So many records no longer wait: they were written, or given up.
    pub(crate) fn done(&self, count: usize) {
        self.counters.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    /// So many records that were taken out could not be written.
    pub(crate) fn lost(&self, count: u64) {
        self.counters.lost.fetch_add(count, Ordering::Relaxed);
    }
}

/// All workers are gone, and everything they sent was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::records;

    const NOT_LONG: Duration = Duration::from_millis(1);

    #[test]
    fn what_finds_no_room_is_counted_and_nothing_else() {
        let (sender, receiver, counters) = queue(5);
        sender.offer(records(3));
        sender.offer(records(3));
        sender.offer(records(2));
        assert_eq!((counters.waiting(), counters.lost()), (5, 3));
        assert_eq!(receiver.next(NOT_LONG).unwrap().unwrap().len(), 3);
        receiver.done(3);
        sender.offer(records(3));
        assert_eq!((counters.waiting(), counters.lost()), (5, 3));
        drop(sender);
        let rest: usize =
            std::iter::from_fn(|| receiver.next(NOT_LONG).ok().flatten()).map(|r| r.len()).sum();
        assert_eq!(rest, 5);
        assert_eq!(receiver.next(NOT_LONG), Err(Closed));
    }

    #[test]
    fn whoever_may_wait_loses_nothing_and_gives_up_when_told() {
        let (sender, receiver, counters) = queue(5);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|_| sender.put(records(4), || false));
            });
            let mut taken = 0;
            while taken < 400 {
                let Ok(Some(records)) = receiver.next(Duration::from_secs(10)) else {
                    panic!("{taken} records came")
                };
                taken += records.len();
                receiver.done(records.len());
            }
        });
        assert_eq!((counters.waiting(), counters.lost()), (0, 0));
        sender.put(records(9), || false);
        assert_eq!(
            counters.lost(),
            9,
            "more than there is room for is lost even from an empty queue"
        );
        sender.put(records(4), || false);
        sender.put(records(4), || true);
        assert_eq!((counters.waiting(), counters.lost()), (4, 13));
    }
}
