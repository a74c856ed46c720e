//! Where the configuration file is found, what it says, and the text of every error.

use std::io;

use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = include_str!("../../../assets/config.example.toml");

fn parse(text: &str) -> Result<ConfigFile> {
    ConfigFile::parse(Path::new("c.toml"), text.as_bytes())
}

/// Message and tip for a text that is wrong.
fn told(text: &str) -> (String, String) {
    let error = parse(text).expect_err(text);
    (error.to_string(), error.tip())
}

/// Loads among files of which each has a name and, unless it may not be read, a content.
fn load(
    environment: &[(&str, &str)],
    named: Option<&str>,
    files: &[(&str, Option<&str>)],
) -> Result<ConfigFile> {
    let variable =
        |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let read_file = |path: &Path| match files.iter().find(|(name, _)| Path::new(name) == path) {
        Some((_, Some(content))) => Ok(content.as_bytes().to_vec()),
        Some((_, None)) => Err(io::ErrorKind::PermissionDenied.into()),
        None => Err(io::ErrorKind::NotFound.into()),
    };
    let around = Surroundings {
        variable: &variable,
        read_file: &read_file,
        is_file: &|_| false,
        exists: &|_| true,
        cores: 2,
    };
    ConfigFile::load(named.map(Path::new), &around)
}

#[test]
fn folders_of_rules_count_from_the_file() {
    let path = Path::new("/etc/kauditui/config.toml");
    let config = ConfigFile::parse(path, b"rules = ['rules', '/srv/rules']").unwrap();
    assert_eq!(config.rules, [PathBuf::from("/etc/kauditui/rules"), PathBuf::from("/srv/rules")]);
    for (wrong, message) in [
        ("rules = 'mine'", "c.toml:1:9: rules is a list of folders, not a string"),
        ("rules = [1]", "c.toml:1:10: each of rules is a path in quotes, not an integer"),
        ("rules = ['']", "c.toml:1:10: a folder without a name"),
    ] {
        let (told, tip) = told(wrong);
        assert_eq!(told, message);
        assert!(tip.contains("rules = ["), "{tip}");
    }
}

#[test]
fn every_key_is_understood() {
    let config = parse(
        "\u{feff}memory = '1g' # comment\r\nthreads = 0x1_0\ntime = \"local\"\nascii = true\nrotated = false\n\
         rules = ['mine', \"/srv/rules\"]\nbuiltin_rules = false\nbell = true\nstate = 'seen.json'\n[filters]\nz-2 = 'user:\"a b\"'\nA_b = \"\"\"\nverb:delete\n\"\"\"\n",
    );
    let filters = [("z-2", "user:\"a b\""), ("A_b", "verb:delete\n")];
    assert_eq!(
        config.unwrap(),
        ConfigFile {
            memory: Some(1 << 30),
            threads: Some(16),
            zone: Some(TimeZoneChoice::Local),
            ascii: Some(true),
            rotated: Some(false),
            bell: Some(true),
            state: Some(PathBuf::from("seen.json")),
            rules: vec![PathBuf::from("mine"), PathBuf::from("/srv/rules")],
            builtin_rules: Some(false),
            filters: filters.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            warnings: Vec::new(),
        },
        "filters in the order of the file"
    );
    assert_eq!(parse("filters.a = 'x'").unwrap().filters.len(), 1, "TOML's other way to write a table");
    assert_eq!(parse("").unwrap(), ConfigFile::default());
}

#[test]
fn the_example_says_the_defaults_and_has_filters() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!((config.memory, config.threads), (Some(512 << 20), Some(2)));
    assert_eq!((config.zone, config.ascii), (Some(TimeZoneChoice::Utc), Some(false)));
    assert_eq!(config.rotated, Some(true));
    let names: Vec<&str> = config.filters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["deletions", "forbidden", "shells", "secrets-read"]);
    for key in SETTINGS {
        // What is off unless asked for stands behind a mark.
        let shows = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
        assert!(EXAMPLE.lines().any(shows), "{key} has no example");
    }
}

#[test]
fn a_path_counts_from_the_folder_of_the_file() {
    let state = |text: &str| {
        let config = ConfigFile::parse(Path::new("/etc/kauditui/config.toml"), text.as_bytes());
        config.map(|config| config.state)
    };
    assert_eq!(state("state = 'seen.json'").unwrap(), Some(PathBuf::from("/etc/kauditui/seen.json")));
    assert_eq!(state("state = '/var/seen.json'").unwrap(), Some(PathBuf::from("/var/seen.json")));
    for wrong in ["state = ''", "state = true"] {
        assert!(state(wrong).is_err_and(|error| error.to_string().contains("a path in quotes")), "{wrong}");
    }
}

#[test]
fn the_readme_shows_a_right_file() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert_eq!(parse(shown).unwrap().filters.len(), 2, "{shown}");
    for key in SETTINGS {
        assert!(shown.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key} is not shown");
    }
}

#[test]
fn the_first_file_that_is_there_counts() {
    let home = [("HOME", "/home/ann")];
    let (own, of_all) = ("/home/ann/.config/kauditui/config.toml", "/etc/kauditui/config.toml");
    let both = [(own, Some("threads = 3")), (of_all, Some("threads = 4"))];
    let threads = |environment: &[(&str, &str)], named, files: &[(&str, Option<&str>)]| {
        load(environment, named, files).unwrap().threads
    };
    assert_eq!(threads(&home, None, &both), Some(3));
    assert_eq!(threads(&home, None, &both[1..]), Some(4));
    assert_eq!(threads(&[], None, &both), Some(4), "nobody's home");
    assert_eq!(threads(&home, None, &[]), None, "no file is no error");
    assert_eq!(threads(&home, Some("mine.toml"), &[both[0], ("mine.toml", Some("threads = 5"))]), Some(5));
    assert_eq!(threads(&home, Some("mine.toml"), &[both[0], ("mine.toml", Some(""))]), None, "not both");

    let elsewhere = [("HOME", "/home/ann"), ("XDG_CONFIG_HOME", "/cfg")];
    let moved = ("/cfg/kauditui/config.toml", Some("threads = 6"));
    assert_eq!(threads(&elsewhere, None, &[both[0], both[1], moved]), Some(6));
    assert_eq!(threads(&elsewhere, None, &both), Some(4), "the variable stands for ~/.config");
    for none in ["", "cfg"] {
        assert_eq!(threads(&[home[0], ("XDG_CONFIG_HOME", none)], None, &both), Some(3), "'{none}'");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_with_a_way_out() {
    let missing = load(&[], Some("mine.toml"), &[]).unwrap_err();
    assert!(missing.to_string().starts_with("mine.toml: cannot be read: "), "{missing}");
    assert!(missing.tip().starts_with("check the path, or leave --config out: "), "{}", missing.tip());
    let locked = load(&[], Some("mine.toml"), &[("mine.toml", None)]).unwrap_err();
    assert!(locked.to_string().starts_with("mine.toml: cannot be read: "), "{locked}");
    assert!(locked.tip().ends_with("--config /dev/null"), "{}", locked.tip());
    let of_all = ("/etc/kauditui/config.toml", Some("threads = 3"));
    let passed =
        load(&[("HOME", "/root")], None, &[("/root/.config/kauditui/config.toml", None), of_all]).unwrap();
    assert_eq!((passed.threads, passed.warnings.len()), (Some(3), 1), "nobody asked for that file");
    assert!(
        passed.warnings[0].starts_with("the configuration /root/.config/kauditui/config.toml is not used: ")
    );
    let binary = ConfigFile::parse(Path::new("c.toml"), b"ascii = true\n# caf\xe9\n").unwrap_err();
    assert_eq!(binary.to_string(), "c.toml:2:6: this is not UTF-8");
}

#[test]
fn unknown_keys_name_what_is_known_and_near() {
    let known = "known here are memory, threads, time, ascii, rotated, rules, builtin_rules, state, bell and the \
                 table [filters]";
    for (text, message, tip) in [
        ("ascii = true\n\n  thread = 2", "c.toml:3:3: unknown key 'thread'", "did you mean threads? "),
        ("[filter]\na = 'x'", "c.toml:1:2: unknown key 'filter'", "did you mean filters? "),
        ("'héé' = 1 # first\nzzz = 2", "c.toml:1:1: unknown key 'héé'", ""),
    ] {
        assert_eq!(told(text), (message.to_owned(), format!("{tip}{known}")));
    }
}

#[test]
fn wrong_values_are_named_with_their_place() {
    for (text, message, tip) in [
        (
            "memory = 512",
            "c.toml:1:10: memory is a size in quotes, not an integer",
            "write memory = \"512MiB\"",
        ),
        (
            "memory = 'lots'",
            "c.toml:1:10: memory = 'lots' is not a size",
            "write a number with its unit, as in 512MiB or 1g",
        ),
        (
            "memory = '1MiB'",
            "c.toml:1:10: memory = 1MiB is too little to work with",
            "give it 32 MiB or more",
        ),
        ("threads = '2'", "c.toml:1:11: threads is an integer, not a string", "write threads = 2"),
        (
            "threads = 65",
            "c.toml:1:11: threads = 65 is not between 1 and 64",
            "two threads read faster than most disks",
        ),
        (
            "threads = -1",
            "c.toml:1:11: threads = -1 is not between 1 and 64",
            "two threads read faster than most disks",
        ),
        (
            "time = 'locale'",
            "c.toml:1:8: time is \"utc\" or \"local\", not 'locale'",
            "did you mean time = \"local\"?",
        ),
        (
            "time = 'Europe/Berlin'",
            "c.toml:1:8: time is \"utc\" or \"local\", not 'Europe/Berlin'",
            "times are shown in UTC or in the zone of this machine, which TZ chooses",
        ),
        (
            "time = 2026-01-14",
            "c.toml:1:8: time is \"utc\" or \"local\", not a date or time",
            "write time = \"utc\"",
        ),
        (
            "ascii = 'yes'",
            "c.toml:1:9: ascii is true or false, without quotes, not a string",
            "write ascii = true",
        ),
        (
            "rotated = []",
            "c.toml:1:11: rotated is true or false, without quotes, not a list",
            "write rotated = true",
        ),
    ] {
        assert_eq!(told(text), (message.to_owned(), tip.to_owned()));
    }
}

#[test]
fn wrong_filters_are_named_with_their_place() {
    let example = "write [filters] on a line of its own, and below it: deletions = \"verb:delete\"";
    for (text, message, tip) in [
        ("filters = 'x'", "c.toml:1:11: filters is a table, not a string", example),
        (
            "[filters]\nthreads = 2",
            "c.toml:2:1: threads stands below [filters], where it would be the name of a filter",
            "move it above [filters]; a filter needs another name",
        ),
        (
            "[filters]\n'a b' = 'x'",
            "c.toml:2:1: 'a b' is no name for a filter",
            "letters, digits, - and _ make a name, as in exec-into-pods",
        ),
        (
            "[filters]\na.b = 'x'",
            "c.toml:2:1: @a is an expression in quotes, not a table",
            "write a = \"verb:delete\"",
        ),
        ("[filters]\na = ' '", "c.toml:2:5: @a is empty", "write what it finds, as in a = \"verb:delete\""),
    ] {
        assert_eq!(told(text), (message.to_owned(), tip.to_owned()));
    }
    let (message, tip) = told("[filters]\ngood = 'verb:get'\nbad = 'verb:get usr:alice'\nworse = '('");
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "c.toml:3:7: @bad cannot be understood");
    assert!(lines[1].starts_with("filter: ") && lines[1].ends_with("at character 10"), "{message}");
    assert_eq!(lines[2], "  verb:get usr:alice");
    assert_eq!(lines[3].find('^'), lines[2].find("usr"), "{message}");
    assert!(tip.starts_with("did you mean user"), "{tip}");
}

#[test]
fn what_is_no_toml_is_named_with_its_place() {
    for (text, place) in [
        ("ascii = true\nmemory = 512MiB\n", "c.toml:2:"),
        ("ascii = true\nascii = false\n", "c.toml:2:1: "),
        ("[filters]\na = 'x\n", "c.toml:2:"),
        ("threads", "c.toml:1:"),
    ] {
        let (message, tip) = told(text);
        assert!(message.starts_with(place) && message.lines().count() == 1, "{message}");
        assert!(tip.starts_with("lines look like threads = 2"), "{tip}");
    }
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
}

proptest! {
    /// Whatever stands in the file, it is understood or refused with a place.
    #[test]
    fn no_content_panics(
        lines in prop::collection::vec(
            prop_oneof![
                prop::sample::select(EXAMPLE.lines().collect::<Vec<_>>()).prop_map(str::to_owned),
                "[a-z\\[\\]='\"{}.,0-9\\\\#é\u{1} -]{0,24}",
            ],
            0..8,
        ),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = lines.join("\n").into_bytes();
        let content = &text[..cut.index(text.len() + 1)];
        if let Err(error) = ConfigFile::parse(Path::new("c.toml"), content) {
            let Error::Config { place, .. } = &error else { panic!("{error:?}") };
            let mut parts = place.split(':').skip(1).map(|part| part.parse::<usize>().unwrap());
            let (line, column) = (parts.next().unwrap(), parts.next().unwrap());
            let there = content.split(|byte| *byte == b'\n').nth(line - 1);
            prop_assert!(there.is_some_and(|text| column <= text.len() + 1), "{}", error);
        }
    }
}
