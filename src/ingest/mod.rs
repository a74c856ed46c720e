//! The pipeline from sources to segments: follow threads for what comes, workers for what is there, bounded
//! channels between them and the one thread that owns the store.

mod collector;
mod history;
mod live;
mod report;

use crate::error::Error;
use crate::model::{Micros, SourceId};
use crate::notice::Notice;
use crate::store::Batch;

/// How logs are read.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Worker threads for history.
    pub threads: usize,
    /// Whether to go on reading what is appended.
    pub follow: bool,
    /// Whether a file brings its rotated siblings.
    pub rotated: bool,
    /// History before this moment is not read.
    pub since: Option<Micros>,
    /// Whether the original text is kept, or only columns and counts.
    pub keep_text: bool,
    /// Called by each thread when it starts: to lower its priority.
    pub on_worker_start: fn(),
}

/// What is known about one log.
#[derive(Clone, Debug)]
pub struct SourceDescription {
    /// Its number.
    pub id: SourceId,
    /// What to call it: the file's name, `stdin`, `demo`.
    pub name: String,
    /// The path as it was given, or found.
    pub path: String,
    /// Rotated files that belong to it.
    pub rotated: usize,
    /// How many of those are compressed.
    pub compressed: usize,
}

/// What one file held, told when it has been read to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Its path.
    pub path: String,
    /// Bytes on disk.
    pub stored_bytes: u64,
    /// Bytes of text, unpacked.
    pub text_bytes: u64,
    /// Lines, readable or not; blank ones are not counted.
    pub lines: u64,
    /// Events read from them.
    pub events: u64,
    /// Lines or parts that could not be read, by kind.
    pub unreadable: Vec<(String, u64)>,
    /// Least stage time.
    pub first: Option<Micros>,
    /// Greatest stage time.
    pub last: Option<Micros>,
    /// Stretches of more than ten minutes without a line: (last before, first after).
    pub gaps: Vec<(Micros, Micros)>,
}

/// What the pipeline tells the owner of the store.
#[derive(Debug)]
pub enum IngestMessage {
    /// A log was opened.
    Opened(SourceDescription),
    /// A log could not be opened or read; the others go on.
    Failed(Error),
    /// Live lines, in the order in which they came.
    Live(Box<Batch>),
    /// A sealed piece of history, newest first within a source.
    History(Box<Batch>),
    /// History read so far and in all, in bytes on disk.
    Progress {
        /// Which log.
        source: SourceId,
        /// Bytes read.
        done: u64,
        /// Bytes there are.
        total: u64,
    },
    /// Something to count and to show.
    Notice(Notice),
    /// A file was read to its end.
    File(SourceId, Box<FileReport>),
    /// All history of a log has been sent.
    HistoryDone(SourceId),
    /// Nothing more will come from this log: end of standard input, or not followed.
    End(SourceId),
}
