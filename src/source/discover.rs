//! Finding the log when none is named: what the running API server says, then the places where distributions put it.

use std::fs;
use std::path::{Path, PathBuf};

use super::resolve::head_of;

/// Default paths (FORMATS.md section 5), most telling first. `/var/log/audit/audit.log` is auditd's on most machines:
/// only a file in which an event is recognised counts.
const DEFAULT_PATHS: [&str; 13] = [
    "/var/log/kubernetes/audit/audit.log",
    "/var/log/kubernetes/audit.log",
    "/var/log/kubernetes/kube-apiserver-audit.log",
    "/var/log/kube-audit/audit.log",
    "/var/log/kube-audit/audit-log.json",
    "/var/log/kube-apiserver-audit.log",
    "/var/log/kube-apiserver/audit.log",
    "/var/lib/rancher/rke2/server/logs/audit.log",
    "/var/lib/rancher/k3s/server/logs/audit.log",
    "/var/log/audit/kube/kube-apiserver.log",
    "/var/log/audit/audit.log",
    "/var/log/openshift-apiserver/audit.log",
    "/var/log/oauth-apiserver/audit.log",
];

/// The log that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Where it is.
    pub path: PathBuf,
    /// Why it was chosen.
    pub reason: String,
}

/// Looks for a log below `root` (`/` but for tests).
///
/// # Errors
/// A line for each place that was looked at, with what is wrong with it.
pub fn discover(root: &Path, recognise: &dyn Fn(&[u8]) -> bool) -> Result<Choice, String> {
    let mut looked_at = Vec::new();
    let servers = api_servers(root);
    if servers.is_empty() {
        looked_at.push("  no running kube-apiserver, k3s server or rke2 server".to_owned());
    }
    for server in servers {
        let said = format!("{} (pid {}) says --audit-log-path={}", server.program, server.pid, server.log_path);
        if server.log_path == "-" {
            looked_at.push(format!("  {said}: it is in the container's own log"));
            continue;
        }
        let own = below(root, &server.log_path);
        let inside = root.join("proc").join(&server.pid).join("root").join(server.log_path.trim_start_matches('/'));
        for path in [own, inside] {
            match check(&path, recognise) {
                Ok(()) => return Ok(Choice { path, reason: said }),
                Err(problem) => looked_at.push(format!("  {}: {problem} ({said})", path.display())),
            }
        }
    }
    for default in DEFAULT_PATHS {
        let path = below(root, default);
        match check(&path, recognise) {
            Ok(()) => return Ok(Choice { path, reason: "a usual place".to_owned() }),
            Err(problem) => looked_at.push(format!("  {default}: {problem}")),
        }
    }
    Err(looked_at.join("\n"))
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Whether an event is recognised in the file, else what is wrong with it.
fn check(path: &Path, recognise: &dyn Fn(&[u8]) -> bool) -> Result<(), String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("not there".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.is_file() {
        return Err("no file".to_owned());
    }
    if let Err(error) = fs::File::open(path) {
        return Err(error.to_string());
    }
    match head_of(path) {
        Some(head) if head.is_empty() => Err("empty".to_owned()),
        Some(head) if recognise(&head) => Ok(()),
        Some(_) => Err("no Kubernetes audit event in it".to_owned()),
        None => Err("cannot be read".to_owned()),
    }
}

/// A running API server and where it says its log is.
struct ApiServer {
    program: String,
    pid: String,
    log_path: String,
}

fn api_servers(root: &Path) -> Vec<ApiServer> {
    let Ok(processes) = fs::read_dir(root.join("proc")) else { return Vec::new() };
    let mut found: Vec<ApiServer> = processes.flatten().filter_map(|entry| api_server(&entry.path())).collect();
    found.sort_by(|a, b| a.pid.len().cmp(&b.pid.len()).then_with(|| a.pid.cmp(&b.pid)));
    found
}

fn api_server(process: &Path) -> Option<ApiServer> {
    let pid = process.file_name()?.to_str()?;
    if !pid.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let command = fs::read(process.join("cmdline")).ok()?;
    let words: Vec<String> =
        command.split(|b| *b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let program = Path::new(words.first()?).file_name()?.to_str()?.to_owned();
    if !matches!(program.as_str(), "kube-apiserver" | "k3s" | "k3s-server" | "rke2" | "hyperkube") {
        return None;
    }
    let log_path = flag(&words, "--audit-log-path").or_else(|| {
        // k3s and rke2 pass flags on: --kube-apiserver-arg=audit-log-path=/path
        words.iter().enumerate().find_map(|(i, word)| {
            let passed = word.strip_prefix("--kube-apiserver-arg")?;
            let value = passed.strip_prefix('=').or_else(|| words.get(i + 1).map(String::as_str))?;
            value.trim_start_matches('-').strip_prefix("audit-log-path=").map(str::to_owned)
        })
    })?;
    Some(ApiServer { program, pid: pid.to_owned(), log_path })
}

/// `--name=value` or `--name value`; the last one counts, as with Go's flags.
fn flag(words: &[String], name: &str) -> Option<String> {
    words
        .iter()
        .enumerate()
        .filter_map(|(i, word)| {
            let rest = word.strip_prefix(name)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if rest.is_empty() => words.get(i + 1).cloned(),
                None => None,
            }
        })
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_event(head: &[u8]) -> bool {
        head.starts_with(b"{\"kind\":\"Event\"")
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = below(root, path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_running_server_knows_best() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "/var/log/kubernetes/audit.log", "{\"kind\":\"Event\"}\n");
        write(root.path(), "/proc/77/cmdline", "kube-apiserver\0--audit-log-path=/logs/a.log\0");
        write(root.path(), "/proc/77/root/logs/a.log", "{\"kind\":\"Event\"}\n");
        write(root.path(), "/proc/self/cmdline", "kauditui\0");
        let choice = discover(root.path(), &is_event).unwrap();
        assert!(choice.path.ends_with("proc/77/root/logs/a.log"), "{choice:?}");
        assert!(choice.reason.contains("pid 77"));
    }

    #[test]
    fn k3s_passes_flags_on() {
        let root = tempfile::tempdir().unwrap();
        for (form, pid) in [("--kube-apiserver-arg=audit-log-path=/a.log\0", "5"), ("--kube-apiserver-arg\0audit-log-path=/a.log\0", "6")] {
            write(root.path(), &format!("/proc/{pid}/cmdline"), &format!("/usr/local/bin/k3s\0server\0{form}"));
            let server = api_server(&below(root.path(), &format!("/proc/{pid}"))).unwrap();
            assert_eq!((server.program.as_str(), server.log_path.as_str()), ("k3s", "/a.log"));
        }
    }

    #[test]
    fn a_log_of_auditd_is_none() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "/var/log/audit/audit.log", "type=SYSCALL msg=audit(1364481363.243:24287)\n");
        write(root.path(), "/var/log/kubernetes/audit.log", "");
        let looked_at = discover(root.path(), &is_event).unwrap_err();
        assert!(looked_at.contains("/var/log/audit/audit.log: no Kubernetes audit event in it"), "{looked_at}");
        assert!(looked_at.contains("/var/log/kubernetes/audit.log: empty"));
        assert!(looked_at.contains("no running kube-apiserver"));
        assert_eq!(looked_at.lines().count(), DEFAULT_PATHS.len() + 1);
    }
}
