//! Standard input, or any other stream that is read once from beginning to end.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::archive::Text;
use super::lines::Lines;
use super::{Change, FileId, TailEvent};

const PIECE: usize = 1 << 20;

/// Reads `input`, plain or packed (see [`super::archive`]), to its end and delivers its lines, then [`TailEvent::End`]. Returns early when
/// `stop` is set or `deliver` says that nobody listens.
pub fn read(input: impl Read, stop: &AtomicBool, mut deliver: impl FnMut(TailEvent) -> ControlFlow<()>) {
    let path = Path::new("");
    let unreadable =
        |cause: io::Error| TailEvent::Change(Change::Unreadable { path: "standard input".into(), cause });
    let mut lines = Lines::starting_at(0);
    let mut text = match Text::new(input) {
        Ok(text) => text,
        Err(error) => {
            let _ = deliver(unreadable(error)).is_continue() && deliver(TailEvent::End).is_continue();
            return;
        }
    };
    let mut buffer = vec![0; PIECE];
    while !stop.load(Ordering::Relaxed) {
        match text.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                if lines.push(&buffer[..count], FileId::STDIN, path, &mut deliver).is_break() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                if deliver(unreadable(error)).is_break() {
                    return;
                }
                break;
            }
        }
    }
    if let Some(damage) = text.into_damage() {
        let change = Change::Damaged { path: "standard input".into(), cause: damage.cause };
        if deliver(TailEvent::Change(change)).is_break() {
            return;
        }
    }
    if lines.finish(FileId::STDIN, &mut deliver).is_continue() {
        let _ = deliver(TailEvent::End);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_comes_and_then_the_end() {
        let mut bytes = Vec::new();
        let mut ended = 0;
        read(&b"one\ntwo\nthree"[..], &AtomicBool::new(false), |event| {
            match event {
                TailEvent::Lines(batch) => bytes.extend(batch.bytes),
                TailEvent::End => ended += 1,
                TailEvent::Change(change) => panic!("{change}"),
            }
            ControlFlow::Continue(())
        });
        assert_eq!((bytes.as_slice(), ended), (&b"one\ntwo\nthree"[..], 1));
    }
}
