//! The files that rules are read from: the program's own pack and the user's folders.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::problem::LoadProblem;

/// The program's own rules: path below `assets/rules`, and text. The build script makes the list.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// A larger file is no rule. SigmaHQ's largest has some 30 KB.
const MOST_BYTES: u64 = 1 << 20;

/// More files than this are no folder of rules. SigmaHQ has some 4,000.
const MOST_FILES: usize = 20_000;

/// More text than this in all files together is no folder of rules. SigmaHQ's has some 12 MB.
const MOST_BYTES_TOGETHER: usize = 64 << 20;

/// Folders are followed this deep.
const MOST_LEVELS: usize = 8;

/// More folders than this are no folder of rules but a disk. SigmaHQ has some 300.
const MOST_FOLDERS: usize = 2_000;

/// A file with rules.
#[derive(Debug)]
pub(super) struct RuleFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) builtin: bool,
}

/// The program's own pack.
pub(super) fn builtin() -> Vec<RuleFile> {
    let file = |(path, text): &(&str, &str)| RuleFile {
        path: PathBuf::from(path),
        text: (*text).to_owned(),
        builtin: true,
    };
    BUILTIN.iter().map(file).collect()
}

/// The YAML files in a folder and the folders in it, by name; or the one file that `path` is. Hidden entries are left
/// out: a mounted ConfigMap has its files a second time below `..data`.
pub(super) fn in_folder(path: &Path, problems: &mut Vec<LoadProblem>) -> Vec<RuleFile> {
    let mut walk = Walk { paths: Vec::new(), seen: HashSet::new(), problems };
    if path.is_dir() {
        walk.folder(path, 0);
    } else {
        walk.paths.push(path.to_owned());
    }
    let mut files: Vec<RuleFile> = Vec::new();
    let mut bytes = 0;
    for path in walk.paths {
        match read(&path) {
            Ok(text) if bytes + text.len() > MOST_BYTES_TOGETHER => {
                problems.push(LoadProblem::error(
                    &path,
                    0,
                    "too much text in one folder: not read from here on",
                ));
                break;
            }
            Ok(text) => {
                bytes += text.len();
                files.push(RuleFile { path, text, builtin: false });
            }
            Err(error) => problems.push(LoadProblem::error(&path, 0, error.to_string())),
        }
    }
    files
}

/// A walk through folders.
struct Walk<'p> {
    paths: Vec<PathBuf>,
    /// The folders as they are really called: links may lead to one several times, or in a circle.
    seen: HashSet<PathBuf>,
    problems: &'p mut Vec<LoadProblem>,
}

impl Walk<'_> {
    /// Collects the files of a folder. Returns whether there may be more.
    fn folder(&mut self, folder: &Path, level: usize) -> bool {
        let listed = fs::canonicalize(folder).and_then(|real| match self.seen.insert(real) {
            true => fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>(),
            false => Ok(Vec::new()),
        });
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                self.problem(folder, error.to_string());
                return true;
            }
        };
        let mut found: Vec<PathBuf> = entries
            .iter()
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .map(fs::DirEntry::path)
            .collect();
        found.sort();
        found.into_iter().all(|path| self.take(path, folder, level))
    }

    fn take(&mut self, path: PathBuf, folder: &Path, level: usize) -> bool {
        let is_rules = path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml");
        if path.is_dir() {
            if level >= MOST_LEVELS {
                self.problem(&path, "folders are nested too deeply");
                return true;
            }
            if self.seen.len() >= MOST_FOLDERS {
                self.problem(&path, "too many folders: not read from here on");
                return false;
            }
            return self.folder(&path, level + 1);
        }
        if is_rules && self.paths.len() >= MOST_FILES {
            self.problem(folder, "too many files: not read from here on");
            return false;
        }
        if is_rules {
            self.paths.push(path);
        }
        true
    }

    fn problem(&mut self, path: &Path, reason: impl Into<String>) {
        self.problems.push(LoadProblem::error(path, 0, reason));
    }
}

fn read(path: &Path) -> io::Result<String> {
    // A FIFO that nobody writes to must not hang the program.
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(without_waiting).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is no UTF-8"))?;
    // Editors of another system begin a file with a byte order mark.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The documents of a file, each with the number of its first line, from 1. Documents without any content are left
/// out.
pub(super) fn documents(text: &str) -> Vec<(u32, String)> {
    let mut documents: Vec<(u32, String)> = vec![(1, String::new())];
    for (line, number) in text.lines().zip(1u32..) {
        // At the beginning of a line, this can only be the end of a document, even within a block of text.
        let after = line.strip_prefix("---");
        if after.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            documents.push((number + 1, String::new()));
            continue;
        }
        if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let has_content = |line: &str| {
        let line = line.trim();
        // `%YAML 1.2` may stand before a document.
        !line.is_empty() && !line.starts_with(['#', '%']) && line != "..."
    };
    documents.retain(|(_, document)| document.lines().any(has_content));
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_list_has_every_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/rules");
        let mut problems = Vec::new();
        let on_disk = if root.is_dir() { in_folder(&root, &mut problems) } else { Vec::new() };
        let built: Vec<RuleFile> = builtin();
        assert_eq!(built.len(), on_disk.len());
        for (built, on_disk) in built.iter().zip(&on_disk) {
            assert_eq!(root.join(&built.path), on_disk.path);
            assert_eq!(built.text, on_disk.text);
        }
        assert!(problems.is_empty());
    }

    #[test]
    fn a_file_falls_into_its_documents() {
        let text = "# only a comment\n---\ntitle: a\ntext: |\n  ---\n--- # the next\ntitle: b\n---\n\n";
        assert_eq!(
            documents(text),
            [(3, "title: a\ntext: |\n  ---\n".to_owned()), (7, "title: b\n".to_owned())]
        );
        assert_eq!(documents("----\n"), [(1, "----\n".to_owned())]);
        assert!(documents("").is_empty());
        assert_eq!(documents("%YAML 1.2\n---\ntitle: a\n"), [(3, "title: a\n".to_owned())]);
    }

    #[test]
    fn what_is_no_file_hangs_nothing() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        mknodat(CWD, path("fifo.yml"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
        symlink("/dev/zero", path("zero.yml")).expect("a link");
        symlink("gone.yml", path("dangling.yml")).expect("a link");
        fs::write(path("good.yml"), "\u{feff}title: good\n").expect("a file");
        // Each link leads back: followed as often as it can be, they would be more than a million folders.
        for name in ["a", "b", "c", "d", "e", "f"] {
            symlink(".", path(name)).expect("a link");
        }
        let mut problems = Vec::new();
        let files = in_folder(folder.path(), &mut problems);
        let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["title: good\n"]);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    #[test]
    fn folders_and_texts_are_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..=MOST_FOLDERS {
            fs::create_dir(folder.path().join(number.to_string())).expect("a folder");
        }
        let mut problems = Vec::new();
        assert!(in_folder(folder.path(), &mut problems).is_empty());
        assert_eq!(problems.len(), 1, "{problems:?}");
        let folder = tempfile::tempdir().expect("a folder");
        let text = vec![b' '; MOST_BYTES as usize];
        let most = MOST_BYTES_TOGETHER / MOST_BYTES as usize;
        for number in 0..=most {
            fs::write(folder.path().join(format!("{number}.yml")), &text).expect("a file");
        }
        problems.clear();
        assert_eq!(in_folder(folder.path(), &mut problems).len(), most);
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn what_cannot_be_read_is_told_and_stops_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("good.yml"), "title: good\n").expect("a file");
        fs::write(path("binary.yml"), [0xff, 0xfe]).expect("a file");
        fs::write(path("huge.yaml"), vec![b' '; MOST_BYTES as usize + 1]).expect("a file");
        fs::write(path("notes.txt"), "no rule").expect("a file");
        fs::create_dir(path("..data")).expect("a folder");
        fs::write(path("..data").join("again.yml"), "title: again\n").expect("a file");
        fs::create_dir(path("folder.yml")).expect("a folder");
        let mut problems = Vec::new();
        let files = in_folder(folder.path(), &mut problems);
        assert_eq!(files.iter().map(|file| file.text.as_str()).collect::<Vec<_>>(), ["title: good\n"]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        problems.clear();
        assert!(in_folder(&path("missing"), &mut problems).is_empty());
        assert_eq!(problems.len(), 1);
        assert_eq!(in_folder(&path("good.yml"), &mut problems).len(), 1, "one file will do");
    }
}
