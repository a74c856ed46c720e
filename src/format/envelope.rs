//! Values that hold events: today the `EventList` of the audit webhook and of exports.
//!
//! The wrappings of cloud providers and log shippers (FORMATS.md 2) belong here too, each as one more way from a
//! wrapping value to the text of its events. [`super::Reader`] asks this module once a value is known to be a list.

use super::cursor::Cursor;

/// Calls `each` with the text of every item of an `EventList`. `list` is one complete JSON object, as
/// [`super::any_order`] has found; of anything else some items may be found, or none.
pub(super) fn each_item<'a>(list: &'a [u8], mut each: impl FnMut(&'a [u8])) {
    let mut cursor = Cursor::new(list);
    cursor.skip_spaces();
    if !cursor.eat(b"{") {
        return;
    }
    while let Some(key) = member_key(&mut cursor) {
        let is_array = cursor.rest().starts_with(b"[");
        let walked =
            if key == b"items" && is_array { elements(&mut cursor, &mut each) } else { cursor.skip_value() };
        if walked.is_none() {
            return;
        }
        cursor.skip_spaces();
        if !cursor.eat(b",") {
            return;
        }
    }
}

/// The key of the next member, as written; leaves the cursor at the value.
fn member_key<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    cursor.skip_spaces();
    cursor.expect(b"\"")?;
    let (key, _) = cursor.raw_string()?;
    cursor.skip_spaces();
    cursor.expect(b":")?;
    cursor.skip_spaces();
    Some(key)
}

fn elements<'a>(cursor: &mut Cursor<'a>, each: &mut impl FnMut(&'a [u8])) -> Option<()> {
    cursor.expect(b"[")?;
    cursor.skip_spaces();
    if cursor.eat(b"]") {
        return Some(());
    }
    loop {
        cursor.skip_spaces();
        let start = cursor.at;
        cursor.skip_value()?;
        each(&cursor.text[start..cursor.at]);
        cursor.skip_spaces();
        if cursor.eat(b"]") {
            return Some(());
        }
        cursor.expect(b",")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(list: &str) -> Vec<String> {
        let mut found = Vec::new();
        each_item(list.as_bytes(), |item| found.push(String::from_utf8_lossy(item).into_owned()));
        found
    }

    #[test]
    fn finds_items_compact_and_spread() {
        assert_eq!(
            items(r#"{"kind":"EventList","items":[{"a":[1]},{"b":"]"}],"z":1}"#),
            [r#"{"a":[1]}"#, r#"{"b":"]"}"#]
        );
        assert_eq!(items("{ \"metadata\" : { },\n \"items\" : [\n {}\n,\n 7 ]\n}"), ["{}", "7"]);
        assert!(items(r#"{"items":[]}"#).is_empty());
        assert!(items(r#"{"items":{}}"#).is_empty());
    }

    #[test]
    fn a_broken_list_ends_where_it_breaks() {
        assert_eq!(items(r#"{"items":[{},{"#), ["{}"]);
        for broken in ["", "{", "[", r#"{"items""#, r#"{"items":"#, r#"{"items":[,"#] {
            assert!(items(broken).is_empty(), "{broken}");
        }
    }
}
