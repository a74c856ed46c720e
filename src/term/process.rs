//! Manners of the process on a machine that has more important work: the node also runs etcd.
//!
//! All of it is best effort: what the system refuses is left as it was.

/// How much the nice value of a worker thread is raised. 10 of 19: yields to everything of normal priority, still
/// ahead of what was started with `nice -n 19`.
const WORKER_NICENESS: i32 = 10;

/// Offers the process to the kernel as the first to be killed when memory runs out (`oom_score_adj` 1000, the
/// greatest value, see proc(5)). Returns whether the kernel took the offer.
pub fn offer_to_oom_killer() -> bool {
    std::fs::write("/proc/self/oom_score_adj", "1000").is_ok()
}

/// Lowers the priority of the calling thread (on Linux a nice value belongs to a thread, see sched(7)). For worker
/// threads; the UI thread keeps its own. Returns whether the system agreed.
pub fn lower_thread_priority() -> bool {
    rustix::process::nice(WORKER_NICENESS).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_gives_way_without_dragging_the_others_along() {
        let before = rustix::process::getpriority_process(None).unwrap();
        let (lowered, inside) = std::thread::spawn(|| {
            (lower_thread_priority(), rustix::process::getpriority_process(None).unwrap())
        })
        .join()
        .unwrap();
        assert!(lowered);
        assert_eq!(inside, (before + WORKER_NICENESS).min(19));
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
    }
}
