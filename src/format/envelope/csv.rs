//! Rows of a CSV export with an event in one cell: Splunk's (`_time,_raw`), the console's of CloudWatch Logs Insights
//! (`@timestamp,@message`). A cell with quotes in it stands in quotes, and those in it are doubled (RFC 4180, 2.5 to 2.7).
//!
//! Columns are not asked for: the cell that begins with an object is the one. The row of their names is text without
//! one, and audit events have no line ends that could divide a row.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// How a cell begins that holds an object with members.
const OBJECT: &[u8] = br#""{"""#;

static FIND_OBJECT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(OBJECT));

/// Puts the object in a cell of `row` into `cell`; false where there is none. Of a cell that the row ends in the middle
/// of, what is there is taken.
pub(in super::super) fn object(row: &[u8], cell: &mut Vec<u8>) -> bool {
    // Lines of JSON have objects of their own.
    if row.first() == Some(&b'{') {
        return false;
    }
    let mut starts = FIND_OBJECT.find_iter(row);
    let Some(start) = starts.find(|start| matches!(row[..*start].last(), None | Some(b',' | b';' | b'\t')))
    else {
        return false;
    };
    cell.clear();
    let mut rest = &row[start + 1..];
    while let Some(quote) = memchr::memchr(b'"', rest) {
        cell.extend_from_slice(&rest[..quote]);
        match rest.get(quote + 1) {
            Some(b'"') => cell.push(b'"'),
            Some(b',' | b';' | b'\t' | b'\r') | None => return true,
            Some(_) => return false,
        }
        rest = &rest[quote + 2..];
    }
    cell.extend_from_slice(rest);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cell_with_an_object_is_found_and_decoded() {
        let found = |row: &str| {
            let mut cell = b"old".to_vec();
            object(row.as_bytes(), &mut cell).then(|| String::from_utf8(cell).expect("UTF-8"))
        };
        let event = r#"{"a":"b\"c"}"#;
        let cell = r#""{""a"":""b\""c""}""#;
        for row in [cell.to_owned(), format!("2026,{cell}"), format!("\"x \"\"y\"\"\",{cell},,1\r")] {
            assert_eq!(found(&row).as_deref(), Some(event), "{row}");
        }
        assert_eq!(found(r#"1,"{""kind"":""Ev"#).as_deref(), Some(r#"{"kind":"Ev"#));
        for other in ["", "_time,_raw", r#"{"a":"{"}"#, r#"I0504 x="{""a"":1}""#, r#"1,"{""a"":"b"#] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
