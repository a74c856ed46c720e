//! The little of a file system that following a log needs, as a trait, so that a follower can be tested against
//! one in memory in which every interleaving of writer and reader can be played.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::FileId;
use super::names::{RotatedName, rotated_from};

/// What `stat(2)` says, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Device and inode.
    pub id: FileId,
    /// Size in bytes.
    pub size: u64,
    /// Time of last modification, in nanoseconds since 1970.
    pub modified: i128,
    /// Number of names the file has; 0 once it is deleted.
    pub links: u64,
    /// A regular file: no folder, pipe or device.
    pub regular: bool,
}

/// A file that, by its name, was rotated away from a live file.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Where it is.
    pub path: PathBuf,
    /// What its name says.
    pub name: RotatedName,
    /// What it was when it was listed.
    pub stat: Stat,
}

/// A file system as a follower sees it. Every path is followed through symbolic links.
pub trait FileSystem {
    /// An open file, read by position. Keeps the file's identity from being reused.
    type File;

    /// Opens a file for reading. Must not wait (for the writer of a pipe, say).
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// What is at `path` now.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// What an open file is now.
    fn stat_file(&self, file: &Self::File) -> io::Result<Stat>;
    /// Reads at a position; 0 only at the end of the file.
    fn read_at(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// The rotated siblings of a live path, in no order: in its folder and, when it is a symbolic link, in the folder
    /// of what it points to.
    fn siblings(&self, live: &Path) -> io::Result<Vec<Sibling>>;
    /// What `path` points to in the end, if it is a symbolic link.
    fn link_target(&self, path: &Path) -> Option<PathBuf>;
}

/// The operating system's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFileSystem;

impl From<&fs::Metadata> for Stat {
    fn from(metadata: &fs::Metadata) -> Self {
        Stat {
            id: FileId { device: metadata.dev(), inode: metadata.ino() },
            size: metadata.len(),
            modified: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
            links: metadata.nlink(),
            regular: metadata.is_file(),
        }
    }
}

impl FileSystem for RealFileSystem {
    type File = File;

    fn open(&self, path: &Path) -> io::Result<File> {
        open_for_reading(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(Stat::from(&fs::metadata(path)?))
    }

    fn stat_file(&self, file: &File) -> io::Result<Stat> {
        Ok(Stat::from(&file.metadata()?))
    }

    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn siblings(&self, live: &Path) -> io::Result<Vec<Sibling>> {
        let mut found = siblings_beside(live)?;
        if let Some(target) = self.link_target(live)
            && target.parent() != live.parent()
            && let Ok(more) = siblings_beside(&target)
        {
            found.extend(more);
        }
        Ok(found)
    }

    fn link_target(&self, path: &Path) -> Option<PathBuf> {
        fs::symlink_metadata(path).ok().filter(|m| m.file_type().is_symlink())?;
        fs::canonicalize(path).ok()
    }
}

/// Opens a file without waiting: a FIFO named like a log must not hang the reader.
pub(crate) fn open_for_reading(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

/// The folder a file is in; `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn siblings_beside(live: &Path) -> io::Result<Vec<Sibling>> {
    let Some(name) = live.file_name() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder_of(live))? {
        let entry = entry?;
        if let Some(rotated) = rotated_from(name, &entry.file_name())
            // Gone between listing and stat: compressed or pruned just now; the next listing shows what it became.
            && let Ok(metadata) = fs::metadata(entry.path())
            && metadata.is_file()
        {
            found.push(Sibling { path: entry.path(), name: rotated, stat: Stat::from(&metadata) });
        }
    }
    Ok(found)
}

/// Sequential [`Read`] from a position on, over any [`FileSystem`].
pub(crate) struct ReadFrom<'a, F: FileSystem> {
    pub fs: &'a F,
    pub file: &'a F::File,
    pub offset: u64,
}

impl<F: FileSystem> Read for ReadFrom<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fs.read_at(self.file, buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Reads until the buffer is full or the input is over; how much was read.
pub(crate) fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
