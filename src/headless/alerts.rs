//! `kauditui alerts`: what the rules found, the gravest first; or as it comes.
//!
//! `gather` counts and keeps what is needed to tell of an alert after its events were dropped for memory, `line` is an
//! alert as it is printed for people; for programs [`crate::detect::ToldAlert`] writes it. Which requests count is the filter's business; correlations always look at everything.

mod gather;
mod line;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use self::gather::Gathered;
use self::line::{cells, headings};
use super::form::Form;
use super::intake::Intake;
use super::query::{QueryOptions, time_range};
use super::{NOTHING_READ, Outcome, Streams, cannot_write};
use crate::cli::AlertsOutput;
use crate::detect::state::StateDetection;
use crate::detect::{Acks, AlertKey, LoadedRules, Severity, ToldAlert};
use crate::error::Result;
use crate::ingest::IngestMessage;
use crate::model::{Micros, SECOND};
use crate::query::{Plan, Rows, alert_rules};
use crate::store::{Bitset, Entry};
use crate::text::{counted, json_escape_hostile};
use crate::trace::{Contradiction, contradictions};

/// An alert that goes on after this long is printed again while following, however little it grew.
const QUIET: Micros = 3600 * SECOND;

/// What is listed, and how.
pub struct AlertsOptions<'a> {
    /// The requests that count, and how logs are read. Every record stands for itself, whatever [`QueryOptions::stages`]
    /// says.
    pub query: QueryOptions<'a>,
    /// The rules.
    pub rules: &'a LoadedRules,
    /// Form of the output.
    pub output: AlertsOutput,
    /// What is less grave is left out.
    pub least: Severity,
    /// What was dealt with is left out.
    pub acks: &'a Acks,
}

/// Prints the alerts of what `messages` bring: once all has been read, or with [`QueryOptions::follow`] as they come.
///
/// # Errors
/// When the output cannot be written, or a time bound means nothing.
pub fn alerts(
    messages: impl Iterator<Item = IngestMessage>,
    options: &AlertsOptions<'_>,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let mut listing = Listing::new(options);
    listing.tell_problems(streams);
    for message in messages {
        listing.take(message, streams)?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    listing.finish(streams, stop)
}

/// Alerts that are gathered, and those that were printed.
struct Listing<'o> {
    options: &'o AlertsOptions<'o>,
    intake: Intake,
    gathered: Gathered,
    form: Form,
    /// Which requests count, once what was there has been read.
    following: Option<(Plan, Option<(Micros, Micros)>)>,
    printed: HashMap<AlertKey, Printed>,
}

/// How much of an alert was printed last.
#[derive(Clone, Copy)]
struct Printed {
    count: u64,
    last: Micros,
}

impl Printed {
    /// Whether an alert has become news again.
    fn is_outgrown(self, count: u64, last: Micros) -> bool {
        count >= self.count.saturating_mul(2) || (count > self.count && last >= self.last + QUIET)
    }
}

impl<'o> Listing<'o> {
    fn new(options: &'o AlertsOptions<'o>) -> Listing<'o> {
        let QueryOptions { zone, ascii, to_terminal, .. } = options.query;
        Listing {
            options,
            intake: Intake::with_rules(Some(options.rules)),
            gathered: Gathered::new(options.rules, options.least),
            form: Form::new(options.output.into(), zone, ascii, headings()).whole(!to_terminal),
            following: None,
            printed: HashMap::new(),
        }
    }

    fn tell_problems(&self, streams: &mut Streams<'_>) {
        if let Some(detection) = &self.intake.detection {
            detection.tell_problems(streams);
        }
    }

    fn take(&mut self, message: IngestMessage, streams: &mut Streams<'_>) -> Result<()> {
        self.intake.take(message, streams);
        if self.options.query.follow {
            if self.following.is_some() {
                self.print_new(streams)?;
            } else if self.intake.has_read_history() {
                self.print_present(streams)?;
            }
            streams.flush()?;
        }
        self.keep_budget()
    }

    fn finish(mut self, streams: &mut Streams<'_>, stop: &AtomicBool) -> Result<Outcome> {
        // Whoever stops it before it has read everything does not want a part of it that looks like all.
        if self.following.is_none() && !stop.load(Ordering::Relaxed) {
            self.print_present(streams)?;
        }
        self.form.finish(streams.out).map_err(cannot_write)?;
        streams.flush()?;
        Ok(Outcome { matched: self.printed.len() as u64, failed_sources: self.intake.failed_sources })
    }

    /// Prints the alerts of what was there, and says what of it was lost.
    fn print_present(&mut self, streams: &mut Streams<'_>) -> Result<()> {
        let range = time_range(&self.options.query, &self.intake, streams)?;
        self.intake.settle();
        self.following = Some((self.options.query.plan(&self.intake), range));
        self.gather_held();
        let told = self.told();
        if !self.options.acks.is_empty() {
            streams.note("what was acknowledged or closed is left out, as --state asks");
        }
        let cells: Vec<_> = told.iter().map(cells).collect();
        self.form.fit(&cells);
        for alert in &told {
            self.print(alert, streams)?;
        }
        if told.is_empty() && self.options.output == AlertsOutput::Table && !self.options.query.follow {
            streams.note(&self.nothing_in_words());
        }
        self.intake.tell_losses(streams, self.options.query.zone);
        if let Some(detection) = &self.intake.detection {
            detection.tell_blind(&self.intake.store, streams);
        }
        Ok(())
    }

    /// An empty table says nothing: neither how grave what is left out is, nor that there was anything to look at.
    fn nothing_in_words(&self) -> String {
        if self.intake.newest().is_none() {
            return NOTHING_READ.to_owned();
        }
        let none = match self.options.least {
            Severity::Informational => return "no alert, and no activity".to_owned(),
            Severity::Critical => "no critical alert".to_owned(),
            least => format!("no alert of {least} or above"),
        };
        let what = if self.options.least == Severity::Medium { "activity" } else { "what is less grave" };
        match self.gathered.kinds_below() as u64 {
            0 => none,
            kinds => {
                let kinds = counted(kinds, "kind");
                format!("{none}; {kinds} of {what}: --min-severity informational lists all")
            }
        }
    }

    /// Prints what the last message made an alert, and alerts that it made news again.
    fn print_new(&mut self, streams: &mut Streams<'_>) -> Result<()> {
        if !self.intake.settle() {
            return Ok(());
        }
        if let Some((plan, _)) = &mut self.following
            && QueryOptions::asks_for_alerts(self.options.query.filter)
        {
            *plan = self.options.query.plan(&self.intake);
        }
        self.gather_held();
        for alert in self.told() {
            let known = self.printed.get(&alert.alert.key);
            if known.is_none_or(|known| known.is_outgrown(alert.alert.count, alert.alert.last)) {
                self.print(&alert, streams)?;
            }
        }
        Ok(())
    }

    fn print(&mut self, told: &ToldAlert, streams: &mut Streams<'_>) -> Result<()> {
        let printed = Printed { count: told.alert.count, last: told.alert.last };
        self.printed.insert(told.alert.key.clone(), printed);
        match self.options.output {
            AlertsOutput::Json | AlertsOutput::Jsonl => self.form.object_line(
                &json_escape_hostile(&told.json(json!(self.contradictions(told))).to_string()),
                streams.out,
            ),
            AlertsOutput::Table | AlertsOutput::Markdown => self.form.line(&cells(told), streams.out),
        }
        .map_err(cannot_write)
    }

    /// The syncs that the changes of an alert go against, as far as the logs tell them.
    fn contradictions(&self, told: &ToldAlert) -> Vec<Contradiction> {
        match (&self.intake.detection, told.info.state) {
            (Some(detection), Some(StateDetection::OutsideGitops)) => {
                let log = detection.log(&self.intake.store, self.options.query.zone);
                let changes = told.alert.findings.iter().flat_map(|finding| &finding.events);
                contradictions(&log, &changes.copied().collect::<Vec<_>>())
            }
            _ => Vec::new(),
        }
    }

    /// The alerts so far, the gravest first, of these the latest.
    fn told(&self) -> Vec<ToldAlert> {
        let Some(detection) = &self.intake.detection else { return Vec::new() };
        let mut told = self.gathered.told(&detection.board, &self.intake.store);
        if let Some(rules) = alert_rules(self.options.query.filter, &detection.for_filters()) {
            told.retain(|told| rules.get(told.alert.rule.0 as usize) == Some(&true));
        }
        told.retain(|told| self.options.acks.state(&told.alert).is_open());
        told.sort_by(|a, b| {
            let rank = |told: &ToldAlert| (Reverse(told.info.severity), Reverse(told.alert.last));
            rank(a).cmp(&rank(b)).then_with(|| a.alert.key.cmp(&b.alert.key))
        });
        told
    }

    /// Takes in what the rules found in all segments that are held.
    fn gather_held(&mut self) {
        let Some((plan, range)) = &self.following else { return };
        for (number, entry) in self.intake.store.entries() {
            if self.gathered.is_behind(number, entry) {
                let chosen = chosen(&self.options.query, plan, number, entry, *range);
                self.gathered.take(number, entry, chosen);
            }
        }
    }

    /// Makes room. What is dropped has been counted before.
    fn keep_budget(&mut self) -> Result<()> {
        let options = &self.options.query;
        while let Some(number) = self.intake.excess(options.memory) {
            if self.following.is_none() && self.is_narrowed() {
                self.intake.settle();
            }
            if let Some(entry) = self.intake.store.entry(number) {
                let rows = match &self.following {
                    Some((plan, range)) => chosen(options, plan, number, entry, *range),
                    None => {
                        let range = super::query::bounds(options, &self.intake)?;
                        chosen(options, &options.plan(&self.intake), number, entry, range)
                    }
                };
                self.gathered.take(number, entry, rows);
                self.gathered.leave(number, entry);
            }
            if !self.intake.store.evict_oldest() {
                break;
            }
        }
        Ok(())
    }

    fn is_narrowed(&self) -> bool {
        QueryOptions::asks_for_alerts(self.options.query.filter)
    }
}

/// The rows of a segment that count; `None` for all.
fn chosen(
    options: &QueryOptions<'_>,
    plan: &Plan,
    number: u32,
    entry: &Entry,
    range: Option<(Micros, Micros)>,
) -> Option<Bitset> {
    let segment = entry.segment();
    if plan.is_everything() && range.is_none() {
        return None;
    }
    debug_assert!(!options.is_by_request(), "each record stands for itself");
    let mut wanted = Bitset::all(segment.rows());
    if let Some((from, to)) = range {
        wanted.and(&segment.stage_times().rows_where(|time| (from..to).contains(&time)));
    }
    let mut scan = plan.scan(Rows::held(number, entry).each_alone(), Some(&wanted));
    scan.advance(segment, || true);
    Some(scan.into_matched())
}
