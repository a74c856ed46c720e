//! Characters that a terminal would obey, hide or reorder become visible marks.

use std::borrow::Cow;
use std::fmt::Write;

/// The alphabet of the marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Marks {
    /// Control pictures, as `␛`.
    #[default]
    Unicode,
    /// Caret notation, as `^[`, for terminals without UTF-8.
    Ascii,
}

/// How [`sanitise_with`] treats a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SanitiseOptions {
    /// The alphabet of the marks. Text that is not hostile keeps its own characters in either.
    pub marks: Marks,
    /// Keep line feeds and tabs, for text of several lines that is printed or copied as such.
    pub keep_lines: bool,
}

/// Whether a character must not reach a terminal as it is: it is obeyed (C0, DEL, C1), reorders what is around it
/// (bidi controls), ends a line, or cannot be seen although it makes a text another one.
///
/// The list is the `Default_Ignorable_Code_Point` property of Unicode 16 (DerivedCoreProperties.txt) with the
/// controls, line separators, interlinear marks, the blank Braille cell and the noncharacters. Variation selectors
/// are in it; [`sanitise`] lets U+FE0E and U+FE0F pass where they choose the form of an emoji.
pub fn is_hostile(character: char) -> bool {
    matches!(u32::from(character),
        0x00..=0x1f | 0x7f..=0x9f
        | 0xad                          // soft hyphen
        | 0x34f                         // combining grapheme joiner
        | 0x61c                         // Arabic letter mark
        | 0x115f | 0x1160 | 0x3164 | 0xffa0 // Hangul fillers
        | 0x17b4 | 0x17b5               // Khmer inherent vowels
        | 0x180b..=0x180f               // Mongolian selectors and vowel separator
        | 0x200b..=0x200f               // zero-width space and joiners, direction marks
        | 0x2028..=0x202e               // line and paragraph separators, bidi embeddings and overrides
        | 0x2060..=0x206f               // word joiner, invisible operators, bidi isolates
        | 0x2800                        // blank Braille cell
        | 0xfe00..=0xfe0f               // variation selectors
        | 0xfeff                        // byte order mark
        | 0xfff0..=0xfffb               // reserved as ignorable, interlinear annotation
        | 0x1bca0..=0x1bca3             // shorthand format controls
        | 0x1d173..=0x1d17a             // musical format controls
        | 0xe0000..=0xe0fff)            // tags, further variation selectors
        || u32::from(character) & 0xfffe == 0xfffe // noncharacters, the last two of each plane
        || matches!(character, '\u{fdd0}'..='\u{fdef}')
}

/// [`sanitise_with`] its default options: control pictures, and no line feed or tab stays.
pub fn sanitise(text: &str) -> Cow<'_, str> {
    sanitise_with(text, SanitiseOptions::default())
}

/// Replaces each hostile character (see [`is_hostile`]) by a mark that can be seen: `␛` or `^[` for C0 and DEL,
/// `<U+202E>` for the others. Sanitising twice changes nothing more.
pub fn sanitise_with(text: &str, options: SanitiseOptions) -> Cow<'_, str> {
    replace_hostile(text, options.keep_lines, |character, out| {
        match (u8::try_from(character), options.marks) {
            (Ok(0x7f), Marks::Unicode) => out.push('␡'),
            (Ok(byte @ ..0x20), Marks::Unicode) => {
                out.push(char::from_u32(0x2400 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (Ok(byte @ (..0x20 | 0x7f)), Marks::Ascii) => {
                out.push('^');
                out.push(char::from(byte ^ 0x40));
            }
            _ => push_formatted(out, format_args!("<U+{:04X}>", u32::from(character))),
        }
    })
}

/// Escapes what is hostile in text that is already JSON as `\uXXXX`, with surrogate pairs beyond the BMP.
///
/// serde_json escapes C0 only. A hostile character of valid JSON can only stand inside of a string, where its
/// escape means the same, so the value stays equal and the text is safe for a terminal. Line feeds and tabs stay:
/// outside of strings they are the layout of pretty JSON, inside they are escaped already.
pub fn json_escape_hostile(json: &str) -> Cow<'_, str> {
    replace_hostile(json, true, |character, out| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            push_formatted(out, format_args!("\\u{unit:04x}"));
        }
    })
}

fn replace_hostile(text: &str, keep_lines: bool, mut mark: impl FnMut(char, &mut String)) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut copied = 0;
    let mut previous = None;
    for (at, character) in text.char_indices() {
        let kept_layout = keep_lines && matches!(character, '\n' | '\t');
        let emoji_form =
            matches!(character, '\u{fe0e}' | '\u{fe0f}') && previous.is_some_and(takes_emoji_form);
        if is_hostile(character) && !kept_layout && !emoji_form {
            out.push_str(&text[copied..at]);
            mark(character, &mut out);
            copied = at + character.len_utf8();
        }
        previous = Some(character);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Whether a variation selector after this character chooses between its text and its emoji form (the blocks that
/// emoji-variation-sequences.txt of Unicode names; keycaps, which build on ASCII, are left out).
fn takes_emoji_form(base: char) -> bool {
    matches!(base,
        '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | '〰' | '〽' | '㊗' | '㊙'
        | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{27bf}' | '\u{2900}'..='\u{2bff}'
        | '\u{1f000}'..='\u{1faff}')
}

fn push_formatted(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail: its `fmt::Write` has no error to give.
    let _ = out.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ASCII: SanitiseOptions = SanitiseOptions { marks: Marks::Ascii, keep_lines: false };
    const LINES: SanitiseOptions = SanitiseOptions { marks: Marks::Unicode, keep_lines: true };

    #[test]
    fn controls_become_pictures_or_carets() {
        assert_eq!(sanitise("\u{1b}[31mred\u{7f}\0"), "␛[31mred␡␀");
        assert_eq!(sanitise_with("\u{1b}[31mred\u{7f}\0", ASCII), "^[[31mred^?^@");
        assert_eq!(sanitise("a\tb\nc\r"), "a␉b␊c␍");
        assert_eq!(sanitise_with("a\tb\nc\r", LINES), "a\tb\nc␍");
        assert_eq!(sanitise("\u{9b}31m"), "<U+009B>31m");
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        assert_eq!(sanitise("evil\u{202e}txt"), "evil<U+202E>txt");
        assert_eq!(sanitise("pro\u{200b}d"), "pro<U+200B>d");
        assert_eq!(sanitise("a\u{2028}b\u{e0041}\u{3164}"), "a<U+2028>b<U+E0041><U+3164>");
        assert_eq!(sanitise("a\u{fe0f}"), "a<U+FE0F>");
        assert_eq!(sanitise_with("\u{feff}x", ASCII), "<U+FEFF>x");
        for invisible in "\u{ad}\u{34f}\u{61c}\u{180e}\u{2066}\u{2069}\u{ffa0}\u{ffff}\u{e0100}".chars() {
            assert!(is_hostile(invisible), "{:x}", u32::from(invisible));
        }
    }

    #[test]
    fn ordinary_text_is_borrowed() {
        for text in ["", "system:node:n1 ~", "prod-日本", "❤\u{fe0f} 👍", "naïve", "‹masked›"] {
            assert!(matches!(sanitise(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({"k\u{202e}": ["\u{1b}[0m\u{9b}", "\u{e0041}", "日本 \u{7f}"], "n": 1});
        let pretty = serde_json::to_string_pretty(&value).expect("a Value serialises");
        let escaped = json_escape_hostile(&pretty);
        assert!(escaped.contains(r"\u202e") && escaped.contains(r"\udb40\udc41"), "{escaped}");
        assert!(!escaped.chars().any(|c| is_hostile(c) && c != '\n'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).expect("still JSON"), value);
    }

    /// Hostile where it stands: a variation selector after an emoji is not.
    fn holds_hostile(text: &str, keep_lines: bool) -> bool {
        let mut previous = '\0';
        text.chars().any(|character| {
            let form = matches!(character, '\u{fe0e}' | '\u{fe0f}') && takes_emoji_form(previous);
            previous = character;
            is_hostile(character) && !form && !(keep_lines && matches!(character, '\n' | '\t'))
        })
    }

    fn nasty_text() -> impl Strategy<Value = String> {
        let hostile = prop_oneof![
            any::<char>(),
            proptest::char::range('\0', '\u{ff}'),
            proptest::char::range('\u{2000}', '\u{206f}'),
            proptest::char::range('\u{fe00}', '\u{ffff}'),
            Just('\u{1f600}'),
        ];
        proptest::collection::vec(hostile, 0..40).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left_and_twice_is_once(text in nasty_text(), ascii: bool, keep_lines: bool) {
            let marks = if ascii { Marks::Ascii } else { Marks::Unicode };
            let options = SanitiseOptions { marks, keep_lines };
            let clean = sanitise_with(&text, options);
            prop_assert!(!holds_hostile(&clean, keep_lines), "{:?}", clean);
            prop_assert_eq!(sanitise_with(&clean, options), clean.as_ref());
            prop_assert!(keep_lines || !clean.contains(char::is_control));
        }

        #[test]
        fn printable_ascii_is_unchanged(text in "[ -~]{0,80}") {
            prop_assert!(matches!(sanitise(&text), Cow::Borrowed(same) if same == text));
            prop_assert!(matches!(json_escape_hostile(&text), Cow::Borrowed(same) if same == text));
        }

        #[test]
        fn escaped_json_is_equal_and_safe(text in nasty_text()) {
            let json = serde_json::to_string(&text).expect("a string serialises");
            let escaped = json_escape_hostile(&json);
            prop_assert!(!holds_hostile(&escaped, true));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).expect("still JSON"), text);
        }
    }
}
