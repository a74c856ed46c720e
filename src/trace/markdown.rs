//! Text of a log inside Markdown, where nothing of it may act: not as a table's cell, a link, an image, HTML or a
//! heading, nor on the terminal that shows the file.
//!
//! Everything becomes a code span or a fenced block. Escaping by backslashes does not do: GitHub makes links of bare
//! addresses and of what looks like e-mail even where each character is escaped, but never inside of code (GitHub
//! Flavored Markdown 6.3 Code spans, 6.9 Autolinks).

use crate::text::{SanitiseOptions, fit_end, sanitise, sanitise_with};

/// Columns that a code span takes at most.
const WIDEST: usize = 1_000;

/// Columns that a text takes at most in a table.
const WIDEST_CELL: usize = 120;

/// Bytes and lines that a block takes at most.
const LARGEST_BLOCK: usize = 64 << 10;
const LONGEST_BLOCK: usize = 400;

/// A code span; `-` for nothing.
pub fn code(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    span(&fit_end(&sanitise(text), WIDEST, "…"))
}

/// A code span for a table. A `|` ends a cell even inside of code, so it is written as an entity between two spans.
pub fn cell(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    let text = sanitise(text);
    let text = fit_end(&text, WIDEST_CELL, "…");
    let parts = text.split('|').map(|part| if part.is_empty() { String::new() } else { span(part) });
    parts.collect::<Vec<_>>().join("&#124;")
}

/// A fenced block of lines. What is too long is cut and says so.
pub fn block(language: &str, text: &str) -> String {
    let mut whole = text.len();
    if whole > LARGEST_BLOCK {
        whole = (0..=LARGEST_BLOCK).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    }
    let lines: Vec<&str> = text[..whole].lines().take(LONGEST_BLOCK).collect();
    let mut kept = lines.join("\n");
    let is_cut = whole < text.len() || text[..whole].lines().nth(LONGEST_BLOCK).is_some();
    if is_cut {
        kept += &format!("\n… cut here, of {} bytes", text.len());
    }
    let kept = sanitise_with(&kept, SanitiseOptions { keep_lines: true, ..SanitiseOptions::default() });
    let fence = "`".repeat(longest_run(&kept).max(2) + 1);
    format!("{fence}{language}\n{kept}\n{fence}\n")
}

/// One line of code, whatever backticks are in it. The text has no line ends.
fn span(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    // One space at each end is taken off, and keeps the text's own backticks off the fence.
    let padded = text.starts_with('`') || text.ends_with('`') || text.starts_with(' ') && text.ends_with(' ');
    let space = if padded && !text.trim_matches(' ').is_empty() { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::is_hostile;

    /// Takes code spans apart as the specification has it: a run of backticks, up to the next run of the same length.
    /// What stands outside of them, and the text inside.
    fn taken_apart(markdown: &str) -> (String, String) {
        let (mut outside, mut inside) = (String::new(), String::new());
        let mut rest = markdown;
        while let Some(at) = rest.find('`') {
            outside.push_str(&rest[..at]);
            let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
            let body = &rest[at + run..];
            let mut end = 0;
            let length = loop {
                let next = end + body[end..].find('`').expect("each span is closed");
                let length = body[next..].len() - body[next..].trim_start_matches('`').len();
                end = next + length;
                if length == run {
                    break next;
                }
            };
            let text = &body[..length];
            let is_padded =
                text.starts_with(' ') && text.ends_with(' ') && !text.trim_matches(' ').is_empty();
            inside.push_str(if is_padded { &text[1..text.len() - 1] } else { text });
            rest = &body[end..];
        }
        outside.push_str(rest);
        (outside, inside)
    }

    #[test]
    fn values_become_code() {
        assert_eq!(code("alice@example.com"), "`alice@example.com`");
        assert_eq!(code(""), "-");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code("  "), "`  `");
        assert_eq!(code("a\n| b"), "`a␊| b`");
        assert_eq!(cell("a|b`|"), "`a`&#124;`` b` ``&#124;");
        assert!(code(&"x".repeat(5_000)).len() < 1_010);
    }

    #[test]
    fn blocks_are_closed_by_their_own_fence_alone() {
        assert_eq!(block("sh", "a\nb"), "```sh\na\nb\n```\n");
        assert_eq!(block("", "````\n\u{1b}[31m"), "`````\n````\n␛[31m\n`````\n");
        let long = block("", &"line\n".repeat(1_000));
        assert_eq!(long.lines().count(), LONGEST_BLOCK + 3);
        assert!(long.contains("… cut here, of 5000 bytes"));
        assert!(block("", &"é".repeat(1 << 20)).len() < LARGEST_BLOCK + 100);
    }

    proptest! {
        #[test]
        fn a_value_stays_inside_of_its_code(text in "[ -~`|\\\\\n\u{1b}\u{202e}é]{1,12}") {
            let shown = sanitise(&text);
            let (outside, inside) = taken_apart(&code(&text));
            prop_assert_eq!((outside.as_str(), inside.as_str()), ("", shown.as_ref()));
            let in_table = cell(&text);
            let (outside, inside) = taken_apart(&in_table);
            prop_assert_eq!(outside.replace("&#124;", ""), "");
            prop_assert_eq!(inside, shown.replace('|', ""));
            prop_assert!(!in_table.contains(['|', '\n']));
            prop_assert!(!in_table.chars().any(is_hostile));
        }

        #[test]
        fn nothing_closes_a_block(text in "[a`~\n ]{0,80}") {
            let block = block("", &text);
            let fence = block.lines().next().unwrap_or_default();
            let closing = block.lines().skip(1).filter(|line| line.trim_start().starts_with(fence));
            prop_assert_eq!(closing.count(), 1);
            prop_assert_eq!(block.lines().last(), Some(fence));
        }
    }
}
