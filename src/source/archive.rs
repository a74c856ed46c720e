//! Stored logs as a stream of text: plain, or gzip, zstd, bzip2 or xz, told by their content and not by their names; YAML
//! as lines of JSON.
//!
//! A neighbour of etcd reads history without pushing etcd's pages out of the page cache: [`QuietFile`]. Used by
//! [`crate::ingest`] for rotated files and by [`super::fingerprint`] to look into them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, IoSliceMut, Read};
use std::num::NonZeroU64;
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use rustix::fs::{Advice, fadvise};
use rustix::io::{ReadWriteFlags, preadv2};

use super::filesystem::open_for_reading;
use super::yaml_text::{self, is_yaml};

/// First bytes of every gzip member (RFC 1952, section 2.3.1; 8 is deflate, the only method there is).
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// First bytes of a zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// First bytes of a bzip2 stream; a digit from 1 to 9, the size of its blocks, follows.
const BZIP2_MAGIC: [u8; 3] = *b"BZh";

/// First bytes of an xz stream (The .xz File Format, section 2.1.1.1).
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Memory for the dictionary of an xz stream, in KiB: `xz -9` asks for 64 MiB, and a header may ask for 4 GiB. (zstd
/// has such a limit of its own, 128 MiB.)
const XZ_MEMORY: u32 = 128 << 10;

/// How many first bytes tell an archive, or YAML below the comment that it may begin with.
pub const BEGINNING: usize = 4096;

/// How much is read between two hints to the page cache.
const ADVISE_EVERY: u64 = 1 << 20;

const BUFFER: usize = 64 << 10;

/// Where and why unpacking stopped early.
#[derive(Debug)]
pub struct Damage {
    /// Bytes of text that were unpacked before the damage.
    pub at: u64,
    /// `UnexpectedEof` when the file is cut short; any other kind when it is corrupt, or asks for too much memory.
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
    Whole(Box<Chain<Cursor<Vec<u8>>, BufReader<R>>>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
    Bzip2(Box<MultiBzDecoder<BufReader<R>>>),
    Xz(Box<XzReader<BufReader<R>>>),
}

/// How a stored log is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Packing {
    fn of(beginning: &[u8]) -> Option<Self> {
        let is_bzip2 = || {
            beginning.starts_with(&BZIP2_MAGIC)
                && matches!(beginning.get(BZIP2_MAGIC.len()), Some(b'1'..=b'9'))
        };
        Some(match beginning {
            _ if beginning.starts_with(&GZIP_MAGIC) => Packing::Gzip,
            _ if beginning.starts_with(&ZSTD_MAGIC) => Packing::Zstd,
            _ if beginning.starts_with(&XZ_MAGIC) => Packing::Xz,
            _ if is_bzip2() => Packing::Bzip2,
            _ => return None,
        })
    }
}

/// Whether a file that begins like this is an archive, or YAML. [`BEGINNING`] bytes are enough to tell.
pub fn is_archive(beginning: &[u8]) -> bool {
    Packing::of(beginning).is_some() || is_yaml(beginning)
}

impl<R: Read> Text<R> {
    /// Looks at the first bytes of `input` and unpacks it if it is an archive (of one or several members).
    pub fn new(input: R) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER, input);
        let beginning = input.fill_buf()?;
        let body = match Packing::of(beginning) {
            None if is_yaml(&beginning[..beginning.len().min(BEGINNING)]) => Self::whole(input)?,
            None => Body::Plain(input),
            Some(Packing::Gzip) => Body::Gzip(Box::new(MultiGzDecoder::new(input))),
            Some(Packing::Zstd) => Body::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(input)?)),
            Some(Packing::Bzip2) => Body::Bzip2(Box::new(MultiBzDecoder::new(input))),
            Some(Packing::Xz) => Body::Xz(Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY))),
        };
        Ok(Self { body, read: 0, damage: None })
    }

    /// YAML as lines of JSON; what turns out to be none as it is.
    fn whole(mut input: BufReader<R>) -> io::Result<Body<R>> {
        let mut text = Vec::new();
        input.by_ref().take(yaml_text::LARGEST + 1).read_to_end(&mut text)?;
        let is_small = text.len() as u64 <= yaml_text::LARGEST;
        let lines = is_small.then(|| yaml_text::as_json_lines(&text)).flatten();
        Ok(Body::Whole(Box::new(Cursor::new(lines.unwrap_or(text)).chain(input))))
    }

    /// A text known to be plain, of which `input` may be a later part.
    pub fn plain(input: R) -> Self {
        Self { body: Body::Plain(BufReader::with_capacity(BUFFER, input)), read: 0, damage: None }
    }

    /// Whether the input is an archive, or YAML.
    pub fn is_compressed(&self) -> bool {
        !matches!(self.body, Body::Plain(_))
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
        if self.damage.is_some() {
            return Ok(0);
        }
        let unpacked = match &mut self.body {
            Body::Plain(input) => return input.read(buffer).inspect(|count| self.read += *count as u64),
            Body::Whole(text) => text.read(buffer),
            Body::Gzip(decoder) => decoder.read(buffer),
            Body::Zstd(decoder) => decoder.read(buffer),
            Body::Bzip2(decoder) => decoder.read(buffer),
            Body::Xz(decoder) => decoder.read(buffer),
        };
        let count = match unpacked {
            Ok(count) => count,
            Err(cause) if is_damage(&cause) => {
                self.damage = Some(Damage { at: self.read, cause });
                0
            }
            Err(error) => return Err(error),
        };
        self.read += count as u64;
        Ok(count)
    }
}

/// Whether an error is the decoder's own: those of the device below it have a number of the operating system.
fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && error.kind() != io::ErrorKind::Interrupted
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

    /// The longest of the first bytes by which an archive is told.
    const LONGEST_MAGIC: usize = XZ_MAGIC.len();
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// A text packed in every way, with a name for each.
    fn packed(text: &[u8]) -> [(&'static str, Vec<u8>); 4] {
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(text).unwrap();
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        xz.write_all(text).unwrap();
        [
            ("gzip", gzip(text)),
            ("zstd", zstd::encode_all(text, 1).unwrap()),
            ("bzip2", bzip2.finish().unwrap()),
            ("xz", xz.finish().unwrap()),
        ]
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
        assert_eq!(read(b"BZhello\n").0, b"BZhello\n");
        for ((name, mut two), (_, second)) in packed(b"one\n").into_iter().zip(packed(b"two\n")) {
            assert!(is_archive(&two[..LONGEST_MAGIC]), "{name}");
            two.extend(second);
            let (text, damage) = read(&two);
            assert_eq!((text.as_slice(), damage.is_none()), (&b"one\ntwo\n"[..], true), "{name}");
        }
    }

    #[test]
    fn whatever_the_packing_a_cut_or_a_flipped_byte_is_damage_and_no_more() {
        let text = sample();
        for (name, whole) in packed(&text) {
            assert_eq!(read(&whole).0, text, "{name}");
            for length in [LONGEST_MAGIC + 1, 40, whole.len() / 2, whole.len() - 1] {
                let (cut, damage) = read(&whole[..length]);
                assert!(text.starts_with(&cut), "{name} cut at {length}");
                assert!(damage.is_some(), "{name} cut at {length}");
            }
            for at in (LONGEST_MAGIC + 1..whole.len()).step_by(whole.len() / 50) {
                let mut flipped = whole.clone();
                flipped[at] ^= 0x55;
                // A header may differ in a byte that says nothing about the text; what must not be is a panic.
                let (found, damage) = read(&flipped);
                assert!(damage.is_some() || found.len() <= 2 * text.len(), "{name} at {at}");
            }
        }
    }

    #[test]
    fn an_xz_header_cannot_ask_for_all_memory() {
        let mut options = lzma_rust2::XzOptions::with_preset(1);
        options.lzma_options.dict_size = 256 << 20;
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        xz.write_all(b"text").unwrap();
        let (text, damage) = read(&xz.finish().unwrap());
        assert!(text.is_empty());
        assert_eq!(damage.map(|damage| damage.cause.kind()), Some(io::ErrorKind::OutOfMemory));
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
