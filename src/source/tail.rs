//! Following one path through everything that can happen to a log: a state machine that looks when it is told to.
//!
//! Over [`super::filesystem`]'s trait, so that tests play writer and reader against each other in memory. At each
//! look it reads what was added, and when another file is at the path: the old one to its end first, then what was
//! made and rotated away in between, then the new one. The old file stays open for a while, since its writer may not
//! have noticed yet. [`super::follow`] decides when to look.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::filesystem::{FileSystem, Sibling};
use super::fingerprint::{Fingerprint, Kinship, head_of, text_from};
use super::lines::{Lines, Sink};
use super::{Change, FileId, TailEvent};

/// How long an old file is still looked at after another took its place.
const GRACE_MILLIS: u64 = 2_500;
/// Texts that are remembered as read.
const REMEMBERED: usize = 512;
/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// A file that is read as it grows.
struct OpenFile<F: FileSystem> {
    file: F::File,
    id: FileId,
    lines: Lines,
    print: Fingerprint,
    /// Size and modification time when the text before our place was last seen unchanged.
    checked: (u64, i128),
}

impl<F: FileSystem> OpenFile<F> {
    fn offset(&self) -> u64 {
        self.print.offset()
    }

    fn read_to_end(&mut self, fs: &F, path: &Path, sink: &mut Sink) -> io::Result<ControlFlow<()>> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = fs.read_at(&self.file, &mut buffer, self.offset())?;
            if count == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            self.print.advance(&buffer[..count]);
            if self.lines.push(&buffer[..count], self.id, path, sink).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if count == buffer.len() && buffer.len() < PIECE {
                buffer.resize(buffer.len() * 2, 0);
            }
        }
    }
}

/// Follows one path.
pub struct Tail<F: FileSystem> {
    fs: F,
    path: PathBuf,
    current: Option<OpenFile<F>>,
    /// Files that were replaced, with the moment until which they are looked at.
    leaving: Vec<(OpenFile<F>, u64)>,
    known: Vec<Fingerprint>,
    link_target: Option<PathBuf>,
    /// The file is gone and that was said.
    gone: bool,
    /// What could not be read, said once.
    complaint: Option<String>,
    /// Siblings that nobody reads are looked for at the next look.
    search_siblings: bool,
}

impl<F: FileSystem> Tail<F> {
    /// Follows `path` from `offset` of the open `file` on, which is what is at the path now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_file(fs: F, path: PathBuf, file: F::File, offset: u64) -> io::Result<Self> {
        let stat = fs.stat_file(&file)?;
        let print = Fingerprint::at(&fs, &file, offset)?;
        let current = OpenFile {
            file,
            id: stat.id,
            lines: Lines::starting_at(offset),
            print,
            checked: (stat.size, stat.modified),
        };
        let mut tail = Self::waiting(fs, path);
        tail.gone = false;
        tail.current = Some(current);
        Ok(tail)
    }

    /// Follows `path`, where there is nothing yet.
    pub fn waiting(fs: F, path: PathBuf) -> Self {
        let link_target = fs.link_target(&path);
        Self {
            fs,
            path,
            current: None,
            leaving: Vec::new(),
            known: Vec::new(),
            link_target,
            gone: true,
            complaint: None,
            search_siblings: false,
        }
    }

    /// Says that `rotated`, siblings of the path, are read by somebody else or not at all. Other siblings that exist
    /// at the first look were rotated away since the list was made, and are read.
    pub fn leave_out(&mut self, rotated: &[PathBuf]) {
        for path in rotated {
            if let Ok(file) = self.fs.open(path)
                && let Ok(print) = Fingerprint::taken(&self.fs, &file)
            {
                self.remember(print);
            }
        }
        self.search_siblings = true;
    }

    /// The followed path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a replaced file is still looked at, so that looks must not wait for a kick.
    pub fn is_restless(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Looks once and delivers everything new. `now` is any clock in milliseconds. `Break` when nobody listens.
    pub fn look(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        self.read_leaving(now, sink)?;
        let at_path = match self.fs.stat(&self.path) {
            Ok(stat) if stat.regular => Some(stat),
            Ok(_) => {
                self.complain(&io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"), sink)?;
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.complain(&error, sink)?;
                None
            }
        };
        let replaced = match (&self.current, at_path) {
            (Some(current), Some(stat)) => current.id != stat.id,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if self.current.is_some() {
            self.check_truncation(sink)?;
            self.read_current(sink)?;
        }
        if std::mem::take(&mut self.search_siblings) {
            self.read_unseen_siblings(sink)?;
        }
        if replaced {
            return self.switch(now, sink);
        }
        if at_path.is_none() && self.current.is_some() && !self.gone {
            self.gone = true;
            let deleted = self.current.as_ref().is_some_and(|c| self.links(c) == 0);
            let path = self.path.clone();
            let change = if deleted { Change::Deleted { path } } else { Change::Vanished { path } };
            sink(TailEvent::Change(change))?;
        }
        if at_path.is_some() && self.current.is_some() {
            self.gone = false;
        }
        ControlFlow::Continue(())
    }

    fn links(&self, open: &OpenFile<F>) -> u64 {
        self.fs.stat_file(&open.file).map_or(0, |stat| stat.links)
    }

    fn complain(&mut self, cause: &io::Error, sink: &mut Sink) -> ControlFlow<()> {
        let text = cause.to_string();
        if self.complaint.as_ref() == Some(&text) {
            return ControlFlow::Continue(());
        }
        self.complaint = Some(text);
        let cause = io::Error::new(cause.kind(), cause.to_string());
        sink(TailEvent::Change(Change::Unreadable { path: self.path.clone(), cause }))
    }

    fn read_current(&mut self, sink: &mut Sink) -> ControlFlow<()> {
        let Some(current) = &mut self.current else { return ControlFlow::Continue(()) };
        match current.read_to_end(&self.fs, &self.path, sink) {
            Ok(flow) => {
                if let Ok(stat) = self.fs.stat_file(&current.file) {
                    current.checked = (stat.size, stat.modified);
                }
                flow
            }
            Err(error) => self.complain(&error, sink),
        }
    }

    fn read_leaving(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        for (mut open, until) in std::mem::take(&mut self.leaving) {
            let outcome = open.read_to_end(&self.fs, &self.path, sink);
            if matches!(outcome, Ok(ControlFlow::Break(()))) {
                return ControlFlow::Break(());
            }
            if now < until && outcome.is_ok() {
                self.leaving.push((open, until));
                continue;
            }
            open.lines.finish(open.id, sink)?;
            self.remember(open.print);
        }
        ControlFlow::Continue(())
    }

    fn remember(&mut self, print: Fingerprint) {
        if self.known.len() >= REMEMBERED {
            self.known.remove(0);
        }
        self.known.push(print);
    }

    /// The file was emptied in place when it is shorter than our place in it, or when the text right before our place
    /// is another one now.
    fn check_truncation(&mut self, sink: &mut Sink) -> ControlFlow<()> {
        let Some(current) = &self.current else { return ControlFlow::Continue(()) };
        let Ok(stat) = self.fs.stat_file(&current.file) else { return ControlFlow::Continue(()) };
        if (stat.size, stat.modified) == current.checked {
            return ControlFlow::Continue(());
        }
        if stat.size >= current.offset() && self.text_before_is_unchanged(current) {
            return ControlFlow::Continue(());
        }
        let rest_from = self.read_rest_from_copy(sink)?;
        if let Some(mut old) = self.current.take() {
            old.lines.finish(old.id, sink)?;
            self.remember(old.print);
            self.current = Some(OpenFile {
                file: old.file,
                id: old.id,
                lines: Lines::starting_at(0),
                print: Fingerprint::default(),
                checked: (0, 0),
            });
        }
        sink(TailEvent::Change(Change::Truncated { path: self.path.clone(), rest_from }))
    }

    fn text_before_is_unchanged(&self, current: &OpenFile<F>) -> bool {
        let last = current.print.last();
        let mut found = vec![0; last.len()];
        let from = current.offset() - last.len() as u64;
        let mut filled = 0;
        while filled < found.len() {
            match self.fs.read_at(&current.file, &mut found[filled..], from + filled as u64) {
                Ok(0) | Err(_) => return false,
                Ok(count) => filled += count,
            }
        }
        found == last
    }

    /// A copy of the file that was made before it was emptied may hold lines that were not read yet.
    fn read_rest_from_copy(&mut self, sink: &mut Sink) -> ControlFlow<(), Option<PathBuf>> {
        let Some(mut current) = self.current.take() else { return ControlFlow::Continue(None) };
        let mut found = None;
        for sibling in self.siblings() {
            let Ok(file) = self.fs.open(&sibling.path) else { continue };
            let Ok(head) = head_of(&self.fs, &file) else { continue };
            let kinship = current.print.compare(&self.fs, &file, &head, true);
            if !matches!(kinship, Ok(Kinship::Continues)) {
                continue;
            }
            let Ok(mut text) = text_from(&self.fs, &file, current.offset()) else { continue };
            let mut rest = Vec::new();
            // What a damaged archive still gives is taken.
            let _ = text.read_to_end(&mut rest);
            current.print.advance(&rest);
            let flow = current.lines.push(&rest, current.id, &sibling.path, sink);
            found = (!rest.is_empty()).then_some(sibling.path);
            if flow.is_break() {
                return ControlFlow::Break(());
            }
            break;
        }
        self.current = Some(current);
        ControlFlow::Continue(found)
    }

    fn siblings(&self) -> Vec<Sibling> {
        let mut siblings = self.fs.siblings(&self.path).unwrap_or_default();
        siblings.sort_by(|a, b| a.name.age_order(&b.name).then(a.stat.modified.cmp(&b.stat.modified)));
        siblings
    }

    /// Another file is at the path.
    fn switch(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        let file = match self.fs.open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return ControlFlow::Continue(()),
            Err(error) => return self.complain(&error, sink),
        };
        let Ok(stat) = self.fs.stat_file(&file) else { return ControlFlow::Continue(()) };
        let change = self.what_happened();
        if let Some(old) = self.current.take() {
            let known = old.print.clone();
            self.leaving.push((old, now + GRACE_MILLIS));
            sink(TailEvent::Change(change))?;
            // The siblings are compared with it before it has left for good.
            self.known.push(known);
            self.read_unseen_siblings_but(Some(stat.id), sink)?;
            self.known.pop();
        } else {
            sink(TailEvent::Change(change))?;
        }
        self.gone = false;
        self.complaint = None;
        self.current = Some(OpenFile {
            file,
            id: stat.id,
            lines: Lines::starting_at(0),
            print: Fingerprint::default(),
            checked: (0, 0),
        });
        self.read_current(sink)
    }

    fn what_happened(&mut self) -> Change {
        let path = self.path.clone();
        let target = self.fs.link_target(&self.path);
        let moved = target != self.link_target;
        self.link_target.clone_from(&target);
        let Some(old) = &self.current else { return Change::Appeared { path } };
        if let Some(target) = target.filter(|_| moved) {
            return Change::Replaced { path, target };
        }
        if self.links(old) == 0 {
            // Deleted, or compressed under another name already.
            let packed =
                self.siblings().into_iter().any(|sibling| sibling.name.gz && self.is_text_of(&sibling, old));
            return if packed { Change::Rotated { path, to: None } } else { Change::Recreated { path } };
        }
        let to = self.siblings().into_iter().find(|sibling| sibling.stat.id == old.id).map(|s| s.path);
        Change::Rotated { path, to }
    }

    fn is_text_of(&self, sibling: &Sibling, open: &OpenFile<F>) -> bool {
        self.fs.open(&sibling.path).is_ok_and(|file| {
            head_of(&self.fs, &file).is_ok_and(|head| {
                matches!(
                    open.print.compare(&self.fs, &file, &head, true),
                    Ok(Kinship::Continues | Kinship::Shorter)
                )
            })
        })
    }

    fn read_unseen_siblings(&mut self, sink: &mut Sink) -> ControlFlow<()> {
        self.read_unseen_siblings_but(None, sink)
    }

    /// Reads, oldest first, the siblings that hold a text nobody has read: they were made and rotated away between
    /// two looks.
    fn read_unseen_siblings_but(&mut self, newest: Option<FileId>, sink: &mut Sink) -> ControlFlow<()> {
        // A file may be compressed while we read the list: its plain name is gone then and the next list shows it.
        for _ in 0..3 {
            let mut vanished = false;
            let siblings = self.siblings();
            for sibling in &siblings {
                let open_already = self.current.iter().chain(self.leaving.iter().map(|(open, _)| open));
                let mut open_ids = open_already.map(|open| open.id).chain(newest);
                let has_plain_twin = sibling.name.gz
                    && siblings.iter().any(|other| !other.name.gz && other.name.is_twin_of(&sibling.name));
                if has_plain_twin || open_ids.any(|id| id == sibling.stat.id) {
                    continue;
                }
                let Ok(file) = self.fs.open(&sibling.path) else {
                    vanished = true;
                    continue;
                };
                let Ok(head) = head_of(&self.fs, &file) else { continue };
                if head.is_empty() || self.is_known(&file, &head) {
                    continue;
                }
                self.read_whole(sibling, &file, sink)?;
            }
            if !vanished {
                break;
            }
        }
        ControlFlow::Continue(())
    }

    fn is_known(&self, file: &F::File, head: &[u8]) -> bool {
        let open =
            self.current.iter().chain(self.leaving.iter().map(|(open, _)| open)).map(|open| &open.print);
        self.known.iter().chain(open).any(|print| {
            matches!(print.compare(&self.fs, file, head, false), Ok(Kinship::Continues | Kinship::Shorter))
        })
    }

    fn read_whole(&mut self, sibling: &Sibling, file: &F::File, sink: &mut Sink) -> ControlFlow<()> {
        sink(TailEvent::Change(Change::CaughtUp { path: sibling.path.clone() }))?;
        let mut lines = Lines::starting_at(0);
        let mut print = Fingerprint::default();
        let mut buffer = vec![0; PIECE];
        if let Ok(mut text) = text_from(&self.fs, file, 0) {
            loop {
                match text.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => {
                        print.advance(&buffer[..count]);
                        lines.push(&buffer[..count], sibling.stat.id, &sibling.path, sink)?;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(cause) => {
                        sink(TailEvent::Change(Change::Unreadable { path: sibling.path.clone(), cause }))?;
                        break;
                    }
                }
            }
            if let Some(damage) = text.into_damage() {
                let path = sibling.path.clone();
                sink(TailEvent::Change(Change::Damaged { path, cause: damage.cause }))?;
            }
        }
        lines.finish(sibling.stat.id, sink)?;
        self.remember(print);
        ControlFlow::Continue(())
    }
}
