//! How much memory the program may use: as the user wrote it, or a share of what this machine or container has.

use std::path::Path;

use crate::error::{Error, Result};

const MIB: u64 = 1 << 20;
/// What is used at most without being told.
const DEFAULT: u64 = 512 * MIB;
/// Less cannot hold even the segment that is being filled.
const LEAST: u64 = 32 * MIB;

/// Reads `512MiB`, `512M`, `1g`, `1.5GiB`. Units are powers of 1024 however they are spelled, as memory is bought.
/// `called` is what stands before the size where it was written, for errors: `--memory` or `memory =`.
///
/// # Errors
/// [`Error::Usage`] when it is no size, or too small to work with.
pub fn parse_memory(called: &str, text: &str) -> Result<u64> {
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(MIB),
        "g" | "gb" | "gib" => Some(1 << 30),
        "t" | "tb" | "tib" => Some(1 << 40),
        _ => None,
    };
    let wrong = || Error::Usage {
        message: format!("{called} '{text}' is not a size"),
        tip: "write a number with its unit, as in 512MiB or 1g".into(),
    };
    let (Some(unit), Ok(number)) = (unit, number.parse::<f64>()) else { return Err(wrong()) };
    // Saturates: what no machine has is no limit.
    let bytes = (number * unit as f64) as u64;
    if bytes < LEAST {
        return Err(Error::Usage {
            message: format!("{called} {text} is too little to work with"),
            tip: format!("give it {} MiB or more", LEAST / MIB),
        });
    }
    Ok(bytes)
}

/// 512 MiB or an eighth of what there is, whichever is less.
pub fn default_memory(read_file: &dyn Fn(&Path) -> Option<String>) -> u64 {
    available(read_file).map_or(DEFAULT, |total| DEFAULT.min(total / 8)).max(LEAST)
}

/// Memory of this machine, or the limit of the cgroup this process is in, or of one around it.
fn available(read_file: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let number = |path: &str| read_file(Path::new(path))?.trim().parse::<u64>().ok();
    let machine = read_file(Path::new("/proc/meminfo")).and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    // cgroups(7): "0::/path" is the unified hierarchy, "N:memory:/path" the older one.
    let own = read_file(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = own.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or("/"));
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        // A limit of any group around this one binds as well. In a container, the group's own files lie at the root.
        let around = Path::new(path).ancestors().map(|group| {
            let group = group.to_string_lossy();
            format!("{root}{}/{file}", group.trim_end_matches('/'))
        });
        around.filter_map(|path| number(&path)).collect()
    });
    // "max", and the older hierarchy's huge number, mean that there is no limit: the machine's memory is less.
    limits.chain(machine).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("512MiB", 512 * MIB),
            ("512m", 512 * MIB),
            ("1g", 1024 * MIB),
            ("1.5 GiB", 1536 * MIB),
            ("99999999999999t", u64::MAX),
        ] {
            assert_eq!(parse_memory("--memory", text).unwrap(), bytes, "{text}");
        }
        for wrong in ["", "512", "MiB", "1x", "-1g", "1k", "1..2g", "0g"] {
            let error = parse_memory("--memory", wrong).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{wrong}");
        }
    }

    #[test]
    fn the_narrowest_limit_counts() {
        let files = |list: &'static [(&str, &str)]| {
            move |path: &Path| {
                list.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
            }
        };
        assert_eq!(default_memory(&files(&[])), DEFAULT, "nothing is known");
        assert_eq!(default_memory(&files(&[("/proc/meminfo", "MemTotal:  2097152 kB\n")])), 256 * MIB);
        let unified = [
            ("/proc/meminfo", "MemFree: 1 kB\nMemTotal: 67108864 kB\n"),
            ("/proc/self/cgroup", "0::/kubepods/pod1\n"),
            ("/sys/fs/cgroup/kubepods/pod1/memory.max", "max\n"),
            ("/sys/fs/cgroup/kubepods/memory.max", "1073741824\n"),
        ];
        assert_eq!(default_memory(&files(Box::leak(Box::new(unified)))), 128 * MIB);
        let older = [
            ("/proc/meminfo", "MemTotal: 67108864 kB\n"),
            ("/proc/self/cgroup", "12:cpu,cpuacct:/x\n5:memory:/docker/abc\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n"),
        ];
        assert_eq!(default_memory(&files(Box::leak(Box::new(older)))), 256 * MIB);
        assert_eq!(default_memory(&files(&[("/proc/meminfo", "MemTotal: 1024 kB\n")])), LEAST);
    }
}
