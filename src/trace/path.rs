//! Where in an object something is: members by name, list items by what they are known by.

use std::fmt;

use serde_json::Value;

/// One step into a value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// The item of a list whose member of this name has this value.
    Known {
        /// Such as `name`.
        by: String,
        /// Such as `web`.
        value: String,
    },
    /// An item of a list by its place.
    Index(usize),
}

/// The way to a value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// One step further.
    pub fn with(&self, step: Step) -> Path {
        let mut steps = self.0.clone();
        steps.push(step);
        Path(steps)
    }

    /// The value there.
    pub fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, step| step.of(value))
    }

    /// Whether it goes through these members from the top.
    pub fn starts_with(&self, members: &[&str]) -> bool {
        members.len() <= self.0.len()
            && members
                .iter()
                .zip(&self.0)
                .all(|(member, step)| matches!(step, Step::Member(m) if m == member))
    }
}

impl Step {
    /// The value one step into another.
    pub fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Step::Member(name) => value.get(name),
            Step::Index(at) => value.get(at),
            Step::Known { by, value: wanted } => value
                .as_array()?
                .iter()
                .find(|item| item.get(by).is_some_and(|member| scalar_text(member) == *wanted)),
        }
    }
}

/// A scalar as it stands in a path.
pub(super) fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Path {
    /// `spec.template.spec.containers[web].image`; a member that is no plain word stands in quotes:
    /// `metadata.annotations."a.b/c"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
                    if !name.is_empty() && name.chars().all(plain) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "{name:?}")?;
                    }
                }
                Step::Known { value, .. } => {
                    let special = |c: char| c.is_control() || matches!(c, '[' | ']' | '"' | '\\');
                    if value.is_empty() || value.contains(special) {
                        write!(f, "[{value:?}]")?;
                    } else {
                        write!(f, "[{value}]")?;
                    }
                }
                Step::Index(at) => write!(f, "[{at}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_ambiguous() {
        let known = |value: &str| Step::Known { by: "name".to_owned(), value: value.to_owned() };
        let member = |name: &str| Step::Member(name.to_owned());
        for (steps, text) in [
            (vec![], ""),
            (vec![member("spec"), member("ports"), known("8080")], "spec.ports[8080]"),
            (vec![member("data"), member("a.b")], "data.\"a.b\""),
            (vec![member("data"), member("")], "data.\"\""),
            (vec![member("data"), member("a\"\n")], "data.\"a\\\"\\n\""),
            (vec![member("env"), known("x].y[z")], "env[\"x].y[z\"]"),
            (vec![member("rules"), Step::Index(3), member("verbs")], "rules[3].verbs"),
        ] {
            assert_eq!(Path(steps).to_string(), text);
        }
    }

    #[test]
    fn a_path_leads_to_its_value() {
        let value = serde_json::json!({"spec": {"ports": [{"port": 80}, {"port": 443, "name": "tls"}], "args": ["a"]}});
        let ports =
            Path::default().with(Step::Member("spec".to_owned())).with(Step::Member("ports".to_owned()));
        let tls = ports.with(Step::Known { by: "port".to_owned(), value: "443".to_owned() });
        assert_eq!(tls.of(&value).and_then(|port| port.get("name")), Some(&Value::from("tls")));
        assert_eq!(
            ports.with(Step::Index(0)).of(&value).and_then(|port| port.get("port")),
            Some(&Value::from(80))
        );
        assert_eq!(ports.with(Step::Index(2)).of(&value), None);
        assert_eq!(tls.with(Step::Member("port".to_owned())).with(Step::Index(0)).of(&value), None);
    }
}
