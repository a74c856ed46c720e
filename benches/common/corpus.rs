//! Logs that are on the disk, read into a store for benches.

use std::fs;
use std::path::{Path, PathBuf};

use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::model::{Event, SourceId};
use kauditui::store::{SegmentBuilder, Store};

struct Packing {
    store: Store,
    builder: SegmentBuilder,
    origin: u32,
}

impl Packing {
    fn close(&mut self) {
        let full = std::mem::replace(&mut self.builder, SegmentBuilder::new(SourceId(0), 0, true));
        self.store.push(full.finish(self.origin));
    }
}

impl Sink for Packing {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        if self.builder.is_full() {
            self.close();
        }
        self.builder.push(event, text, marks.replaced);
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

/// A store with the records of these texts.
pub fn store_of(texts: impl IntoIterator<Item = Vec<u8>>) -> Store {
    let mut packing =
        Packing { store: Store::new(), builder: SegmentBuilder::new(SourceId(0), 0, true), origin: 0 };
    for text in texts {
        let mut reader = Reader::new();
        reader.read(&text, &mut packing);
        reader.finish(&mut packing);
        packing.close();
        packing.origin += 1;
    }
    packing.store
}

/// The logs of a folder, one after another.
pub fn texts_in(folder: impl AsRef<Path>) -> impl Iterator<Item = Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .collect();
    files.sort();
    files.into_iter().map(|path| fs::read(path).expect("a log"))
}
