//! Cutting a plain file into chunks that workers read by themselves, newest first.
//!
//! A chunk begins with the first line at or after its nominal start that stands alone as an event. Since such a line
//! ends whatever was pending before it, reading the chunks one by one gives what reading the whole file gives, even
//! where events span lines. Both neighbours compute the same boundary.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::MAX_LINE;

/// The newest chunk is small, so that the newest rows are there at once.
pub const FIRST_CHUNK: u64 = 1 << 20;

/// Nominal ranges that cover `0..end`, newest first: a small one, then each four times the one before, up to
/// `largest`.
pub fn plan(end: u64, largest: u64) -> Vec<(u64, u64)> {
    let mut ranges = Vec::new();
    let (mut upper, mut size) = (end, FIRST_CHUNK.min(largest.max(1)));
    while upper > 0 {
        let lower = upper.saturating_sub(size);
        ranges.push((lower, upper));
        upper = lower;
        size = (size * 4).min(largest.max(1));
    }
    ranges
}

/// Start of the first line at or after `position` that stands alone as an event, or `end` when there is none. 0 for
/// position 0, whatever is there.
///
/// # Errors
/// What reading the file says. Lines of more than [`MAX_LINE`] bytes are passed over.
pub fn boundary(
    file: &File,
    position: u64,
    end: u64,
    stands_alone: &dyn Fn(&[u8]) -> bool,
) -> io::Result<u64> {
    if position == 0 || position >= end {
        return Ok(position.min(end));
    }
    // The line that covers the byte before belongs to the chunk before.
    let mut window = Window { file, start: position - 1, end, bytes: Vec::new() };
    let mut line_start = match window.find_newline(position - 1)? {
        Some(newline) => newline + 1,
        None => return Ok(end),
    };
    while line_start < end {
        let newline = window.find_newline(line_start)?;
        let line_end = newline.unwrap_or(end);
        if line_end - line_start <= MAX_LINE as u64 && stands_alone(window.get(line_start, line_end)) {
            return Ok(line_start);
        }
        line_start = line_end + 1;
        window.forget_before(line_start.min(end));
    }
    Ok(end)
}

/// Bytes of a file from `start` on, read as they are asked for.
struct Window<'a> {
    file: &'a File,
    start: u64,
    end: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    const STEP: usize = 64 << 10;

    fn find_newline(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut searched = (from - self.start) as usize;
        loop {
            if let Some(tail) = self.bytes.get(searched..)
                && let Some(found) = memchr::memchr(b'\n', tail)
            {
                return Ok(Some(self.start + (searched + found) as u64));
            }
            searched = searched.max(self.bytes.len());
            if !self.grow()? {
                return Ok(None);
            }
        }
    }

    fn grow(&mut self) -> io::Result<bool> {
        let have = self.bytes.len();
        let left = self.end.saturating_sub(self.start + have as u64);
        if left == 0 {
            return Ok(false);
        }
        let step = Self::STEP.max(have).min(left as usize).min(1 << 20);
        self.bytes.resize(have + step, 0);
        let read = loop {
            match self.file.read_at(&mut self.bytes[have..], self.start + have as u64) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.bytes.truncate(have + read);
        Ok(read > 0)
    }

    fn get(&self, from: u64, to: u64) -> &[u8] {
        let from = (from - self.start) as usize;
        let to = ((to - self.start) as usize).min(self.bytes.len());
        self.bytes.get(from..to).unwrap_or_default()
    }

    fn forget_before(&mut self, position: u64) {
        let gone = ((position - self.start) as usize).min(self.bytes.len());
        // Moving the rest for every line of a long search would be quadratic.
        if gone > self.bytes.len() / 2 {
            self.bytes.drain(..gone);
            self.start += gone as u64;
        }
    }
}

/// Reads `from..to` of a file in pieces of about `piece` bytes, each made of whole lines as far as lines allow, and
/// hands them to `take` until that says no.
///
/// # Errors
/// What reading the file says; a file that has become shorter just ends earlier.
pub fn read_lines(
    file: &File,
    from: u64,
    to: u64,
    piece: usize,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    // Bytes behind `have` are room that was written to before: setting it to zero for each piece would cost as much as
    // a search through it.
    let mut buffer: Vec<u8> = Vec::new();
    let (mut position, mut have) = (from, 0);
    while position < to {
        let step = piece.max(1).min((to - position) as usize);
        if buffer.len() < have + step {
            buffer.resize(have + step, 0);
        }
        let read = match file.read_at(&mut buffer[have..have + step], position) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Ok(0) => break,
            other => other?,
        };
        position += read as u64;
        let text = &buffer[..have + read];
        let Some(last) = memchr::memrchr(b'\n', &text[have..]) else {
            have += read;
            continue;
        };
        let whole = have + last + 1;
        if !take(&text[..whole]) {
            return Ok(());
        }
        let rest = text.len() - whole;
        buffer.copy_within(whole..whole + rest, 0);
        have = rest;
    }
    if have > 0 {
        take(&buffer[..have]);
    }
    Ok(())
}

/// Position after the last newline before `end`: what comes later is an unfinished line. 0 when there is none.
///
/// # Errors
/// What reading the file says.
pub fn end_of_lines(file: &File, end: u64) -> io::Result<u64> {
    let mut upper = end;
    let mut buffer = vec![0; 64 << 10];
    while upper > 0 {
        let lower = upper.saturating_sub(buffer.len() as u64);
        let part = &mut buffer[..(upper - lower) as usize];
        file.read_exact_at(part, lower)?;
        if let Some(newline) = memchr::memrchr(b'\n', part) {
            return Ok(lower + newline as u64 + 1);
        }
        upper = lower;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn chunks_cover_the_file_exactly(
            lines in prop::collection::vec(prop_oneof!["E[a-z]{0,30}", "[a-z ]{0,30}", Just(String::new())], 0..60),
            newline_at_end: bool,
            size in 1u64..200,
            piece in 1usize..100,
        ) {
            let mut content = lines.join("\n");
            if newline_at_end { content.push('\n'); }
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let end = content.len() as u64;
            let alone = |line: &[u8]| line.starts_with(b"E");
            let mut parts: Vec<String> = Vec::new();
            for (lower, upper) in plan(end, size) {
                let from = boundary(&file, lower, end, &alone).unwrap();
                let to = boundary(&file, upper, end, &alone).unwrap();
                let mut part = Vec::new();
                read_lines(&file, from, to, piece, |text| { part.extend_from_slice(text); true }).unwrap();
                let part = String::from_utf8(part).unwrap();
                prop_assert!(lower == 0 || part.is_empty() || part.starts_with('E'), "{part:?}");
                parts.push(part);
            }
            parts.reverse();
            prop_assert_eq!(parts.concat(), content.clone());
            let finished = content.rfind('\n').map_or(0, |at| at as u64 + 1);
            prop_assert_eq!(end_of_lines(&file, end).unwrap(), finished);
        }
    }
}
