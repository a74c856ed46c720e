//! The command line as clap types: names, headings and help. What the options mean together, and with the
//! environment, is [`crate::settings`]' business; nothing here looks at files or the clock.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::error::Error;

mod detection;

use detection::{ALERTS_EXAMPLES, RULES_EXAMPLES};
pub use detection::{
    AlertsArgs, AlertsOutput, LeastSeverity, RulesArgs, RulesCheckArgs, RulesCommand, RulesExplainArgs,
    RulesListArgs, RulesOutput, RulesTestArgs,
};

/// What a command is asked about.
const ABOUT: &str = "About";
const SOURCES: &str = "Sources";
const FILTER: &str = "Filter and time";
const DISPLAY: &str = "Display";
const OUTPUT: &str = "Output";
const RESOURCES: &str = "Resources";
const CONFIGURATION: &str = "Configuration";

const EXAMPLES: &str = "\
Examples:
  kauditui /var/log/kubernetes/audit/audit.log
  kauditui -f 'ns:prod verb:delete' --since 1h audit.log
  kauditui query -f 'code:>=400' -o jsonl audit.log | jq .user
  kauditui query --follow -f 'resource:secrets' audit.log
  kauditui query --group-by user,verb -f 'code:403' audit.log
  kauditui users --since 1h audit.log
  kauditui history -n prod deploy/web audit.log
  kauditui trace AUDIT_ID audit.log
  kauditui rbac --user alice audit.log
  kauditui alerts --min-severity high audit.log
  kauditui info /var/log/kubernetes/audit/
  kauditui --demo";

const LONG_TAIL: &str = "\
A log named like a subcommand is opened as ./info, ./query and so on.

Exit codes:
  0      done
  1      a command that looks for something found nothing; alerts: no alert; info: no event
  2      wrong usage, cannot start, a source failed; rules check: a rule cannot be used
  128+n  stopped by signal n

Configuration:
  The first of these that is there, or the file of --config, is read and never written:
    $XDG_CONFIG_HOME/kauditui/config.toml, or ~/.config/kauditui/config.toml without that variable
    /etc/kauditui/config.toml
  memory = \"512MiB\"      as --memory
  threads = 2            as --threads
  time = \"utc\"           or \"local\", as --utc and --local
  ascii = false          true as --ascii
  rotated = true         false as --no-rotated
  state = \"FILE\"         as --state; a relative path counts from the configuration file's folder
  bell = false           true as --bell
  rules = [\"rules\"]      as --rules, before those of the command line; from the file's own folder
  builtin_rules = true   false as --no-builtin-rules
  [filters]
  deletions = \"verb:delete,deletecollection\"
                         used by -f @deletions, and never by itself
  The environment stands above the file, options above both.

Environment:
  NO_COLOR             when set and not empty: no colours
  KAUDITUI_NO_INOTIFY  when set: look for new lines once a second instead of waiting for inotify
  LC_ALL, LC_CTYPE, LANG
                       a locale without UTF-8 means --ascii";

/// The whole command line.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "kauditui",
    version,
    about = "Explore Kubernetes audit logs: who did what, to which object, when, from where and why it was allowed",
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{LONG_TAIL}"),
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// A twin of the interactive program that prints instead.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// Which rows are shown.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show what is there and do not wait for more.
    #[arg(long, help_heading = SOURCES)]
    pub no_follow: bool,
    /// Open this view.
    #[arg(long, value_name = "NAME", value_enum, help_heading = DISPLAY)]
    pub view: Option<ViewName>,
    /// Open at the event with this auditID.
    #[arg(long, value_name = "AUDIT_ID", help_heading = DISPLAY)]
    pub at: Option<String>,
    /// Keep which alerts were acknowledged or closed in FILE; without it they are for this session.
    #[arg(long, value_name = "FILE", help_heading = CONFIGURATION)]
    pub state: Option<PathBuf>,
    /// Ring the terminal's bell for a new alert of high or critical, at most once in ten seconds.
    #[arg(long, help_heading = DISPLAY)]
    pub bell: bool,
    /// Show values of secrets and tokens as they are in the log.
    #[arg(long, help_heading = DISPLAY)]
    pub reveal_secrets: bool,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Subcommands.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Count what the logs hold: lines, requests, unreadable lines, gaps, audit levels.
    Info(InfoArgs),
    /// Print the rows of the timeline, or count them by the values of fields.
    #[command(after_help = QUERY_EXAMPLES)]
    Query(Box<QueryArgs>),
    /// Print who was active, people first: requests, writes, failures, places, and who is new.
    #[command(after_help = USERS_EXAMPLES)]
    Users(Box<UsersArgs>),
    /// Print what led to a request, who stood behind it, and what it set off.
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(Box<TraceArgs>),
    /// Print who changed an object, when, and what exactly; or its state, as YAML.
    #[command(after_help = HISTORY_EXAMPLES)]
    History(Box<HistoryArgs>),
    /// Print what a user was allowed and refused, by which bindings, and the least roles for it.
    #[command(after_help = RBAC_EXAMPLES)]
    Rbac(Box<RbacArgs>),
    /// Write chosen requests down as an incident timeline in Markdown, with evidence for each.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Box<ReportArgs>),
    /// Print what the detection rules found: the gravest first, each with why it was found.
    #[command(after_help = ALERTS_EXAMPLES)]
    Alerts(Box<AlertsArgs>),
    /// List, check, explain and try the detection rules.
    #[command(after_help = RULES_EXAMPLES, disable_help_subcommand = true)]
    Rules(Box<RulesArgs>),
}

const QUERY_EXAMPLES: &str = "\
Examples:
  kauditui query -f 'verb:delete name:novelapp' audit.log
  kauditui query --columns time,user,request.spec.replicas -f 'sub:scale is:write' audit.log
  kauditui query --sort duration --limit 20 -f '-verb:watch' audit.log
  kauditui query --group-by user,verb -f 'code:403' -o markdown audit.log
  kauditui query --group-by tool --sort bytes -o csv audit.log

Rows are printed in time order; with --follow, new ones as they come. Without --follow, everything is read first, \
as far as --memory allows; what had to be dropped is said on standard error.

For each group: rows, failures (code 400 or more), refusals (403), writes, bytes of the lines, median and 99th \
percentile of the durations (at most 2 % off; without watches and the like, which last as long as they are wanted), \
first and last time. A request with several values of a field (group) counts for each of them; user is the \
authenticated user, whose rows -f user==NAME finds.

Exit code 1 means that nothing matched.";

const USERS_EXAMPLES: &str = "\
Examples:
  kauditui users audit.log
  kauditui users -f 'ns:prod is:write' --sort writes -o csv audit.log

A request that was made as somebody else counts for both. People come first, then anonymous callers, service \
accounts, nodes, and the control plane. Somebody is new who was first seen in the last three quarters of the log, \
and at least a minute after its beginning; that looks at the whole log, whatever the filter.

Exit code 1 means that nothing matched.";

const TRACE_EXAMPLES: &str = "\
Examples:
  kauditui trace 4517a132-618b-4c74-bd69-41245c01e2db audit.log
  kauditui trace -o markdown 4517a132-618b-4c74-bd69-41245c01e2db audit.log

Backwards to a person or an outside system, forwards to everything that followed. Each statement says how sure it is:
  certain  a field of the log proves it
  likely   names, controllers' habits and times speak for it
  claimed  the client says so
  unknown  this log cannot tell, and says why

Exit code 1 means that no request has this auditID.";

const RBAC_EXAMPLES: &str = "\
Examples:
  kauditui rbac --user mallory@example.com audit.log
  kauditui rbac --user sa:ci/deployer --used -o yaml audit.log > least-privilege.yaml

The bindings that let the user in and who made or changed them in this log, refusals by their kind, and a Role for each \
namespace or a ClusterRole that would allow what RBAC refused: nothing more, never a wildcard, and to be reviewed. With \
--used, what the user did with success instead. Level Metadata suffices; a log without reads cannot tell of refused ones.

Exit code 1 means that the user made no request in this log.";

const REPORT_EXAMPLES: &str = "\
Examples:
  kauditui report -f 'user:mallory is:write' audit.log > incident.md
  kauditui report --at 4517a132-618b-4c74-bd69-41245c01e2db --note 'Found by bob.' audit.log

Times are UTC and secret values are masked. For each request: who stood behind it and what led to it, what allowed it, \
the kubectl line that would do it, and the file, byte offset and SHA-256 of each of its lines. The end says what the \
logs that were read can and cannot tell. Files are read twice: the second time for the offsets.

Exit code 1 means that nothing was chosen.";

/// Arguments of `kauditui info`.
#[derive(Args, Clone, Debug)]
pub struct InfoArgs {
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: InfoOutput,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Arguments of `kauditui query`.
#[derive(Args, Clone, Debug)]
pub struct QueryArgs {
    /// Which rows are shown.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// One row a request, or each stage of it.
    #[arg(long, value_enum, default_value_t, value_name = "WHICH", help_heading = FILTER)]
    pub stages: StageChoice,
    /// Print what is there, then what comes, until stopped.
    #[arg(long, help_heading = SOURCES)]
    pub follow: bool,
    /// Print only the newest N rows of what is there, or the first N by --sort and --group-by; with --follow, all
    /// that come after them.
    #[arg(long, value_name = "N", help_heading = FILTER)]
    pub limit: Option<usize>,
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: QueryOutput,
    /// Print these columns: fields of the filter language, time, received, bytes, annotation.KEY, or places in the
    /// bodies such as request.spec.replicas.
    #[arg(long, value_name = "FIELDS", help_heading = OUTPUT)]
    pub columns: Option<String>,
    /// Print a line for each combination of values of these fields, instead of one for each row.
    #[arg(long, value_name = "FIELDS", help_heading = OUTPUT)]
    pub group_by: Option<String>,
    /// Sort by a field, time, received, bytes or duration; groups by a grouped field, count, failed, forbidden,
    /// writes, bytes, first, last, p50 or p99. Counts, bytes and durations begin with the greatest, all else with
    /// the least; FIELD:asc and FIELD:desc say otherwise.
    #[arg(long, value_name = "FIELD", help_heading = OUTPUT)]
    pub sort: Option<String>,
    /// Print values of secrets and tokens as they are in the log.
    #[arg(long, help_heading = OUTPUT)]
    pub reveal_secrets: bool,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Arguments of `kauditui users`.
#[derive(Args, Clone, Debug)]
pub struct UsersArgs {
    /// Which rows are counted.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: UsersOutput,
    /// Sort each kind of user by events, writes, failed, forbidden, namespaces, addresses, tools, last (the greatest
    /// first), user or first; FIELD:asc and FIELD:desc say otherwise.
    #[arg(long, value_name = "FIELD", help_heading = OUTPUT)]
    pub sort: Option<String>,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

const HISTORY_EXAMPLES: &str = "\
Examples:
  kauditui history -n prod deploy/web audit.log
  kauditui history -n prod -o yaml deploy/web audit.log > web.yaml    the last known manifest
  kauditui history -n prod --between 3..5 cm/web-config audit.log

A write's outcome is the answer's body (audit level RequestResponse), else what its patch makes of the last known state \
(Request), else unknown (Metadata), which is said. Values of Secrets, and what looks like a credential, are masked.

Exit code 1 means that this log has no write to it, or does not tell the state that was asked for.";

/// Arguments of `kauditui history`.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    /// The object: plural, singular or short name of its resource, and its name, as in deploy/web, or prod/deploy/web
    /// with its namespace in front.
    #[arg(value_name = "RESOURCE/NAME", help_heading = ABOUT)]
    pub object: String,
    /// Its namespace, where the name alone could mean several.
    #[arg(short, long, value_name = "NAMESPACE", help_heading = ABOUT)]
    pub namespace: Option<String>,
    /// Writes that only report, such as those of status, too.
    #[arg(long, help_heading = FILTER)]
    pub reports: bool,
    /// Writes to what belongs to it, too: a deployment's replica sets and their pods.
    #[arg(long, help_heading = FILTER)]
    pub owned: bool,
    /// The state at this time, instead of the writes: as --since takes it.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "revision", help_heading = OUTPUT)]
    pub at: Option<String>,
    /// Fields that the server fills in (managedFields, status, resourceVersion), too.
    #[arg(long, help_heading = FILTER)]
    pub all_fields: bool,
    /// The state after this revision, instead of the writes.
    #[arg(long, value_name = "NUMBER", help_heading = OUTPUT)]
    pub revision: Option<usize>,
    /// What differs between two revisions, instead of the writes.
    #[arg(long, value_name = "A..B", help_heading = OUTPUT)]
    pub between: Option<String>,
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: HistoryOutput,
    /// Print values of secrets and tokens as they are in the log.
    #[arg(long, help_heading = OUTPUT)]
    pub reveal_secrets: bool,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Arguments of `kauditui trace`.
#[derive(Args, Clone, Debug)]
pub struct TraceArgs {
    /// The auditID of the request, or its first characters, as far as they belong to no other.
    #[arg(value_name = "AUDIT_ID", help_heading = ABOUT)]
    pub audit_id: String,
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: StoryOutput,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Arguments of `kauditui rbac`.
#[derive(Args, Clone, Debug)]
pub struct RbacArgs {
    /// The user, or a short name that no other has; a service account as system:serviceaccount:NAMESPACE:NAME,
    /// sa:NAMESPACE/NAME or NAMESPACE/NAME.
    #[arg(short, long, value_name = "NAME", help_heading = ABOUT)]
    pub user: String,
    /// Write roles for what the user did with success, instead of for what it was refused.
    #[arg(long, help_heading = OUTPUT)]
    pub used: bool,
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: RbacOutput,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Arguments of `kauditui report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Which requests it is about; -f or --at must choose some.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// The request with this auditID, too; may be given several times.
    #[arg(long, value_name = "AUDIT_ID", help_heading = FILTER)]
    pub at: Vec<String>,
    /// Tell of N requests at most: those of --at, then the earliest; how many are left out is said
    /// [default: 200].
    #[arg(long, value_name = "N", help_heading = FILTER)]
    pub limit: Option<usize>,
    /// Begin with this text, as Markdown; may be given several times.
    #[arg(long, value_name = "TEXT", help_heading = OUTPUT)]
    pub note: Vec<String>,
    /// What to read.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// How it looks.
    #[command(flatten)]
    pub display: DisplayArgs,
    /// What it may take.
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// What to read.
#[derive(Args, Clone, Debug, Default)]
pub struct SourceArgs {
    /// A file, a folder, a glob, or - for standard input; without one, the log of the API server on this machine.
    #[arg(value_name = "SOURCE", help_heading = SOURCES)]
    pub sources: Vec<PathBuf>,
    /// Leave out the rotated files beside a log.
    #[arg(long, help_heading = SOURCES)]
    pub no_rotated: bool,
    /// Play a log that is part of the program; needs no cluster.
    #[arg(long, conflicts_with = "sources", help_heading = SOURCES)]
    pub demo: bool,
}

/// Which rows are shown.
#[derive(Args, Clone, Debug, Default)]
pub struct FilterArgs {
    /// Show what matches, as in: user:alice verb:delete,patch -ns:kube-system code:>=400; or @NAME for a filter that
    /// the configuration file names.
    #[arg(short, long, value_name = "EXPR", allow_hyphen_values = true, help_heading = FILTER)]
    pub filter: Option<String>,
    /// Show nothing before: 15m, 03:00, 2026-01-14T03:00:00Z
    ///
    /// A length such as 15m counts back from now, or from the newest event of a log that is no longer written (its
    /// newest event is more than 15 minutes old); which one is said. A time of day is the latest such moment, in the
    /// shown zone, not after the newest event.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = FILTER)]
    pub since: Option<String>,
    /// Show nothing from this moment on; the same forms as --since.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = FILTER)]
    pub until: Option<String>,
}

/// How it looks.
#[derive(Args, Clone, Debug, Default)]
pub struct DisplayArgs {
    /// Show and read times in UTC, as they are in the log (default).
    #[arg(long, conflicts_with = "local", help_heading = DISPLAY)]
    pub utc: bool,
    /// Show and read times in the zone of this machine.
    #[arg(long, help_heading = DISPLAY)]
    pub local: bool,
    /// Draw with ASCII characters only.
    #[arg(long, help_heading = DISPLAY)]
    pub ascii: bool,
}

/// What it may take.
#[derive(Args, Clone, Debug, Default)]
pub struct ResourceArgs {
    /// Memory to use at most, as 512MiB or 1g; the oldest events are dropped beyond it [default: 512MiB or an eighth
    /// of the machine's, whichever is less].
    #[arg(long, value_name = "SIZE", help_heading = RESOURCES)]
    pub memory: Option<String>,
    /// Threads that read history [default: 2, or 1 on a single core].
    #[arg(long, value_name = "N", help_heading = RESOURCES)]
    pub threads: Option<usize>,
}

/// What else says what to do.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// Read settings and named filters from FILE [default: ~/.config/kauditui/config.toml, else
    /// /etc/kauditui/config.toml]; /dev/null for none.
    #[arg(long, value_name = "FILE", help_heading = CONFIGURATION)]
    pub config: Option<PathBuf>,
    /// Detect by the Sigma rules in this folder or file, too; may be given several times. A rule with the id of a
    /// built-in one replaces it; Sigma filters there narrow any rule.
    #[arg(long, value_name = "DIR", help_heading = CONFIGURATION)]
    pub rules: Vec<PathBuf>,
    /// Leave out the rules that are part of the program.
    #[arg(long, help_heading = CONFIGURATION)]
    pub no_builtin_rules: bool,
}

/// Views that can be opened.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViewName {
    /// The table of requests with its histogram.
    #[default]
    Timeline,
    /// The detail of the newest event, or of the one that --at names.
    Detail,
    /// Who was active.
    Users,
    /// What the rules of detection found.
    Alerts,
    /// The rules: which can fire on this log, which could not be loaded.
    Rules,
    /// Ready-made tables, and counts by any fields.
    Statistics,
    /// The history of the object of the event that --at names.
    Object,
    /// What led to the event that --at names, and what it set off.
    Chain,
    /// Why the event that --at names was allowed or refused.
    Access,
    /// The session that the event that --at names belongs to.
    Session,
    /// What could not be read, and what changed.
    Notices,
    /// The logs that are open.
    Sources,
    /// All keys, and the filter language.
    Help,
}

impl ViewName {
    /// How it is written.
    pub fn name(self) -> &'static str {
        match self {
            ViewName::Timeline => "timeline",
            ViewName::Detail => "detail",
            ViewName::Users => "users",
            ViewName::Alerts => "alerts",
            ViewName::Rules => "rules",
            ViewName::Statistics => "statistics",
            ViewName::Object => "object",
            ViewName::Chain => "chain",
            ViewName::Access => "access",
            ViewName::Session => "session",
            ViewName::Notices => "notices",
            ViewName::Sources => "sources",
            ViewName::Help => "help",
        }
    }
}

/// Forms of `info`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InfoOutput {
    /// For people.
    #[default]
    Table,
    /// For programs: one JSON object.
    Json,
}

/// Forms of `query`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryOutput {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, for spreadsheets: text that one would run as a formula gets an apostrophe in front.
    Csv,
    /// A table for tickets and wikis.
    Markdown,
    /// The original lines; those that hold secret values are withheld and counted.
    Raw,
}

/// Forms of `users`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsersOutput {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, for spreadsheets: text that one would run as a formula gets an apostrophe in front.
    Csv,
    /// A table for tickets and wikis.
    Markdown,
}

/// Forms of `history`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryOutput {
    /// A line for each write, the newest first, with the fields that it changed.
    #[default]
    Table,
    /// For programs: one JSON object.
    Json,
    /// For tickets and wikis.
    Markdown,
    /// The object itself: its last known manifest, or that of --revision.
    Yaml,
}

/// Forms of `rbac`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RbacOutput {
    /// Bindings, refusals and roles, for people.
    #[default]
    Table,
    /// For programs: one JSON object.
    Json,
    /// The roles and their bindings alone, to apply after a review.
    Yaml,
    /// For tickets and wikis.
    Markdown,
}

/// Forms of `trace`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoryOutput {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line for each request with that auditID.
    Json,
    /// For tickets and wikis.
    Markdown,
}

impl From<UsersOutput> for QueryOutput {
    fn from(output: UsersOutput) -> QueryOutput {
        match output {
            UsersOutput::Table => QueryOutput::Table,
            UsersOutput::Json => QueryOutput::Json,
            UsersOutput::Jsonl => QueryOutput::Jsonl,
            UsersOutput::Csv => QueryOutput::Csv,
            UsersOutput::Markdown => QueryOutput::Markdown,
        }
    }
}

/// Which records become rows.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StageChoice {
    /// One row a request, at its first response.
    #[default]
    Request,
    /// Each record of the log.
    All,
}

/// What parsing the arguments led to, when it was not an error.
#[derive(Debug)]
pub enum Parsed {
    /// Do this.
    Run(Box<Cli>),
    /// Print this text (help, version) on standard output and end well.
    Print(String),
}

/// Parses arguments, the program's name first.
///
/// # Errors
/// [`Error::Usage`] for whatever clap refuses, in the form of this program's other errors.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Error> {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => Ok(Parsed::Run(Box::new(cli))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Parsed::Print(error.render().to_string()))
        }
        Err(error) => Err(usage(&error.render().to_string())),
    }
}

/// clap's message and tip, without its usage block.
fn usage(rendered: &str) -> Error {
    let mut message: Vec<&str> = Vec::new();
    let mut tip = None;
    for line in rendered.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("tip: ") {
            tip.get_or_insert_with(|| text.to_owned());
        } else if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        } else if !line.is_empty() {
            message.push(line.strip_prefix("error: ").unwrap_or(line));
        }
    }
    // A file name that is typed as an argument may hold anything.
    let message = crate::text::sanitise(&message.join(" ")).into_owned();
    let tip = tip.map_or_else(
        || "kauditui --help lists the options".to_owned(),
        |tip| crate::text::sanitise(&tip).into_owned(),
    );
    Error::Usage { message, tip }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(arguments: &[&str]) -> Cli {
        match parse(std::iter::once("kauditui").chain(arguments.iter().copied()).map(OsString::from)) {
            Ok(Parsed::Run(cli)) => *cli,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sources_and_subcommands_keep_apart() {
        assert_eq!(parsed(&["a.log", "b.log"]).sources.sources.len(), 2);
        assert_eq!(parsed(&["./info"]).sources.sources, [PathBuf::from("./info")]);
        assert!(matches!(parsed(&["info"]).command, Some(Command::Info(_))));
        let Some(Command::Query(query)) =
            parsed(&["query", "-f", "-ns:kube-system", "--since", "-15m", "-"]).command
        else {
            panic!("no query")
        };
        assert_eq!(query.filter.filter.as_deref(), Some("-ns:kube-system"));
        assert_eq!(query.filter.since.as_deref(), Some("-15m"));
        assert_eq!(query.sources.sources, [PathBuf::from("-")]);
    }

    #[test]
    fn claps_errors_look_like_ours() {
        let refused = parse(["kauditui", "--no-folow"].map(OsString::from));
        let Err(Error::Usage { message, tip }) = refused else { panic!("{refused:?}") };
        assert_eq!(message, "unexpected argument '--no-folow' found");
        assert!(tip.contains("--no-follow"), "{tip}");
        let refused = parse(["kauditui", "query", "-o", "xml"].map(OsString::from));
        let Err(Error::Usage { message, .. }) = refused else { panic!("{refused:?}") };
        assert!(message.contains("'xml'") && message.contains("jsonl"), "{message}");
    }

    #[test]
    fn every_option_has_a_heading() {
        for command in [Cli::command()].iter().chain(Cli::command().get_subcommands()) {
            for argument in command.get_arguments() {
                let known = matches!(argument.get_id().as_str(), "help" | "version");
                assert!(known || argument.get_help_heading().is_some(), "{}", argument.get_id());
            }
        }
    }
}
