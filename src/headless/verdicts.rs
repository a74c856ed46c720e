//! Which original lines hold secrets, judged ahead of printing on threads of their own: that costs more than all else
//! that printing a line does.

use std::sync::mpsc::sync_channel;
use std::thread;

use super::texts::RowTexts;
use crate::model::EventId;
use crate::store::Store;

/// Rows that a thread judges at a time.
const ROWS_AT_ONCE: usize = 256;

/// Lists of verdicts that a thread is ahead at most.
const LISTS_AHEAD: usize = 4;

/// Calls `print` with a verdict for each of `rows`, in their order: whether its text holds a secret. Ends early when
/// `print` does.
pub(super) fn with_verdicts<R>(
    store: &Store,
    rows: &[EventId],
    holds_secret: fn(&[u8]) -> bool,
    threads: usize,
    print: impl FnOnce(&mut dyn Iterator<Item = bool>) -> R,
) -> R {
    let threads = threads.clamp(1, rows.len().div_ceil(ROWS_AT_ONCE).max(1));
    thread::scope(|scope| {
        let judges: Vec<_> = (0..threads)
            .map(|first| {
                let (sender, receiver) = sync_channel(LISTS_AHEAD);
                scope.spawn(move || {
                    let mut texts = RowTexts::new(store);
                    for rows in rows.chunks(ROWS_AT_ONCE).skip(first).step_by(threads) {
                        let judge = |id: &EventId| texts.read(*id).is_ok_and(holds_secret);
                        let verdicts: Vec<bool> = rows.iter().map(judge).collect();
                        if sender.send(verdicts).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        let lists = judges.iter().cycle().map_while(|judge| judge.recv().ok());
        print(&mut lists.flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, SourceId};
    use crate::store::SegmentBuilder;

    #[test]
    fn verdicts_come_in_the_order_of_rows_and_may_be_left() {
        let mut store = Store::new();
        let mut builder = SegmentBuilder::new(SourceId(0), 0, true);
        for number in 0..3000 {
            builder.push(&Event::default(), format!("{number}").as_bytes(), false);
        }
        store.push(builder.finish(1));
        let rows: Vec<EventId> = (0..3000).map(|row| EventId::new(0, row)).collect();
        let wanted: Vec<bool> = (0..3000).map(|number| number % 10 == 7).collect();
        for threads in [0, 1, 2, 5, 100] {
            let ends_with_7 = |text: &[u8]| text.ends_with(b"7");
            let all = with_verdicts(&store, &rows, ends_with_7, threads, |verdicts| {
                verdicts.collect::<Vec<bool>>()
            });
            assert_eq!(all, wanted);
            let some =
                with_verdicts(&store, &rows, ends_with_7, threads, |verdicts| verdicts.take(8).count());
            assert_eq!(some, 8);
        }
        assert_eq!(with_verdicts(&store, &[], |_| true, 2, |verdicts| verdicts.count()), 0);
    }
}
