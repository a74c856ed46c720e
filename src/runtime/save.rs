//! Writes what was asked to be saved to a new file, on a thread of its own: evidence may have to be looked up in large
//! logs. Nothing that exists is ever overwritten.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;

use tokio::sync::mpsc;

use crate::app::SaveContent;
use crate::ingest;
use crate::text::human_bytes;
use crate::trace::report::Found;

/// What came of it: a sentence for the user, `Err` when nothing was saved.
pub(super) type Saved = Result<String, String>;

/// Begins to save; the outcome comes through `tell`.
pub(super) fn begin(path: String, content: SaveContent, tell: mpsc::Sender<Saved>) {
    let body = {
        let tell = tell.clone();
        move || {
            // Nobody listening means that the program has ended.
            let _ = tell.blocking_send(save(&path, content));
        }
    };
    if thread::Builder::new().name("save".into()).spawn(body).is_err() {
        let _ = tell.try_send(Err("cannot save: no thread can be started".to_owned()));
    }
}

fn save(path: &str, content: SaveContent) -> Saved {
    // Whoever may read the log is not everybody who may read this folder.
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{path} exists already and is left as it is; choose another name")
        }
        _ => format!("cannot save to {path}: {error}"),
    })?;
    let text = match content {
        SaveContent::Text(text) => text,
        SaveContent::Report(draft) => {
            let find = |path: &str, texts: &[Vec<u8>]| {
                let located = ingest::evidence(path, texts).into_iter();
                located.map(|l| Found { offset: l.offset, sha256: l.sha256, remark: l.remark }).collect()
            };
            draft.complete(find).markdown()
        }
    };
    file.write_all(text.as_bytes()).map_err(|error| format!("cannot save to {path}: {error}"))?;
    Ok(format!("saved {} to {path}", human_bytes(text.len() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.md");
        let path = path.to_str().expect("plain");
        let first = save(path, SaveContent::Text("one\n".to_owned()));
        assert!(first.is_ok_and(|told| told.contains("report.md")));
        let second = save(path, SaveContent::Text("two\n".to_owned()));
        assert!(second.is_err_and(|told| told.contains("exists already")));
        assert_eq!(std::fs::read_to_string(path).expect("it is there"), "one\n");
        let nowhere = folder.path().join("no/such/folder.md");
        assert!(save(nowhere.to_str().expect("plain"), SaveContent::Text(String::new())).is_err());
    }
}
