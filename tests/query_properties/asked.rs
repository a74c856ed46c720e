//! How one value of a question is compared with one text: whole or in part, stars, case, regular expressions.

use std::cell::RefCell;
use std::collections::HashMap;

use kauditui::query::Value;
use regex::{Regex, RegexBuilder};

/// A value with the way in which it is compared.
#[derive(Clone, Copy)]
pub struct Asked<'v> {
    pub value: &'v Value,
    pub regex: bool,
}

impl<'v> Asked<'v> {
    pub fn text(self) -> &'v str {
        &self.value.text
    }

    pub fn is_absence(self) -> bool {
        self.text().is_empty()
    }

    /// Another text compared in the same way.
    pub fn like(self, value: &Value) -> Asked<'_> {
        Asked { value, regex: self.regex }
    }

    pub fn part_of(self, text: &str) -> Value {
        Value { text: text.to_owned(), quoted: self.value.quoted }
    }

    /// Both texts in one case, unless the case matters.
    fn folded(self, text: &str) -> String {
        let any_case = !self.value.quoted && !self.text().chars().any(char::is_uppercase);
        match (any_case, self.text().is_ascii()) {
            (false, _) => text.to_owned(),
            (true, true) => text.to_ascii_lowercase(),
            (true, false) => text.to_lowercase(),
        }
    }

    /// The whole text, `*` standing for anything.
    pub fn is(self, text: &str) -> bool {
        if self.regex {
            return is_found(self.value, text);
        }
        match (self.text(), self.value.quoted) {
            (wanted, true) => wanted == text,
            ("*", false) => !text.is_empty(),
            (wanted, false) => stars_match(self.folded(wanted).as_bytes(), self.folded(text).as_bytes()),
        }
    }

    /// Any part of the text, unless there are stars.
    pub fn is_in(self, text: &str) -> bool {
        let has_star = !self.value.quoted && self.text().contains('*');
        if self.regex || self.is_absence() || has_star {
            return self.is(text);
        }
        self.folded(text).contains(&self.folded(self.text()))
    }

    pub fn is_word(self, word: &str) -> bool {
        if self.text() == "*" { !word.is_empty() } else { self.text().eq_ignore_ascii_case(word) }
    }
}

fn stars_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            last_star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, from)) = last_star {
            last_star = Some((star, from + 1));
            (p, t) = (star + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|sign| *sign == b'*')
}

/// Whether a regular expression finds anything: in either case, unless it was quoted or holds a capital letter that
/// stands for itself.
fn is_found(value: &Value, text: &str) -> bool {
    thread_local! {
        static COMPILED: RefCell<HashMap<Value, Regex>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        let regex = compiled.entry(value.clone()).or_insert_with(|| {
            let mut letters = value.text.chars();
            let mut any_case = !value.quoted;
            while let Some(c) = letters.next() {
                if c == '\\' {
                    letters.next();
                }
                any_case &= !c.is_uppercase();
            }
            RegexBuilder::new(&value.text).case_insensitive(any_case).build().expect("a generated expression")
        });
        regex.is_match(text)
    })
}
