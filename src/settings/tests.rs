//! Precedence and validation of settings.

use super::*;
use crate::cli::{Parsed, parse};

fn settings_in(environment: &[(&str, &str)], arguments: &[&str]) -> Result<Settings> {
    let arguments = std::iter::once("kauditui").chain(arguments.iter().copied()).map(Into::into);
    let Parsed::Run(cli) = parse(arguments)? else { panic!("help was asked for") };
    Settings::new(
        *cli,
        &Surroundings {
            variable: &|name| {
                environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            },
            read_file: &|_| None,
            is_file: &|path| path == Path::new("audit.log"),
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
fn twins_have_their_own_task() {
    let query = settings_in(&XTERM, &["query", "-o", "raw", "--stages", "all", "--limit", "5", "audit.log"]);
    let query = query.unwrap();
    assert_eq!(
        query.task,
        Task::Query { output: QueryOutput::Raw, stages: StageChoice::All, limit: Some(5) }
    );
    assert!(!query.follow, "a query ends unless --follow is given");
    assert_eq!(query.sources, [PathBuf::from("audit.log")]);
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
    ] {
        let error = settings_in(&XTERM, wrong).unwrap_err();
        assert!(matches!(error, Error::Usage { .. }), "{wrong:?}: {error}");
        assert!(!error.tip().is_empty());
    }
    assert!(settings_in(&XTERM, &["--utc", "query"]).unwrap_err().tip().contains("comes first"));
}
