//! Lines of zap's console encoder, as controller-runtime writes them in development mode:
//! `time⇥LEVEL⇥logger⇥caller⇥message⇥{json}`, logger and caller only where there are any.

use super::{Fields, Written};
use crate::model::parse_rfc3339;

/// Columns before the JSON: time, level, logger, caller and message.
const MOST_COLUMNS: usize = 5;

/// Levels as zap's capital encoder writes them.
const LEVELS: [&str; 7] = ["DEBUG", "INFO", "WARN", "ERROR", "DPANIC", "PANIC", "FATAL"];

/// Where such a line begins in a line of text.
pub(super) fn find(line: &[u8]) -> Option<usize> {
    let (before, behind) = line.split_at(memchr::memchr(b'\t', line)?);
    let start = before.iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1);
    parse_rfc3339(&before[start..])?;
    let mut columns = behind[1..].split(|byte| *byte == b'\t');
    let level = columns.next()?;
    let is_known = LEVELS.iter().any(|known| known.as_bytes() == level) && columns.next().is_some();
    is_known.then_some(start)
}

/// The fields of such a line under the names that the JSON encoder gives them (`ts`, `level`, `logger`, `msg`).
pub(in crate::format) fn read(line: &str) -> Option<Fields<'_>> {
    let (time, rest) = line.split_once('\t')?;
    parse_rfc3339(time.as_bytes())?;
    let (level, rest) = rest.split_once('\t')?;
    if !LEVELS.contains(&level) {
        return None;
    }
    let (head, json) = match rest.find("\t{") {
        Some(tab) => (&rest[..tab], Some(&rest[tab + 1..])),
        None => (rest, None),
    };
    let columns: Vec<&str> = head.splitn(MOST_COLUMNS - 2, '\t').collect();
    let mut fields = Fields::default();
    fields.push_text("ts", time);
    fields.push_text("level", level.to_ascii_lowercase());
    if let [logger, .., _] = columns.as_slice() {
        fields.push_text("logger", *logger);
    }
    fields.push_text("msg", columns.last().copied().unwrap_or_default());
    if let Some(json) = json {
        match Fields::of_json(json.trim_end()) {
            Some(more) => fields.members.extend(more.members),
            None => fields.members.push(("rest".into(), Written::Text(json.into()))),
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_json() {
        let fields = read("2026-04-15T11:09:07Z\tDEBUG\tevents\ta0514\t{\"type\": \"Normal\"}").unwrap();
        let text = |key| fields.text(key).into_owned();
        assert_eq!(
            ["ts", "level", "logger", "msg", "type"].map(text),
            ["2026-04-15T11:09:07Z", "debug", "events", "a0514", "Normal"]
        );
        let bare = read("2026-04-15T11:09:07Z\tINFO\tstarting").unwrap();
        assert_eq!((bare.text("msg"), bare.has("logger")), ("starting".into(), false));
        let broken = read("2026-04-15T11:09:07Z\tINFO\tlog\tfile.go:1\tmsg\t{\"cut").unwrap();
        assert_eq!((broken.text("msg"), broken.text("rest")), ("msg".into(), "{\"cut".into()));
        for other in ["", "a\tb\tc", "2026-04-15T11:09:07Z\tNOTE\tc", "2026-04-15T11:09:07Z INFO x"] {
            assert_eq!((read(other), find(other.as_bytes())), (None, None), "{other}");
        }
    }

    #[test]
    fn it_begins_behind_a_prefix() {
        assert_eq!(find(b"2026-04-15T11:09:07Z\tINFO\tx"), Some(0));
        assert_eq!(find(b"[pod/a/b] 2026-04-15T11:09:07Z\tINFO\tlog\tx"), Some(10));
        assert_eq!(find(b"x2026-04-15T11:09:07Z\tINFO\tx"), None);
    }
}
