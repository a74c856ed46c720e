//! Bytes from a terminal into keys, pastes and mouse reports. No I/O: [`super::input`] reads and keeps the time.
//!
//! Why not crossterm's own reader: it takes a terminal that it may block on. Measured with 0.29: of 3,000 bytes that
//! arrive at once it delivers 1,024 keys and then reports nothing while poll(2) reports the rest as readable, so a
//! caller spins; half an escape sequence makes it block in `read`, and if the terminal vanishes then it spins itself
//! (crossterm #793). The events are crossterm's types, so that nothing else need know.
//!
//! Sequences: ECMA-48 control sequences with xterm's modifiers ("Xterm Control Sequences", PC-Style Function Keys),
//! SGR mouse reports (mode 1006), bracketed paste (mode 2004), the Linux console's F1 to F5.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// What came from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputEvent {
    /// A key was pressed.
    Key(KeyEvent),
    /// A mouse button or the wheel; cells are counted from 0.
    Mouse(MouseEvent),
    /// Text was pasted: at most [`MAX_PASTE`] bytes of it, invalid UTF-8 replaced. It may hold line ends and control
    /// characters.
    Paste(String),
    /// The terminal is gone. Always the last event.
    HungUp,
}

/// The most bytes of one paste that are kept; nothing that is typed here is that long.
pub const MAX_PASTE: usize = 64 * 1024;

/// Longer than any control sequence that a terminal sends for a key. What goes on longer is noise, and is dropped.
const MAX_SEQUENCE: usize = 64;

const PASTE_START: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Turns a stream of bytes into events, however the bytes are cut into reads.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
    paste: Option<Vec<u8>>,
}

/// What the start of the pending bytes turned out to be.
enum Step {
    /// The start of something: wait for more bytes, or for [`Decoder::flush`].
    Incomplete,
    /// So many bytes are used up, and mean this, or nothing.
    Taken(usize, Option<InputEvent>),
    /// The first bytes announce a paste.
    PasteBegins,
}

impl Decoder {
    /// Takes bytes as they were read and appends the events they complete to `events`.
    pub fn feed(&mut self, bytes: &[u8], events: &mut VecDeque<InputEvent>) {
        self.pending.extend_from_slice(bytes);
        let mut start = 0;
        loop {
            let rest = &self.pending[start..];
            if let Some(paste) = &mut self.paste {
                let (used, ended) = take_paste(rest, paste);
                start += used;
                if !ended {
                    break;
                }
                events.extend(self.finish_paste());
                continue;
            }
            match step(rest) {
                Step::Incomplete => break,
                Step::PasteBegins => {
                    start += PASTE_START.len();
                    self.paste = Some(Vec::new());
                }
                Step::Taken(used, event) => {
                    start += used;
                    events.extend(event);
                }
            }
        }
        self.pending.drain(..start);
    }

    /// Whether bytes wait for the rest of their sequence; if none comes soon, call [`Decoder::flush`].
    pub fn is_waiting(&self) -> bool {
        self.paste.is_some() || !self.pending.is_empty()
    }

    /// Whether what waits is a paste, which may pause on a slow connection for longer than a key's bytes.
    pub fn is_pasting(&self) -> bool {
        self.paste.is_some()
    }

    /// Nothing more came: a lone ESC is the Escape key, ESC and `[` or `O` is that key with Alt, a paste without an
    /// end is what came of it, and the rest was noise.
    pub fn flush(&mut self, events: &mut VecDeque<InputEvent>) {
        if let Some(paste) = &mut self.paste {
            // The bytes held back as a possible start of the end mark were text after all.
            append_capped(paste, &self.pending);
            events.extend(self.finish_paste());
        } else {
            events.extend(match self.pending.as_slice() {
                [0x1b] => key(KeyCode::Esc, KeyModifiers::NONE),
                [0x1b, byte @ (b'[' | b'O')] => key(KeyCode::Char(char::from(*byte)), KeyModifiers::ALT),
                _ => None,
            });
        }
        self.pending.clear();
    }

    fn finish_paste(&mut self) -> Option<InputEvent> {
        self.paste.take().map(|bytes| InputEvent::Paste(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Moves bytes of a paste from `rest` to `paste`; says how many were used and whether the end mark was among them.
fn take_paste(rest: &[u8], paste: &mut Vec<u8>) -> (usize, bool) {
    if let Some(end) = memchr::memmem::find(rest, PASTE_END) {
        append_capped(paste, &rest[..end]);
        return (end + PASTE_END.len(), true);
    }
    // The last bytes may be the start of the end mark.
    let held = (1..PASTE_END.len()).rev().find(|&length| rest.ends_with(&PASTE_END[..length])).unwrap_or(0);
    let used = rest.len() - held;
    append_capped(paste, &rest[..used]);
    (used, false)
}

fn append_capped(paste: &mut Vec<u8>, bytes: &[u8]) {
    let room = MAX_PASTE.saturating_sub(paste.len());
    paste.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [0x1b] | [0x1b, b'[' | b'O'] => Step::Incomplete,
        [0x1b, b'[', rest @ ..] => control_sequence(bytes, rest),
        [0x1b, b'O', last, ..] => {
            Step::Taken(3, named_key(*last).and_then(|code| key(code, KeyModifiers::NONE)))
        }
        [0x1b, 0x1b, ..] => Step::Taken(1, key(KeyCode::Esc, KeyModifiers::NONE)),
        [0x1b, rest @ ..] => match plain(rest) {
            Step::Taken(used, Some(InputEvent::Key(mut event))) => {
                event.modifiers |= KeyModifiers::ALT;
                Step::Taken(used + 1, Some(InputEvent::Key(event)))
            }
            Step::Taken(used, event) => Step::Taken(used + 1, event),
            other => other,
        },
        _ => plain(bytes),
    }
}

/// A key that sends no escape sequence: a control character or one character of UTF-8.
fn plain(bytes: &[u8]) -> Step {
    let Some(&first) = bytes.first() else { return Step::Incomplete };
    let control = |letter: u8| key(KeyCode::Char(char::from(letter)), KeyModifiers::CONTROL);
    let event = match first {
        b'\r' => key(KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => key(KeyCode::Tab, KeyModifiers::NONE),
        0x7f => key(KeyCode::Backspace, KeyModifiers::NONE),
        0 => control(b' '),
        0x01..=0x1a => control(first - 1 + b'a'),
        0x1b..=0x1f => control(first - 0x1c + b'4'),
        _ => return character(bytes, first),
    };
    Step::Taken(1, event)
}

fn character(bytes: &[u8], first: u8) -> Step {
    let length = match first {
        0x20..=0x7e => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        // No character of UTF-8 starts like this.
        _ => return Step::Taken(1, None),
    };
    let available = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(available) {
        Ok(text) => {
            let typed = text.chars().next();
            let shift =
                if typed.is_some_and(char::is_uppercase) { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
            Step::Taken(length, typed.and_then(|typed| key(KeyCode::Char(typed), shift)))
        }
        // Right as far as it goes: the rest is on its way.
        Err(error) if error.error_len().is_none() => Step::Incomplete,
        Err(error) => Step::Taken(error.error_len().unwrap_or(1), None),
    }
}

/// A sequence that starts with ESC `[`; `bytes` is all of it, `rest` what follows those two.
fn control_sequence(bytes: &[u8], rest: &[u8]) -> Step {
    if let [b'[', more @ ..] = rest {
        // The Linux console sends ESC [ [ A for F1.
        return match more.first() {
            None => Step::Incomplete,
            Some(letter @ b'A'..=b'E') => {
                Step::Taken(4, key(KeyCode::F(letter - b'A' + 1), KeyModifiers::NONE))
            }
            Some(_) => Step::Taken(3, None),
        };
    }
    if bytes.starts_with(PASTE_START) {
        return Step::PasteBegins;
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return if rest.len() > MAX_SEQUENCE { Step::Taken(bytes.len(), None) } else { Step::Incomplete };
    };
    let last = rest[end];
    if !(0x40..=0x7e).contains(&last) {
        // Broken off by a byte that is no part of it, which starts something new.
        return Step::Taken(2 + end, None);
    }
    let parameters = &rest[..end];
    let event = match (parameters, last) {
        ([b'<', report @ ..], b'M' | b'm') => mouse(report, last == b'M'),
        (_, b'~') => tilde_key(parameters),
        (_, b'Z') => key(KeyCode::BackTab, KeyModifiers::SHIFT),
        _ => named_key(last).and_then(|code| key(code, modifiers(parameters))),
    };
    Step::Taken(2 + end + 1, event)
}

fn named_key(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

/// Keys of the form ESC `[` number `~`.
fn tilde_key(parameters: &[u8]) -> Option<InputEvent> {
    let code = match numbers(parameters).next()?? {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        // The numbers skip 16 and 22, as the VT220's keyboard had gaps there.
        number @ 11..=15 => KeyCode::F(u8::try_from(number - 10).ok()?),
        number @ 17..=21 => KeyCode::F(u8::try_from(number - 11).ok()?),
        number @ 23..=24 => KeyCode::F(u8::try_from(number - 12).ok()?),
        _ => return None,
    };
    key(code, modifiers(parameters))
}

/// The second parameter less one: shift 1, alt 2, control 4.
fn modifiers(parameters: &[u8]) -> KeyModifiers {
    let bits = numbers(parameters).nth(1).flatten().unwrap_or(1).saturating_sub(1);
    let held = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    held.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, modifier)| modifier).collect()
}

/// Button `;` column `;` row, both counted from 1.
fn mouse(report: &[u8], pressed: bool) -> Option<InputEvent> {
    let mut fields = numbers(report);
    let bits = fields.next()??;
    let column = fields.next()??.saturating_sub(1);
    let row = fields.next()??.saturating_sub(1);
    let button = match bits & 3 {
        0 => MouseButton::Left,
        1 => MouseButton::Middle,
        _ => MouseButton::Right,
    };
    let kind = match bits & 0b1110_0011 {
        64 => MouseEventKind::ScrollUp,
        65 => MouseEventKind::ScrollDown,
        66 => MouseEventKind::ScrollLeft,
        67 => MouseEventKind::ScrollRight,
        0..=2 if pressed => MouseEventKind::Down(button),
        0..=2 => MouseEventKind::Up(button),
        32..=34 => MouseEventKind::Drag(button),
        _ => return None,
    };
    let held = [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)];
    let modifiers =
        held.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, modifier)| modifier).collect();
    Some(InputEvent::Mouse(MouseEvent { kind, column, row, modifiers }))
}

/// The parameters between semicolons; `None` for one that is no number up to 65,535.
fn numbers(parameters: &[u8]) -> impl Iterator<Item = Option<u16>> + '_ {
    parameters.split(|byte| *byte == b';').map(|field| std::str::from_utf8(field).ok()?.parse().ok())
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<InputEvent> {
    Some(InputEvent::Key(KeyEvent::new(code, modifiers)))
}

#[cfg(test)]
mod tests;
