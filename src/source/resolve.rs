//! Arguments to logs: files with their rotated siblings, folders, globs and standard input.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::archive;
use super::filesystem::{FileSystem, RealFileSystem, Sibling};
use super::names::{compressed_ending_of, compressed_forms, rotated_name, without_compressed};
use crate::error::Error;
use crate::model::Micros;

/// Bytes of a file that are read to learn when it begins.
const HEAD_BYTES: u64 = 256 << 10;

/// One log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogSource {
    /// A path that is, or will be, written to, and what was rotated away from it, newest first.
    Files {
        /// The path.
        live: PathBuf,
        /// Rotated siblings, newest first.
        rotated: Vec<PathBuf>,
    },
    /// Standard input.
    Stdin,
}

/// How arguments are understood.
pub struct ResolveOptions<'a> {
    /// Whether a file brings its rotated siblings.
    pub rotated: bool,
    /// Whether a file that does not exist yet is waited for.
    pub may_be_missing: bool,
    /// The time of the event on a line.
    pub time_of_line: &'a dyn Fn(&[u8]) -> Option<Micros>,
}

/// The logs that `argument` names: several for a folder or a glob.
///
/// # Errors
/// When it does not exist, cannot be read, or holds no log.
pub fn resolve(argument: &Path, options: &ResolveOptions<'_>) -> Result<Vec<LogSource>, Error> {
    if argument == Path::new("-") {
        return Ok(vec![LogSource::Stdin]);
    }
    match fs::metadata(argument) {
        Ok(metadata) if metadata.is_dir() => folder(argument, options),
        Ok(_) => Ok(vec![file(argument, options)?]),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => match argument.to_str() {
            Some(pattern) if is_pattern(pattern) => matches_of(pattern, options),
            _ if options.may_be_missing => {
                Ok(vec![LogSource::Files { live: argument.to_owned(), rotated: vec![] }])
            }
            _ => Err(Error::Missing { path: argument.to_owned() }),
        },
        Err(cause) => Err(Error::unreadable(argument, cause)),
    }
}

/// Whether a path stands for all files that fit it.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// A log that is not read by itself, since another one brings it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Brought {
    /// The file that was named.
    pub path: PathBuf,
    /// The live file of the log that it belongs to, or that was named before by another name.
    pub by: PathBuf,
}

/// Takes out of `logs` the files that another one of them brings: a shell makes `audit.log*` a list of a live file and
/// its rotated siblings, each of which would be read twice. What was taken out, in its order.
pub fn take_out_brought(logs: &mut Vec<LogSource>) -> Vec<Brought> {
    let mut brought_by: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for log in logs.iter() {
        if let LogSource::Files { live, rotated } = log {
            let names = rotated.iter().flat_map(|path| with_twins(canonical(path)));
            brought_by.extend(names.map(|name| (name, live.clone())));
        }
    }
    let mut found = Vec::new();
    logs.retain(|log| {
        let LogSource::Files { live, .. } = log else { return true };
        match brought_by.insert(canonical(live), live.clone()) {
            None => true,
            Some(by) => {
                found.push(Brought { path: live.clone(), by });
                false
            }
        }
    });
    found
}

/// The one name of a file that may be written in many ways; the name itself where there is no file.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A file with its compressed forms, or with the file whose compressed form it is: only one of them is read.
fn with_twins(path: PathBuf) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = match compressed_ending_of(&path) {
        Some(_) => vec![path.with_extension("")],
        None => compressed_forms(&path).collect(),
    };
    names.push(path);
    names
}

/// One named file. A rotated file that is named itself stands alone.
fn file(path: &Path, options: &ResolveOptions<'_>) -> Result<LogSource, Error> {
    match RealFileSystem.open(path) {
        Ok(_) => {}
        // Renamed away since it was looked up: a rotation, after which another file of this name comes.
        Err(cause) if options.may_be_missing && cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => return Err(Error::unreadable(path, cause)),
    }
    let is_rotated = path.file_name().and_then(rotated_name).is_some();
    let siblings = if options.rotated && !is_rotated {
        RealFileSystem.siblings(path).unwrap_or_default()
    } else {
        Vec::new()
    };
    Ok(LogSource::Files { live: path.to_owned(), rotated: newest_first(siblings, options) })
}

/// Rotated siblings without compressed twins, by the times inside, else by their names.
fn newest_first(siblings: Vec<Sibling>, options: &ResolveOptions<'_>) -> Vec<PathBuf> {
    let has_plain_twin = |packed: &Sibling| {
        siblings.iter().any(|plain| !plain.name.is_compressed && plain.name.is_twin_of(&packed.name))
    };
    let mut kept: Vec<&Sibling> =
        siblings.iter().filter(|sibling| !sibling.name.is_compressed || !has_plain_twin(sibling)).collect();
    kept.sort_by(|a, b| b.name.age_order(&a.name));
    let mut dated: Vec<(Option<Micros>, &Sibling)> =
        kept.into_iter().map(|sibling| (first_time(&sibling.path, options.time_of_line), sibling)).collect();
    if dated.iter().all(|(time, _)| time.is_some()) {
        dated.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    }
    dated.into_iter().map(|(_, sibling)| sibling.path.clone()).collect()
}

/// The time of the first event of a file that has one, among its first lines.
fn first_time(path: &Path, time_of_line: &dyn Fn(&[u8]) -> Option<Micros>) -> Option<Micros> {
    let head = head_of(path)?;
    head.split(|byte| *byte == b'\n').find_map(time_of_line)
}

/// The beginning of a file's text.
pub(super) fn head_of(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    // What could be unpacked of a damaged file serves.
    let _ = archive::open(path, false).ok()?.take(HEAD_BYTES).read_to_end(&mut head);
    Some(head)
}

fn folder(path: &Path, options: &ResolveOptions<'_>) -> Result<Vec<LogSource>, Error> {
    let entries = fs::read_dir(path).map_err(|cause| Error::unreadable(path, cause))?;
    let files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|p| p.is_file() && looks_like_log(p)).collect();
    let found = gather(files, options);
    if found.is_empty() { Err(Error::NothingThere { path: path.to_owned() }) } else { Ok(found) }
}

fn matches_of(pattern: &str, options: &ResolveOptions<'_>) -> Result<Vec<LogSource>, Error> {
    let paths = glob::glob(pattern).map_err(|error| Error::Usage {
        message: format!("{pattern}: {error}"),
        tip: "quote a name that holds * ? or [ as it is: kauditui './name[1].log'".into(),
    })?;
    let files: Vec<PathBuf> = paths.flatten().filter(|p| p.is_file()).collect();
    let found = gather(files, options);
    if found.is_empty() { Err(Error::NothingThere { path: pattern.into() }) } else { Ok(found) }
}

/// Makes one log of each live file with what was rotated away from it, and of each group whose live file is not
/// among them.
fn gather(mut files: Vec<PathBuf>, options: &ResolveOptions<'_>) -> Vec<LogSource> {
    files.sort();
    let mut groups: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in files {
        let live = match path.file_name().and_then(rotated_name) {
            Some(name) => path.with_file_name(name.live),
            None => path.clone(),
        };
        groups.entry(live).or_default().push(path);
    }
    let mut found = Vec::new();
    for (live, members) in groups {
        if members.contains(&live) {
            found.extend(file(&live, options));
            continue;
        }
        // Only rotated files: the newest of them plays the live one, which will not grow.
        let siblings = RealFileSystem.siblings(&live).unwrap_or_default();
        let listed = siblings.into_iter().filter(|s| members.contains(&s.path)).collect();
        let mut ordered = newest_first(listed, options).into_iter();
        if let Some(newest) = ordered.next() {
            let rotated = if options.rotated { ordered.collect() } else { Vec::new() };
            found.push(LogSource::Files { live: newest, rotated });
        }
    }
    found
}

/// Names that logs have. A folder may also hold policies, certificates and state.
fn looks_like_log(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return false };
    let base = path.file_name().and_then(rotated_name).map_or(name.to_owned(), |rotated| rotated.live);
    let base = without_compressed(&base);
    !base.starts_with('.')
        && [".log", ".json", ".jsonl", ".ndjson", ".audit"].iter().any(|ending| base.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(rotated: bool) -> ResolveOptions<'static> {
        ResolveOptions {
            rotated,
            may_be_missing: false,
            time_of_line: &|line| std::str::from_utf8(line).ok()?.strip_prefix("t=")?.parse().ok(),
        }
    }

    fn names(sources: &[LogSource]) -> Vec<Vec<String>> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        sources
            .iter()
            .map(|source| match source {
                LogSource::Files { live, rotated } => {
                    std::iter::once(live).chain(rotated).map(name).collect()
                }
                LogSource::Stdin => vec!["-".into()],
            })
            .collect()
    }

    #[test]
    fn siblings_are_ordered_by_the_times_inside() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("audit.log", "t=50\n"),
            ("audit.log.1", "t=10\n"),
            ("audit-2022-03-03T14-28-05.286.log", "noise\nt=40\n"),
            ("audit-2022-03-03T14-28-05.286.log.1", "t=30\n"),
            ("other.log", "t=1\n"),
            ("policy.yaml", "t=1\n"),
        ] {
            fs::write(at(name), text).unwrap();
        }
        let found = resolve(&at("audit.log"), &options(true)).unwrap();
        assert_eq!(
            names(&found),
            [[
                "audit.log",
                "audit-2022-03-03T14-28-05.286.log",
                "audit-2022-03-03T14-28-05.286.log.1",
                "audit.log.1"
            ]]
        );
        assert_eq!(names(&resolve(&at("audit.log"), &options(false)).unwrap()), [["audit.log"]]);
        assert_eq!(names(&resolve(&at("audit.log.1"), &options(true)).unwrap()), [["audit.log.1"]]);
        let all = names(&resolve(folder.path(), &options(true)).unwrap());
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [4, 1], "{all:?}");
        let globbed = names(&resolve(&at("o*.log"), &options(true)).unwrap());
        assert_eq!(globbed, [["other.log"]]);
    }

    #[test]
    fn a_compressed_twin_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "audit.log",
            "audit.log.1",
            "audit.log.1.gz",
            "audit.log.1.xz",
            "audit.log.2.gz",
            "audit.log.3.zst",
        ] {
            fs::write(folder.path().join(name), "x\n").unwrap();
        }
        let found = resolve(&folder.path().join("audit.log"), &options(true)).unwrap();
        assert_eq!(names(&found), [["audit.log", "audit.log.1", "audit.log.2.gz", "audit.log.3.zst"]]);
    }

    #[test]
    fn a_list_made_by_a_shell_is_one_log() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let list = ["audit-2022-03-03T14-28-05.286.log", "audit.log", "audit.log.1", "audit.log.1.zst"];
        for name in list.iter().chain(&["audit-2022-03-02T14-28-05.286.log.gz", "other.log"]) {
            fs::write(at(name), "x\n").unwrap();
        }
        let resolved = |names: &[&str], rotated| -> Vec<LogSource> {
            names.iter().flat_map(|name| resolve(&at(name), &options(rotated)).unwrap()).collect()
        };
        let mut logs = resolved(&list, true);
        let brought = take_out_brought(&mut logs);
        assert_eq!(
            names(&logs),
            [[
                "audit.log",
                "audit.log.1",
                "audit-2022-03-03T14-28-05.286.log",
                "audit-2022-03-02T14-28-05.286.log.gz"
            ]]
        );
        assert_eq!(
            brought.iter().map(|b| &b.path).collect::<Vec<_>>(),
            [&at(list[0]), &at(list[2]), &at(list[3])]
        );
        assert!(brought.iter().all(|b| b.by == at("audit.log")), "{brought:?}");

        let mut logs = resolved(&list[..3], false);
        assert_eq!((take_out_brought(&mut logs).len(), logs.len()), (0, 3), "nothing brings anything");
        let mut logs = resolved(&["audit.log.1", "other.log", "./other.log"], true);
        logs.push(LogSource::Stdin);
        let twice = [Brought { path: at("./other.log"), by: at("other.log") }];
        assert_eq!(take_out_brought(&mut logs), twice, "one name is written in two ways");
        assert_eq!(names(&logs), [["audit.log.1"], ["other.log"], ["-"]]);
    }

    #[test]
    fn what_is_not_there_is_an_error_unless_it_is_waited_for() {
        let missing = Path::new("/nonexistent/audit.log");
        assert!(matches!(resolve(missing, &options(true)), Err(Error::Missing { .. })));
        let waiting = ResolveOptions { may_be_missing: true, ..options(true) };
        assert_eq!(names(&resolve(missing, &waiting).unwrap()), [["audit.log"]]);
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(resolve(empty.path(), &options(true)), Err(Error::NothingThere { .. })));
    }
}
