//! Paths as they are typed behind `:open`: the home folder, and what a path may become.

use std::env;
use std::path::{Path, PathBuf};

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

/// The paths that begin as `typed` does, sorted, folders with a slash behind. Hidden ones only where they are asked for.
pub(super) fn beginning_with(typed: &str) -> Vec<String> {
    let (folder, name) = typed.rfind('/').map_or(("", typed), |slash| typed.split_at(slash + 1));
    let place = if folder.is_empty() { PathBuf::from(".") } else { of_home(Path::new(folder)) };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .take(MOST_ENTRIES)
        .filter_map(|entry| {
            // A path that is not UTF-8 cannot be typed.
            let known = entry.file_name().into_string().ok()?;
            let is_meant = known.starts_with(name) && (name.starts_with('.') || !known.starts_with('.'));
            let slash = if entry.path().is_dir() { "/" } else { "" };
            is_meant.then(|| format!("{folder}{known}{slash}"))
        })
        .collect();
    found.sort();
    found.truncate(MOST_FOUND);
    found
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
        assert_eq!(beginning_with(&at("audit")), [at("audit-1.log.gz"), at("audit.log"), at("audits/")]);
        assert_eq!(beginning_with(&at(".a")), [at(".audit")]);
        assert_eq!(beginning_with(&at("")).len(), 4);
        assert!(beginning_with(&at("none")).is_empty() && beginning_with("/nonexistent/x").is_empty());
        assert_eq!(of_home(Path::new("/x/~/y")), Path::new("/x/~/y"));
    }
}
