//! The rotated files of a log as they are when it is opened: held open, so that what a rotator does to their names
//! before their turn comes changes nothing. [`super`] hands them to [`super::history`] to be read, and what they
//! begin with to [`crate::source::tail`], which then knows every other sibling for one that nobody reads.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use super::history::open_rotated;
use crate::source::FileId;
use crate::source::filesystem::{FileSystem, RealFileSystem, Stat};
use crate::source::fingerprint::Fingerprint;

/// Files of one log that are held open until they are read; a process may often open only 1,024 in all. More are
/// opened by their names, newest first as they are, so that the oldest bear the risk.
const MOST_HELD: usize = 128;

/// A rotated file.
pub(super) struct Rotated {
    /// The name under which it was listed.
    pub(super) path: PathBuf,
    /// What it was when it was opened.
    pub(super) metadata: Metadata,
    /// The file, at its beginning, unless too many are held already.
    pub(super) handle: Option<File>,
    /// What it begins with, if that was asked for and could be read.
    pub(super) print: Option<Fingerprint>,
}

/// Opens the files at `paths`, each file once, but not the one that is `live`: since the list was made, it may have
/// got the name of another. A file that is gone is left out: the follower finds it under the name it has now.
/// `followed` asks for what the files begin with.
pub(super) fn open(paths: &[PathBuf], live: Option<FileId>, followed: bool) -> Vec<Rotated> {
    let mut ids: HashSet<FileId> = live.into_iter().collect();
    let mut opened = Vec::new();
    for path in paths {
        let (handle, metadata) = match open_rotated(path) {
            Ok(file) => {
                let metadata = file.metadata();
                (Some(file), metadata)
            }
            // Why it cannot be opened is told when it is its turn.
            Err(_) => (None, std::fs::metadata(path)),
        };
        let Ok(metadata) = metadata else { continue };
        if !ids.insert(Stat::from(&metadata).id) {
            continue;
        }
        let print = handle
            .as_ref()
            .filter(|_| followed)
            .and_then(|file| Fingerprint::taken(&RealFileSystem, file).ok());
        let handle = handle.filter(|_| opened.len() < MOST_HELD);
        opened.push(Rotated { path: path.clone(), metadata, handle, print });
    }
    opened
}

/// What the siblings of `live` begin with, for a follower that is to leave them out.
pub(super) fn prints_of_all(live: &Path, live_id: Option<FileId>) -> Vec<Fingerprint> {
    let siblings = RealFileSystem.siblings(live).unwrap_or_default();
    let paths: Vec<PathBuf> = siblings.into_iter().map(|sibling| sibling.path).collect();
    open(&paths, live_id, true).into_iter().filter_map(|sibling| sibling.print).collect()
}
