//! The `EventList` of the audit webhook and of exports: `{"kind":"EventList","items":[…]}`.

use super::super::members::Members;

/// Calls `each` with the text of every item of an `EventList`. `list` is one complete JSON object, as
/// [`super::super::any_order`] has found; of anything else some items may be found, or none.
pub(in super::super) fn each_item<'a>(list: &'a [u8], each: impl FnMut(&'a [u8])) {
    let mut members = Members::of(list);
    while let Some(key) = members.next_key() {
        if key == b"items" && members.at_array() {
            let _ = members.elements(each);
            return;
        }
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
