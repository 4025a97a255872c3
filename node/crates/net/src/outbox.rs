//! Frames that wait for one peer. Full, it forgets the oldest: consensus repeats what still matters, and what is
//! newest matters most.

use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    frames_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Outbox {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self {
            queue: Mutex::default(),
            filled: Notify::new(),
            frames_max: frames_max.max(1),
            bytes_max,
        }
    }

    /// Adds a frame and returns how many old ones had to go. Never waits.
    pub(crate) fn push(&self, frame: Bytes) -> usize {
        let mut queue = self.lock();
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        let mut dropped = 0;
        while queue.frames.len() > self.frames_max || (queue.bytes > self.bytes_max && queue.frames.len() > 1)
        {
            if let Some(oldest) = queue.frames.pop_front() {
                queue.bytes -= oldest.len();
                dropped += 1;
            }
        }
        drop(queue);
        self.filled.notify_one();
        dropped
    }

    /// Waits for frames and takes them, oldest first, up to about `bytes`. One taker at a time.
    pub(crate) async fn take(&self, bytes: usize) -> Vec<Bytes> {
        loop {
            let batch = self.try_take(bytes);
            if !batch.is_empty() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    /// Frames that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().frames.len()
    }

    fn try_take(&self, bytes: usize) -> Vec<Bytes> {
        let mut queue = self.lock();
        let mut batch = Vec::new();
        let mut taken = 0;
        while taken < bytes {
            let Some(frame) = queue.frames.pop_front() else {
                break;
            };
            taken += frame.len();
            batch.push(frame);
        }
        queue.bytes -= taken;
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds the lock, and a queue is valid between any two lines above.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    fn frame(number: u8, length: usize) -> Bytes {
        Bytes::from(vec![number; length])
    }

    #[test]
    fn order_is_kept_and_the_oldest_goes_first() {
        let outbox = Outbox::new(3, 1_000);
        let dropped: usize = (0..5).map(|number| outbox.push(frame(number, 1))).sum();
        assert_eq!(dropped, 2);
        assert_eq!(outbox.waiting(), 3);
        let batch = block_on(outbox.take(usize::MAX));
        assert_eq!(batch, [frame(2, 1), frame(3, 1), frame(4, 1)]);
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn bytes_are_bounded_too_but_the_newest_always_stays() {
        let outbox = Outbox::new(100, 10);
        assert_eq!(outbox.push(frame(0, 6)), 0);
        assert_eq!(outbox.push(frame(1, 6)), 1);
        assert_eq!(outbox.push(frame(2, 50)), 1);
        assert_eq!(block_on(outbox.take(1)), [frame(2, 50)]);
    }

    #[test]
    fn a_batch_ends_near_its_limit() {
        let outbox = Outbox::new(100, 1_000);
        (0..4).for_each(|number| assert_eq!(outbox.push(frame(number, 10)), 0));
        assert_eq!(block_on(outbox.take(15)).len(), 2);
        assert_eq!(block_on(outbox.take(15)).len(), 2);
    }
}
