//! Paths as they are typed behind `:open`: the home folder, and what a path may become.

use std::env;
use std::path::{Path, PathBuf};

use crate::text::common_beginning;

/// Entries of a folder that are looked at; more are no folder of logs.
const MOST_ENTRIES: usize = 10_000;

/// Paths that are told.
const MOST_FOUND: usize = 50;

/// `~` as a shell takes it.
pub(super) fn of_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::var_os("HOME")) {
        (Ok(rest), Some(home)) if !home.is_empty() => PathBuf::from(home).join(rest),
        _ => path.to_owned(),
    }
}

/// What a path that was typed may become.
pub(super) struct Completion {
    /// What all of them begin with; what was typed where there are none, or too many to look at.
    pub(super) common: String,
    /// The first of them in order, folders with a slash behind.
    pub(super) found: Vec<String>,
}

/// The paths that begin as `typed` does. Hidden ones only where they are asked for.
pub(super) fn beginning_with(typed: &str) -> Completion {
    let (folder, name) = typed.rfind('/').map_or(("", typed), |slash| typed.split_at(slash + 1));
    let place = if folder.is_empty() { PathBuf::from(".") } else { of_home(Path::new(folder)) };
    let mut found = Vec::new();
    let mut is_all = true;
    for (at, entry) in std::fs::read_dir(place).into_iter().flatten().flatten().enumerate() {
        if at >= MOST_ENTRIES {
            is_all = false;
            break;
        }
        // A path that is not UTF-8 cannot be typed.
        let Ok(known) = entry.file_name().into_string() else { continue };
        if known.starts_with(name) && (name.starts_with('.') || !known.starts_with('.')) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            found.push(format!("{folder}{known}{}", if is_folder { "/" } else { "" }));
        }
    }
    found.sort();
    let common = common_beginning(&found).filter(|_| is_all).unwrap_or(typed).to_owned();
    found.truncate(MOST_FOUND);
    Completion { common, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_on_as_far_as_there_are_any() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["audit.log", "audit-1.log.gz", ".audit", "other"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        std::fs::create_dir(folder.path().join("audits")).expect("a folder");
        let at = |name: &str| format!("{}/{name}", folder.path().display());
        let of = |name: &str| beginning_with(&at(name));
        assert_eq!(of("a").found, [at("audit-1.log.gz"), at("audit.log"), at("audits/")]);
        assert_eq!((of("a").common, of("audit-").common), (at("audit"), at("audit-1.log.gz")));
        assert_eq!(of(".a").found, [at(".audit")]);
        assert_eq!(of("").found.len(), 4);
        assert!(of("none").found.is_empty() && beginning_with("/nonexistent/x").found.is_empty());
        // What is not listed counts for what they have in common.
        for number in 100..160 {
            std::fs::write(folder.path().join(format!("many-{number}.log")), "").expect("a file");
        }
        std::fs::write(folder.path().join("many-2.log"), "").expect("a file");
        assert_eq!((of("many").common, of("many").found.len()), (at("many-"), MOST_FOUND));
        assert_eq!(of_home(Path::new("/x/~/y")), Path::new("/x/~/y"));
    }
}
