//! Finds again where records stand in the file that they were read from: the byte offset and the SHA-256 of their
//! lines, as evidence that can be checked without this program.
//!
//! The store keeps no offsets: they would cost memory for every record, and are asked for a few. So the file is read
//! once more. Nearly every record is its line, and is found by comparing lines; only for others (in an envelope, or
//! spread over lines) are the lines understood again.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::history::open_rotated;
use crate::format::{MAX_LINE, Marks, Reader, Sink, Unreadable};
use crate::model::Event;
use crate::source::archive;

const PIECE: usize = 256 << 10;

/// Where a record stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Offset in bytes of its line; in an archive, of the unpacked text.
    pub offset: u64,
    /// SHA-256 of the line without its line end, in hexadecimal digits.
    pub sha256: String,
    /// Whether the file is an archive.
    pub is_unpacked: bool,
    /// Whether the record is spread over lines; then the line is the one on which it ends.
    pub is_last_line: bool,
}

/// The SHA-256 of a text in hexadecimal digits.
pub fn sha256_hex(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A record as evidence: where its line stands, and how to check it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// Offset in bytes of its line; `None` where it was not found.
    pub offset: Option<u64>,
    /// SHA-256 of the line, or else of the record as it was read.
    pub sha256: String,
    /// What must be known to check it; empty for the ordinary case.
    pub remark: String,
}

/// Looks records (their original texts) up in the file that they were read from. `path` may name no file: what was read
/// from a pipe cannot be read again.
pub fn evidence(path: &str, records: &[Vec<u8>]) -> Vec<Located> {
    let unlocated = |record: &Vec<u8>, why: &str| Located {
        offset: None,
        sha256: sha256_hex(record),
        remark: format!("{why}: the SHA-256 is of the record as it was read"),
    };
    let path = Path::new(path);
    // Reading a pipe again would wait.
    if !path.is_file() {
        return records.iter().map(|record| unlocated(record, "not a file")).collect();
    }
    match locate(path, records) {
        Err(error) => {
            let why = format!("cannot be read again, {error}");
            records.iter().map(|record| unlocated(record, &why)).collect()
        }
        Ok(places) => records
            .iter()
            .zip(places)
            .map(|(record, place)| match place {
                None => unlocated(record, "no longer in the file"),
                Some(place) => Located {
                    remark: match (place.is_last_line, place.is_unpacked) {
                        (true, _) => "spread over lines: this is the last of them",
                        (false, true) => "offset in the unpacked text",
                        (false, false) => "",
                    }
                    .to_owned(),
                    offset: Some(place.offset),
                    sha256: place.sha256,
                },
            })
            .collect(),
    }
}

/// Finds each of the `records` (their original texts) in a file; `None` for those that it does not hold any more. Of
/// equal records the first is found.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn locate(path: &Path, records: &[Vec<u8>]) -> io::Result<Vec<Option<Place>>> {
    let mut found: Vec<Option<Place>> = vec![None; records.len()];
    if records.is_empty() {
        return Ok(found);
    }
    let mut by_length: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        by_length.entry(record.len()).or_default().push(at);
    }
    let mut missing = records.len();
    lines_of(path, |line| {
        let bare = line.text.strip_suffix(b"\r").unwrap_or(line.text);
        for at in by_length.get(&bare.len()).into_iter().flatten() {
            if let (Some(place), Some(record)) = (found.get_mut(*at), records.get(*at))
                && place.is_none()
                && record == bare
            {
                *place = Some(line.place(false));
                missing -= 1;
            }
        }
        missing > 0
    })?;
    if missing > 0 {
        understand(path, records, &mut found)?;
    }
    Ok(found)
}

/// Finds those that are not found yet by reading the lines as the pipeline does.
fn understand(path: &Path, records: &[Vec<u8>], found: &mut [Option<Place>]) -> io::Result<()> {
    let mut reader = Reader::new();
    let mut seen = Seen { records, found: Vec::new() };
    lines_of(path, |line| {
        // One line at a time, so that it is known which one completes a record.
        reader.read(line.text, &mut seen);
        for at in seen.found.drain(..) {
            let (Some(place), Some(record)) = (found.get_mut(at), records.get(at)) else { continue };
            // In an envelope a record never takes fewer bytes than by itself.
            place.get_or_insert_with(|| line.place(record.len() > line.text.len()));
        }
        found.iter().any(Option::is_none)
    })
}

/// Notes which of the records a reader hands out.
struct Seen<'r> {
    records: &'r [Vec<u8>],
    found: Vec<usize>,
}

impl Sink for Seen<'_> {
    fn event(&mut self, _: &Event<'_>, text: &[u8], _: Marks) {
        let same = self.records.iter().enumerate().filter(|(_, record)| record.as_slice() == text);
        self.found.extend(same.map(|(at, _)| at));
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

/// A line without its line end.
struct Line<'l> {
    offset: u64,
    text: &'l [u8],
    is_unpacked: bool,
}

impl Line<'_> {
    fn place(&self, is_last_line: bool) -> Place {
        Place {
            offset: self.offset,
            sha256: sha256_hex(self.text),
            is_unpacked: self.is_unpacked,
            is_last_line,
        }
    }
}

/// Hands each line of a file to `take`, until that wants no more. Lines longer than any that is read are passed over.
fn lines_of(path: &Path, mut take: impl FnMut(&Line<'_>) -> bool) -> io::Result<()> {
    let file = open_rotated(path)?;
    let was_cached = archive::is_cached(&file, 0, file.metadata()?.len());
    let mut text = archive::Text::new(archive::QuietFile::new(file, !was_cached))?;
    let is_unpacked = text.is_compressed();
    // What is read and not yet handed out is `buffer[..have]`; it begins at `offset`.
    let (mut buffer, mut have, mut offset) = (Vec::new(), 0, 0);
    let mut is_too_long = false;
    loop {
        if buffer.len() < have + PIECE {
            buffer.resize(have + PIECE, 0);
        }
        let read = match text.read(&mut buffer[have..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let searched = have;
        have += read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[searched..have]).map(|end| searched + end) {
            let line = Line { offset: offset + start as u64, text: &buffer[start..end], is_unpacked };
            start = end + 1;
            if !std::mem::take(&mut is_too_long) && !take(&line) {
                return Ok(());
            }
        }
        if read == 0 {
            if have > start && !is_too_long {
                take(&Line { offset: offset + start as u64, text: &buffer[start..have], is_unpacked });
            }
            return Ok(());
        }
        if have - start > MAX_LINE * 2 {
            is_too_long = true;
            start = have;
        }
        offset += start as u64;
        buffer.copy_within(start..have, 0);
        have -= start;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn event(number: u32) -> String {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a{number}","stage":"ResponseComplete","requestURI":"/x","verb":"get","user":{{"username":"u"}},"stageTimestamp":"2026-11-20T21:57:40.000000Z"}}"#
        )
    }

    fn located(content: &[u8], records: &[&str]) -> Vec<Option<Place>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        fs::write(&path, content).unwrap();
        let records: Vec<Vec<u8>> = records.iter().map(|record| record.as_bytes().to_vec()).collect();
        locate(&path, &records).unwrap()
    }

    /// What somebody would do by hand who has the offset.
    fn line_at(content: &[u8], offset: u64) -> &[u8] {
        let rest = &content[offset as usize..];
        rest.split(|byte| *byte == b'\n').next().unwrap()
    }

    #[test]
    fn lines_are_found_where_they_stand() {
        let (one, two, three) = (event(1), event(2), event(3));
        let content = format!("{one}\n\nnot json\n{two}\r\n{three}");
        let places = located(content.as_bytes(), &[&three, &two, &event(4), &one]);
        let [Some(at_three), Some(at_two), None, Some(at_one)] = places.as_slice() else {
            panic!("{places:?}")
        };
        assert_eq!(at_one.offset, 0);
        for place in [at_one, at_two, at_three] {
            assert_eq!(place.sha256, sha256_hex(line_at(content.as_bytes(), place.offset)));
            assert!(!place.is_last_line && !place.is_unpacked);
        }
        assert!(line_at(content.as_bytes(), at_two.offset).starts_with(two.as_bytes()));
        assert!(line_at(content.as_bytes(), at_three.offset).starts_with(three.as_bytes()));
    }

    #[test]
    fn a_digest_is_what_sha256sum_says() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn records_in_envelopes_and_over_lines_are_found() {
        let (one, two) = (event(1), event(2));
        let value: serde_json::Value = serde_json::from_str(&two).unwrap();
        let spread = format!("{value:#}");
        let content = format!("2026-11-20T21:57:40Z stdout F {one}\n{spread}\n");
        let places = located(content.as_bytes(), &[&one, &spread]);
        let [Some(at_one), Some(at_two)] = places.as_slice() else { panic!("{places:?}") };
        assert_eq!((at_one.offset, at_one.is_last_line), (0, false));
        assert!(at_two.is_last_line);
        assert_eq!(line_at(content.as_bytes(), at_two.offset), b"}");
    }

    #[test]
    fn offsets_of_archives_are_of_their_text() {
        let content: String = (0..5_000).map(|number| event(number) + "\n").collect();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(content.as_bytes()).unwrap();
        let places = located(&packed.finish().unwrap(), &[&event(4_321)]);
        let [Some(place)] = places.as_slice() else { panic!("{places:?}") };
        assert!(place.is_unpacked);
        assert_eq!(line_at(content.as_bytes(), place.offset), event(4_321).as_bytes());
    }

    #[test]
    fn a_file_that_is_gone_is_an_error() {
        assert!(locate(Path::new("/nonexistent/audit.log"), &[b"x".to_vec()]).is_err());
        assert_eq!(locate(Path::new("/nonexistent/audit.log"), &[]).unwrap(), []);
    }
}
