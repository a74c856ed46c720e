//! What the program was told to do: defaults, below the configuration file, below the environment, below the command
//! line. Pure: whatever lies outside is asked through [`Surroundings`]. [`crate::cli`] has the words, this module
//! their meaning; `config` reads the configuration file, `named_filter` finds a filter in it; `listing` is what the
//! twins list.

mod config;
mod filter;
mod listing;
mod memory;
mod named_filter;
mod question;
mod time_range;

use std::io;
use std::path::{Path, PathBuf};

use config::ConfigFile;
pub use filter::read_filter;
pub use listing::{Column, Listing, Sort};
pub use memory::{default_memory, parse_memory};
use question::history_question;
pub use question::{HistoryQuestion, Question, RulesQuestion};
pub use time_range::{NO_LONGER_WRITTEN, Reference, TimeRange, check_time};

use crate::cli::{
    AlertsArgs, AlertsOutput, Cli, Command, ConfigArgs, DisplayArgs, FilterArgs, InfoOutput, LeastSeverity,
    QueryArgs, QueryOutput, ResourceArgs, RulesCommand, SourceArgs, StageChoice, ViewName,
};
use crate::error::{Error, Result};
use crate::model::TimeZoneChoice;
use crate::query::nearest;
use crate::source::resolve::is_pattern;
use crate::term::capabilities::Capabilities;

/// Threads a machine could sensibly give to reading.
const MOST_THREADS: usize = 64;

/// The names of the subcommands.
const COMMANDS: [&str; 9] =
    ["info", "query", "users", "trace", "history", "rbac", "report", "alerts", "rules"];

/// What settings depend on besides the arguments.
pub struct Surroundings<'a> {
    /// Value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Content of a small file, such as those of `/proc` and `/sys` and the configuration; a large one is an error.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// Whether a file has this name.
    pub is_file: &'a dyn Fn(&Path) -> bool,
    /// Whether a file, a folder or anything else has this name.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// Processor cores this process may use.
    pub cores: usize,
}

/// What the program was told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which program: the interactive one or a twin of it.
    pub task: Task,
    /// Logs as the user named them; none means to look for one.
    pub sources: Vec<PathBuf>,
    /// Play the log inside the binary instead.
    pub demo: bool,
    /// Whether a file brings its rotated siblings.
    pub rotated: bool,
    /// Whether to go on reading what is appended.
    pub follow: bool,
    /// The filter as typed; for `@NAME`, the expression of that name.
    pub filter: Option<String>,
    /// Names and expressions of the filters in the configuration file, in its order. None applies by itself.
    pub named_filters: Vec<(String, String)>,
    /// Start of the window as typed; [`TimeRange::resolve`] makes it a moment once the newest event is known.
    pub since: Option<String>,
    /// End of the window as typed.
    pub until: Option<String>,
    /// Zone in which times are shown and read.
    pub zone: TimeZoneChoice,
    /// What the terminal can show, `--ascii` heeded.
    pub capabilities: Capabilities,
    /// Draw with ASCII characters only.
    pub ascii: bool,
    /// Memory to use at most, in bytes.
    pub memory: u64,
    /// Threads that read history.
    pub threads: usize,
    /// Whether secret values are shown as they are.
    pub reveal: bool,
    /// Folders and files of rules.
    pub rules: Vec<PathBuf>,
    /// Whether the rules count that are part of the program.
    pub builtin_rules: bool,
    /// The file that keeps which alerts were dealt with.
    pub state: Option<PathBuf>,
    /// Whether the terminal's bell rings for new alerts.
    pub bell: bool,
    /// What is amiss and stops nothing, a sentence each.
    pub warnings: Vec<String>,
}

/// Which of its programs this is.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// The interactive program.
    Interactive {
        /// The view to open.
        view: ViewName,
        /// The auditID of the event to open at.
        at: Option<String>,
    },
    /// `kauditui info`
    Info(InfoOutput),
    /// `kauditui query`, and `kauditui users`, which asks for another listing of the same rows
    Query {
        /// Form of the output.
        output: QueryOutput,
        /// Which records become rows.
        stages: StageChoice,
        /// Rows or groups to print at most: the newest rows, or the first ones of an order.
        limit: Option<usize>,
        /// What is listed.
        listing: Listing,
    },
    /// `kauditui trace`, `kauditui history` and `kauditui rbac`
    Story(Question),
    /// `kauditui report`
    Report {
        /// auditIDs of requests that are told of besides those that match.
        at: Vec<String>,
        /// What its writer has to say, as Markdown.
        notes: Vec<String>,
        /// Requests that are told of at most.
        limit: Option<usize>,
    },
    /// `kauditui alerts`
    Alerts {
        /// Form of the output.
        output: AlertsOutput,
        /// What is less grave is left out.
        least: LeastSeverity,
        /// What this file tells to have been dealt with is left out.
        state: Option<PathBuf>,
    },
    /// `kauditui rules`
    Rules(RulesQuestion),
}

impl Task {
    /// Whether it looks for a log where none is named.
    pub fn needs_log(&self) -> bool {
        !matches!(self, Task::Rules(question) if !matches!(question, RulesQuestion::Test { .. }))
    }

    /// Whether it tells itself which rules cannot be used.
    fn tells_of_rules(&self) -> bool {
        matches!(self, Task::Alerts { .. } | Task::Report { .. } | Task::Rules(_))
    }
}

impl Settings {
    /// Merges the command line over the environment over the configuration file over the defaults.
    ///
    /// # Errors
    /// [`Error::Usage`] for a value that means nothing, [`Error::FilterIsFile`] for a filter that names a file,
    /// [`Error::Filter`] for one that is none, [`Error::Config`] for a configuration file that is wrong.
    pub fn new(cli: Cli, around: &Surroundings<'_>) -> Result<Settings> {
        match cli.command {
            None => {
                let task = Task::Interactive { view: cli.view.unwrap_or_default(), at: cli.at };
                let parts = Parts {
                    sources: cli.sources,
                    filter: cli.filter,
                    display: cli.display,
                    resources: cli.resources,
                    configuration: cli.configuration,
                    follow: !cli.no_follow,
                    reveal: cli.reveal_secrets,
                };
                let mut settings = parts.merge(task, around)?;
                settings.state = cli.state.or(settings.state);
                settings.bell |= cli.bell;
                Ok(settings)
            }
            Some(Command::Info(info)) => {
                let parts = Parts {
                    sources: info.sources,
                    filter: FilterArgs::default(),
                    display: info.display,
                    resources: info.resources,
                    configuration: info.configuration,
                    follow: false,
                    reveal: false,
                };
                parts.merge(Task::Info(info.output), around)
            }
            Some(Command::Query(query)) => {
                let task = query_task(&query)?;
                let parts = Parts {
                    sources: query.sources,
                    filter: query.filter,
                    display: query.display,
                    resources: query.resources,
                    configuration: query.configuration,
                    follow: query.follow,
                    reveal: query.reveal_secrets,
                };
                parts.merge(task, around)
            }
            Some(Command::Users(users)) => {
                let task = Task::Query {
                    output: users.output.into(),
                    stages: StageChoice::Request,
                    limit: None,
                    listing: Listing::read_users(users.sort.as_deref())?,
                };
                let parts = Parts {
                    sources: users.sources,
                    filter: users.filter,
                    display: users.display,
                    resources: users.resources,
                    configuration: users.configuration,
                    follow: false,
                    reveal: false,
                };
                parts.merge(task, around)
            }
            Some(Command::Trace(trace)) => {
                let question = Question::Trace { audit_id: trace.audit_id, output: trace.output };
                let parts = Parts {
                    sources: trace.sources,
                    filter: FilterArgs::default(),
                    display: trace.display,
                    resources: trace.resources,
                    configuration: trace.configuration,
                    follow: false,
                    reveal: false,
                };
                parts.merge(Task::Story(question), around)
            }
            Some(Command::History(history)) => {
                let question = Question::History(history_question(&history, around)?);
                let parts = Parts {
                    sources: history.sources,
                    filter: FilterArgs::default(),
                    display: history.display,
                    resources: history.resources,
                    configuration: history.configuration,
                    follow: false,
                    reveal: history.reveal_secrets,
                };
                parts.merge(Task::Story(question), around)
            }
            Some(Command::Rbac(rbac)) => {
                let ascii = rbac.display.ascii || !Capabilities::detect(around.variable).utf8;
                let question =
                    Question::Rbac { user: rbac.user, used: rbac.used, output: rbac.output, ascii };
                let parts = Parts {
                    sources: rbac.sources,
                    filter: FilterArgs::default(),
                    display: rbac.display,
                    resources: rbac.resources,
                    configuration: rbac.configuration,
                    follow: false,
                    reveal: false,
                };
                parts.merge(Task::Story(question), around)
            }
            Some(Command::Report(report)) => {
                if report.filter.filter.is_none() && report.at.is_empty() {
                    return Err(Error::Usage {
                        message: "a report needs to know what it is about".into(),
                        tip: "choose requests: -f 'user:mallory is:write', or --at AUDIT_ID".into(),
                    });
                }
                let parts = Parts {
                    sources: report.sources,
                    filter: report.filter,
                    display: report.display,
                    resources: report.resources,
                    configuration: report.configuration,
                    follow: false,
                    reveal: false,
                };
                parts.merge(Task::Report { at: report.at, notes: report.note, limit: report.limit }, around)
            }
            Some(Command::Alerts(alerts)) => alerts_parts(*alerts, around),
            Some(Command::Rules(rules)) => {
                let (question, parts) = rules_parts(rules.command);
                parts.merge(Task::Rules(question), around)
            }
        }
    }
}

fn alerts_parts(alerts: AlertsArgs, around: &Surroundings<'_>) -> Result<Settings> {
    if alerts.follow && alerts.output == AlertsOutput::Json {
        return Err(Error::Usage {
            message: "an array of JSON ends, and --follow does not".into(),
            tip: "print an object a line: -o jsonl".into(),
        });
    }
    let parts = Parts {
        sources: alerts.sources,
        filter: alerts.filter,
        display: alerts.display,
        resources: alerts.resources,
        configuration: alerts.configuration,
        follow: alerts.follow,
        reveal: false,
    };
    parts.merge(
        Task::Alerts { output: alerts.output, least: alerts.min_severity, state: alerts.state },
        around,
    )
}

/// What `rules` is asked, with what it shares with the other programs.
fn rules_parts(command: RulesCommand) -> (RulesQuestion, Parts) {
    let parts = |sources, display, resources, configuration| Parts {
        sources,
        filter: FilterArgs::default(),
        display,
        resources,
        configuration,
        follow: false,
        reveal: false,
    };
    let alone = |configuration| {
        parts(SourceArgs::default(), DisplayArgs::default(), ResourceArgs::default(), configuration)
    };
    match command {
        RulesCommand::List(list) => {
            let sources =
                SourceArgs { sources: list.sources, no_rotated: list.no_rotated, ..SourceArgs::default() };
            let parts = parts(sources, list.display, list.resources, list.configuration);
            (RulesQuestion::List { output: list.output }, parts)
        }
        RulesCommand::Check(check) => {
            (RulesQuestion::Check { folders: check.folders }, alone(check.configuration))
        }
        RulesCommand::Explain(explain) => {
            (RulesQuestion::Explain { rule: explain.rule }, alone(explain.configuration))
        }
        RulesCommand::Test(test) => {
            let parts = parts(test.sources, test.display, test.resources, test.configuration);
            (RulesQuestion::Test { file: test.file }, parts)
        }
    }
}

/// What `query` is to do, unless its options do not go together.
fn query_task(query: &QueryArgs) -> Result<Task> {
    let listing = Listing::read(query.columns.as_deref(), query.group_by.as_deref(), query.sort.as_deref())?;
    let refused = |message: &str, tip: &str| Err(Error::Usage { message: message.into(), tip: tip.into() });
    if query.follow && query.group_by.is_some() {
        return refused(
            "--group-by needs all rows, and --follow never has them",
            "leave --follow out; a table that stays up to date is in the terminal: kauditui, then :by user,verb",
        );
    }
    if query.follow && query.sort.is_some() {
        return refused(
            "--sort needs all rows, and --follow never has them",
            "leave one of them out; with --follow rows come in the order of time",
        );
    }
    if query.follow && query.output == QueryOutput::Json {
        return refused("an array of JSON ends, and --follow does not", "print an object a line: -o jsonl");
    }
    if query.output == QueryOutput::Raw && (query.group_by.is_some() || query.columns.is_some()) {
        return refused(
            "-o raw prints original lines, which have neither columns nor groups",
            "choose another form: -o jsonl, -o csv",
        );
    }
    Ok(Task::Query { output: query.output, stages: query.stages, limit: query.limit, listing })
}

/// What all programs share.
struct Parts {
    sources: SourceArgs,
    filter: FilterArgs,
    display: DisplayArgs,
    resources: ResourceArgs,
    configuration: ConfigArgs,
    follow: bool,
    reveal: bool,
}

impl Parts {
    fn merge(self, task: Task, around: &Surroundings<'_>) -> Result<Settings> {
        check_sources(&self.sources.sources, &task, around)?;
        let mut config = ConfigFile::load(self.configuration.config.as_deref(), around)?;
        let rules: Vec<PathBuf> = config.rules.drain(..).chain(self.configuration.rules).collect();
        let mut warnings = config.warnings;
        if !task.tells_of_rules() {
            let missing = rules.iter().filter(|path| !(around.exists)(path));
            warnings.extend(missing.map(|path| format!("no rules in {}: it does not exist", path.display())));
        }
        if self.follow {
            warnings.extend(
                self.sources
                    .sources
                    .iter()
                    .filter(|path| is_waited_for(path, around))
                    .map(|path| format!("{} does not exist: waiting for it to be written", path.display())),
            );
        }
        if let Some(expression) = &self.filter.filter
            && (around.is_file)(Path::new(expression))
        {
            return Err(Error::FilterIsFile { expression: expression.clone() });
        }
        let filter = match self.filter.filter {
            Some(typed) => Some(named_filter::resolve(typed, &config.filters)?),
            None => None,
        };
        read_filter(filter.as_deref())?;
        let zone = match (self.display.utc, self.display.local) {
            (true, _) => TimeZoneChoice::Utc,
            (false, true) => TimeZoneChoice::Local,
            (false, false) => config.zone.unwrap_or(TimeZoneChoice::Utc),
        };
        check_time("--since", self.filter.since.as_deref(), zone)?;
        check_time("--until", self.filter.until.as_deref(), zone)?;
        let memory = match (&self.resources.memory, config.memory) {
            (Some(text), _) => parse_memory("--memory", text)?,
            (None, Some(bytes)) => bytes,
            (None, None) => default_memory(&|path| String::from_utf8((around.read_file)(path).ok()?).ok()),
        };
        let threads = match (self.resources.threads, config.threads) {
            (Some(threads), _) => check_threads("--threads", threads, &threads.to_string())?,
            (None, Some(threads)) => threads,
            // etcd and the API server share the node: one core stays theirs.
            (None, None) => around.cores.clamp(1, 2),
        };
        // A locale without UTF-8 says what the terminal cannot show, so a file that asks for more does not get it.
        let mut capabilities = Capabilities::detect(around.variable);
        capabilities.utf8 &= !(self.display.ascii || config.ascii.unwrap_or(false));
        Ok(Settings {
            task,
            sources: self.sources.sources,
            demo: self.sources.demo,
            rotated: !self.sources.no_rotated && config.rotated.unwrap_or(true),
            follow: self.follow,
            filter,
            named_filters: config.filters,
            since: self.filter.since,
            until: self.filter.until,
            zone,
            ascii: !capabilities.utf8,
            capabilities,
            memory,
            threads,
            reveal: self.reveal,
            rules,
            builtin_rules: !self.configuration.no_builtin_rules && config.builtin_rules.unwrap_or(true),
            state: config.state,
            bell: config.bell.unwrap_or(false),
            warnings,
        })
    }
}

/// Refuses more threads than make sense. `called` is what stands before the number where it was `written`.
fn check_threads(called: &str, threads: usize, written: &str) -> Result<usize> {
    if (1..=MOST_THREADS).contains(&threads) {
        return Ok(threads);
    }
    Err(Error::Usage {
        message: format!("{called} {written} is not between 1 and {MOST_THREADS}"),
        tip: "two threads read faster than most disks".into(),
    })
}

/// A subcommand behind an option is read as the name of a file, and so is one that is written wrongly; say so rather than
/// that the file is missing, or wait for it.
fn check_sources(sources: &[PathBuf], task: &Task, around: &Surroundings<'_>) -> Result<()> {
    let misplaced = sources.iter().filter_map(|path| path.to_str()).find(|name| COMMANDS.contains(name));
    if let Some(name) = misplaced.filter(|name| !(around.is_file)(Path::new(name))) {
        return Err(Error::Usage {
            message: format!("'{name}' stands where a log is expected"),
            tip: format!("the subcommand comes first: kauditui {name} [OPTIONS] [SOURCE]..."),
        });
    }
    let first = sources.first().filter(|_| matches!(task, Task::Interactive { .. }));
    let missing = first.filter(|path| !(around.exists)(path)).and_then(|path| path.to_str());
    // Whoever writes a path means a file.
    let missing = missing.filter(|name| !name.contains('/'));
    match missing.and_then(|name| Some((name, nearest(name, COMMANDS.into_iter())?))) {
        Some((name, meant)) => Err(Error::Usage {
            message: format!("'{name}' is neither a file nor a command"),
            tip: format!("did you mean kauditui {meant}? To wait for a log of that name: kauditui ./{name}"),
        }),
        None => Ok(()),
    }
}

/// Whether a source is a file that is not there yet.
fn is_waited_for(source: &Path, around: &Surroundings<'_>) -> bool {
    source != Path::new("-") && !source.to_str().is_some_and(is_pattern) && !(around.exists)(source)
}

#[cfg(test)]
mod tests;
