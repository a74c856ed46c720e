//! Lists of values that the user keeps beside the rules: `FOLDER/lists/NAME.txt`, one value a line.
//!
//! A rule asks for one by the modifier `expand` and the value `%NAME%` (Sigma's placeholders): `cidr|expand`,
//! `expand` alone, where values may hold wildcards, or any comparison of texts. Without the list the rule is not used.
//! `%field%` with the name of a field is no list but the event's own value.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rsigma_parser::{Detection, DetectionItem, Detections, Modifier, SigmaString, SigmaValue};

use super::field::Source;
use super::problem::LoadProblem;

/// A larger file is no list to be compared line by line.
const MOST_BYTES: u64 = 4 << 20;

/// The event's own members, whose names are no lists.
const MEMBERS: [&str; 17] = [
    "kind",
    "apiVersion",
    "metadata",
    "level",
    "auditID",
    "stage",
    "requestURI",
    "verb",
    "user",
    "impersonatedUser",
    "sourceIPs",
    "userAgent",
    "objectRef",
    "responseStatus",
    "requestObject",
    "responseObject",
    "annotations",
];

/// Lists by name.
#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<String, Vec<String>>);

impl Lists {
    /// The lists beside the rules of these folders. Two of one name are one.
    pub(super) fn read(folders: &[PathBuf], problems: &mut Vec<LoadProblem>) -> Lists {
        let mut lists = Lists::default();
        for folder in folders {
            // A folder without lists is the usual case.
            let Ok(entries) = fs::read_dir(folder.join("lists")) else { continue };
            let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
            paths.sort();
            for path in paths {
                match values(&path) {
                    Ok(values) => {
                        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                        lists.0.entry(name).or_default().extend(values);
                    }
                    Err(reason) => problems.push(LoadProblem::error(&path, 0, reason)),
                }
            }
        }
        lists
    }

    /// Puts the values of lists in the place of their names.
    ///
    /// # Errors
    /// The name of a list that is not there, or has no values.
    pub(super) fn fill(&self, detections: &mut Detections) -> Result<(), String> {
        detections.named.values_mut().try_for_each(|detection| self.fill_in(detection))
    }

    fn fill_in(&self, detection: &mut Detection) -> Result<(), String> {
        match detection {
            Detection::AllOf(items) => items.iter_mut().try_for_each(|item| self.fill_item(item)),
            Detection::AnyOf(parts) | Detection::And(parts) => {
                parts.iter_mut().try_for_each(|part| self.fill_in(part))
            }
            Detection::ArrayMatch { body, .. } => self.fill_in(body),
            Detection::Conditional { named, .. } => {
                named.values_mut().try_for_each(|part| self.fill_in(part))
            }
            Detection::Keywords(_) => Ok(()),
        }
    }

    fn fill_item(&self, item: &mut DetectionItem) -> Result<(), String> {
        if !item.field.modifiers.contains(&Modifier::Expand) || !item.values.iter().any(is_list) {
            return Ok(());
        }
        let mut filled = Vec::new();
        // Whether the event's own values are asked for as well.
        let mut is_left = false;
        for value in std::mem::take(&mut item.values) {
            let Some(name) = list_name(&value) else {
                is_left |= value.to_string().matches('%').count() > 1;
                filled.push(value);
                continue;
            };
            let values = self.0.get(name).filter(|values| !values.is_empty()).ok_or(name)?;
            filled.extend(values.iter().map(|value| SigmaValue::String(SigmaString::new(value))));
        }
        item.values = filled;
        if !is_left {
            item.field.modifiers.retain(|modifier| *modifier != Modifier::Expand);
        }
        Ok(())
    }
}

fn is_list(value: &SigmaValue) -> bool {
    list_name(value).is_some()
}

/// The list that a value stands for.
fn list_name(value: &SigmaValue) -> Option<&str> {
    let SigmaValue::String(text) = value else { return None };
    let name = text.original.strip_prefix('%')?.strip_suffix('%')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let is_field = || MEMBERS.contains(&name) || !matches!(Source::of(name), Source::Text(_));
    (is_name && !is_field()).then_some(name)
}

/// The lines of a list; `#` begins a comment.
fn values(path: &Path) -> Result<Vec<String>, String> {
    if fs::metadata(path).map_err(|error| error.to_string())?.len() > MOST_BYTES {
        return Err(format!("a list may have up to {} MiB", MOST_BYTES >> 20));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(before, _)| before).trim());
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
