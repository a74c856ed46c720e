//! Logs of containers on a node: the API server of kubeadm, minikube or kind with `--audit-log-path=-`.
//!
//! CRI (containerd, CRI-O): `2016-10-06T00:17:09.669794202Z stdout F text`, where a line of more than 16 KiB is split
//! into parts with `P` and a last one with `F` (kubernetes, cri-client/pkg/logs/logs.go, `parseCRILog`). Docker:
//! `{"log":"text\n","stream":"stdout","time":"…"}`, where every part of such a line but the last lacks its `\n` (same
//! file, `parseDockerJSONLog`; moby, daemon/logger/copier.go).

use super::Inner;

/// A line of the CRI: its stream, its part of a line, and whether the line ends with it.
pub(super) struct CriLine<'a> {
    pub(super) stream: &'a [u8],
    pub(super) text: &'a [u8],
    pub(super) is_last: bool,
}

/// Reads what follows the time and a space on a CRI line.
pub(super) fn cri(behind_time: &[u8]) -> Option<CriLine<'_>> {
    let stream_length = b"stdout".len();
    let (stream, rest) = behind_time.split_at_checked(stream_length)?;
    if stream != b"stdout" && stream != b"stderr" {
        return None;
    }
    let rest = rest.strip_prefix(b" ")?;
    // Further tags may follow the first, behind a colon each.
    let tag_length = memchr::memchr(b' ', &rest[..rest.len().min(64)])?;
    let is_last = match rest[..tag_length].split(|byte| *byte == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    Some(CriLine { stream, text: &rest[tag_length + 1..], is_last })
}

/// What the `log` of a line of Docker's json-file driver holds.
pub(super) fn docker<'a>(stream: &'a [u8], log: &'a [u8]) -> Inner<'a> {
    match log.strip_suffix(b"\n") {
        Some(text) => Inner::Part { stream, text, is_last: Some(true) },
        // A part, or the last words of a container.
        None => Inner::Part { stream, text: log, is_last: None },
    }
}
