//! An audit event as another engine sees it: the JSON of the line, with kauditui's virtual fields put into it.
//!
//! This is the second opinion on those fields: they are worked out here from the whole event, not from columns. A line of
//! another program's log is what the reader of that log makes of it: here the second opinion is on the rules alone.

use std::borrow::Cow;
use std::net::IpAddr;

use kauditui::format::{self, Marks, Reader, Sink, Unreadable};
use kauditui::model::{self, LogKind, actor_kind, command, format_rfc3339, tool};
use rsigma_eval::{Event, EventValue};
use serde_json::{Map, Value, json};

/// Where the specification of a pod stands in an object.
const POD_SPECS: [&str; 4] =
    ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/template/spec"];

/// An audit event that answers to the fields of rules.
#[derive(Debug)]
pub struct AuditEvent(Value);

/// The line that stands for an event beside a rule: its JSON, or the text of a line that is none.
pub fn line(event: &Value) -> String {
    event.as_str().map_or_else(|| event.to_string(), str::to_owned)
}

/// The record of another program's log that a line is; `None` for one of an API server.
fn of_other_log(line: &str) -> Option<(LogKind, Value)> {
    struct Taken(Option<(LogKind, Value)>);
    impl Sink for Taken {
        fn event(&mut self, event: &model::Event<'_>, text: &[u8], _: Marks) {
            let Some(record) = format::record(event.log, text) else { return };
            let mut record = Value::Object(record);
            let object = &event.object;
            for (path, text) in [
                ("verb", &event.verb),
                ("requestURI", &event.request_uri),
                ("userAgent", &event.user_agent),
                ("user.username", &event.user),
                ("impersonatedUser.username", &event.impersonated_user),
                ("sourceIP", &event.source_ip),
                ("responseStatus.reason", &event.reason),
                ("objectRef.resource", &object.resource),
                ("objectRef.subresource", &object.subresource),
                ("objectRef.namespace", &object.namespace),
                ("objectRef.name", &object.name),
                ("objectRef.apiGroup", &object.api_group),
            ] {
                if !text.is_empty() {
                    record[path] = json!(text);
                }
            }
            if event.code > 0 {
                record["responseStatus.code"] = json!(event.code);
            }
            record["requestReceivedTimestamp"] = json!(event.received.map(format_rfc3339));
            self.0 = Some((event.log, record));
        }

        /// Other projects' events lack what makes a line of a log.
        fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
    }
    let mut taken = Taken(None);
    let mut reader = Reader::new();
    reader.read(line.as_bytes(), &mut taken);
    reader.finish(&mut taken);
    taken.0
}

impl AuditEvent {
    /// The event with its virtual fields.
    pub fn new(event: &Value) -> (LogKind, AuditEvent) {
        // Only an API server's log has stages, but for Rancher's, which has methods.
        if (event.get("stage").is_none() || event.get("method").is_some())
            && let Some((log, record)) = of_other_log(&line(event))
        {
            return (log, AuditEvent(record));
        }
        (LogKind::Kube, AuditEvent::of_kube(event))
    }

    fn of_kube(event: &Value) -> AuditEvent {
        let mut event = event.clone();
        let text =
            |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (username, agent, uri) = (text("/user/username"), text("/userAgent"), text("/requestURI"));
        let address =
            event.pointer("/sourceIPs").and_then(Value::as_array).and_then(|all| all.last()).cloned();
        let (patched, removed) = (patched(&event), removed(&event));
        // The answer to a patch has what was there before as well.
        let only_asked =
            event["verb"] == "patch" && event.get("requestObject").is_some_and(|body| !body.is_null());
        let bodies: &[&str] =
            if only_asked { &["requestObject"] } else { &["requestObject", "responseObject"] };
        let objects = bodies.iter().filter_map(|body| event.get(*body));
        let containers: Vec<Value> = objects.chain(&patched).flat_map(containers).cloned().collect();

        let Some(fields) = event.as_object_mut() else { return AuditEvent(Value::Null) };
        let user = fields.entry("user").or_insert_with(|| json!({}));
        user["kind"] = json!(actor_kind(&username).name());
        if let Some(address) = address {
            let public = address.as_str().and_then(|address| address.parse().ok()).is_some_and(is_public);
            fields.insert("sourceIP".to_owned(), address);
            fields.insert("sourceIP.public".to_owned(), json!(public));
        }
        let command = command(&uri);
        if !command.is_empty() {
            fields.insert("exec".to_owned(), json!({ "command": command }));
        }
        fields.insert("tool".to_owned(), json!(tool(&agent)));
        if !containers.is_empty() {
            fields.insert("any_container".to_owned(), json!(containers));
        }
        if !patched.is_empty() {
            fields.insert("patched".to_owned(), json!(patched));
        }
        if !removed.is_empty() {
            fields.insert("removed".to_owned(), json!(removed));
        }
        AuditEvent(event)
    }
}

/// The paths of what a patch takes away.
fn removed(event: &Value) -> Vec<String> {
    fn below(value: &Value, path: &[&str], found: &mut Vec<String>) {
        match value {
            Value::Null => found.push(path.join(".")),
            Value::Object(members) if members.get("$patch") == Some(&json!("delete")) => {
                found.push(path.join("."));
            }
            Value::Object(members) => {
                members
                    .iter()
                    .for_each(|(key, value)| below(value, &[path, &[key.as_str()]].concat(), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    match event.get("requestObject") {
        _ if event["verb"] != "patch" => {}
        Some(Value::Array(operations)) => {
            let gone = operations.iter().filter(|operation| {
                operation["op"] == "remove" || operation.get("value").is_some_and(Value::is_null)
            });
            let paths = gone.filter_map(|operation| operation["path"].as_str()?.strip_prefix('/'));
            found.extend(paths.map(|path| path.replace('/', ".").replace("~1", "/").replace("~0", "~")));
        }
        Some(body @ Value::Object(_)) => below(body, &[], &mut found),
        _ => {}
    }
    found
}

/// Containers of every sort in the pod or template that an object describes.
fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    POD_SPECS.into_iter().filter_map(|place| object.pointer(place)).flat_map(|spec| {
        ["containers", "initContainers", "ephemeralContainers"]
            .into_iter()
            .filter_map(|list| spec.get(list)?.as_array())
            .flatten()
    })
}

/// What the operations of a JSON patch put where, each as an object of its own.
fn patched(event: &Value) -> Vec<Value> {
    let operations = event.get("requestObject").and_then(Value::as_array);
    let places = operations.into_iter().flatten().filter_map(|operation| {
        let op = operation.get("op")?.as_str()?;
        let path = operation.get("path")?.as_str()?;
        let value = operation.get("value").filter(|_| op == "add" || op == "replace")?.clone();
        Some(path.rsplit('/').filter(|step| !step.is_empty()).fold(value, |value, step| {
            if step == "-" || step.parse::<u32>().is_ok() {
                json!([value])
            } else {
                let key = step.replace("~1", "/").replace("~0", "~");
                Value::Object(Map::from_iter([(key, value)]))
            }
        }))
    });
    places.collect()
}

/// Neither loopback, nor private, shared, link-local or unique-local.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified())
        }
    }
}

/// Everything at `path`: keys may have dots in them, arrays are looked through.
fn find<'v>(value: &'v Value, path: &str, found: &mut Vec<EventValue<'v>>) {
    match value {
        _ if path.is_empty() => found.push(EventValue::from(value)),
        Value::Array(members) => members.iter().for_each(|member| find(member, path, found)),
        Value::Object(fields) => {
            let dots = path.match_indices('.').map(|(at, _)| at);
            for end in dots.chain([path.len()]) {
                if let Some(value) = fields.get(&path[..end]) {
                    find(value, path.get(end + 1..).unwrap_or(""), found);
                }
            }
        }
        _ => {}
    }
}

fn strings<'v>(value: &'v Value, visit: &mut dyn FnMut(&'v str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(members) => members.iter().for_each(|member| strings(member, visit)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, visit)),
        _ => {}
    }
}

impl Event for AuditEvent {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let mut found = Vec::new();
        find(&self.0, path, &mut found);
        match found.len() {
            0 | 1 => found.pop(),
            // Lists in lists are one list to a rule.
            _ => Some(EventValue::Array(
                found
                    .into_iter()
                    .flat_map(|value| match value {
                        EventValue::Array(members) => members,
                        one => vec![one],
                    })
                    .collect(),
            )),
        }
    }

    fn any_string_value(&self, predicate: &dyn Fn(&str) -> bool) -> bool {
        let mut any = false;
        strings(&self.0, &mut |text| any |= predicate(text));
        any
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        strings(&self.0, &mut |text| all.push(Cow::Borrowed(text)));
        all
    }

    fn to_json(&self) -> Value {
        self.0.clone()
    }
}
