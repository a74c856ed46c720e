//! A request as the kubectl line that would make it: the quickest way to tell a colleague what was done, and to do it
//! again or back.
//!
//! A line is exact when kubectl would ask the API server for the same thing; where it would only come to the same, or
//! where the log does not say everything, the line says why. [`super::session`] tells whole sessions so and
//! [`super::report`] prints them. `read`, `create`, `change` and `delete` know the commands, `patch` what a patch is
//! about, `resources` what kubectl calls a resource, `shell` how a word is quoted.

mod change;
mod create;
mod delete;
mod patch;
mod read;
mod resources;
mod shell;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

use super::Request;
use crate::model::{Level, parameter};
use crate::redact::mask_event;

pub use shell::quoted;

/// Begins every mark that [`crate::redact`] leaves in the place of a value.
const MASKED: &str = "‹masked,";

const BODY_NOT_LOGGED: &str = "its body is not in the log";

/// What one would type. Values are the log's: whoever shows them makes them safe for a terminal first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KubectlLine {
    /// The words of the command, `kubectl` first, unquoted. A word in capitals stands for what is not known.
    pub words: Vec<String>,
    /// What the command reads from standard input (`-f -`): pretty JSON.
    pub input: Option<String>,
    /// Why kubectl would not ask for quite the same thing; empty when it would.
    pub why_not_exact: Vec<&'static str>,
}

impl KubectlLine {
    /// Whether kubectl would ask for the same thing, to the best of what the log tells.
    pub fn is_exact(&self) -> bool {
        self.why_not_exact.is_empty()
    }

    /// The command without what it reads, quoted for a POSIX shell. It holds a line end only where a value does.
    pub fn command(&self) -> String {
        let words: Vec<Cow<'_, str>> = self.words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// `exact`, or `equivalent: ` and why it is no more than that.
    pub fn certainty(&self) -> String {
        if self.is_exact() {
            return "exact".to_owned();
        }
        format!("equivalent: {}", self.why_not_exact.join("; "))
    }
}

impl fmt::Display for KubectlLine {
    /// All that one would type, with what it reads as a here-document.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.command())?;
        match &self.input {
            // No line of JSON is EOF: what stands in its strings has no line ends.
            Some(input) => write!(f, " <<'EOF'\n{input}\nEOF"),
            None => Ok(()),
        }
    }
}

/// The kubectl line that makes `request`, whose bodies have been read where there are any. `before` is the object as it
/// was, where that is known: it tells what a replacement or a list of taints changed. Secret values are masked unless
/// `revealed`. `None` for what kubectl has no command for.
pub fn kubectl(request: &Request, before: Option<&Value>, revealed: bool) -> Option<KubectlLine> {
    let asked = Asked::new(request, before, revealed);
    let mut line = match (request.verb.as_str(), request.subresource.as_str()) {
        (_, "exec" | "attach" | "portforward" | "log") => read::connection(&asked),
        ("get" | "list" | "watch" | "head", _) => Some(read::read(&asked)),
        ("delete" | "deletecollection", _) => Some(delete::delete(&asked)),
        ("create" | "post", _) => Some(create::create(&asked)),
        ("update" | "put", _) => Some(change::replace(&asked)),
        ("patch", _) => change::patch(&asked),
        _ => None,
    }?;
    let is_masked = |text: &String| text.contains(MASKED);
    if line.words.iter().any(is_masked) || line.input.as_ref().is_some_and(is_masked) {
        line.why_not_exact.push("secret values are masked");
    }
    Some(line)
}

/// What a client sent with a request, as far as the log tells.
enum Body {
    Logged(Value),
    /// It sent none, or was refused before that was read.
    Absent,
    /// The audit level, or a limit of size, left it out.
    NotLogged,
}

/// A request with what all commands need to know of it.
struct Asked<'r> {
    request: &'r Request,
    /// Masked unless revealed, like all that follows.
    body: Body,
    uri: Cow<'r, str>,
    before: Option<&'r Value>,
    revealed: bool,
}

impl<'r> Asked<'r> {
    fn new(request: &'r Request, before: Option<&'r Value>, revealed: bool) -> Self {
        let mut asked = Self {
            request,
            body: Body::NotLogged,
            uri: Cow::Borrowed(&request.request_uri),
            before,
            revealed,
        };
        let bodies_are_logged = matches!(request.level, Level::Request | Level::RequestResponse);
        let whole = request.annotation("audit.k8s.io/truncated") != "true";
        asked.body = match request.request_object() {
            Some(body) => Body::Logged(asked.shown(body.clone())),
            None if bodies_are_logged && whole && !request.event.is_null() => Body::Absent,
            None => Body::NotLogged,
        };
        if revealed && let Some(uri) = request.event.get("requestURI").and_then(Value::as_str) {
            asked.uri = Cow::Borrowed(uri);
        }
        asked
    }

    /// A part of a body as it may be shown.
    fn shown(&self, body: Value) -> Value {
        if self.revealed {
            return body;
        }
        // What is secret depends on the resource, not only on the body.
        let mut event = json!({ "objectRef": { "resource": self.request.object.resource } });
        event["requestObject"] = body;
        mask_event(&mut event);
        event["requestObject"].take()
    }

    fn body(&self) -> Option<&Value> {
        match &self.body {
            Body::Logged(body) => Some(body),
            Body::Absent | Body::NotLogged => None,
        }
    }

    /// `deployment/web`. The kind in front keeps a name that begins with a dash from being an option.
    fn reference(&self) -> String {
        let object = &self.request.object;
        format!("{}/{}", resources::name(&object.group, &object.resource), object.name)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.uri, name).map(Cow::into_owned)
    }

    fn flag(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| value == "true" || value == "1")
    }

    /// A line that begins with the command's words, behind what says where and as whom.
    fn line<W: Into<String>>(&self, words: impl IntoIterator<Item = W>) -> KubectlLine {
        let mut line =
            KubectlLine { words: vec!["kubectl".to_owned()], input: None, why_not_exact: Vec::new() };
        let object = &self.request.object;
        if !object.namespace.is_empty() && object.resource != "namespaces" {
            line.words.extend(["-n".to_owned(), object.namespace.clone()]);
        }
        self.impersonate(&mut line);
        line.words.extend(words.into_iter().map(Into::into));
        line
    }

    fn impersonate(&self, line: &mut KubectlLine) {
        let user = &self.request.impersonated_user;
        if user.is_empty() {
            return;
        }
        line.words.push(format!("--as={user}"));
        let groups = self.request.event.pointer("/impersonatedUser/groups").and_then(Value::as_array);
        for group in groups.into_iter().flatten().filter_map(Value::as_str) {
            // The API server adds these by itself.
            let implied = group == "system:authenticated"
                || user.starts_with("system:serviceaccount:") && group.starts_with("system:serviceaccounts");
            if !implied {
                line.words.push(format!("--as-group={group}"));
            }
        }
    }

    /// A line that writes: the same with what makes it a trial only.
    fn write<W: Into<String>>(&self, words: impl IntoIterator<Item = W>) -> KubectlLine {
        let mut line = self.line(words);
        if self.request.is_dry_run() {
            line.words.push("--dry-run=server".to_owned());
        }
        line
    }

    /// A request that kubectl makes only as it is told: `kubectl create --raw /path -f -`.
    fn raw(&self, command: &str) -> KubectlLine {
        // The path has the namespace in it.
        let mut line =
            KubectlLine { words: vec!["kubectl".to_owned()], input: None, why_not_exact: Vec::new() };
        self.impersonate(&mut line);
        line.words.extend([command.to_owned(), format!("--raw={}", self.uri)]);
        line
    }
}

impl KubectlLine {
    fn but(mut self, why: &'static str) -> Self {
        self.why_not_exact.push(why);
        self
    }

    /// Lets the command read a body, or says that the log does not have it.
    fn reading(mut self, body: Option<&Value>) -> Self {
        let file = match body {
            Some(body) => {
                self.input = Some(pretty(body));
                "-"
            }
            None => {
                self.why_not_exact.push(BODY_NOT_LOGGED);
                "FILE"
            }
        };
        self.words.extend(["-f".to_owned(), file.to_owned()]);
        self
    }
}

fn pretty(value: &Value) -> String {
    // `{:#}` of a Value is serde_json's pretty form, and cannot fail.
    format!("{value:#}")
}
