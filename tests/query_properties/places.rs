//! Places in the tree of an event: annotations and paths into the bodies.

use kauditui::query::{Body, BodyPath, Step};
use serde_json::Value as Json;

use crate::asked::Asked;

/// The annotation with this key.
pub fn at_annotation<'e>(event: &'e Json, key: &str) -> Vec<&'e Json> {
    event.get("annotations").and_then(|all| all.get(key)).map(leaves).unwrap_or_default()
}

/// What stands at a path: an array is its elements, and nothing is `null`.
pub fn at_path<'e>(event: &'e Json, path: &BodyPath) -> Vec<&'e Json> {
    let bodies: &[&str] = match path.body {
        Body::Request => &["requestObject"],
        Body::Response => &["responseObject"],
        Body::Either => &["requestObject", "responseObject"],
    };
    let mut places: Vec<&Json> = bodies.iter().filter_map(|body| event.get(body)).collect();
    for step in &path.steps {
        places = places
            .into_iter()
            .flat_map(|place| match step {
                Step::Key(key) => members(place, key),
                Step::Any => place.as_array().map(|all| all.iter().collect()).unwrap_or_default(),
                Step::Index(index) => place.get(*index as usize).into_iter().collect(),
            })
            .collect();
    }
    places.into_iter().flat_map(leaves).collect()
}

/// The member with this key, or that of any element.
fn members<'e>(place: &'e Json, key: &str) -> Vec<&'e Json> {
    match place {
        Json::Array(elements) => elements.iter().flat_map(|element| members(element, key)).collect(),
        _ => place.get(key).into_iter().collect(),
    }
}

fn leaves(place: &Json) -> Vec<&Json> {
    match place {
        Json::Null => Vec::new(),
        Json::Array(elements) => elements.iter().flat_map(leaves).collect(),
        _ => vec![place],
    }
}

/// Whether any of them passes; for absence, whether none says anything.
pub fn leaves_pass(asked: Asked<'_>, leaves: &[&Json]) -> bool {
    let text = |leaf: &Json| match leaf {
        Json::Object(_) => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let says = |leaf: &&Json| text(leaf).is_none_or(|text| !text.is_empty());
    if asked.is_absence() && !asked.regex {
        return !leaves.iter().any(says);
    }
    let is_plain = !asked.value.quoted && !asked.regex;
    if is_plain && asked.text() == "*" {
        return leaves.iter().any(says);
    }
    let comparison = [">=", "<=", ">", "<"].into_iter().filter(|_| is_plain).find_map(|sign| {
        let number = asked.text().strip_prefix(sign)?;
        Some((sign, number.parse::<f64>().expect("the parser refuses anything else")))
    });
    leaves.iter().filter_map(|leaf| text(leaf)).any(|text| match comparison {
        None => asked.is(&text),
        Some((sign, wanted)) => text.parse::<f64>().is_ok_and(|found| match sign {
            ">" => found > wanted,
            ">=" => found >= wanted,
            "<" => found < wanted,
            _ => found <= wanted,
        }),
    })
}
