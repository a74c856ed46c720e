//! The rules in use: loaded while the first lines are read, again whenever a file in one of their folders changes, and
//! run again over what is held. [`crate::app`] says what must be looked at; workers of [`crate::ingest`] take the rules
//! from the channel that is kept here.

use std::collections::{BTreeMap, HashSet};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};

use super::save::Saved;
use crate::app::{LookAt, Msg};
use crate::detect::{Engine, LoadedRules};
use crate::source::watch::Watch;

/// Threads that run rules over what is held: enough for a million records a second. Each may hold all the text of a
/// segment unpacked.
const LOOKING: usize = 2;

/// Messages of this module under way.
const UNDER_WAY: usize = 16;
/// Folders of rules are looked at this often where no change is told.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A file that is being written is left this long to be finished.
const SETTLE: Duration = Duration::from_millis(100);

/// Names that are tried for a file before it is given up.
const MOST_NAMES: usize = 100;

/// Rules that no file holds: where they came from, and their text.
type Texts = Vec<(PathBuf, String)>;

/// What rules are loaded from.
#[derive(Clone)]
struct From {
    builtin: bool,
    folders: Vec<PathBuf>,
    /// What counts for this session only.
    texts: Arc<watch::Sender<Texts>>,
    /// What was muted, by its number.
    kept: Arc<Mutex<BTreeMap<u32, Kept>>>,
}

/// A filter that mutes.
pub(super) struct Filter {
    pub(super) number: u32,
    /// The folder that it is written to, if any.
    pub(super) folder: Option<PathBuf>,
    /// Name of its file.
    pub(super) file: String,
    pub(super) text: String,
    /// Whether it is to count although no folder of rules holds it.
    pub(super) for_session: bool,
}

/// A filter that is in force.
#[derive(Clone)]
struct Kept {
    /// The file that was written.
    path: Option<PathBuf>,
    text: String,
}

impl From {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<u32, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self) -> LoadedRules {
        LoadedRules::load_with(self.builtin, &self.folders, &self.texts.borrow())
    }
}

/// The rules in use, and the threads that bring further ones.
pub(super) struct Rules {
    from: From,
    current: Arc<watch::Sender<Arc<Engine>>>,
    sender: mpsc::Sender<Msg>,
    /// What comes: [`Msg::Rules`] and [`Msg::LookedAt`].
    pub(super) messages: mpsc::Receiver<Msg>,
}

impl Rules {
    /// Begins with `rules`, usually none: the rules of `folders`, and those of the program where `builtin`, are loaded
    /// beside, since the first rows must not wait for them, and again when the folders change.
    pub(super) fn start(rules: &LoadedRules, builtin: bool, folders: Vec<PathBuf>) -> Rules {
        let (sender, messages) = mpsc::channel(UNDER_WAY);
        let current = Arc::new(watch::Sender::new(Arc::clone(&rules.engine)));
        let from = From {
            builtin,
            folders,
            texts: Arc::new(watch::Sender::new(Texts::new())),
            kept: Arc::default(),
        };
        let (own, tell, put) = (from.clone(), sender.clone(), Arc::clone(&current));
        let body = move || reload(&own, &put, &tell);
        // Without a thread, the rules stay as they are.
        let _ = thread::Builder::new().name("rules".into()).spawn(body);
        Rules { from, current, sender, messages }
    }

    /// Makes a message on a thread of its own: what it needs may take long, such as a folder of another machine.
    pub(super) fn beside(&self, name: &str, message: impl FnOnce() -> Msg + Send + 'static) {
        let sender = self.sender.clone();
        // Without a thread, or anybody listening, nothing is told.
        let _ = thread::Builder::new().name(name.into()).spawn(move || sender.blocking_send(message()));
    }

    /// Writes a filter to a folder, if one is named, and has it count at once where it is for this session. Tells
    /// [`Msg::Muted`].
    pub(super) fn mute(&self, filter: Filter, tell: mpsc::Sender<Saved>) {
        let (from, current, sender) = (self.from.clone(), Arc::clone(&self.current), self.sender.clone());
        let body = move || {
            let Filter { number, folder, file, text, for_session } = filter;
            let mut written = None;
            if let Some(folder) = &folder {
                let place = folder.display();
                let saved = write_new(folder, &file, &text).map(|path| {
                    let said = match for_session {
                        true => format!("wrote {path}; it counts now, and later with --rules {place}"),
                        false => format!("wrote {path}"),
                    };
                    written = Some(PathBuf::from(path));
                    said
                });
                // Nobody listening means that the program has ended.
                let _ = tell.blocking_send(saved);
                if written.is_none() {
                    return;
                }
            }
            from.kept().insert(number, Kept { path: written, text: text.clone() });
            if for_session {
                from.texts.send_modify(|texts| texts.push((PathBuf::from(file), text)));
                let rules = from.load();
                current.send_replace(Arc::clone(&rules.engine));
                let _ = sender.blocking_send(Msg::Rules(rules));
            }
            let _ = sender.blocking_send(Msg::Muted { number, is_in_force: true });
        };
        // Without a thread nothing is muted, and not listed as if it were.
        let _ = thread::Builder::new().name("mute".into()).spawn(body);
    }

    /// Has a filter that [`Self::mute`] put in force count no more, and removes the file that was written for it, unless
    /// somebody changed it since: then it still counts. Tells [`Msg::Muted`].
    pub(super) fn unmute(&self, number: u32, tell: mpsc::Sender<Saved>) {
        let (from, current, sender) = (self.from.clone(), Arc::clone(&self.current), self.sender.clone());
        let body = move || {
            let Some(Kept { path, text }) = from.kept().get(&number).cloned() else { return };
            if let Some(path) = path
                && let Err(error) = remove_own(&path, &text)
            {
                // Nobody listening means that the program has ended.
                let _ = tell.blocking_send(Err(error));
                return;
            }
            from.kept().remove(&number);
            from.texts.send_modify(|texts| {
                if let Some(at) = texts.iter().rposition(|(_, known)| *known == text) {
                    texts.remove(at);
                }
            });
            let rules = from.load();
            current.send_replace(Arc::clone(&rules.engine));
            let _ = sender.blocking_send(Msg::Rules(rules));
            let _ = sender.blocking_send(Msg::Muted { number, is_in_force: false });
        };
        // Without a thread it stays muted, and listed so.
        let _ = thread::Builder::new().name("unmute".into()).spawn(body);
    }

    /// For the workers: the rules that count now and later.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Engine>> {
        self.current.subscribe()
    }

    /// Runs rules over segments on threads of their own, newest first.
    pub(super) fn look_at(&self, look: LookAt) {
        let LookAt { engine, segments } = look;
        let threads = LOOKING.min(segments.len());
        let waiting = Arc::new(Mutex::new(segments));
        for _ in 0..threads {
            let (sender, current) = (self.sender.clone(), self.subscribe());
            let (engine, waiting) = (Arc::clone(&engine), Arc::clone(&waiting));
            let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let body = move || {
                while let Some((number, segment)) = next() {
                    // Other rules count by now: nobody waits for what these would say.
                    if current.borrow().number() > engine.number() {
                        return;
                    }
                    // A rule that fails on a segment is told as a panic of this thread; the others must not wait for it.
                    let looked = catch_unwind(AssertUnwindSafe(|| engine.look_at(&segment)));
                    let hits = looked.unwrap_or_else(|_| engine.nothing_found(&segment));
                    if sender.blocking_send(Msg::LookedAt(number, hits)).is_err() {
                        return;
                    }
                }
            };
            // Without a thread nothing is looked at; there is nothing better to do.
            let _ = thread::Builder::new().name("detect".into()).spawn(body);
        }
    }
}

/// Loads the rules, and again whenever a file of theirs changed, until nobody listens.
fn reload(from: &From, current: &watch::Sender<Arc<Engine>>, sender: &mpsc::Sender<Msg>) {
    let folders = &from.folders;
    let load = || {
        let rules = from.load();
        current.send_replace(Arc::clone(&rules.engine));
        sender.blocking_send(Msg::Rules(rules)).is_ok()
    };
    // A file that is not there yet: the folder itself is what is watched.
    let watches: Vec<Watch> = folders.iter().map(|folder| Watch::new(&folder.join("rule.yml"))).collect();
    let mut known = state_of(folders);
    if !load() || folders.is_empty() {
        return;
    }
    while !sender.is_closed() {
        match watches.as_slice() {
            [only] => only.wait(LOOK_EVERY),
            _ => thread::sleep(LOOK_EVERY),
        }
        if state_of(folders) == known {
            continue;
        }
        thread::sleep(SETTLE);
        known = state_of(folders);
        if !load() {
            return;
        }
    }
}

/// The files below the folders with length and time of change: what differs when one was written.
fn state_of(folders: &[PathBuf]) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    /// Files looked at; more are no folder of rules.
    const MOST_FILES: usize = 20_000;
    let mut state = Vec::new();
    // Links may lead to a folder several times, or in a circle.
    let mut seen = HashSet::new();
    let mut waiting = folders.to_vec();
    while let Some(path) = waiting.pop() {
        let Ok(about) = std::fs::metadata(&path) else { continue };
        if !about.is_dir() {
            state.push((path, about.len(), about.modified().ok()));
        } else if std::fs::canonicalize(&path).is_ok_and(|real| seen.insert(real))
            && let Ok(entries) = std::fs::read_dir(&path)
        {
            waiting.extend(entries.flatten().map(|entry| entry.path()));
        }
        if state.len() + seen.len() + waiting.len() > MOST_FILES {
            break;
        }
    }
    state.sort();
    state
}

/// Writes a new file; where its name is taken, one with a number. Returns its path.
fn write_new(folder: &Path, name: &str, text: &str) -> Saved {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "yml"));
    for number in 1..=MOST_NAMES {
        let name = if number == 1 { name.to_owned() } else { format!("{stem}-{number}.{ending}") };
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                let shown = path.display().to_string();
                return match file.write_all(text.as_bytes()) {
                    Ok(()) => Ok(shown),
                    Err(error) => Err(format!("cannot write {shown}: {error}")),
                };
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("cannot write to {}: {error}", folder.display())),
        }
    }
    Err(format!("{} holds too many files called {name} already", folder.display()))
}

/// Removes a file that still holds the text that was written to it.
fn remove_own(path: &Path, text: &str) -> Result<(), String> {
    let shown = path.display();
    match std::fs::read_to_string(path) {
        Ok(found) if found == text => {
            std::fs::remove_file(path).map_err(|error| format!("cannot remove {shown}, which mutes: {error}"))
        }
        Ok(_) => Err(format!("{shown} was changed since it was written, and is left: remove it to unmute")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot read {shown}, which mutes: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_back_are_followed_once() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("rule.yml"), "title: a\n").expect("a file");
        for name in ["a", "b", "c"] {
            std::os::unix::fs::symlink(".", folder.path().join(name)).expect("a link");
        }
        let folders = [folder.path().to_owned()];
        let state = state_of(&folders);
        assert_eq!(state.len(), 1, "{state:?}");
        std::fs::write(folder.path().join("rule.yml"), "title: longer\n").expect("a file");
        assert_ne!(state_of(&folders), state);
    }

    #[test]
    fn what_exists_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = write_new(folder.path(), "mute-x.yml", "one").expect("it is written");
        let second = write_new(folder.path(), "mute-x.yml", "two").expect("under another name");
        assert!(first.ends_with("/mute-x.yml") && second.ends_with("/mute-x-2.yml"));
        let text = |path: &str| std::fs::read_to_string(path).expect("a file");
        assert_eq!((text(&first), text(&second)), ("one".to_owned(), "two".to_owned()));
        assert!(write_new(&folder.path().join("missing"), "mute-x.yml", "").is_err());
    }
    #[test]
    fn only_what_was_written_here_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let written = write_new(folder.path(), "mute-x.yml", "one").expect("it is written");
        std::fs::write(&written, "one, and more").expect("changed");
        assert!(remove_own(Path::new(&written), "one").is_err(), "somebody's own by now");
        assert!(Path::new(&written).exists());
        assert!(remove_own(Path::new(&written), "one, and more").is_ok() && !Path::new(&written).exists());
        assert!(remove_own(Path::new(&written), "one").is_ok(), "it was gone");
    }
}
