//! The files that rules are read from: the program's own pack and the user's folders.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::problem::LoadProblem;

/// The program's own rules: path below `assets/rules`, and text. The build script makes the list.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// A larger file is no rule. SigmaHQ's largest has some 30 KB.
const MOST_BYTES: u64 = 1 << 20;

/// More files than this are no folder of rules. SigmaHQ has some 4,000.
const MOST_FILES: usize = 20_000;

/// Folders are followed this deep, which also ends circles of links.
const MOST_LEVELS: usize = 8;

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
    let mut paths = Vec::new();
    if path.is_dir() {
        collect(path, 0, &mut paths, problems);
    } else {
        paths.push(path.to_owned());
    }
    paths
        .into_iter()
        .filter_map(|path| match read(&path) {
            Ok(text) => Some(RuleFile { path, text, builtin: false }),
            Err(error) => {
                problems.push(LoadProblem::error(&path, 0, error.to_string()));
                None
            }
        })
        .collect()
}

fn collect(folder: &Path, level: usize, paths: &mut Vec<PathBuf>, problems: &mut Vec<LoadProblem>) {
    let entries = match fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()) {
        Ok(entries) => entries,
        Err(error) => return problems.push(LoadProblem::error(folder, 0, error.to_string())),
    };
    let mut found: Vec<PathBuf> = entries
        .iter()
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(fs::DirEntry::path)
        .collect();
    found.sort();
    for path in found {
        if path.is_dir() {
            if level < MOST_LEVELS {
                collect(&path, level + 1, paths, problems);
            } else {
                problems.push(LoadProblem::error(&path, 0, "folders are nested too deeply"));
            }
        } else if path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml") {
            if paths.len() >= MOST_FILES {
                return problems.push(LoadProblem::error(folder, 0, "too many files"));
            }
            paths.push(path);
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is no UTF-8"))
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
        !line.is_empty() && !line.starts_with('#') && line != "..."
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
