//! The configuration file: settings between the defaults and the environment, and filters with a name. It is looked
//! for and understood here, and only ever read; [`super::Settings`] merges what it says, and `named_filter` finds
//! one of its filters for `-f @NAME`. A mistake in it ends the program with file, line and column: a setting that is
//! quietly ignored is found out too late.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::named_filter::is_name;
use super::{Surroundings, check_threads, parse_memory, read_filter};
use crate::error::{Error, Result};
use crate::model::TimeZoneChoice;
use crate::query::nearest;

/// Where the file lies below the folder of the user's configuration.
const BELOW_HOME: &str = "kauditui/config.toml";
/// Where the file of all users lies.
const OF_ALL_USERS: &str = "/etc/kauditui/config.toml";
/// The keys above the first table.
const SETTINGS: &[&str] =
    &["memory", "threads", "time", "ascii", "rotated", "rules", "builtin_rules", "state", "bell"];
/// The table of named filters.
const FILTERS: &str = "filters";

/// What the file says; nothing where it is silent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ConfigFile {
    /// Memory to use at most, in bytes.
    pub memory: Option<u64>,
    /// Threads that read history.
    pub threads: Option<usize>,
    /// Zone in which times are shown and read.
    pub zone: Option<TimeZoneChoice>,
    /// Whether to draw with ASCII characters only.
    pub ascii: Option<bool>,
    /// Whether a file brings its rotated siblings.
    pub rotated: Option<bool>,
    /// The file that keeps which alerts were dealt with.
    pub state: Option<PathBuf>,
    /// Whether the terminal's bell rings for new alerts.
    pub bell: Option<bool>,
    /// Folders and files of rules; a relative path counts from the folder of the file.
    pub rules: Vec<PathBuf>,
    /// Whether the rules count that are part of the program.
    pub builtin_rules: Option<bool>,
    /// Names and expressions in the order of the file; each expression is one.
    pub filters: Vec<(String, String)>,
    /// What was passed over, and why.
    pub warnings: Vec<String>,
}

impl ConfigFile {
    /// Reads the file that `--config` named, or else the first that lies in a usual place. None there says nothing; one
    /// that cannot be read is passed over, since nobody asked for it (`HOME` may be another user's).
    ///
    /// # Errors
    /// [`Error::Config`] for a file that was named and is not there or cannot be read, and for one that is wrong.
    pub fn load(named: Option<&Path>, around: &Surroundings<'_>) -> Result<ConfigFile> {
        if let Some(path) = named {
            let content = (around.read_file)(path).map_err(|cause| unreadable(path, &cause))?;
            return ConfigFile::parse(path, &content);
        }
        let mut warnings = Vec::new();
        for path in usual_places(around.variable) {
            match (around.read_file)(&path) {
                Ok(content) => return Ok(ConfigFile { warnings, ..ConfigFile::parse(&path, &content)? }),
                Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(cause) => {
                    warnings.push(format!("the configuration {} is not used: {cause}", path.display()));
                }
            }
        }
        Ok(ConfigFile { warnings, ..ConfigFile::default() })
    }

    /// Understands the content of the file at `path`.
    fn parse(path: &Path, content: &[u8]) -> Result<ConfigFile> {
        let text = match std::str::from_utf8(content) {
            Ok(text) => text,
            Err(error) => {
                let (before, _) = content.split_at(error.valid_up_to());
                let document = Document { path, text: std::str::from_utf8(before).unwrap_or_default() };
                return Err(document.wrong(before.len(), "this is not UTF-8", "save the file as UTF-8 text"));
            }
        };
        let document = Document { path, text };
        let table = DeTable::parse(text).map_err(|error| document.syntax(&error))?;
        let mut config = ConfigFile::default();
        for (key, value) in in_order(table.get_ref()) {
            match key.get_ref().as_ref() {
                "memory" => config.memory = Some(document.memory(value)?),
                "threads" => config.threads = Some(document.threads(value)?),
                "time" => config.zone = Some(document.zone(value)?),
                "ascii" => config.ascii = Some(document.switch("ascii", value)?),
                "rotated" => config.rotated = Some(document.switch("rotated", value)?),
                "state" => config.state = Some(document.file("state", value)?),
                "bell" => config.bell = Some(document.switch("bell", value)?),
                "rules" => config.rules = document.rules(value)?,
                "builtin_rules" => config.builtin_rules = Some(document.switch("builtin_rules", value)?),
                FILTERS => config.filters = document.filters(value)?,
                _ => return Err(document.unknown(key)),
            }
        }
        Ok(config)
    }
}

/// The user's own file, then that of all users. The user's lies where the XDG base directory specification says, by
/// which a relative `$XDG_CONFIG_HOME` counts as none.
fn usual_places(variable: &dyn Fn(&str) -> Option<String>) -> impl Iterator<Item = PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_user = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    of_user.map(|folder| folder.join(BELOW_HOME)).into_iter().chain([PathBuf::from(OF_ALL_USERS)])
}

fn unreadable(path: &Path, cause: &std::io::Error) -> Error {
    let tip = match cause.kind() {
        ErrorKind::NotFound => format!(
            "check the path, or leave --config out: ~/.config/{BELOW_HOME} and {OF_ALL_USERS} are read when they are there"
        ),
        _ => "make it a readable text file, or go without one: --config /dev/null".to_owned(),
    };
    Error::Config { place: path.display().to_string(), message: format!("cannot be read: {cause}"), tip }
}

/// Entries in the order in which they are written, so that the first mistake is the one that is told.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The text of a file, for errors that point into it.
struct Document<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Document<'_> {
    /// An error at this byte of the text.
    fn wrong(&self, at: usize, message: impl Into<String>, tip: impl Into<String>) -> Error {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        let place = format!("{}:{line}:{column}", self.path.display());
        Error::Config { place, message: message.into(), tip: tip.into() }
    }

    fn syntax(&self, error: &toml::de::Error) -> Error {
        let at = error.span().map_or(self.text.len(), |span| span.start);
        self.wrong(
            at,
            error.message().replace('\n', "; "),
            r#"lines look like threads = 2, time = "utc", and below [filters] like deletions = "verb:delete""#,
        )
    }

    /// A value that means nothing, as the command line's option of the same meaning would refuse it.
    fn refused(&self, value: &Spanned<DeValue<'_>>, error: &Error) -> Error {
        self.wrong(value.span().start, error.to_string(), error.tip())
    }

    fn wrong_type(&self, value: &Spanned<DeValue<'_>>, what: &str, wanted: &str, example: &str) -> Error {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(value.span().start, format!("{what} is {wanted}, not {found}"), format!("write {example}"))
    }

    fn unknown(&self, key: &Spanned<DeString<'_>>) -> Error {
        let name = key.get_ref().as_ref();
        let known = format!("known here are {} and the table [{FILTERS}]", SETTINGS.join(", "));
        let tip = match nearest(name, SETTINGS.iter().copied().chain([FILTERS])) {
            Some(near) => format!("did you mean {near}? {known}"),
            None => known,
        };
        self.wrong(key.span().start, format!("unknown key '{name}'"), tip)
    }

    fn memory(&self, value: &Spanned<DeValue<'_>>) -> Result<u64> {
        let Some(text) = value.get_ref().as_str() else {
            return Err(self.wrong_type(value, "memory", "a size in quotes", r#"memory = "512MiB""#));
        };
        parse_memory("memory =", text).map_err(|error| self.refused(value, &error))
    }

    fn threads(&self, value: &Spanned<DeValue<'_>>) -> Result<usize> {
        let Some(integer) = value.get_ref().as_integer() else {
            return Err(self.wrong_type(value, "threads", "an integer", "threads = 2"));
        };
        // A number that is no usize is out of range either way; the text says which one was written.
        let threads = usize::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(0);
        check_threads("threads =", threads, &integer.to_string()).map_err(|error| self.refused(value, &error))
    }

    fn zone(&self, value: &Spanned<DeValue<'_>>) -> Result<TimeZoneChoice> {
        match value.get_ref().as_str() {
            Some("utc") => Ok(TimeZoneChoice::Utc),
            Some("local") => Ok(TimeZoneChoice::Local),
            Some(other) => {
                let tip = match nearest(other, ["utc", "local"].into_iter()) {
                    Some(near) => format!("did you mean time = \"{near}\"?"),
                    None => {
                        "times are shown in UTC or in the zone of this machine, which TZ chooses".to_owned()
                    }
                };
                let message = format!(r#"time is "utc" or "local", not '{other}'"#);
                Err(self.wrong(value.span().start, message, tip))
            }
            None => Err(self.wrong_type(value, "time", r#""utc" or "local""#, r#"time = "utc""#)),
        }
    }

    fn switch(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<bool> {
        let switch = value.get_ref().as_bool();
        switch.ok_or_else(|| {
            self.wrong_type(value, name, "true or false, without quotes", &format!("{name} = true"))
        })
    }

    /// A path, which counts from the folder of this file where it is relative.
    fn file(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<PathBuf> {
        let example = format!(r#"{name} = "/var/lib/kauditui/{name}.json""#);
        match value.get_ref().as_str() {
            Some(path) if !path.is_empty() => {
                Ok(self.path.parent().map_or_else(|| PathBuf::from(path), |folder| folder.join(path)))
            }
            _ => Err(self.wrong_type(value, name, "a path in quotes", &example)),
        }
    }

    fn rules(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<PathBuf>> {
        const EXAMPLE: &str = r#"rules = ["rules", "/etc/kauditui/rules"]"#;
        let Some(folders) = value.get_ref().as_array() else {
            return Err(self.wrong_type(value, "rules", "a list of folders", EXAMPLE));
        };
        let folder = |value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
            Some("") => {
                Err(self.wrong(value.span().start, "a folder without a name", format!("write {EXAMPLE}")))
            }
            Some(path) => Ok(self.path.parent().unwrap_or(Path::new("")).join(path)),
            None => Err(self.wrong_type(value, "each of rules", "a path in quotes", EXAMPLE)),
        };
        folders.iter().map(folder).collect()
    }

    fn filters(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<(String, String)>> {
        let Some(table) = value.get_ref().as_table() else {
            let example = r#"[filters] on a line of its own, and below it: deletions = "verb:delete""#;
            return Err(self.wrong_type(value, FILTERS, "a table", example));
        };
        in_order(table).into_iter().map(|(key, value)| self.filter(key, value)).collect()
    }

    fn filter(&self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Result<(String, String)> {
        let name = key.get_ref().as_ref();
        // In TOML, all that follows the head of a table belongs to it.
        if SETTINGS.contains(&name) {
            let message = format!("{name} stands below [{FILTERS}], where it would be the name of a filter");
            let tip = format!("move it above [{FILTERS}]; a filter needs another name");
            return Err(self.wrong(key.span().start, message, tip));
        }
        if !is_name(name) {
            let message = format!("'{name}' is no name for a filter");
            let tip = "letters, digits, - and _ make a name, as in exec-into-pods";
            return Err(self.wrong(key.span().start, message, tip));
        }
        let Some(expression) = value.get_ref().as_str() else {
            let example = format!(r#"{name} = "verb:delete""#);
            return Err(self.wrong_type(value, &format!("@{name}"), "an expression in quotes", &example));
        };
        if expression.trim().is_empty() {
            let tip = format!(r#"write what it finds, as in {name} = "verb:delete""#);
            return Err(self.wrong(value.span().start, format!("@{name} is empty"), tip));
        }
        match read_filter(Some(expression)) {
            Ok(_) => Ok((name.to_owned(), expression.to_owned())),
            Err(error) => {
                let message = format!("@{name} cannot be understood\n{error}");
                Err(self.wrong(value.span().start, message, error.tip()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
