//! Copying by OSC 52: the terminal, on the user's own machine, fills its clipboard; nothing is installed on the node.
//!
//! The caller has already sanitised the text (`crate::text`), and sends the sequence with
//! [`Screen::send`](super::Screen::send). No terminal answers, so nobody can say that the copy arrived.

/// The most bytes of text that one copy carries. Terminals cut or drop an OSC 52 sequence of more than 100,000
/// bytes; less the 8 bytes around it that leaves 99,992 of base64, which hold 74,994.
pub const MAX_BYTES: usize = 74_994;

/// A copy, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The bytes for the terminal.
    pub sequence: Vec<u8>,
    /// How many bytes of the text the sequence carries: all, or what fits [`MAX_BYTES`], cut between characters.
    pub copied: usize,
    /// How many bytes the text has.
    pub total: usize,
}

impl Copy {
    /// Makes the sequence that copies `text`. Inside tmux it is sent twice: plainly, for a tmux that fills the
    /// clipboard itself (`set-clipboard on`), and wrapped for the terminal behind it (`allow-passthrough on`).
    pub fn new(text: &str, tmux: bool) -> Copy {
        let fitting = prefix(text, MAX_BYTES);
        let plain = format!("\x1b]52;c;{}\x07", base64(fitting.as_bytes()));
        let mut sequence = plain.clone().into_bytes();
        if tmux {
            sequence.extend_from_slice(b"\x1bPtmux;");
            sequence.extend_from_slice(plain.replace('\x1b', "\x1b\x1b").as_bytes());
            sequence.extend_from_slice(b"\x1b\\");
        }
        Copy { sequence, copied: fitting.len(), total: text.len() }
    }

    /// Whether the whole text was copied.
    pub fn is_whole(&self) -> bool {
        self.copied == self.total
    }
}

/// The longest start of `text` of at most `limit` bytes that ends between characters.
fn prefix(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Base64 with padding, RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| group.get(index).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= group.len() {
                let index = (bits >> (18 - 6 * place)) & 0x3f;
                encoded.push(char::from(ALPHABET[index as usize]));
            } else {
                encoded.push('=');
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn a_copy_is_one_osc_52_sequence() {
        let copy = Copy::new("foo", false);
        assert_eq!(copy.sequence, b"\x1b]52;c;Zm9v\x07");
        assert!(copy.is_whole());
    }

    #[test]
    fn inside_tmux_the_terminal_behind_is_addressed_too() {
        let copy = Copy::new("foo", true);
        assert_eq!(copy.sequence, b"\x1b]52;c;Zm9v\x07\x1bPtmux;\x1b\x1b]52;c;Zm9v\x07\x1b\\");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        let text = format!("{}é and more", "x".repeat(MAX_BYTES - 1));
        let copy = Copy::new(&text, false);
        assert_eq!((copy.copied, copy.total), (MAX_BYTES - 1, text.len()));
        assert!(!copy.is_whole());

        let full = Copy::new(&"x".repeat(MAX_BYTES), false);
        assert!(full.is_whole());
        assert_eq!(full.sequence.len(), 100_000);
    }
}
