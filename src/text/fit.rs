//! Display columns: how wide a text is, and how it is cut or padded to a width without splitting a character.
//!
//! The unit is the extended grapheme cluster, because that is what ratatui 0.30 puts into one cell: its
//! `Buffer::set_stringn` walks graphemes, drops those that hold a control or have no width, and takes the width of
//! each from `unicode-width`. [`width`] does the same, so that a column computed here is the column drawn.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The display columns that ratatui gives to `text`.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        // A CR LF pair is one grapheme and dropped as a whole, as the two controls are dropped here.
        return text.bytes().filter(|byte| !byte.is_ascii_control()).count();
    }
    text.graphemes(true).map(grapheme_width).sum()
}

fn grapheme_width(grapheme: &str) -> usize {
    if grapheme.contains(char::is_control) {
        return 0;
    }
    // ratatui adds a cell for each halfwidth katakana sound mark (`cell_width.rs` of ratatui-core 0.1.2), on top of
    // what unicode-width counts. Agreeing with it matters more here than which of the two is right.
    let sound_marks = grapheme.chars().filter(|mark| matches!(mark, '\u{ff9e}' | '\u{ff9f}')).count();
    grapheme.width() + sound_marks
}

/// Cuts `text` to at most `columns`, with `ellipsis` at the end where something was cut off.
///
/// An ellipsis that does not fit itself is left out.
pub fn fit_end<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    if fits(text, columns) {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(width(ellipsis)) else {
        return Cow::Borrowed(head(text, columns));
    };
    Cow::Owned([head(text, room), ellipsis].concat())
}

/// Cuts `text` to at most `columns` by taking something out of its middle.
///
/// What tells generated names apart is their last part (`web-7c9f6d5b4-x2x9k`), so the end is kept from its last
/// separator on as long as that leaves half of the room to the head; otherwise head and end share the room.
pub fn fit_middle<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    if fits(text, columns) {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(width(ellipsis)) else {
        return Cow::Borrowed(head(text, columns));
    };
    let suffix_columns = text.rfind(['-', '.', '/', ':']).map(|at| width(&text[at..]));
    let tail_columns = match suffix_columns {
        Some(suffix) if suffix > 1 && suffix <= room / 2 => suffix,
        _ => room / 2,
    };
    let end = tail(text, tail_columns);
    // A wide character that did not fit into the end leaves a column to the head.
    Cow::Owned([head(text, room - width(end)), ellipsis, end].concat())
}

/// Fills `text` up with spaces to `columns`; longer text is returned as it is.
pub fn pad(text: &str, columns: usize) -> Cow<'_, str> {
    match columns.saturating_sub(width(text)) {
        0 => Cow::Borrowed(text),
        missing => {
            let mut padded = String::with_capacity(text.len() + missing);
            padded.push_str(text);
            padded.extend(std::iter::repeat_n(' ', missing));
            Cow::Owned(padded)
        }
    }
}

/// What all of some texts begin with; `None` where there is no text.
pub fn common_beginning(texts: &[String]) -> Option<&str> {
    let (first, others) = texts.split_first()?;
    Some(others.iter().fold(first.as_str(), |common, other| {
        let differ = common.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
        &common[..differ.map_or(common.len().min(other.len()), |((at, _), _)| at)]
    }))
}

/// Whether `text` takes at most `columns`, reading no further than it must: values of a log may be megabytes long.
fn fits(text: &str, columns: usize) -> bool {
    head(text, columns).len() == text.len()
}

/// The longest start of `text` that takes at most `columns`.
fn head(text: &str, columns: usize) -> &str {
    let mut left = columns;
    for (at, grapheme) in text.grapheme_indices(true) {
        match left.checked_sub(grapheme_width(grapheme)) {
            Some(rest) => left = rest,
            None => return &text[..at],
        }
    }
    text
}

/// The longest end of `text` that takes at most `columns`.
fn tail(text: &str, columns: usize) -> &str {
    let mut left = columns;
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        match left.checked_sub(grapheme_width(grapheme)) {
            Some(rest) => left = rest,
            None => return &text[at + grapheme.len()..],
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::{buffer::Buffer, layout::Rect, style::Style};

    use super::*;

    /// How far ratatui's own cursor moves.
    fn drawn_width(text: &str) -> usize {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4096, 1));
        usize::from(buffer.set_stringn(0, 0, text, usize::MAX, Style::default()).0)
    }

    #[test]
    fn emoji_and_wide_characters_are_as_wide_as_ratatui_draws_them() {
        for (text, columns) in [
            ("prod", 4),
            ("日本", 4),
            ("e\u{301}", 1),
            ("\u{2764}\u{fe0f}", 2),
            ("👩\u{200d}💻", 2),
            ("🇩🇪", 2),
            ("a\r\nb", 2),
            ("a\u{7}b", 2),
            ("ｶ\u{ff9e}", 3),
            ("", 0),
        ] {
            assert_eq!(width(text), columns, "{text:?}");
            assert_eq!(drawn_width(text), columns, "{text:?}");
        }
    }

    #[test]
    fn the_end_is_cut() {
        assert_eq!(fit_end("deployments", 11, "…"), "deployments");
        assert_eq!(fit_end("deployments", 7, "…"), "deploy…");
        assert_eq!(fit_end("日本語", 4, "…"), "日…");
        assert_eq!(fit_end("deployments", 2, "..."), "de");
        assert_eq!(fit_end("deployments", 0, "…"), "");
    }

    #[test]
    fn the_suffix_of_a_pod_name_stays() {
        assert_eq!(fit_middle("web-7c9f6d5b4-x2x9k", 19, "…"), "web-7c9f6d5b4-x2x9k");
        assert_eq!(fit_middle("web-7c9f6d5b4-x2x9k", 14, "…"), "web-7c9…-x2x9k");
        assert_eq!(fit_middle("web-7c9f6d5b4-x2x9k", 7, "…"), "web…x9k");
        assert_eq!(fit_middle("web-7c9f6d5b4-x2x9k", 1, "…"), "…");
        assert_eq!(fit_middle("no_separator_at_all", 9, "…"), "no_s…_all");
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(pad("longer", 3), "longer");
    }

    proptest! {
        #[test]
        fn width_is_what_ratatui_draws(text in "\\PC{0,40}|[\\u{0}-\\u{300}\\u{fe0f}\\u{200d}🇩❤👩日ｶ\\u{ff9e}本]{0,40}") {
            prop_assert_eq!(width(&text), drawn_width(&text));
        }

        #[test]
        fn fitted_text_fits_and_splits_no_grapheme(text in any::<String>(), columns in 0usize..60) {
            for ellipsis in ["…", "...", "~"] {
                let end = fit_end(&text, columns, ellipsis);
                prop_assert!(width(&end) <= columns, "{:?} in {}", end, columns);
                let middle = fit_middle(&text, columns, ellipsis);
                prop_assert!(width(&middle) <= columns, "{:?} in {}", middle, columns);
                if end != text.as_str() {
                    let kept = end.strip_suffix(ellipsis).unwrap_or(&end);
                    prop_assert!(text.starts_with(kept));
                    let boundary = kept.len() == text.len()
                        || text.grapheme_indices(true).any(|(at, _)| at == kept.len());
                    prop_assert!(boundary);
                }
            }
            prop_assert!(width(&pad(&text, columns)) >= columns);
        }
    }
}
