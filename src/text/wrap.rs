//! Breaking a text into lines that fit.

use std::borrow::Cow;

use super::fit::width;
use super::sanitise::sanitise;

/// The text, made visible, in lines of at most `columns`. Lines break between words; a word that is longer than a line is
/// cut. There is always at least one line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let safe: Cow<'_, str> = sanitise(text);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in safe.split(' ') {
        let room = columns.saturating_sub(width(&line) + usize::from(!line.is_empty()));
        if !line.is_empty() && width(word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() && width(&line) < columns {
            line.push(' ');
        }
        for character in word.chars() {
            let mut bytes = [0; 4];
            if width(&line) + width(character.encode_utf8(&mut bytes)) > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij x", 4), ["abcd", "efgh", "ij x"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("名前 x", 4), ["名前", "x"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_everything_fits(text in "[a-z 名\\x1b]{0,60}", columns in 2usize..20) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            let without = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without(&lines.concat()), without(&sanitise(&text)));
        }
    }
}
