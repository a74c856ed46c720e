//! Where bytes come from: files, their rotated siblings, archives, standard input. This module knows lines and
//! bytes, never events; where it must know a time or whether a line stands alone, it is handed a closure.
//!
//! - [`resolve`] turns arguments into [`resolve::LogSource`]s; [`discover`] finds a log when no argument is given;
//!   [`names`] knows how rotated files are called.
//! - [`archive`] opens what is stored, plain or packed, [`yaml_text`] what is written as YAML, told by its keys; [`backfill`] cuts a plain file into chunks, newest first.
//! - [`tail`] is the state machine that reads what is written from now on, through every kind of rotation, over the
//!   small file-system trait of [`filesystem`]; [`lines`] holds back its unfinished lines, [`fingerprint`] lets it
//!   recognise what it has read under another name, [`change`] says what happened to the file.
//! - [`watch`] and [`follow`] drive the tail on a thread of its own; [`stdin`] does the same for a pipe.
//!
//! [`crate::ingest`] owns the threads and the channels behind the closures passed in here.

pub mod archive;
pub mod backfill;
pub mod change;
pub mod discover;
pub mod filesystem;
pub mod fingerprint;
pub mod follow;
pub mod lines;
pub mod names;
pub mod resolve;
pub mod stdin;
pub mod tail;
pub mod watch;
pub mod yaml_text;

pub use change::Change;

/// Identity of a file whatever its name: device and inode number.
///
/// An inode number is free for another file once the last name and the last open handle are gone, so an identity is
/// only proof of sameness while the file is held open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId {
    /// Device number (`st_dev`).
    pub device: u64,
    /// Inode number (`st_ino`).
    pub inode: u64,
}

impl FileId {
    /// Stands for standard input, which is not read by position. Inode 0 is no file's on any Linux file system.
    pub const STDIN: FileId = FileId { device: 0, inode: 0 };
}

/// Whole lines, in the order in which they stand in one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The file that was read.
    pub file: FileId,
    /// Position of the first byte in the file's text (for a compressed file: in the text it unpacks to).
    pub offset: u64,
    /// The lines with their newlines.
    pub bytes: Vec<u8>,
    /// The batch is one line without a newline: its file was finished (rotated, truncated, closed) in the middle of
    /// it. Never set on a line that can still grow.
    pub unterminated: bool,
}

/// What a [`tail::Tail`] or [`stdin`] delivers.
#[derive(Debug)]
pub enum TailEvent {
    /// New lines.
    Lines(Batch),
    /// Something happened to the file that the user should know.
    Change(Change),
    /// The input is over (standard input only; a followed file has no end).
    End,
}

/// The longest line that is held in memory; a longer one is skipped with [`Change::LineTooLong`]. (Kubernetes caps a
/// request body at 3 MiB, but a list in a `RequestResponse` record has no limit.)
pub const MAX_LINE: usize = 64 << 20;
