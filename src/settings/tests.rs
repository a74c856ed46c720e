//! Precedence and validation of settings.

use super::*;
use crate::activity::ActorSort;
use crate::cli::{Parsed, parse};

fn settings_in(environment: &[(&str, &str)], arguments: &[&str]) -> Result<Settings> {
    settings_with("", environment, arguments)
}

/// Settings where the configuration file of all users has this content.
fn settings_with(config: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Settings> {
    let arguments = std::iter::once("kauditui").chain(arguments.iter().copied()).map(Into::into);
    let Parsed::Run(cli) = parse(arguments)? else { panic!("help was asked for") };
    Settings::new(
        *cli,
        &Surroundings {
            variable: &|name| {
                environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            },
            read_file: &|path| match path.to_str() {
                Some("/etc/kauditui/config.toml") => Ok(config.as_bytes().to_vec()),
                Some("/dev/null") => Ok(Vec::new()),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
            is_file: &|path| path == Path::new("audit.log"),
            exists: &|path| path == Path::new("audit.log"),
            cores: 8,
        },
    )
}

const XTERM: [(&str, &str); 2] = [("TERM", "xterm"), ("LANG", "en_US.UTF-8")];

#[test]
fn defaults() {
    let settings = settings_in(&XTERM, &[]).unwrap();
    assert_eq!(settings.task, Task::Interactive { view: ViewName::Timeline, at: None });
    assert_eq!((settings.zone, settings.ascii, settings.reveal), (TimeZoneChoice::Utc, false, false));
    assert_eq!((settings.memory, settings.threads), (512 << 20, 2));
    assert!(settings.follow && settings.rotated && !settings.demo && settings.capabilities.color);
}

#[test]
fn flags_stand_above_the_environment() {
    assert!(settings_in(&[("TERM", "xterm"), ("LANG", "C")], &[]).unwrap().ascii);
    let settings = settings_in(&XTERM, &["--ascii", "--local", "--no-follow", "--memory", "1g"]).unwrap();
    assert_eq!((settings.ascii, settings.zone), (true, TimeZoneChoice::Local));
    assert_eq!((settings.follow, settings.memory), (false, 1 << 30));
    let plain = settings_in(&[("NO_COLOR", "1"), ("TERM", "xterm"), ("LANG", "C.UTF-8")], &[]).unwrap();
    assert!(!plain.capabilities.color && !plain.ascii);
}

#[test]
fn the_configuration_stands_between_defaults_and_the_rest() {
    let config = "memory = '1g'\nthreads = 4\ntime = 'local'\nascii = true\nrotated = false\n\
                  [filters]\ndeletions = 'verb:delete'\nby-alice = 'user:alice'\n";
    let settings = settings_with(config, &XTERM, &[]).unwrap();
    assert_eq!((settings.memory, settings.threads), (1 << 30, 4));
    assert_eq!((settings.zone, settings.ascii), (TimeZoneChoice::Local, true));
    assert!(!settings.rotated && !settings.capabilities.utf8);
    let names: Vec<&str> = settings.named_filters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["deletions", "by-alice"]);
    assert_eq!(settings.filter, None, "no named filter applies by itself");

    let flags = ["--memory", "64MiB", "--threads", "1", "--utc"];
    for twin in [&[][..], &["query"], &["info"]] {
        let settings = settings_with(config, &XTERM, &[twin, &flags].concat()).unwrap();
        assert_eq!((settings.memory, settings.threads), (64 << 20, 1), "{twin:?}");
        assert_eq!(settings.zone, TimeZoneChoice::Utc, "{twin:?}");
        let without = settings_with(config, &XTERM, &[twin, &["--config", "/dev/null"]].concat()).unwrap();
        assert_eq!((without.memory, without.rotated, without.named_filters), (512 << 20, true, vec![]));
    }
    let wanted =
        settings_with("ascii = false\nrotated = true", &XTERM, &["--ascii", "--no-rotated"]).unwrap();
    assert!(wanted.ascii && !wanted.rotated, "a flag stands above the file");
    let locale = settings_with("ascii = false", &[("TERM", "xterm"), ("LANG", "C")], &[]).unwrap();
    assert!(locale.ascii, "the environment stands above the file");
}

#[test]
fn a_named_filter_is_used_by_its_name() {
    let config = "[filters]\ndeletions = 'verb:delete'";
    for twin in [&[][..], &["query"]] {
        let filter = |text| settings_with(config, &XTERM, &[twin, &["-f", text]].concat());
        assert_eq!(filter("@deletions").unwrap().filter.as_deref(), Some("verb:delete"), "{twin:?}");
        assert_eq!(filter("user:alice").unwrap().filter.as_deref(), Some("user:alice"), "{twin:?}");
        assert_eq!(filter("@foo").unwrap_err().to_string(), "there is no filter @foo", "{twin:?}");
    }
    let wrong = settings_with("[filters]\nbad = 'usr:x'", &XTERM, &["info"]).unwrap_err();
    assert!(wrong.to_string().starts_with("/etc/kauditui/config.toml:2:7: @bad "), "{wrong}");
}

#[test]
fn twins_have_their_own_task() {
    let query = settings_in(&XTERM, &["query", "-o", "raw", "--stages", "all", "--limit", "5", "audit.log"]);
    let query = query.unwrap();
    assert_eq!(
        query.task,
        Task::Query {
            output: QueryOutput::Raw,
            stages: StageChoice::All,
            limit: Some(5),
            listing: Listing::default()
        }
    );
    assert!(!query.follow, "a query ends unless --follow is given");
    assert_eq!(query.sources, [PathBuf::from("audit.log")]);
    let users = settings_in(&XTERM, &["users", "-o", "csv", "--since", "1h", "-f", "ns:prod"]).unwrap();
    let Task::Query { output, stages, listing: Listing::Users(sort), .. } = users.task else { panic!() };
    assert_eq!((output, stages), (QueryOutput::Csv, StageChoice::Request));
    assert_eq!(sort, Sort { by: ActorSort::Events, descending: true });
    assert_eq!((users.since.as_deref(), users.filter.as_deref()), (Some("1h"), Some("ns:prod")));
    let info = settings_in(&XTERM, &["info", "-o", "json", "--no-rotated"]).unwrap();
    assert_eq!((info.task, info.rotated), (Task::Info(InfoOutput::Json), false));
}

#[test]
fn wrong_values_are_refused_with_a_tip() {
    assert!(matches!(settings_in(&XTERM, &["-f", "audit.log"]), Err(Error::FilterIsFile { .. })));
    for wrong in [
        &["--threads", "0"][..],
        &["--memory", "lots"],
        &["--since", "someday"],
        &["--utc", "query"],
        &["--demo", "audit.log"],
        &["query", "--group-by", "verb", "--follow"],
        &["query", "--sort", "user", "--follow"],
        &["query", "-o", "json", "--follow"],
        &["query", "-o", "raw", "--columns", "user"],
        &["query", "-o", "raw", "--group-by", "user"],
        &["query", "--columns", "usr"],
        &["users", "--sort", "count"],
        &["users", "-o", "raw"],
        &["--utc", "users"],
    ] {
        let error = settings_in(&XTERM, wrong).unwrap_err();
        assert!(matches!(error, Error::Usage { .. }), "{wrong:?}: {error}");
        assert!(!error.tip().is_empty());
    }
    assert!(settings_in(&XTERM, &["--utc", "query"]).unwrap_err().tip().contains("comes first"));
}
