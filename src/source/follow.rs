//! The thread body that drives a [`Tail`]: look when kicked, and once a second whatever happens.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::TailEvent;
use super::filesystem::FileSystem;
use super::tail::Tail;
use super::watch::Watch;

/// A look without a kick: events may be lost, and some file systems have none.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A burst of writes makes one look, not one each.
const GATHER: Duration = Duration::from_millis(15);

/// Follows until `stop` is set or `deliver` says that nobody listens. `stop` is noticed within a second.
pub fn follow<F: FileSystem>(
    mut tail: Tail<F>,
    stop: &AtomicBool,
    mut deliver: impl FnMut(TailEvent) -> ControlFlow<()>,
) {
    let mut watch = Watch::new(tail.path());
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        watch.clear();
        let now = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if tail.look(now, &mut deliver).is_break() {
            return;
        }
        watch.renew(tail.path());
        watch.wait(LOOK_EVERY);
        if !stop.load(Ordering::Relaxed) {
            std::thread::sleep(GATHER);
        }
    }
}
