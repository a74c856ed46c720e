//! Whether the text of an event may hold anything that is masked, told in one pass over its bytes.
//!
//! Most lines hold nothing secret, and a search over a million of them cannot afford to take each apart as masking
//! does. The pass here understands only what the API server writes day by day: plain JSON, no key twice, few escapes,
//! simple URIs. It looks for every sign that a rule of [`super::body`], [`super::text`], [`super::uri`] or
//! [`super::names`] needs, and whatever it does not know, it takes for one. So its no is certain, and its yes means
//! nothing more than that masking must be asked. A test holds it against masking over recorded and broken lines.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::base64;
use super::body::{LAST_APPLIED, SHORTEST_BASE64, hides_in_base64};
use super::names::is_credential;

/// Deeper nesting is left to masking, which withholds what is deeper than 128 levels.
const DEEPEST: usize = 100;

/// Keys of an object that are compared with each other; an object with more is left to masking.
const MOST_KEYS: usize = 256;

/// Question marks in one string: texts nested deeper are masked as a whole, and each nesting needs one.
const MOST_QUERIES: u8 = 3;

/// What stands for itself wherever it is: beginnings of tokens and of private keys, also in base64.
static SELF_EVIDENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let tokens = r"gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|hvs\.|ya29\.|k8s-aws-v1\.";
    Regex::new(&format!("(?-u:PRIVATE|eyJ|{tokens}|{})", super::text::ENCODED_BASE64)).ok()
});

/// Whether the text of an event may hold anything that [`super::masked_json`] masks. A no is certain.
pub fn may_hold_secret(text: &[u8]) -> bool {
    let evident = SELF_EVIDENT.as_ref().is_none_or(|pattern| pattern.is_match(text));
    evident || std::str::from_utf8(text).is_err() || Pass::over(text).is_none()
}

/// The pass over one line. Its steps end with `None` where masking must be asked.
struct Pass<'a> {
    line: &'a [u8],
    at: usize,
    depth: usize,
    /// Hashes of the keys of all objects that are open.
    keys: Vec<u64>,
    /// Somewhere `name` or `key` announces a credential, and somewhere there is a `value`.
    announced: bool,
    has_value: bool,
    /// Somewhere a `path` ends with a credential, and somewhere there is an `op`, as JSON patches have it.
    patched: bool,
    has_operation: bool,
}

/// Where a value stands.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// Behind this key.
    Member(&'a [u8]),
    /// Behind a key that announces a credential, or in an array there.
    Credential,
    Element,
}

impl<'a> Pass<'a> {
    fn over(line: &'a [u8]) -> Option<()> {
        let mut pass = Pass {
            line,
            at: 0,
            depth: 0,
            keys: Vec::with_capacity(64),
            announced: false,
            has_value: false,
            patched: false,
            has_operation: false,
        };
        let is_object = pass.peek() == Some(b'{');
        pass.object()?;
        pass.skip_space();
        let is_whole = is_object && pass.at == line.len();
        let is_announced = pass.announced && pass.has_value || pass.patched && pass.has_operation;
        (is_whole && !is_announced).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Whether a comma follows; if not, the closing sign must.
    fn goes_on(&mut self, closing: u8) -> Option<bool> {
        self.skip_space();
        let next = self.peek()?;
        self.at += 1;
        match next {
            b',' => Some(true),
            _ => (next == closing).then_some(false),
        }
    }

    fn open(&mut self, closing: u8) -> Option<bool> {
        self.at += 1;
        self.depth += 1;
        self.skip_space();
        if self.depth > DEEPEST {
            return None;
        }
        let is_empty = self.peek()? == closing;
        self.at += usize::from(is_empty);
        Some(!is_empty)
    }

    fn object(&mut self) -> Option<()> {
        let first_key = self.keys.len();
        let mut goes_on = self.open(b'}')?;
        while goes_on {
            self.expect(b'"')?;
            let key = self.key()?;
            let hash = hash(key);
            let known = self.keys.get(first_key..)?;
            if known.len() >= MOST_KEYS || known.contains(&hash) {
                return None;
            }
            self.keys.push(hash);
            self.expect(b':')?;
            self.skip_space();
            match key {
                b"value" => self.has_value = true,
                b"op" => self.has_operation = true,
                _ => {}
            }
            let names_credential = announces(key) && std::str::from_utf8(key).is_ok_and(is_credential);
            let is_withheld = names_credential || key == LAST_APPLIED.as_bytes();
            self.value(if is_withheld { Place::Credential } else { Place::Member(key) })?;
            goes_on = self.goes_on(b'}')?;
        }
        self.keys.truncate(first_key);
        self.depth -= 1;
        Some(())
    }

    fn array(&mut self, place: Place<'a>) -> Option<()> {
        let inside = if matches!(place, Place::Credential) { place } else { Place::Element };
        let mut goes_on = self.open(b']')?;
        while goes_on {
            self.skip_space();
            self.value(inside)?;
            goes_on = self.goes_on(b']')?;
        }
        self.depth -= 1;
        Some(())
    }

    fn value(&mut self, place: Place<'a>) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(place),
            b'"' => {
                self.at += 1;
                let is_empty = self.peek()? == b'"';
                match place {
                    _ if is_empty => {
                        self.at += 1;
                        Some(())
                    }
                    Place::Credential => None,
                    _ => self.string(place),
                }
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.line.get(self.at..)?.starts_with(literal).then(|| self.at += literal.len())
    }

    /// A number of few digits without an exponent.
    fn number(&mut self) -> Option<()> {
        const MOST_DIGITS: usize = 18;
        self.at += usize::from(self.peek()? == b'-');
        let digits = |pass: &mut Self| {
            let from = pass.at;
            while pass.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                pass.at += 1;
            }
            let count = pass.at - from;
            (1..=MOST_DIGITS).contains(&count).then_some(count)
        };
        let begins_with_zero = self.peek()? == b'0';
        if digits(self)? > 1 && begins_with_zero {
            return None;
        }
        if self.peek()? == b'.' {
            self.at += 1;
            digits(self)?;
        }
        (!matches!(self.peek()?, b'e' | b'E')).then_some(())
    }

    /// The key whose opening quote was read, as it is written. Two keys are the same only when they are written so: of
    /// escapes that could be written otherwise none is let through.
    fn key(&mut self) -> Option<&'a [u8]> {
        let from = self.at;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.line.get(self.at..)?)?;
            match (self.peek()?, self.line.get(self.at + 1)?) {
                (b'"', _) => break,
                (_, b'"' | b'\\' | b'n' | b't' | b'r') => self.at += 2,
                _ => return None,
            }
        }
        let key = self.line.get(from..self.at)?;
        self.at += 1;
        // Beyond ASCII there are letters that are small ones of ASCII in another case.
        let is_plain = key.iter().fold(true, |plain, byte| plain & (b' '..0x80).contains(byte));
        is_plain.then_some(key)
    }

    /// The rest of a string whose opening quote was read, and what it says at a place.
    fn string(&mut self, place: Place<'_>) -> Option<()> {
        let from = self.at;
        // JSON within the string, or space before it.
        if matches!(self.peek()?, b'{' | b'[' | b'\\' | b' ' | 0x80..) {
            return None;
        }
        let mut seen = Seen::default();
        loop {
            let rest = self.line.get(self.at..)?;
            let length = rest.iter().position(|byte| !is_of_word(*byte))?;
            let (word, behind) = rest.split_at(length);
            self.at += length;
            let next = *behind.first()?;
            if next == b'"' {
                let text = self.line.get(from..self.at)?;
                self.at += 1;
                return self.judge(place, text, word, seen);
            }
            if may_announce(next) && (announces(word) || begins_secret(word)) {
                return None;
            }
            self.at += seen.sign(next, word, behind)?;
            if seen.is_space {
                seen.space_until = self.at;
            }
        }
    }

    /// Whether a string that was read to its end is harmless at its place.
    fn judge(&mut self, place: Place<'_>, text: &[u8], last_word: &[u8], seen: Seen) -> Option<()> {
        let from = self.at - 1 - text.len();
        if !seen.is_foreign && text.len() >= SHORTEST_BASE64 {
            let ends_with_space = seen.space_until == from + text.len();
            let may_be_base64 =
                if seen.space_until > 0 { ends_with_space } else { seen.has_breaks || is_base64(text) };
            if may_be_base64 && (seen.has_breaks || ends_with_space || hides(text)) {
                return None;
            }
        }
        match place {
            Place::Member(b"kind") if is_secret_kind(text) => return None,
            Place::Member(b"resource") if text == b"secrets" => return None,
            Place::Member(b"requestURI") if memchr::memmem::find(text, b"ecrets").is_some() => return None,
            Place::Member(b"name" | b"key") => self.announced |= announces(last_word),
            Place::Member(b"path") => self.patched |= announces(last_word),
            Place::Element if text.starts_with(b"-") && announces(last_word) => return None,
            _ => {}
        }
        Some(())
    }
}

/// What stood in a string so far.
#[derive(Default)]
struct Seen {
    queries: u8,
    /// A scheme, so that a password may stand before an `@`.
    has_scheme: bool,
    /// A sign that base64 does not have, space apart.
    is_foreign: bool,
    /// Line breaks, which base64 may have.
    has_breaks: bool,
    /// The last sign was space, or may be.
    is_space: bool,
    /// Where the last such sign ends.
    space_until: usize,
}

impl Seen {
    /// Takes a sign that is not of a word, with the word before it and the text from it on; the bytes it takes.
    fn sign(&mut self, sign: u8, word: &[u8], text: &[u8]) -> Option<usize> {
        self.is_space = false;
        let mut length = 1;
        match sign {
            b'\\' => return self.escape(text),
            b' ' => self.is_space = true,
            b'=' | b'+' => {
                if sign == b'=' && self.queries > 0 && is_parameter(word) {
                    return None;
                }
                return Some(length);
            }
            b'?' => {
                self.queries += 1;
                if self.queries > MOST_QUERIES {
                    return None;
                }
            }
            b'%' => {
                // What else is encoded may be letters of anything.
                match text.get(1..3)? {
                    b"2C" | b"2F" | b"20" | b"21" | b"28" | b"29" => {}
                    b"3A" => self.has_scheme = true,
                    b"3D" if self.queries == 0 || !is_parameter(word) => {}
                    _ => return None,
                }
                length = 3;
            }
            b':' => self.has_scheme |= text.starts_with(b"://"),
            b'@' if self.has_scheme => return None,
            // The long s and the sign of Kelvin are letters of ASCII in another case.
            0xc5 if text.get(1) == Some(&0xbf) => return None,
            0xe2 if text.starts_with("\u{212a}".as_bytes()) => return None,
            0x80.. => {
                self.is_space = true;
                return Some(length);
            }
            ..b' ' => return None,
            _ => {}
        }
        self.is_foreign |= !self.is_space;
        Some(length)
    }

    fn escape(&mut self, text: &[u8]) -> Option<usize> {
        match text.get(1)? {
            b'n' | b'r' => self.has_breaks = true,
            b't' => self.is_space = true,
            b'"' | b'\\' => self.is_foreign = true,
            b'u' => {
                match text.get(2..6)? {
                    // As encoding/json writes `<`, `>`, `&`, bytes that are no UTF-8, and two kinds of line break.
                    b"003c" | b"003e" | b"0026" | b"fffd" => self.is_foreign = true,
                    b"2028" | b"2029" => self.is_space = true,
                    _ => return None,
                }
                return Some(6);
            }
            _ => return None,
        }
        Some(2)
    }
}

/// What the names of keys, variables and parameters are made of.
#[inline]
fn is_of_word(byte: u8) -> bool {
    /// Looked up, since the pass asks it of every byte.
    const OF_WORD: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte: u8 = 0;
        while byte < 0x80 {
            table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
            byte += 1;
        }
        table
    };
    OF_WORD[usize::from(byte)]
}

/// Whether a name before this sign may announce the value behind it: an assignment, a quote, space, the next parameter,
/// or what may be decoded to one of them.
fn may_announce(sign: u8) -> bool {
    matches!(sign, b'\\' | b'\'' | b' ' | b'=' | b':' | b'%' | b'+' | b'&' | 0x80..)
}

/// Whether a word ends as [`super::names::CREDENTIAL`] says.
fn announces(word: &[u8]) -> bool {
    let ends = |with: &[u8]| strip_end(word, with).is_some();
    // Nearly all words end otherwise.
    let [.., before, last] = word else { return false };
    match [before.to_ascii_lowercase(), last.to_ascii_lowercase()] {
        [b'r' | b'w', b'd'] => {
            ends(b"password")
                || ends(b"passwd")
                || strip_end(word, b"pwd").is_some_and(|rest| rest.last().is_some_and(|b| is_joint(*b)))
        }
        [b's' | b'i', b'e'] => ends(b"passphrase") || ends(b"cookie"),
        [b'e', b't'] => ends(b"secret"),
        [b'e' | b'o', b'n'] => ends(b"token") || ends(b"authorization"),
        [b'a', b'l'] => ends(b"credential"),
        [b'l', b's'] => ends(b"credentials"),
        [b'e', b'y'] => strip_end(word, b"key").is_some_and(|rest| {
            let owners: [&[u8]; 6] = [b"api", b"private", b"secret", b"access", b"signing", b"encryption"];
            owners.iter().any(|owner| strip_end(without_joint(rest), owner).is_some())
        }),
        [b't', b'a'] => strip_end(word, b"data")
            .and_then(|rest| strip_end(without_joint(rest), b"key"))
            .is_some_and(|rest| strip_end(without_joint(rest), b"client").is_some()),
        _ => false,
    }
}

/// Whether a word in the middle of a text begins something secret: a scheme of authentication, a manifest.
fn begins_secret(word: &[u8]) -> bool {
    let ends = |with: &[u8]| strip_end(word, with).is_some();
    match word.last().map(u8::to_ascii_lowercase) {
        Some(b'r') => ends(b"bearer"),
        Some(b'c') => ends(b"basic"),
        Some(b'd') => ends(b"kind"),
        _ => false,
    }
}

/// Whether a word ends as a parameter of a URI does that is a credential there alone.
fn is_parameter(word: &[u8]) -> bool {
    let names: [&[u8]; 7] =
        [b"code", b"state", b"code_challenge", b"code_verifier", b"assertion", b"sig", b"signature"];
    names.iter().any(|name| strip_end(word, name).is_some())
}

fn is_secret_kind(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"Secret") || text.eq_ignore_ascii_case(b"SecretList")
}

fn strip_end<'w>(word: &'w [u8], end: &[u8]) -> Option<&'w [u8]> {
    let (rest, there) = word.split_at_checked(word.len().checked_sub(end.len())?)?;
    there.eq_ignore_ascii_case(end).then_some(rest)
}

fn without_joint(word: &[u8]) -> &[u8] {
    word.split_last().filter(|(last, _)| is_joint(**last)).map_or(word, |(_, rest)| rest)
}

fn is_joint(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.')
}

fn is_base64(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'='))
}

/// Whether a text that may be base64 hides anything, once decoded.
fn hides(text: &[u8]) -> bool {
    // Names are mostly no base64 of a text: the first bytes show it.
    let mut beginning = [0; SHORTEST_BASE64 / 4 * 3];
    for (letters, bytes) in text.as_chunks::<4>().0.iter().zip(beginning.as_chunks_mut::<3>().0) {
        let [a, b, c, d] = letters.map(|letter| base64::sextet(letter).unwrap_or(0));
        *bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d].map(|byte| (byte & 0xff) as u8);
    }
    let is_whole = !text.iter().take(SHORTEST_BASE64).any(|byte| *byte == b'=');
    if is_whole && std::str::from_utf8(&beginning).is_err_and(|error| error.error_len().is_some()) {
        return false;
    }
    std::str::from_utf8(text).is_ok_and(hides_in_base64)
}

/// A hash of a key. Nothing depends on its quality but how often masking is asked in vain.
fn hash(key: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = key.as_chunks::<8>();
    let end = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words.chain([end]).fold(key.len() as u64, |hash, word| (hash ^ word).wrapping_mul(ODD).rotate_left(29))
}

#[cfg(test)]
mod tests;
