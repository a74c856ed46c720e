//! Stored logs as a stream of text: plain, or gzip told by its content and not by its name.
//!
//! A neighbour of etcd reads history without pushing etcd's pages out of the page cache: [`QuietFile`]. Used by
//! [`crate::ingest`] for rotated files and by [`super::fingerprint`] to look into them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IoSliceMut, Read};
use std::num::NonZeroU64;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use rustix::fs::{Advice, fadvise};
use rustix::io::{ReadWriteFlags, preadv2};

use super::filesystem::open_for_reading;

/// First bytes of every gzip member (RFC 1952, section 2.3.1; 8 is deflate, the only method there is).
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// How much is read between two hints to the page cache.
const ADVISE_EVERY: u64 = 1 << 20;

const BUFFER: usize = 64 << 10;

/// Where and why unpacking stopped early.
#[derive(Debug)]
pub struct Damage {
    /// Bytes of text that were unpacked before the damage.
    pub at: u64,
    /// `UnexpectedEof` when the file is cut short; `InvalidInput` or `InvalidData` when it is corrupt.
    pub cause: io::Error,
}

/// The text of a stored log. Of a truncated or corrupt archive it yields what could be unpacked and then ends;
/// [`Text::damage`] tells. Errors of [`Read::read`] are the device's own.
pub struct Text<R: Read> {
    body: Body<R>,
    read: u64,
    damage: Option<Damage>,
}

enum Body<R: Read> {
    Plain(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
}

impl<R: Read> Text<R> {
    /// Looks at the first bytes of `input` and unpacks it if it is gzip (of one or several members).
    pub fn new(input: R) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER, input);
        let gzip = input.fill_buf()?.starts_with(&GZIP_MAGIC);
        let body = if gzip { Body::Gzip(Box::new(MultiGzDecoder::new(input))) } else { Body::Plain(input) };
        Ok(Self { body, read: 0, damage: None })
    }

    /// A text known to be plain, of which `input` may be a later part.
    pub fn plain(input: R) -> Self {
        Self { body: Body::Plain(BufReader::with_capacity(BUFFER, input)), read: 0, damage: None }
    }

    /// Whether the input is an archive.
    pub fn is_compressed(&self) -> bool {
        matches!(self.body, Body::Gzip(_))
    }

    /// What made the text end early, known once [`Read::read`] has returned 0.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// The same, handed over.
    pub fn into_damage(self) -> Option<Damage> {
        self.damage
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.body {
            Body::Plain(input) => input.read(buffer)?,
            Body::Gzip(_) if self.damage.is_some() => 0,
            Body::Gzip(decoder) => match decoder.read(buffer) {
                Ok(count) => count,
                Err(cause) if is_damage(&cause) => {
                    self.damage = Some(Damage { at: self.read, cause });
                    0
                }
                Err(error) => return Err(error),
            },
        };
        self.read += count as u64;
        Ok(count)
    }
}

fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | InvalidData | InvalidInput)
}

/// A file that is read once, from front to back. With `forget`, what was read is given back to the page cache at
/// once. The hints are only that: a file system that refuses them is read all the same.
#[derive(Debug)]
pub struct QuietFile {
    file: File,
    read: u64,
    advised: u64,
    forget: bool,
}

impl QuietFile {
    /// Wraps a file that stands at its beginning.
    pub fn new(file: File, forget: bool) -> Self {
        let _ = fadvise(&file, 0, None, Advice::Sequential);
        Self { file, read: 0, advised: 0, forget }
    }

    /// Bytes of the stored file that were read: for progress, where the length of the text is not known.
    pub fn position(&self) -> u64 {
        self.read
    }
}

impl Read for QuietFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        if self.forget && (self.read - self.advised >= ADVISE_EVERY || count == 0) {
            forget(&self.file, self.advised, self.read);
            self.advised = self.read;
        }
        Ok(count)
    }
}

/// Tells the page cache that `[from, to)` of a file is not needed again.
pub fn forget(file: &File, from: u64, to: u64) {
    if let Some(length) = NonZeroU64::new(to.saturating_sub(from)) {
        let _ = fadvise(file, from, Some(length), Advice::DontNeed);
    }
}

/// Whether the page cache holds `[from, to)` of a file, as far as a few samples tell: then somebody else uses it, and
/// it is not ours to forget. Says no where the file system cannot tell.
pub fn is_cached(file: &File, from: u64, to: u64) -> bool {
    // None lies at an end, which a neighbour's read-ahead may have brought in.
    const SAMPLES: u64 = 8;
    let step = to.saturating_sub(from) / (SAMPLES + 1);
    (1..=SAMPLES).all(|sample| {
        let mut byte = [0];
        let mut buffers = [IoSliceMut::new(&mut byte)];
        let read = preadv2(file, &mut buffers, from + sample * step, ReadWriteFlags::NOWAIT);
        matches!(read, Ok(1))
    })
}

/// Opens a stored log. `forget` for rotated files, which nobody reads again; not for the live one.
pub fn open(path: &Path, forget: bool) -> io::Result<Text<QuietFile>> {
    Text::new(QuietFile::new(open_for_reading(path)?, forget))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(stored: &[u8]) -> (Vec<u8>, Option<Damage>) {
        let mut text = Text::new(stored).unwrap();
        let mut all = Vec::new();
        text.read_to_end(&mut all).unwrap();
        (all, text.into_damage())
    }

    fn sample() -> Vec<u8> {
        (0..20_000u32)
            .flat_map(|n| format!("{{\"auditID\":\"{}\"}}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    #[test]
    fn content_decides_and_members_are_joined() {
        assert_eq!(read(b"plain\n").0, b"plain\n");
        assert_eq!(read(b"").0, b"");
        let mut two = gzip(b"one\n");
        two.extend(gzip(b"two\n"));
        let (text, damage) = read(&two);
        assert_eq!(text, b"one\ntwo\n");
        assert!(damage.is_none());
    }

    #[test]
    fn damage_never_costs_what_came_before() {
        let text = sample();
        let whole = gzip(&text);
        let (cut, damage) = read(&whole[..whole.len() / 2]);
        assert!(cut.len() > text.len() / 4 && text.starts_with(&cut));
        let damage = damage.expect("a cut archive is damaged");
        assert_eq!(damage.cause.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(damage.at, cut.len() as u64);

        let mut corrupt = whole.clone();
        let middle = corrupt.len() / 2;
        corrupt[middle..middle + 64].fill(0xff);
        let (before, damage) = read(&corrupt);
        assert!(damage.is_some());
        assert!(before.len() > text.len() / 4, "{} of {}", before.len(), text.len());

        let mut followed = gzip(b"good\n");
        followed.extend(b"trailing rubbish");
        let (text, damage) = read(&followed);
        assert_eq!(text, b"good\n");
        assert!(damage.is_some());
    }

    #[test]
    fn a_stored_file_reads_the_same_whether_remembered_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log.1.gz");
        let text = sample();
        std::fs::write(&path, gzip(&text)).unwrap();
        for forget in [false, true] {
            let mut opened = open(&path, forget).unwrap();
            assert!(opened.is_compressed());
            let mut all = Vec::new();
            opened.read_to_end(&mut all).unwrap();
            assert_eq!(all, text);
        }
    }
}
