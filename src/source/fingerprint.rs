//! Recognising a text under another name: the renamed file after it was compressed, the copy that copytruncate made,
//! the same file after its inode changed.
//!
//! The follower keeps a [`Fingerprint`] of every text it has read and compares unknown files with them, so that
//! nothing is read twice and reading can go on in a copy where it stopped in the original.

use std::io::{self, Read};

use super::archive::Text;
use super::filesystem::{FileSystem, ReadFrom, read_full};

/// Bytes kept of the beginning of a text. An audit event names its auditID within its first 200.
pub const HEAD: usize = 512;

/// Bytes kept before the place where reading stopped. As many as of the beginning, so that a first line that is not
/// finished yet is told from another by its auditID: the rest of two lines may well be the same.
pub const LAST: usize = HEAD;

/// Where a text begins, how far it was read, and what stands right before that place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    head: Vec<u8>,
    last: Vec<u8>,
    offset: u64,
    /// Somebody else reads the text (backfill), all of it.
    taken: bool,
}

/// How an unknown text relates to one that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kinship {
    /// Another text.
    Stranger,
    /// The same text, but it ends before the place where reading stopped: a copy being made.
    Shorter,
    /// The same text, at least up to the place where reading stopped.
    Continues,
}

impl Fingerprint {
    /// Of a text of which only what follows `offset` will be read here.
    pub fn at<F: FileSystem>(fs: &F, file: &F::File, offset: u64) -> io::Result<Self> {
        let mut print = Self { offset, ..Self::default() };
        let mut head = vec![0; HEAD.min(usize::try_from(offset).unwrap_or(HEAD))];
        let length = read_full(&mut ReadFrom { fs, file, offset: 0 }, &mut head)?;
        head.truncate(length);
        let before = offset.min(LAST as u64);
        let mut last = vec![0; before as usize];
        let length = read_full(&mut ReadFrom { fs, file, offset: offset - before }, &mut last)?;
        last.truncate(length);
        (print.head, print.last) = (head, last);
        Ok(print)
    }

    /// Of a text that somebody else reads from beginning to end.
    pub fn taken<F: FileSystem>(fs: &F, file: &F::File) -> io::Result<Self> {
        Ok(Self { head: head_of(fs, file)?, taken: true, ..Self::default() })
    }

    /// How far the text was read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The up to [`LAST`] bytes before [`Self::offset`].
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// Somebody else reads the whole text.
    pub fn is_taken(&self) -> bool {
        self.taken
    }

    /// The next bytes of the text were read.
    pub fn advance(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len());
        if self.head.len() as u64 == self.offset {
            self.head.extend_from_slice(&bytes[..room.min(bytes.len())]);
        }
        self.offset += bytes.len() as u64;
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST)..]);
        let surplus = self.last.len().saturating_sub(LAST);
        self.last.drain(..surplus);
    }

    /// Compares with an unknown file, packed or not, whose text begins with `head` (see [`head_of`]).
    ///
    /// Every audit line begins alike, so a text of which less than a line was read is recognised only by a file that
    /// holds exactly as much, unless `lenient`: the caller knows that the text must be somewhere.
    pub fn compare<F: FileSystem>(
        &self,
        fs: &F,
        file: &F::File,
        head: &[u8],
        lenient: bool,
    ) -> io::Result<Kinship> {
        let shared = head.len().min(self.head.len());
        if shared == 0 || head[..shared] != self.head[..shared] {
            return Ok(Kinship::Stranger);
        }
        if head.len() < self.head.len() {
            return Ok(Kinship::Shorter);
        }
        if self.taken {
            return Ok(if self.names_itself() { Kinship::Continues } else { Kinship::Stranger });
        }
        if !lenient && !self.names_itself() && head.len() as u64 != self.offset {
            return Ok(Kinship::Stranger);
        }
        let mut found = [0; LAST];
        let mut text = text_from(fs, file, self.offset - self.last.len() as u64)?;
        let length = read_full(&mut text, &mut found[..self.last.len()])?;
        Ok(match length {
            _ if found[..length] != self.last[..length] => Kinship::Stranger,
            _ if length < self.last.len() => Kinship::Shorter,
            _ => Kinship::Continues,
        })
    }

    /// A whole line, which holds an auditID and a time, or as much as makes one.
    fn names_itself(&self) -> bool {
        self.head.len() == HEAD || self.head.contains(&b'\n')
    }
}

/// The first [`HEAD`] bytes of a file's text, fewer only if it is shorter.
pub fn head_of<F: FileSystem>(fs: &F, file: &F::File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let length = read_full(&mut Text::new(ReadFrom { fs, file, offset: 0 })?, &mut head)?;
    head.truncate(length);
    Ok(head)
}

/// The text of a file from a position on. A plain file is read from there; an archive is unpacked up to there.
pub(crate) fn text_from<'a, F: FileSystem>(
    fs: &'a F,
    file: &'a F::File,
    offset: u64,
) -> io::Result<Text<ReadFrom<'a, F>>> {
    let mut text = Text::new(ReadFrom { fs, file, offset: 0 })?;
    if text.is_compressed() {
        io::copy(&mut text.by_ref().take(offset), &mut io::sink())?;
        return Ok(text);
    }
    Ok(Text::plain(ReadFrom { fs, file, offset }))
}

#[cfg(test)]
mod tests {
    use super::super::filesystem::RealFileSystem;
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::path::Path;

    fn lines(from: u32, to: u32) -> Vec<u8> {
        (from..to)
            .flat_map(|n| format!("{{\"kind\":\"Event\",\"auditID\":\"{n}\"}}\n").into_bytes())
            .collect()
    }

    fn compare(folder: &Path, print: &Fingerprint, stored: &[u8], lenient: bool) -> Kinship {
        let path = folder.join("candidate");
        std::fs::write(&path, stored).unwrap();
        let file = RealFileSystem.open(&path).unwrap();
        let head = head_of(&RealFileSystem, &file).unwrap();
        print.compare(&RealFileSystem, &file, &head, lenient).unwrap()
    }

    #[test]
    fn a_text_is_recognised_plain_or_packed_and_from_any_place() {
        let folder = tempfile::tempdir().unwrap();
        let whole = lines(0, 400);
        let read = 4000;
        let mut advanced = Fingerprint::default();
        whole[..read].chunks(7).for_each(|piece| advanced.advance(piece));
        let path = folder.path().join("original");
        std::fs::write(&path, &whole).unwrap();
        let file = RealFileSystem.open(&path).unwrap();
        assert_eq!(advanced, Fingerprint::at(&RealFileSystem, &file, read as u64).unwrap());

        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&whole).unwrap();
        let packed = packed.finish().unwrap();
        for stored in [&whole, &packed] {
            assert_eq!(compare(folder.path(), &advanced, stored, false), Kinship::Continues);
        }
        assert_eq!(compare(folder.path(), &advanced, &whole[..read - 1], false), Kinship::Shorter);
        assert_eq!(compare(folder.path(), &advanced, &whole[..30], false), Kinship::Shorter);
        assert_eq!(compare(folder.path(), &advanced, &lines(1, 400), false), Kinship::Stranger);
        let mut rewritten = whole.clone();
        rewritten[read - 10] ^= 1;
        assert_eq!(compare(folder.path(), &advanced, &rewritten, false), Kinship::Stranger);
    }

    #[test]
    fn less_than_a_line_proves_nothing_unless_the_caller_knows() {
        let folder = tempfile::tempdir().unwrap();
        let mut print = Fingerprint::default();
        print.advance(b"{\"kind\":");
        assert_eq!(compare(folder.path(), &print, &lines(5, 9), false), Kinship::Stranger);
        assert_eq!(compare(folder.path(), &print, &lines(5, 9), true), Kinship::Continues);
        assert_eq!(compare(folder.path(), &print, b"{\"kind\":", false), Kinship::Continues);
        assert_eq!(compare(folder.path(), &Fingerprint::default(), &lines(5, 9), true), Kinship::Stranger);
    }
}
