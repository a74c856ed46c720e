//! How rotated files are called, and which of two names is the older.
//!
//! - lumberjack, inside kube-apiserver (`natefinch/lumberjack`, `backupName`): `audit-2022-03-03T14-28-05.286.log`,
//!   compressed with `.gz` behind it
//! - logrotate: `audit.log.1`, `audit.log.2.gz`, with `dateext` `audit.log-20240606`, with another `compresscmd` any
//!   of [`COMPRESSED`]
//! - kubelet (container logs): `0.log.20240606-165126`, with `.gz`
//! - mixtures of these, such as `audit-2022-03-03T14-28-05.286.log.1.gz`, when both are at work
//!
//! Used by [`super::filesystem`] to list what belongs to a live file.

use std::cmp::{Ordering, Reverse};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What compressed files end in: what logrotate itself puts there for gzip, zstd, bzip2 and xz (logrotate, config.c,
/// `compresscmd`). What is inside is told by [`super::archive`] from its content.
pub const COMPRESSED: [&str; 4] = [".gz", ".zst", ".bz2", ".xz"];

/// What the name of a compressed file ends in.
pub fn compressed_ending(name: &str) -> Option<&'static str> {
    COMPRESSED.into_iter().find(|ending| name.ends_with(ending))
}

/// [`compressed_ending`] of the file at `path`.
pub fn compressed_ending_of(path: &Path) -> Option<&'static str> {
    path.file_name().and_then(OsStr::to_str).and_then(compressed_ending)
}

/// What the file at `path` may be called once it has been compressed.
pub fn compressed_forms(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    COMPRESSED.iter().map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        name.into()
    })
}

/// `name` without the ending of a compressed file.
pub fn without_compressed(name: &str) -> &str {
    compressed_ending(name).and_then(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// What the name of a rotated file says about it, relative to the name of the live file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RotatedName {
    /// The name of the live file.
    pub live: String,
    /// Time stamp put in by lumberjack, kubelet or `dateext`; empty when there is none. Compares as text.
    pub stamp: String,
    /// logrotate's counter: 1 is the youngest; 0 when there is none.
    pub number: u32,
    /// The name ends like that of a compressed file.
    pub is_compressed: bool,
}

impl RotatedName {
    /// Oldest first, as far as names tell: by stamp, then by descending counter. A stamp is older than none, because
    /// a counter alone belongs to what was rotated last when both are at work.
    pub fn age_order(&self, other: &RotatedName) -> Ordering {
        let key = |n: &RotatedName| (n.stamp.is_empty(), n.stamp.clone(), Reverse(n.number), n.is_compressed);
        key(self).cmp(&key(other))
    }

    /// Whether both names stand for the same rotated file, one of them compressed.
    pub fn is_twin_of(&self, other: &RotatedName) -> bool {
        self.is_compressed != other.is_compressed
            && self.live == other.live
            && self.stamp == other.stamp
            && self.number == other.number
    }
}

/// Reads a name as that of a rotated file; `None` when it is no such name (it may be a live file then).
pub fn rotated_name(name: &OsStr) -> Option<RotatedName> {
    let name = name.to_str()?;
    let uncompressed = without_compressed(name);
    let is_compressed = uncompressed.len() < name.len();
    let (rest, number) = strip_counter(uncompressed);
    let (rest, dotted_stamp) = strip_trailing_stamp(rest);
    let (live, inner_stamp) = strip_inner_stamp(rest);
    let stamp = format!("{inner_stamp}{dotted_stamp}");
    // A bare `audit.log.gz` is a compressed log and nobody's rotated sibling.
    let rotated = number > 0 || !stamp.is_empty();
    (rotated && !live.is_empty()).then_some(RotatedName { live, stamp, number, is_compressed })
}

/// Whether `name` is that of a rotated file of the live file called `live`.
pub fn rotated_from(live: &OsStr, name: &OsStr) -> Option<RotatedName> {
    let rotated = rotated_name(name)?;
    if OsStr::new(&rotated.live) == live {
        return Some(rotated);
    }
    // A live file whose own name ends like a stamp (`apiserver-1.log`) hides it from `rotated_name`.
    let own = rotated_name(live)?;
    let beyond = name.to_str()?.strip_prefix(live.to_str()?)?;
    let longer = rotated_name(OsStr::new(&format!("live.log{beyond}")))?;
    (longer.live == "live.log" && !own.is_compressed)
        .then(|| RotatedName { live: live.to_string_lossy().into_owned(), ..longer })
}

/// `.7` at the end: logrotate's counter, at most four digits so that dates stay stamps.
fn strip_counter(name: &str) -> (&str, u32) {
    if let Some((rest, digits)) = name.rsplit_once('.')
        && (1..=4).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && let Ok(number) = digits.parse()
        && number > 0
        // `….286` can only be the fraction of a lumberjack stamp if no extension stands before it.
        && rest.contains('.')
    {
        return (rest, number);
    }
    (name, 0)
}

/// `.20240606-165126` (kubelet) or `-20240606` (logrotate's dateext) behind an extension.
fn strip_trailing_stamp(name: &str) -> (&str, &str) {
    let Some(dot) = name.rfind('.') else { return (name, "") };
    let behind = &name[dot + 1..];
    if is_stamp(behind, 8) {
        return (&name[..dot], behind);
    }
    match behind.split_once('-') {
        Some((extension, stamp)) if !extension.is_empty() && is_stamp(stamp, 8) => {
            (&name[..dot + 1 + extension.len()], stamp)
        }
        _ => (name, ""),
    }
}

/// `audit-2022-03-03T14-28-05.286.log` -> `audit.log` and the stamp.
fn strip_inner_stamp(name: &str) -> (String, &str) {
    let (stem, extension) = match name.rfind('.') {
        // With no extension lumberjack's own fraction would be taken for one.
        Some(dot) if !is_stamp(&name[dot + 1..], 1) => name.split_at(dot),
        _ => (name, ""),
    };
    for (dash, _) in stem.match_indices('-') {
        let stamp = &stem[dash + 1..];
        if dash > 0 && is_stamp(stamp, 8) {
            return (format!("{}{extension}", &stem[..dash]), stamp);
        }
    }
    (name.to_owned(), "")
}

/// Digits with the separators of a time between them, at least `digits` of them.
fn is_stamp(text: &str, digits: usize) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'T' | b'.' | b'_' | b':' | b'Z'))
        && text.bytes().filter(u8::is_ascii_digit).count() >= digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<(String, String, u32, bool)> {
        rotated_name(OsStr::new(name)).map(|n| (n.live, n.stamp, n.number, n.is_compressed))
    }

    #[test]
    fn knows_every_rotator_s_names() {
        let some = |live: &str, stamp: &str, number, gz| Some((live.into(), stamp.into(), number, gz));
        let stamp = "2022-03-03T14-28-05.286";
        assert_eq!(read(&format!("audit-{stamp}.log")), some("audit.log", stamp, 0, false));
        assert_eq!(read(&format!("audit-{stamp}.log.gz")), some("audit.log", stamp, 0, true));
        assert_eq!(read(&format!("audit-{stamp}.log.1.gz")), some("audit.log", stamp, 1, true));
        assert_eq!(read(&format!("audit-log-{stamp}.json")), some("audit-log.json", stamp, 0, false));
        assert_eq!(read("audit.log.1"), some("audit.log", "", 1, false));
        assert_eq!(read("audit.log.12.gz"), some("audit.log", "", 12, true));
        for ending in COMPRESSED {
            assert_eq!(read(&format!("audit.log.3{ending}")), some("audit.log", "", 3, true));
        }
        assert_eq!(read("audit.log-20240606"), some("audit.log", "20240606", 0, false));
        assert_eq!(read("audit.log-20240606.gz"), some("audit.log", "20240606", 0, true));
        assert_eq!(read("0.log.20240606-165126"), some("0.log", "20240606-165126", 0, false));
        assert_eq!(read("0.log.20240606-165126.gz"), some("0.log", "20240606-165126", 0, true));
        for live in [
            "audit.log",
            "audit",
            "audit.log.gz",
            "audit.log.zst",
            "0.log",
            "kube-apiserver.log",
            "audit-1.log",
            "audit.log.bak",
            ".gz",
        ] {
            assert_eq!(read(live), None, "{live}");
        }
    }

    #[test]
    fn a_live_name_may_itself_look_stamped() {
        let live = OsStr::new("node-20240101.log");
        let rotated = rotated_from(live, OsStr::new("node-20240101.log.1.gz")).unwrap();
        assert_eq!((rotated.number, rotated.is_compressed), (1, true));
        assert!(rotated_from(live, OsStr::new("node-20240102.log")).is_none());
        assert!(rotated_from(OsStr::new("audit.log"), OsStr::new("other.log.1")).is_none());
    }

    #[test]
    fn age_by_name() {
        let mut names: Vec<_> = [
            "audit.log.1",
            "audit-2022-03-03T14-28-05.286.log",
            "audit.log.10.gz",
            "audit-2022-03-02T14-28-05.286.log.gz",
            "audit.log.2",
        ]
        .map(|n| rotated_name(OsStr::new(n)).unwrap())
        .to_vec();
        names.sort_by(RotatedName::age_order);
        let order: Vec<_> = names.iter().map(|n| (n.stamp.as_str(), n.number)).collect();
        assert_eq!(
            order,
            [("2022-03-02T14-28-05.286", 0), ("2022-03-03T14-28-05.286", 0), ("", 10), ("", 2), ("", 1)]
        );
    }
}
