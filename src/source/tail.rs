//! Following one path through everything that can happen to a log: a state machine that looks when it is told to.
//!
//! Over [`super::filesystem`]'s trait, so that tests play writer and reader against each other in memory. At each
//! look it reads what was added, and when another file is at the path: the old one to its end first, then what was
//! made and rotated away in between (`search`), then the new one. The old file stays open for a while, since its
//! writer may not have noticed yet. [`super::follow`] decides when to look.

#[cfg(test)]
mod memory;
mod reading;
mod search;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::filesystem::{FileSystem, Stat};
use super::fingerprint::{Fingerprint, Kinship, head_of};
use super::lines::{Lines, Sink};
use super::{Change, FileId, TailEvent};
use reading::{Outcome, Reading};
use search::Settled;

/// How long an old file is looked at after it last grew, and unread siblings are looked for after a rotation.
const GRACE_MILLIS: u64 = 2_500;
/// Old files that are kept open at once, at most.
const MOST_LEAVING: usize = 16;
/// Texts that are remembered as read.
const REMEMBERED: usize = 512;

/// A text that is no longer at the path.
struct Leaving<F: FileSystem> {
    reading: Reading<F>,
    /// When it is given up, unless it grows.
    until: u64,
    /// It was quiet for that long, and is read once more at the next look: it may have grown during this one, and nothing
    /// at the path would tell.
    is_last_call: bool,
}

/// Follows one path.
pub struct Tail<F: FileSystem> {
    fs: F,
    path: PathBuf,
    current: Option<Reading<F>>,
    /// Files that were replaced, and texts that were cut short, oldest first.
    leaving: Vec<Leaving<F>>,
    /// Texts that were read, oldest first.
    known: VecDeque<Fingerprint>,
    /// Siblings that hold nothing new.
    settled: HashSet<Settled>,
    link_target: Option<PathBuf>,
    /// The file is gone and that was said.
    gone: bool,
    /// The file was emptied and that was not said yet.
    truncated: bool,
    /// What could not be read, said once.
    complaint: Option<String>,
    /// Siblings that nobody reads are looked for from the next look on.
    search_wanted: bool,
    /// They are looked for until the first look at or after this moment.
    search_until: Option<u64>,
}

impl<F: FileSystem> Tail<F> {
    /// Follows `path` from `offset` of the open `file` on, which is what is at the path now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_file(fs: F, path: PathBuf, file: F::File, offset: u64) -> io::Result<Self> {
        let stat = fs.stat_file(&file)?;
        let print = Fingerprint::at(&fs, &file, offset)?;
        let mut tail = Self::waiting(fs, path);
        tail.gone = false;
        tail.current =
            Some(Reading { file: Some(file), id: stat.id, lines: Lines::starting_at(offset), print });
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
            known: VecDeque::new(),
            settled: HashSet::new(),
            link_target,
            gone: true,
            truncated: false,
            complaint: None,
            search_wanted: false,
            search_until: None,
        }
    }

    /// Says that the siblings that begin like one of `taken` are read by somebody else or not at all. Other siblings
    /// that exist at the first look were rotated away since the list was made, and are read.
    pub fn leave_out(&mut self, taken: impl IntoIterator<Item = Fingerprint>) {
        taken.into_iter().for_each(|print| self.remember(print));
        self.search_wanted = true;
    }

    /// The followed path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks once and delivers everything new. `now` is any clock in milliseconds. `Break` when nobody listens.
    pub fn look(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        self.read_leaving(now, sink)?;
        // The path first: what was written to the old file before the new one was made is read below.
        let at_path = self.stat_path(sink)?;
        // A file in which nothing was read can be filled, copied and emptied without a trace but the copy.
        self.search_wanted |= self.current.as_ref().is_some_and(|current| current.print.offset() == 0);
        self.read_current(now, sink)?;
        let replaced = match (&self.current, at_path) {
            (Some(current), Some(stat)) => current.id != stat.id,
            (None, at_path) => at_path.is_some(),
            (Some(_), None) => false,
        };
        if replaced {
            self.switch(now, sink)?;
        }
        let rest_from = self.search(now, sink)?;
        if std::mem::take(&mut self.truncated) {
            sink(TailEvent::Change(Change::Truncated { path: self.path.clone(), rest_from }))?;
        }
        // Only now is the turn of a new file, or of the new text in the emptied one.
        self.read_current(now, sink)?;
        self.tell_absence(at_path.is_some(), sink)?;
        self.close_quiet(now, sink)
    }

    fn stat_path(&mut self, sink: &mut Sink) -> ControlFlow<(), Option<Stat>> {
        let error = match self.fs.stat(&self.path) {
            Ok(stat) if stat.regular => return ControlFlow::Continue(Some(stat)),
            Ok(_) => io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return ControlFlow::Continue(None),
            Err(error) => error,
        };
        self.complain(&error, sink)?;
        ControlFlow::Continue(None)
    }

    fn tell_absence(&mut self, there: bool, sink: &mut Sink) -> ControlFlow<()> {
        let Some(current) = &self.current else { return ControlFlow::Continue(()) };
        if there || self.gone {
            self.gone &= !there;
            return ControlFlow::Continue(());
        }
        self.gone = true;
        let path = self.path.clone();
        let deleted = self.has_no_name(current);
        let change = if deleted { Change::Deleted { path } } else { Change::Vanished { path } };
        sink(TailEvent::Change(change))
    }

    fn has_no_name(&self, reading: &Reading<F>) -> bool {
        let stat = reading.file.as_ref().map(|file| self.fs.stat_file(file));
        stat.is_some_and(|stat| stat.is_ok_and(|stat| stat.links == 0))
    }

    fn complain(&mut self, cause: &io::Error, sink: &mut Sink) -> ControlFlow<()> {
        let text = cause.to_string();
        if self.complaint.as_ref() == Some(&text) {
            return ControlFlow::Continue(());
        }
        let cause = io::Error::new(cause.kind(), text.clone());
        self.complaint = Some(text);
        sink(TailEvent::Change(Change::Unreadable { path: self.path.clone(), cause }))
    }

    /// Reads what was added to the current file. When it was emptied, its old text is given up, with the hope that a
    /// copy has the rest, and the file begins anew.
    fn read_current(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        let Some(current) = &mut self.current else { return ControlFlow::Continue(()) };
        match current.read_on(&self.fs, &self.path, sink)? {
            Ok(Outcome::End { .. }) => ControlFlow::Continue(()),
            Ok(Outcome::Truncated) => {
                let fresh = Reading { file: current.file.take(), ..Reading::without_file(current.id) };
                let old = std::mem::replace(current, fresh);
                self.truncated = true;
                self.search_wanted = true;
                self.let_go(old, now, sink)
            }
            Err(error) => self.complain(&error, sink),
        }
    }

    fn read_leaving(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        for leaving in &mut self.leaving {
            match leaving.reading.read_on(&self.fs, &self.path, sink)? {
                Ok(Outcome::End { grew: true }) => {
                    leaving.until = now.saturating_add(GRACE_MILLIS);
                    leaving.is_last_call = false;
                }
                // A rotator overwrites its last copy in place; what was in it has been read.
                Ok(Outcome::Truncated) => {
                    leaving.reading.file = None;
                    leaving.until = now;
                }
                Ok(Outcome::End { grew: false }) | Err(_) => {}
            }
        }
        ControlFlow::Continue(())
    }

    /// Keeps a text for as long as somebody may still write to it or a copy of it may be found.
    fn let_go(&mut self, reading: Reading<F>, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        let until = now.saturating_add(GRACE_MILLIS);
        self.leaving.push(Leaving { reading, until, is_last_call: false });
        if self.leaving.len() > MOST_LEAVING {
            let oldest = self.leaving.remove(0);
            self.close(oldest.reading, sink)?;
        }
        ControlFlow::Continue(())
    }

    fn close_quiet(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        if self.search_wanted {
            // The list of siblings was old: the rest of a text may be in the next one.
            return ControlFlow::Continue(());
        }
        let all = std::mem::take(&mut self.leaving).into_iter();
        let (over, mut kept): (Vec<_>, Vec<_>) =
            all.partition(|leaving| leaving.until <= now && leaving.is_last_call);
        kept.iter_mut().for_each(|leaving| leaving.is_last_call = leaving.until <= now);
        self.leaving = kept;
        over.into_iter().try_for_each(|leaving| self.close(leaving.reading, sink))
    }

    /// A text is over: an unfinished line stays as it is.
    fn close(&mut self, mut reading: Reading<F>, sink: &mut Sink) -> ControlFlow<()> {
        reading.lines.finish(reading.id, sink)?;
        self.remember(reading.print);
        ControlFlow::Continue(())
    }

    fn remember(&mut self, print: Fingerprint) {
        if self.known.len() >= REMEMBERED {
            self.known.pop_front();
        }
        self.known.push_back(print);
    }

    /// Another file is at the path. It is opened first and the old one read to its end then, so that whatever was
    /// written before the writer changed over is in its place; nothing is read from the new one yet.
    fn switch(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<()> {
        let opened = self.fs.open(&self.path).and_then(|file| Ok((self.fs.stat_file(&file)?.id, file)));
        let (id, file) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return ControlFlow::Continue(()),
            Err(error) => return self.complain(&error, sink),
        };
        if self.current.as_ref().is_some_and(|current| current.id == id) {
            return ControlFlow::Continue(());
        }
        self.read_current(now, sink)?;
        sink(TailEvent::Change(self.what_happened()))?;
        let old = self.current.take();
        let (new, old) = self.resume(file, id, old);
        self.current = Some(new);
        self.gone = false;
        self.complaint = None;
        self.search_wanted = true;
        old.map_or(ControlFlow::Continue(()), |old| self.let_go(old, now, sink))
    }

    /// How to read a file that came to the path, and what becomes of the old one. A text that was read before, under
    /// whatever inode, is gone on with.
    fn resume(
        &mut self,
        file: F::File,
        id: FileId,
        old: Option<Reading<F>>,
    ) -> (Reading<F>, Option<Reading<F>>) {
        let held = |leaving: &Leaving<F>| leaving.reading.file.is_some() && leaving.reading.id == id;
        if let Some(back) = self.leaving.iter().position(held) {
            return (self.leaving.remove(back).reading, old);
        }
        let head = head_of(&self.fs, &file).unwrap_or_default();
        let continues = |print: &Fingerprint| {
            !print.is_taken()
                && matches!(print.compare(&self.fs, &file, &head, false), Ok(Kinship::Continues))
        };
        match old {
            Some(old) if continues(&old.print) => (Reading { file: Some(file), id, ..old }, None),
            old => match self.known.iter().position(continues).and_then(|at| self.known.remove(at)) {
                Some(print) => {
                    let lines = Lines::starting_at(print.offset());
                    (Reading { file: Some(file), id, lines, print }, old)
                }
                None => (Reading::from_start(file, id), old),
            },
        }
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
        if self.has_no_name(old) {
            // Deleted, or compressed under another name already.
            let packed = self
                .siblings()
                .into_iter()
                .any(|sibling| sibling.name.is_compressed && self.is_text_of(&sibling, old));
            return if packed { Change::Rotated { path, to: None } } else { Change::Recreated { path } };
        }
        let to = self.siblings().into_iter().find(|sibling| sibling.stat.id == old.id).map(|s| s.path);
        Change::Rotated { path, to }
    }
}
