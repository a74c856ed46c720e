//! A walk over the members of a JSON object, or the elements of an array, in the order of the text.
//!
//! The families of [`super::envelope`] look at a few members and step over the rest; nothing is built in memory.

use super::cursor::Cursor;
use super::unescape::Decoded;

/// The members of one object. Each key is followed by exactly one of [`Self::skip`], [`Self::raw`], [`Self::text`],
/// [`Self::text_into`].
pub(super) struct Members<'a> {
    cursor: Cursor<'a>,
    /// The value of the key handed out last has not been stepped over.
    at_value: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Beginning,
    Inside,
    Complete,
    Broken,
}

impl<'a> Members<'a> {
    /// The members of `object`. Anything but an object has none, and is not complete.
    pub(super) fn of(object: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(object), at_value: false, state: State::Beginning }
    }

    /// The next key, as written; `None` behind the last member, or where the object breaks.
    pub(super) fn next_key(&mut self) -> Option<&'a [u8]> {
        if self.at_value {
            self.skip();
        }
        let key = self.key();
        if key.is_none() && self.state != State::Complete {
            self.state = State::Broken;
        }
        key
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        self.cursor.skip_spaces();
        match self.state {
            State::Complete | State::Broken => return None,
            State::Beginning => {
                self.cursor.expect(b"{")?;
                self.cursor.skip_spaces();
                self.state = State::Inside;
                if self.cursor.eat(b"}") {
                    self.state = State::Complete;
                    return None;
                }
            }
            State::Inside => {
                if self.cursor.eat(b"}") {
                    self.state = State::Complete;
                    return None;
                }
                self.cursor.expect(b",")?;
                self.cursor.skip_spaces();
            }
        }
        self.cursor.expect(b"\"")?;
        let (key, _) = self.cursor.raw_string()?;
        self.cursor.skip_spaces();
        self.cursor.expect(b":")?;
        self.cursor.skip_spaces();
        self.at_value = true;
        Some(key)
    }

    /// Whether the object ended as it should; known once there is no further key.
    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Whether the object is known not to go on soundly.
    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    pub(super) fn at_object(&self) -> bool {
        self.cursor.rest().starts_with(b"{")
    }

    pub(super) fn at_array(&self) -> bool {
        self.cursor.rest().starts_with(b"[")
    }

    pub(super) fn at_string(&self) -> bool {
        self.cursor.rest().starts_with(b"\"")
    }

    /// What is left of the object, from the value on.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.cursor.rest()
    }

    /// Steps over the value.
    pub(super) fn skip(&mut self) {
        self.raw();
    }

    /// The value as written.
    pub(super) fn raw(&mut self) -> Option<&'a [u8]> {
        self.at_value = false;
        let start = self.cursor.at;
        match self.cursor.skip_value() {
            Some(()) => Some(&self.cursor.text[start..self.cursor.at]),
            None => {
                self.state = State::Broken;
                None
            }
        }
    }

    /// Walks through the value, an object, with `walk`, and steps over what that leaves.
    pub(super) fn inside<R>(&mut self, walk: impl FnOnce(&mut Members<'a>) -> R) -> R {
        self.at_value = false;
        let mut inner = Members::of(self.cursor.rest());
        let result = walk(&mut inner);
        self.cursor.at += inner.end();
        if !inner.is_complete() {
            self.state = State::Broken;
        }
        result
    }

    /// Walks through every object of the value, an array, with `each`, which says whether it found what it looks for;
    /// steps over any other element.
    ///
    /// # Errors
    /// The element that breaks, up to the end of the text, unless something was found in it.
    pub(super) fn each_object(
        &mut self,
        mut each: impl FnMut(&mut Members<'a>) -> bool,
    ) -> Result<(), &'a [u8]> {
        self.at_value = false;
        let read = self.objects(&mut each);
        if !matches!(read, Ok(true)) {
            self.state = State::Broken;
        }
        read.map(drop)
    }

    /// Says whether the array is whole.
    fn objects(&mut self, each: &mut impl FnMut(&mut Members<'a>) -> bool) -> Result<bool, &'a [u8]> {
        let cursor = &mut self.cursor;
        if !cursor.eat(b"[") {
            return Err(cursor.rest());
        }
        cursor.skip_spaces();
        if cursor.eat(b"]") {
            return Ok(true);
        }
        loop {
            cursor.skip_spaces();
            let element = cursor.rest();
            if element.starts_with(b"{") {
                let mut inner = Members::of(element);
                let has_found = each(&mut inner);
                cursor.at += inner.end();
                if !inner.is_complete() {
                    return if has_found { Ok(false) } else { Err(element) };
                }
            } else if cursor.skip_value().is_none() {
                return Err(element);
            }
            cursor.skip_spaces();
            if cursor.eat(b"]") {
                return Ok(true);
            }
            if !cursor.eat(b",") {
                return Err(cursor.rest());
            }
        }
    }

    /// Calls `each` with every element of the value, an array, as far as it is sound.
    ///
    /// # Errors
    /// The element that breaks, up to the end of the text.
    pub(super) fn elements(&mut self, each: impl FnMut(&'a [u8])) -> Result<(), &'a [u8]> {
        self.at_value = false;
        walk(&mut self.cursor, each).inspect_err(|_| self.state = State::Broken)
    }

    /// Steps over all that is left; returns where the object ends, or the text if it does not.
    pub(super) fn end(&mut self) -> usize {
        while self.next_key().is_some() {}
        if self.is_complete() { self.cursor.at } else { self.cursor.text.len() }
    }

    /// The value where it is a string, decoded; also of a string that the text ends in the middle of. Steps over any
    /// other value.
    pub(super) fn text(&mut self) -> Option<Vec<u8>> {
        let mut text = Decoded::default();
        self.text_into(&mut text).then(|| text.into())
    }

    /// [`Self::text`] in place of what `text` held; false, and nothing is in it, where the value is no string.
    pub(super) fn text_into(&mut self, text: &mut Decoded) -> bool {
        text.clear();
        if !self.at_string() {
            self.skip();
            return false;
        }
        self.at_value = false;
        match text.decode(&self.cursor.rest()[1..]) {
            Some(length) => self.cursor.at += 1 + length,
            None => self.state = State::Broken,
        }
        true
    }
}

/// Calls `each` with every element of `array`, as far as it is sound.
///
/// # Errors
/// The element that breaks, up to the end of the text.
pub(super) fn elements<'a>(array: &'a [u8], each: impl FnMut(&'a [u8])) -> Result<(), &'a [u8]> {
    let mut cursor = Cursor::new(array);
    cursor.skip_spaces();
    walk(&mut cursor, each)
}

fn walk<'a>(cursor: &mut Cursor<'a>, mut each: impl FnMut(&'a [u8])) -> Result<(), &'a [u8]> {
    if !cursor.eat(b"[") {
        return Err(cursor.rest());
    }
    cursor.skip_spaces();
    if cursor.eat(b"]") {
        return Ok(());
    }
    loop {
        cursor.skip_spaces();
        let start = cursor.at;
        if cursor.skip_value().is_none() {
            return Err(&cursor.text[start..]);
        }
        each(&cursor.text[start..cursor.at]);
        cursor.skip_spaces();
        if cursor.eat(b"]") {
            return Ok(());
        }
        if !cursor.eat(b",") {
            return Err(cursor.rest());
        }
    }
}

/// The value of the member `key` of `object`, as written.
pub(super) fn member<'a>(object: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut members = Members::of(object);
    while let Some(found) = members.next_key() {
        if found == key {
            return members.raw();
        }
    }
    None
}

/// A JSON string, decoded; `None` for any other value.
pub(super) fn string(value: &[u8]) -> Option<Vec<u8>> {
    let mut text = Decoded::default();
    text.decode(value.strip_prefix(b"\"")?)?;
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_walked_and_breaks_are_told() {
        let mut members = Members::of(br#" { "a" : 1 , "b":{"c":[]},"d":"x\"y" } "#);
        assert_eq!(members.next_key(), Some(&b"a"[..]));
        assert_eq!(members.raw(), Some(&b"1"[..]));
        assert_eq!(members.next_key(), Some(&b"b"[..]));
        assert!(members.at_object() && !members.at_array());
        assert_eq!(members.next_key(), Some(&b"d"[..]), "a value not asked for is stepped over");
        assert_eq!(members.text().as_deref(), Some(&b"x\"y"[..]));
        assert_eq!(members.next_key(), None);
        assert!(members.is_complete());
        for broken in ["", "[]", "{", r#"{"a""#, r#"{"a":"#, r#"{"a":1,}"#, r#"{"a":1 "b":2}"#] {
            let mut members = Members::of(broken.as_bytes());
            while members.next_key().is_some() {}
            assert!(!members.is_complete(), "{broken}");
        }
        let mut cut = Members::of(br#"{"log":"{\"kind\":\"Ev"#);
        assert_eq!(cut.next_key(), Some(&b"log"[..]));
        assert_eq!(cut.text().as_deref(), Some(&br#"{"kind":"Ev"#[..]));
        assert_eq!((cut.next_key(), cut.is_complete()), (None, false));
    }

    #[test]
    fn the_end_is_told_whatever_was_looked_at() {
        let text = br#"{"a":[1,2],"b":{}} {"c":1}"#;
        let mut members = Members::of(text);
        assert_eq!(members.next_key(), Some(&b"a"[..]));
        let mut found = 0;
        assert!(members.elements(|_| found += 1).is_ok());
        assert_eq!((found, members.end()), (2, 18));
        let mut cut = Members::of(&text[..12]);
        assert_eq!(cut.end(), 12);
    }

    #[test]
    fn elements_and_single_members() {
        let mut found = Vec::new();
        assert!(elements(b"[1, {\"a\":2} ,\"]\"]", |element| found.push(element)).is_ok());
        assert_eq!(found, [&b"1"[..], b"{\"a\":2}", b"\"]\""]);
        assert_eq!(elements(b"[1, {\"a\":", |_| ()), Err(&b"{\"a\":"[..]));
        assert_eq!(elements(b"{}", |_| ()), Err(&b"{}"[..]));
        assert_eq!(member(br#"{"a":{"b":1},"c":2}"#, b"c"), Some(&b"2"[..]));
        assert_eq!(member(br#"{"a":{"c":1}}"#, b"c"), None);
        assert_eq!(string(br#""a\nb""#).as_deref(), Some(&b"a\nb"[..]));
        assert_eq!(string(b"1"), None);
    }
}
