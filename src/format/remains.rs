//! What a broken event still tells: CloudWatch cuts messages at 256 KB, disks fill up, articles have typing errors.
//!
//! The members that say who did what come before the bodies, which are what makes an event long.

use super::members::{Members, member, string};

/// Longest name that is told, in bytes: enough for an auditID and for any user but a client's joke.
const LONGEST: usize = 200;

/// What is known of an event that could not be read. Empty where it is not known.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Remains {
    /// `auditID`
    pub audit_id: String,
    /// `user.username`
    pub user: String,
    /// `verb`
    pub verb: String,
}

/// What `text`, an object up to where it breaks, tells of the event that it was; `None` where that is nothing. Only
/// members of the object itself count: what stands in a body may be anybody's.
pub fn remains(text: &[u8]) -> Option<Remains> {
    let mut remains = Remains::default();
    let mut members = Members::of(text);
    while let Some(key) = members.next_key() {
        let (field, value) = match key {
            b"auditID" => (&mut remains.audit_id, members.raw()),
            b"verb" => (&mut remains.verb, members.raw()),
            // The break may be behind the name.
            b"user" => (&mut remains.user, member(members.rest(), b"username")),
            _ => continue,
        };
        let name = value.and_then(string).filter(|name| name.len() <= LONGEST);
        *field = String::from_utf8_lossy(&name.unwrap_or_default()).into_owned();
    }
    (remains != Remains::default()).then_some(remains)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_break_is_told() {
        let known = |audit_id: &str, user: &str, verb: &str| {
            Some(Remains { audit_id: audit_id.into(), user: user.into(), verb: verb.into() })
        };
        for (text, expected) in [
            (
                r#"{"auditID":"1","verb":"get","user":{"username":"bob","groups":["a"#,
                known("1", "bob", "get"),
            ),
            (r#"{"auditID":"1","stage":"Pan"#, known("1", "", "")),
            (
                r#"{"auditID":"1","requestObject":{"verb":"delete","user":{"username":"x"}},"#,
                known("1", "", ""),
            ),
            (
                r#"{ "user" : { "username" : "admin" }, "verb": "update", "x": { "a": 1, } }"#,
                known("", "admin", "update"),
            ),
            (r#"{"requestObject":{"auditID":"1"}"#, None),
            (r#""auditID":"1""#, None),
            ("", None),
        ] {
            assert_eq!(remains(text.as_bytes()), expected, "{text}");
        }
        let long = format!(r#"{{"auditID":"{}","verb":"get""#, "a".repeat(LONGEST + 1));
        assert_eq!(remains(long.as_bytes()), known("", "", "get"));
    }
}
