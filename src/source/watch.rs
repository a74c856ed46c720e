//! The one module that names `notify`: any event in the folders that matter is a kick to look, nothing more.
//!
//! Events get lost, come twice and name files that are gone, so nothing is read from them. Where there is no inotify
//! (limit reached, network share) [`super::follow`] looks once a second anyway.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::filesystem::folder_of;

/// Set to anything, it makes the program do without inotify.
pub const NO_INOTIFY: &str = "KAUDITUI_NO_INOTIFY";

/// Kicks when something happens near a path.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<PathBuf>,
    kicks: Receiver<()>,
    // Keeps the channel open when there is no watcher.
    _sender: SyncSender<()>,
}

impl Watch {
    /// Watches the folder of `path`, that of what it points to, or the nearest folder that exists.
    pub fn new(path: &Path) -> Self {
        // One pending kick says all that many would.
        let (sender, kicks) = sync_channel(1);
        let kick = sender.clone();
        let watcher = if std::env::var_os(NO_INOTIFY).is_some() {
            None
        } else {
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Reading the log makes access events itself; they must not wake us.
                if !event.is_ok_and(|e| e.kind.is_access()) {
                    let _ = kick.try_send(());
                }
            })
            .ok()
        };
        let mut watch = Self { watcher, folders: Vec::new(), kicks, _sender: sender };
        watch.renew(path);
        watch
    }

    /// Looks again which folders matter: one may have been made, or a link now points elsewhere.
    pub fn renew(&mut self, path: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        let mut wanted = vec![nearest_folder(path)];
        if let Ok(target) = std::fs::canonicalize(path) {
            wanted.push(nearest_folder(&target));
        }
        wanted.dedup();
        if wanted == self.folders {
            return;
        }
        for old in std::mem::take(&mut self.folders) {
            // It may be gone already, and its watch with it.
            let _ = watcher.unwatch(&old);
        }
        self.folders =
            wanted.into_iter().filter(|f| watcher.watch(f, RecursiveMode::NonRecursive).is_ok()).collect();
    }

    /// Whether events come at all.
    pub fn is_active(&self) -> bool {
        self.watcher.is_some() && !self.folders.is_empty()
    }

    /// Waits for a kick, `limit` at most.
    pub fn wait(&self, limit: std::time::Duration) {
        let _ = self.kicks.recv_timeout(limit);
    }

    /// Forgets a pending kick.
    pub fn clear(&self) {
        while self.kicks.try_recv().is_ok() {}
    }
}

fn nearest_folder(path: &Path) -> PathBuf {
    let folder = folder_of(path);
    let existing = folder.ancestors().find(|f| f.is_dir()).unwrap_or(Path::new("."));
    if existing.as_os_str().is_empty() { PathBuf::from(".") } else { existing.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_that_exists_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not/there/yet/audit.log");
        assert_eq!(nearest_folder(&path), folder.path());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(nearest_folder(&path), path.parent().unwrap());
        assert_eq!(nearest_folder(Path::new("audit.log")), Path::new("."));
    }
}
