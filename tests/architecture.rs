//! Dependencies point one way, dangerous crates stay where they belong, every module says what it is for, and the
//! README tells of every key and field.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kauditui::app::keymap::KEYMAP;
use kauditui::query::FIELDS;

/// Which modules each module may name by `crate::`. What is not listed here may name nothing.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("text", &[]),
    ("error", &[]),
    ("redact", &[]),
    ("notice", &["model"]),
    ("format", &["model"]),
    ("store", &["model", "redact"]),
    ("source", &["model", "error"]),
    ("query", &["model", "redact", "format", "store"]),
    ("activity", &["model", "query", "store"]),
    ("identity", &["model", "store"]),
    ("detect", &["model", "redact", "format", "store", "query", "identity"]),
    ("trace", &["model", "redact", "text", "format", "store", "query", "identity", "detect"]),
    ("ingest", &["model", "error", "notice", "redact", "format", "source", "store", "detect"]),
    (
        "app",
        &[
            "model", "error", "notice", "redact", "text", "format", "store", "query", "activity", "identity",
            "trace", "ingest", "detect",
        ],
    ),
    (
        "ui",
        &[
            "model", "text", "format", "store", "query", "activity", "identity", "trace", "detect", "ingest",
            "app",
        ],
    ),
    ("term", &["text"]),
    ("cli", &["error", "text"]),
    ("settings", &["model", "error", "text", "source", "query", "activity", "trace", "cli", "term"]),
    (
        "headless",
        &[
            "model", "error", "notice", "redact", "text", "format", "store", "query", "activity", "identity",
            "trace", "detect", "ingest", "settings", "cli", "term",
        ],
    ),
    (
        "runtime",
        &[
            "model", "error", "text", "format", "source", "query", "trace", "ingest", "settings", "app",
            "ui", "term", "detect",
        ],
    ),
];

/// Which modules may name an outside crate.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("ratatui", &["ui", "term", "runtime"]),
    ("crossterm", &["term", "runtime", "app"]),
    ("notify", &["source/watch"]),
    ("chrono", &["model/time"]),
];

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Path below `src` without its ending, and its text.
fn modules() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src").with_extension("");
            (name.to_string_lossy().replace('\\', "/"), fs::read_to_string(&path).expect("a source file"))
        })
        .collect()
}

/// Code without its comments and without its tests at the end.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Names that follow `prefix` in `code`.
fn named_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix).map(move |(at, _)| {
        let rest = &code[at + prefix.len()..];
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("")
    })
}

fn violations(module: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let top = module.split('/').next().unwrap_or(module);
    let mut found = Vec::new();
    if !matches!(top, "lib" | "main") {
        let allowed = MAY_USE.iter().find(|(name, _)| *name == top).map_or(&[][..], |(_, allowed)| *allowed);
        for used in named_after(&code, "crate::") {
            let is_module = MAY_USE.iter().any(|(name, _)| *name == used);
            if is_module && used != top && !allowed.contains(&used) {
                found.push(format!("{module} may not use crate::{used}"));
            }
        }
    }
    for (outside, allowed) in MAY_NAME {
        let names_it = code.contains(&format!("{outside}::"));
        if names_it
            && !allowed.iter().any(|place| module == *place || module.starts_with(&format!("{place}/")))
        {
            found.push(format!("{module} may not name {outside}"));
        }
    }
    if !text.trim_start().starts_with("//!") && !module.ends_with("tests") {
        found.push(format!("{module} does not say what it is for"));
    }
    found
}

#[test]
fn dependencies_point_one_way() {
    let modules = modules();
    assert!(modules.len() > 60, "the source is found: {}", modules.len());
    let found: Vec<String> = modules
        .iter()
        .filter(|(name, _)| !name.ends_with("tests"))
        .flat_map(|(n, t)| violations(n, t))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(modules["lib"].contains("#![forbid(unsafe_code)]"));
}

#[test]
fn the_check_can_fail() {
    let made_up = "//! Purpose.\nuse crate::ui::draw;\n// crate::runtime in a comment does not count\nuse ratatui::Frame;\n";
    assert_eq!(
        violations("store/ring", made_up),
        ["store/ring may not use crate::ui", "store/ring may not name ratatui"]
    );
    assert_eq!(violations("model/x", "use std::fmt;"), ["model/x does not say what it is for"]);
    assert!(violations("ui/x", "//! Purpose.\nuse ratatui::Frame;\nuse crate::app::App;").is_empty());
}

#[test]
fn the_directions_have_no_circle() {
    for (module, _) in MAY_USE {
        let mut reached: Vec<&str> = vec![module];
        let mut next = 0;
        while let Some(at) = reached.get(next).copied() {
            next += 1;
            let uses = MAY_USE.iter().find(|(name, _)| *name == at).map_or(&[][..], |(_, uses)| *uses);
            assert!(!uses.contains(module), "{module} comes back to itself through {at}");
            reached.extend(uses.iter().copied().filter(|used| !reached.contains(used)).collect::<Vec<_>>());
        }
    }
}

fn key_table() -> String {
    let mut table = String::from("| keys | command | what it does |\n| --- | --- | --- |\n");
    for binding in KEYMAP {
        let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{}`", key.label())).collect();
        table += &format!("| {} | `:{}` | {} |\n", keys.join(" "), binding.command, binding.help);
    }
    table
}

fn field_table() -> String {
    let mut table = String::from("| field | also | what it asks |\n| --- | --- | --- |\n");
    for info in FIELDS {
        let aliases: Vec<String> = info.aliases.iter().map(|alias| format!("`{alias}:`")).collect();
        table += &format!("| `{}:` | {} | {} |\n", info.name, aliases.join(", "), info.help);
    }
    table
}

/// The README's tables of keys and fields are made from the program's own. `KAUDITUI_UPDATE_README=1` writes them anew.
#[test]
fn the_readme_tells_of_every_key_and_field() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut readme = fs::read_to_string(&path).expect("the README");
    for (name, table) in [("keys", key_table()), ("fields", field_table())] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let from = readme.find(&begin).expect("a marker") + begin.len();
        let until = readme.find(&end).expect("a marker");
        if std::env::var_os("KAUDITUI_UPDATE_README").is_some() {
            readme.replace_range(from..until, &table);
            fs::write(&path, &readme).expect("the README can be written");
        } else {
            assert_eq!(
                &readme[from..until],
                table,
                "KAUDITUI_UPDATE_README=1 cargo test --test architecture"
            );
        }
    }
    for part in ["cargo run --release -- --demo", "cargo test\n", "screenshots/timeline.png"] {
        assert!(readme.contains(part), "{part}");
    }
}
