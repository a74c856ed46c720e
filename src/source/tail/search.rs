//! The rotated siblings of the followed path: finding among them texts that nobody has read, and the rest of a text
//! that was emptied under the reader.
//!
//! A list of siblings is old when it arrives: files are renamed, packed and overwritten while it is made. So every
//! decision rests on a file that is open, and what is not clear is left for the next look.

use std::collections::HashSet;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::super::filesystem::{FileSystem, Sibling};
use super::super::fingerprint::{Fingerprint, Kinship, head_of, text_from};
use super::super::lines::{Lines, Sink};
use super::super::{Change, FileId, TailEvent};
use super::reading::Reading;
use super::{GRACE_MILLIS, Tail};

/// A sibling as it was when it was found to hold nothing new.
pub(super) type Settled = (FileId, u64, i128);

/// What a sibling holds.
enum Holds {
    /// A text that has been read, or is by somebody else.
    Known,
    /// More of a text that left the path: [`Tail::leaving`]'s item of this number. It was cut short under the reader,
    /// or was replaced by a copy of itself that grew.
    Rest(usize),
    /// More of a text that was closed, [`Tail::known`]'s item of this number: it was written to once more.
    More(usize),
    /// A copy that is being made of a text that is read elsewhere: looked at again later.
    Unclear,
    /// A text that nobody has read.
    Stranger,
}

impl<F: FileSystem> Tail<F> {
    /// The siblings there are, oldest first.
    pub(super) fn siblings(&self) -> Vec<Sibling> {
        let mut siblings = self.fs.siblings(&self.path).unwrap_or_default();
        siblings.sort_by(|a, b| a.name.age_order(&b.name).then(a.stat.modified.cmp(&b.stat.modified)));
        siblings
    }

    /// If there is reason to, looks through the siblings and reads what nobody has read. Returns the copy in which
    /// the rest of an emptied text was found.
    pub(super) fn search(&mut self, now: u64, sink: &mut Sink) -> ControlFlow<(), Option<PathBuf>> {
        if std::mem::take(&mut self.search_wanted) {
            self.search_until = Some(now.saturating_add(GRACE_MILLIS));
        }
        let Some(until) = self.search_until else { return ControlFlow::Continue(None) };
        if now >= until {
            self.search_until = None;
        }
        let siblings = self.siblings();
        let there: HashSet<Settled> = siblings.iter().map(as_settled).collect();
        self.settled.retain(|settled| there.contains(settled));
        let mut rest_from = None;
        for sibling in &siblings {
            let has_plain_twin = sibling.name.is_compressed
                && siblings
                    .iter()
                    .any(|other| !other.name.is_compressed && other.name.is_twin_of(&sibling.name));
            // A packed file beside its plain twin is still being written.
            if has_plain_twin || self.settled.contains(&as_settled(sibling)) || self.is_open(sibling.stat.id)
            {
                continue;
            }
            let Some(file) = self.open_listed(sibling) else { continue };
            let Ok(head) = head_of(&self.fs, &file) else { continue };
            match self.what_is_in(&file, &head) {
                Holds::Unclear => {}
                Holds::Known => {
                    self.settled.insert(as_settled(sibling));
                }
                Holds::Stranger => {
                    sink(TailEvent::Change(Change::CaughtUp { path: sibling.path.clone() }))?;
                    let reading = Reading::without_file(sibling.stat.id);
                    self.read_sibling(sibling, file, reading, now, sink)?;
                }
                Holds::More(number) => {
                    if let Some(print) = self.known.remove(number) {
                        let lines = Lines::starting_at(print.offset());
                        let reading = Reading { lines, print, ..Reading::without_file(sibling.stat.id) };
                        self.read_sibling(sibling, file, reading, now, sink)?;
                    }
                }
                Holds::Rest(number) => {
                    let reading = self.leaving.remove(number).reading;
                    if self.read_sibling(sibling, file, reading, now, sink)? {
                        rest_from = Some(sibling.path.clone());
                    }
                }
            }
        }
        ControlFlow::Continue(rest_from)
    }

    /// Opens a sibling if it still is what it was when it was listed. If it is not, it is elsewhere now: there must be
    /// another list.
    fn open_listed(&mut self, sibling: &Sibling) -> Option<F::File> {
        let opened = self.fs.open(&sibling.path);
        let renamed = match &opened {
            Ok(file) => self.fs.stat_file(file).is_ok_and(|stat| stat.id != sibling.stat.id),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        self.search_wanted |= renamed;
        opened.ok().filter(|_| !renamed)
    }

    fn is_open(&self, id: FileId) -> bool {
        let leaving = self.leaving.iter().map(|leaving| &leaving.reading);
        self.current.iter().chain(leaving).any(|reading| reading.file.is_some() && reading.id == id)
    }

    fn what_is_in(&self, file: &F::File, head: &[u8]) -> Holds {
        if head.is_empty() {
            return Holds::Unclear;
        }
        let kin = |print: &Fingerprint, lenient: bool| {
            print.compare(&self.fs, file, head, lenient).unwrap_or(Kinship::Stranger)
        };
        let cut_short = |lenient: bool| {
            self.leaving.iter().position(|leaving| {
                leaving.reading.file.is_none() && kin(&leaving.reading.print, lenient) == Kinship::Continues
            })
        };
        if let Some(number) = cut_short(false) {
            return Holds::Rest(number);
        }
        let mut shorter = false;
        let left = self.leaving.iter().enumerate().map(|(number, l)| (Holds::Rest(number), &l.reading.print));
        let known = self.known.iter().enumerate().map(|(number, print)| (Holds::More(number), print));
        for (more, print) in left.chain(known) {
            match kin(print, false) {
                Kinship::Continues if self.has_more(file, print) => return more,
                Kinship::Continues => return Holds::Known,
                Kinship::Shorter => shorter = true,
                Kinship::Stranger => {}
            }
        }
        // Nothing is settled by the current text: its file may be emptied a moment later, and the copy is needed then.
        if shorter || self.is_copy_of_current(file, head) {
            return Holds::Unclear;
        }
        // So little of it was read that it could be any text; but it must be somewhere, and this one is unread.
        cut_short(true).map_or(Holds::Stranger, Holds::Rest)
    }

    /// Whether the text of a file, which is that of `print`, goes on where reading stopped.
    fn has_more(&self, file: &F::File, print: &Fingerprint) -> bool {
        if print.is_taken() {
            return false;
        }
        let text = text_from(&self.fs, file, print.offset());
        text.and_then(|mut text| text.read(&mut [0])).is_ok_and(|count| count > 0)
    }

    /// Whether a file holds the current text as far as it was read, or what the current file holds now. The second
    /// must be read after the first bytes of `file`: if the current file holds another text by now, then a copy of
    /// the one before was finished when it was emptied.
    fn is_copy_of_current(&self, file: &F::File, head: &[u8]) -> bool {
        let Some(current) = &self.current else { return false };
        let related = |print: &Fingerprint, lenient: bool| {
            !matches!(print.compare(&self.fs, file, head, lenient), Ok(Kinship::Stranger))
        };
        if related(&current.print, true) {
            return true;
        }
        let Some(live) = &current.file else { return false };
        let Ok(stat) = self.fs.stat_file(live) else { return false };
        Fingerprint::at(&self.fs, live, stat.size).is_ok_and(|print| related(&print, false))
    }

    /// Reads what `sibling`, open as `file`, has beyond `reading`. Whether there was anything. Its writer may still be
    /// at it, so a plain file stays open.
    fn read_sibling(
        &mut self,
        sibling: &Sibling,
        file: F::File,
        mut reading: Reading<F>,
        now: u64,
        sink: &mut Sink,
    ) -> ControlFlow<(), bool> {
        let (path, before) = (&sibling.path, reading.print.offset());
        reading.id = sibling.stat.id;
        let packed = match text_from(&self.fs, &file, before) {
            Ok(text) => Some(text).filter(|text| text.is_compressed()),
            Err(_) => None,
        };
        if let Some(mut text) = packed {
            reading.read_from(&mut text, path, sink)?;
            if let Some(damage) = text.into_damage() {
                sink(TailEvent::Change(Change::Damaged { path: path.clone(), cause: damage.cause }))?;
            }
            let found = reading.print.offset() > before;
            self.settled.insert(as_settled(sibling));
            self.close(reading, sink)?;
            return ControlFlow::Continue(found);
        }
        reading.file = Some(file);
        if let Err(cause) = reading.read_on(&self.fs, path, sink)? {
            sink(TailEvent::Change(Change::Unreadable { path: path.clone(), cause }))?;
        }
        let found = reading.print.offset() > before;
        self.let_go(reading, now, sink)?;
        ControlFlow::Continue(found)
    }

    /// Whether `sibling` holds the text of `reading`, for a notice.
    pub(super) fn is_text_of(&self, sibling: &Sibling, reading: &Reading<F>) -> bool {
        self.fs.open(&sibling.path).is_ok_and(|file| {
            head_of(&self.fs, &file).is_ok_and(|head| {
                let kinship = reading.print.compare(&self.fs, &file, &head, true);
                matches!(kinship, Ok(Kinship::Continues | Kinship::Shorter))
            })
        })
    }
}

fn as_settled(sibling: &Sibling) -> Settled {
    (sibling.stat.id, sibling.stat.size, sibling.stat.modified)
}
