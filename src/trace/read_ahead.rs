//! Reads many requests with their bodies on several threads and hands them over one by one, in order. A history is mostly
//! unpacking and parsing: in a large log each write stands in a block of its own.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Builder, Scope};

use super::request::{Request, Texts};
use crate::model::EventId;
use crate::store::Store;

/// Threads at most: parsing is bound by memory before long.
const MOST_THREADS: usize = 4;

/// Fewer requests are read before threads are there.
pub const WORTH_THREADS: usize = 32;

/// Requests that are handed over together: those of one block, which neighbours often share, are unpacked once.
const TOGETHER: usize = 8;

/// Bytes of text after which no more are put together, so that the largest objects are read one by one.
const BYTES_TOGETHER: u64 = 256 * 1024;

/// Calls `visit` for each of these requests that is still held, with its place and its bodies. A few are read ahead.
pub fn each_read(store: &Store, ids: &[EventId], mut visit: impl FnMut(usize, Request)) {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let parts = parts(store, ids);
    let mut take = |part: &Range<usize>, requests: Vec<Option<Request>>| {
        for (at, request) in part.clone().zip(requests) {
            if let Some(request) = request {
                visit(at, request);
            }
        }
    };
    if threads == 1 || ids.len() < WORTH_THREADS {
        return parts.iter().for_each(|part| take(part, read(store, &ids[part.clone()])));
    }
    thread::scope(|scope| {
        let (store, parts) = (store, parts.as_slice());
        let readers: Vec<_> =
            (0..threads).map(|first| reader(scope, store, ids, parts.get(first..)?, threads)).collect();
        for (part, reader) in parts.iter().zip(readers.iter().cycle()) {
            let read_ahead = reader.as_ref().and_then(|reader| reader.recv().ok());
            take(part, read_ahead.unwrap_or_else(|| read(store, &ids[part.clone()])));
        }
    });
}

/// A thread that reads each of these parts `step` apart; `None` where there can be no more threads.
fn reader<'scope, 'store: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    store: &'store Store,
    ids: &'store [EventId],
    parts: &'store [Range<usize>],
    step: usize,
) -> Option<Receiver<Vec<Option<Request>>>> {
    let (sender, receiver) = sync_channel(1);
    let body = move || {
        for part in parts.iter().step_by(step) {
            if sender.send(read(store, &ids[part.clone()])).is_err() {
                break;
            }
        }
    };
    Builder::new().name("read".into()).spawn_scoped(scope, body).ok()?;
    Some(receiver)
}

fn read(store: &Store, ids: &[EventId]) -> Vec<Option<Request>> {
    let mut texts = Texts::of(store);
    ids.iter().map(|id| Request::read_by(&mut texts, *id)).collect()
}

/// Stretches of `ids` that are read together.
fn parts(store: &Store, ids: &[EventId]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, id) in ids.iter().enumerate() {
        let length = store.segment(*id).map_or(0, |segment| u64::from(segment.text_len(id.row())));
        match parts.last_mut() {
            Some(part) if part.len() < TOGETHER && bytes + length <= BYTES_TOGETHER => {
                part.end += 1;
                bytes += length;
            }
            _ => {
                parts.push(at..at + 1);
                bytes = length;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, Level, SourceId, Stage};
    use crate::store::SegmentBuilder;

    fn store(rows: usize) -> Store {
        let mut store = Store::new();
        for first in (0..rows).step_by(100) {
            let mut builder = SegmentBuilder::new(SourceId(0), first as i64, true);
            for row in first..rows.min(first + 100) {
                let event = Event {
                    level: Level::RequestResponse,
                    stage: Stage::ResponseComplete,
                    verb: "patch".into(),
                    stage_time: Some(row as i64),
                    ..Event::default()
                };
                let padding = "x".repeat(if row % 10 == 0 { 300_000 } else { 900 });
                let text = format!(r#"{{"requestObject":{{"row":{row},"padding":"{padding}"}}}}"#);
                builder.push(&event, text.as_bytes(), false);
            }
            store.push(builder.finish(0));
        }
        store
    }

    #[test]
    fn all_are_handed_over_in_order() {
        for rows in [0, 1, WORTH_THREADS - 1, WORTH_THREADS, 250] {
            let store = store(rows);
            let mut ids: Vec<EventId> =
                store.order().chunks().iter().flat_map(|chunk| chunk.ids().to_vec()).collect();
            assert_eq!(ids.len(), rows);
            ids.extend((rows > 0).then_some(EventId::new(99, 0)));
            let mut told = Vec::new();
            each_read(&store, &ids, |at, request| {
                assert_eq!(request.id, Some(ids[at]));
                told.push(request.event["requestObject"]["row"].as_u64());
            });
            assert_eq!(told, (0..rows as u64).map(Some).collect::<Vec<_>>(), "what is not held is left out");
        }
    }

    #[test]
    fn large_texts_are_not_put_together() {
        let store = store(40);
        let ids: Vec<EventId> = (0..40).map(|row| EventId::new(0, row)).collect();
        let parts = parts(&store, &ids);
        assert!(parts.iter().all(|part| part.len() <= TOGETHER));
        for large in (0..40).step_by(10) {
            assert!(parts.contains(&(large..large + 1)), "{large}: {parts:?}");
        }
        assert!(parts.iter().flat_map(Clone::clone).eq(0..40));
    }
}
