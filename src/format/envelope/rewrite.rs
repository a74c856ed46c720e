//! Writes an event as a kube-apiserver would, from what a provider has left of it.
//!
//! Members come in the order of `k8s.io/apiserver/pkg/apis/audit/v1/types.go`, so that the result takes the fast path
//! like any other event. Values that are JSON already are copied as they are.

use std::borrow::Cow;

/// The text of an object under construction.
pub(super) struct Object {
    text: Vec<u8>,
    is_empty: bool,
}

impl Object {
    pub(super) fn new() -> Self {
        Self { text: b"{".to_vec(), is_empty: true }
    }

    /// The beginning of an event at a level.
    pub(super) fn event(level: &str) -> Self {
        let mut object = Self::new();
        object.string("kind", "Event");
        object.string("apiVersion", "audit.k8s.io/v1");
        object.string("level", level);
        object
    }

    /// Adds a member whose value is JSON already.
    pub(super) fn raw(&mut self, key: &str, value: &[u8]) {
        if !self.is_empty {
            self.text.push(b',');
        }
        self.is_empty = false;
        quote(key.as_bytes(), &mut self.text);
        self.text.push(b':');
        self.text.extend_from_slice(value);
    }

    /// Adds a string.
    pub(super) fn string(&mut self, key: &str, value: impl AsRef<[u8]>) {
        let mut quoted = Vec::with_capacity(value.as_ref().len() + 2);
        quote(value.as_ref(), &mut quoted);
        self.raw(key, &quoted);
    }

    /// Adds a string unless it is empty.
    pub(super) fn filled(&mut self, key: &str, value: impl AsRef<[u8]>) {
        if !value.as_ref().is_empty() {
            self.string(key, value);
        }
    }

    /// Adds an object.
    pub(super) fn object(&mut self, key: &str, value: Object) {
        self.raw(key, &value.finish());
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.text.push(b'}');
        self.text
    }
}

/// Appends a string with its quotes. Bytes that are not UTF-8 become U+FFFD.
fn quote(text: &[u8], out: &mut Vec<u8>) {
    let text: Cow<'_, str> = String::from_utf8_lossy(text);
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0..0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
