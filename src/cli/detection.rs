//! The arguments of `kauditui alerts` and `kauditui rules`, as [`super`] has those of the other commands.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    ABOUT, ConfigArgs, DisplayArgs, FILTER, FilterArgs, OUTPUT, QueryOutput, ResourceArgs, SOURCES,
    SourceArgs,
};

pub(super) const ALERTS_EXAMPLES: &str = "\
Examples:
  kauditui alerts audit.log
  kauditui alerts --min-severity high -f 'ns:prod' --since 1h -o json audit.log
  kauditui alerts --min-severity informational -o jsonl audit.log | jq -r .sentence
  kauditui alerts --follow -o jsonl audit.log
  kauditui query -f 'alert:>=high' audit.log            the requests behind them

One alert is what one rule found of one actor in one namespace; a correlation's is what it found of the values it groups \
by. The gravest come first, of these the latest. -f, --since and --until choose the requests that count; correlations look \
at the whole log, and are listed when a request of theirs is among the chosen. Secret values are masked.

With --follow an alert is printed when it is first seen, again whenever its count has doubled, and when it goes on after an \
hour without; the last line of an alert is the newest.

What could not be found is said on standard error: rules that failed to load, rules that cannot fire on this log, what was \
dropped for memory.

Exit code 1 means that there is no alert.";

pub(super) const RULES_EXAMPLES: &str = "\
Examples:
  kauditui rules list
  kauditui rules list audit.log                     with hits, and which rules can fire on this log
  kauditui rules check /etc/kauditui/rules
  kauditui rules explain exec-into-pod
  kauditui rules test my-rule.yml audit.log
  kubectl-audit-event | kauditui rules test my-rule.yml -

Exit codes:
  0  done; check: every rule can be used, there may be warnings
  1  test: the rule matches nothing
  2  wrong usage, or a rule that cannot be used; check: with file, line and reason of each";

/// Arguments of `kauditui alerts`.
#[derive(Args, Clone, Debug)]
pub struct AlertsArgs {
    /// Which requests count.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Leave out what is less grave.
    #[arg(long, value_enum, default_value_t, ignore_case = true, value_name = "SEVERITY", help_heading = FILTER)]
    pub min_severity: LeastSeverity,
    /// Leave out what was acknowledged or closed in the program, as FILE keeps it, until it happens again.
    #[arg(long, value_name = "FILE", help_heading = FILTER)]
    pub state: Option<PathBuf>,
    /// Print what is there, then what comes, until stopped.
    #[arg(long, help_heading = SOURCES)]
    pub follow: bool,
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: AlertsOutput,
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

/// Arguments of `kauditui rules`.
#[derive(Args, Clone, Debug)]
pub struct RulesArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// Subcommands of `kauditui rules`.
#[derive(Subcommand, Clone, Debug)]
pub enum RulesCommand {
    /// List the rules; with a SOURCE also how often each is met there, and whether it can be.
    List(RulesListArgs),
    /// Tell what is wrong with rule files, with file, line and reason.
    Check(RulesCheckArgs),
    /// Tell what a rule looks for, what it needs of the log, and what narrows it.
    Explain(RulesExplainArgs),
    /// Run one rule file over logs: how much it finds, and why.
    Test(RulesTestArgs),
}

/// Arguments of `kauditui rules list`.
#[derive(Args, Clone, Debug)]
pub struct RulesListArgs {
    /// Form of the output; the JSON is described in docs/json.md.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", help_heading = OUTPUT)]
    pub output: RulesOutput,
    /// A file, a folder, a glob, or - for standard input, over which the rules are run; none for the list alone.
    #[arg(value_name = "SOURCE", help_heading = SOURCES)]
    pub sources: Vec<PathBuf>,
    /// Leave out the rotated files beside a log.
    #[arg(long, help_heading = SOURCES)]
    pub no_rotated: bool,
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

/// Arguments of `kauditui rules check`.
#[derive(Args, Clone, Debug)]
pub struct RulesCheckArgs {
    /// Folders or files to check beside the built-in rules, in place of those of the configuration.
    #[arg(value_name = "DIR", help_heading = ABOUT)]
    pub folders: Vec<PathBuf>,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Arguments of `kauditui rules explain`.
#[derive(Args, Clone, Debug)]
pub struct RulesExplainArgs {
    /// The rule's id, its name, its file's name without the ending, or its title.
    #[arg(value_name = "ID", help_heading = ABOUT)]
    pub rule: String,
    /// What else says what to do.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Arguments of `kauditui rules test`.
#[derive(Args, Clone, Debug)]
pub struct RulesTestArgs {
    /// The file with the rule; what it correlates must be in it or built in.
    #[arg(value_name = "RULE_FILE", help_heading = ABOUT)]
    pub file: PathBuf,
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

/// The least severity of what is listed.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeastSeverity {
    /// All activity, too: what happens every day.
    #[value(alias = "info")]
    Informational,
    /// Activity worth knowing when something else happened.
    Low,
    /// To be looked at today: all alerts.
    #[default]
    Medium,
    /// To be acted on now.
    High,
    /// To be acted on now, and the cluster's own security is in doubt.
    Critical,
}

impl LeastSeverity {
    /// Its place among the severities, the least first.
    pub fn place(self) -> usize {
        self as usize
    }
}

/// Forms of `alerts`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlertsOutput {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// A table for tickets and wikis.
    Markdown,
}

impl From<AlertsOutput> for QueryOutput {
    fn from(output: AlertsOutput) -> QueryOutput {
        match output {
            AlertsOutput::Table => QueryOutput::Table,
            AlertsOutput::Json => QueryOutput::Json,
            AlertsOutput::Jsonl => QueryOutput::Jsonl,
            AlertsOutput::Markdown => QueryOutput::Markdown,
        }
    }
}

/// Forms of `rules list`: those of `alerts`.
pub type RulesOutput = AlertsOutput;
