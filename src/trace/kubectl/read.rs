//! Requests that read, and those that open a connection into a pod.

use super::{Asked, KubectlLine, resources};
use crate::model::parameters;

/// `get`, `list` and `watch`.
pub(super) fn read(asked: &Asked<'_>) -> KubectlLine {
    let request = asked.request;
    let object = &request.object;
    let subresource = request.subresource.as_str();
    if object.resource.is_empty() || !matches!(subresource, "" | "status" | "scale") {
        return asked.raw("get");
    }
    let is_named = request.verb == "get" || request.verb == "head";
    let mut line = if is_named {
        asked.line(["get".to_owned(), asked.reference()])
    } else {
        let mut line = asked.line(["get".to_owned(), resources::plural(&object.group, &object.resource)]);
        if object.namespace.is_empty() && !resources::is_of_the_cluster(&object.resource) {
            line.words.push("-A".to_owned());
        }
        select(asked, &mut line);
        line
    };
    if !subresource.is_empty() {
        line.words.push(format!("--subresource={subresource}"));
    }
    if request.verb == "watch" {
        line.words.push("--watch".to_owned());
        line = line.but("kubectl lists before it watches");
    }
    line
}

/// Adds the selectors of a request about several objects; whether there is any.
pub(super) fn select(asked: &Asked<'_>, line: &mut KubectlLine) -> bool {
    let labels = asked.parameter("labelSelector").filter(|selector| !selector.is_empty());
    let fields = asked.parameter("fieldSelector").filter(|selector| !selector.is_empty());
    let selects = labels.is_some() || fields.is_some();
    if let Some(selector) = labels {
        line.words.extend(["-l".to_owned(), selector]);
    }
    if let Some(selector) = fields {
        line.words.push(format!("--field-selector={selector}"));
    }
    selects
}

/// `exec`, `attach`, `port-forward` and `logs`; the verb is `get` or `create`, by the client's protocol.
pub(super) fn connection(asked: &Asked<'_>) -> Option<KubectlLine> {
    let request = asked.request;
    if request.object.resource != "pods" {
        return None;
    }
    let mut line = match request.subresource.as_str() {
        "exec" => asked.line(["exec"]),
        "attach" => asked.line(["attach"]),
        "log" => return Some(logs(asked)),
        _ => return Some(port_forward(asked)),
    };
    let terminal = match (asked.flag("stdin"), asked.flag("tty")) {
        (true, true) => Some("-it"),
        (true, false) => Some("-i"),
        (false, true) => Some("-t"),
        (false, false) => None,
    };
    line.words.extend(terminal.map(str::to_owned));
    container(asked, &mut line);
    line.words.push(asked.reference());
    if request.subresource == "exec" {
        line.words.push("--".to_owned());
        let before = line.words.len();
        line.words.extend(parameters(&asked.uri, "command").map(|word| word.into_owned()));
        if line.words.len() == before {
            line.words.push("COMMAND".to_owned());
            line = line.but("the log does not tell the command");
        }
    }
    Some(line)
}

fn container(asked: &Asked<'_>, line: &mut KubectlLine) {
    if let Some(container) = asked.parameter("container").filter(|name| !name.is_empty()) {
        line.words.extend(["-c".to_owned(), container]);
    }
}

fn port_forward(asked: &Asked<'_>) -> KubectlLine {
    let mut line = asked.line(["port-forward".to_owned(), asked.reference()]);
    let before = line.words.len();
    line.words.extend(parameters(&asked.uri, "ports").map(|ports| ports.into_owned()));
    if line.words.len() > before {
        return line;
    }
    // They are named inside of the connection only.
    line.words.push("PORT".to_owned());
    line.but("the log does not tell the ports")
}

fn logs(asked: &Asked<'_>) -> KubectlLine {
    let mut line = asked.line(["logs".to_owned(), asked.reference()]);
    container(asked, &mut line);
    for (parameter, option) in [("follow", "-f"), ("previous", "-p"), ("timestamps", "--timestamps")] {
        if asked.flag(parameter) {
            line.words.push(option.to_owned());
        }
    }
    for (parameter, option, unit) in [
        ("tailLines", "--tail", ""),
        ("sinceSeconds", "--since", "s"),
        ("sinceTime", "--since-time", ""),
        ("limitBytes", "--limit-bytes", ""),
    ] {
        if let Some(value) = asked.parameter(parameter).filter(|value| !value.is_empty()) {
            line.words.push(format!("{option}={value}{unit}"));
        }
    }
    line
}
