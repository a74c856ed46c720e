//! `kauditui query` and `kauditui users`: the rows of the timeline once everything has been read, in time order or
//! sorted, or as they come; or what they come to, counted by fields or by user.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::follow::Follower;
use super::groups::{print_groups, print_users};
use super::intake::Intake;
use super::printer::Printer;
use super::sorted::sort_rows;
use super::texts::RowTexts;
use super::verdicts::with_verdicts;
use super::{NOTHING_READ, Outcome, Streams};
use crate::cli::{QueryOutput, StageChoice};
use crate::detect::LoadedRules;
use crate::error::Result;
use crate::format::LineFilter;
use crate::ingest::IngestMessage;
use crate::model::{EventId, Micros, TimeZoneChoice};
use crate::query::{Context, Expression, FieldName, Plan, Rows, prefilter};
use crate::settings::{Listing, Reference, TimeRange};
use crate::store::{Bitset, Entry, Store};

/// Rows are flushed, and a request to stop is heeded, at least this often.
const ROWS_AT_ONCE: usize = 10_000;

/// What `query` prints, and how.
pub struct QueryOptions<'a> {
    /// Which records match.
    pub filter: &'a Expression,
    /// Whether an original line holds secret values.
    pub holds_secret: fn(&[u8]) -> bool,
    /// Form of the output.
    pub output: QueryOutput,
    /// Which records become rows.
    pub stages: StageChoice,
    /// Rows or groups to print at most: the newest rows of what is there, or the first ones of an order.
    pub limit: Option<usize>,
    /// What is listed. With [`Self::follow`], rows in the order of time.
    pub listing: &'a Listing,
    /// Whether to print what comes, too.
    pub follow: bool,
    /// Start of the window as typed.
    pub since: Option<&'a str>,
    /// End of the window as typed.
    pub until: Option<&'a str>,
    /// The present moment.
    pub now: Micros,
    /// Zone in which times are shown and read.
    pub zone: TimeZoneChoice,
    /// Print ASCII marks only.
    pub ascii: bool,
    /// Print secret values as they are in the log.
    pub reveal: bool,
    /// Standard output is a terminal.
    pub to_terminal: bool,
    /// Bytes the store may hold.
    pub memory: u64,
    /// Threads that may work at a time.
    pub threads: usize,
    /// The rules that are run; needed by [`Self::asks_for_alerts`].
    pub rules: Option<LoadedRules>,
}

impl QueryOptions<'_> {
    /// Whether rows are requests rather than records.
    pub fn is_by_request(&self) -> bool {
        self.stages == StageChoice::Request
    }

    /// Whether the filter can only be answered by running the rules.
    pub fn asks_for_alerts(filter: &Expression) -> bool {
        Context::matters(filter, FieldName::Alert)
    }

    /// Whether the pipeline must keep the original text, see [`crate::ingest::IngestOptions::keep_text`].
    pub fn needs_text(&self) -> bool {
        self.output == QueryOutput::Raw
            || self.reveal
            || self.listing.reads_text()
            || Plan::new(self.filter).reads_text()
    }

    /// The lines of history that must be read, see [`crate::ingest::IngestOptions::candidates`]. What comes later may
    /// be a further stage of a line that was left out, so while following all are read; and who is new among users is
    /// told by what does not match, too, as is what correlates.
    pub fn candidates(&self) -> Option<LineFilter> {
        let needs_all = self.follow || self.rules.is_some() || matches!(self.listing, Listing::Users(_));
        if needs_all { None } else { prefilter(self.filter) }
    }

    /// What the filter may refer to, as far as it is known.
    pub(super) fn context(&self, intake: &Intake) -> Context {
        let newest = intake.newest();
        Context {
            reference: Reference::choose(newest, self.now).moment(),
            newest: newest.unwrap_or(self.now).min(self.now),
            zone: self.zone,
            sources: intake.names().clone(),
            marks: Arc::default(),
            alerts: intake.alerted(),
            revealed: self.reveal,
        }
    }

    /// The filter compiled, once what it may refer to is known.
    pub(super) fn plan(&self, intake: &Intake) -> Plan {
        Plan::compile(self.filter, &self.context(intake))
    }

    /// Rows of a segment, from `first` on, that are to be printed.
    pub(super) fn selected(
        &self,
        plan: &Plan,
        number: u32,
        entry: &Entry,
        range: Option<(Micros, Micros)>,
        first: u32,
    ) -> Bitset {
        let segment = entry.segment();
        let mut wanted = Bitset::from_fn(segment.rows(), |row| row as u32 >= first);
        wanted.and_not(entry.dropped());
        if self.is_by_request() {
            wanted.and_not(entry.hidden());
        }
        if let Some((from, to)) = range
            && (segment.min_time() < from || segment.max_time() >= to)
        {
            wanted.and(&segment.stage_times().rows_where(|time| (from..to).contains(&time)));
        }
        let rows = Rows::held(number, entry);
        let rows = if self.is_by_request() { rows } else { rows.each_alone() };
        let mut scan = plan.scan(rows, Some(&wanted));
        scan.advance(segment, || true);
        scan.into_matched()
    }
}

/// Prints what matches. Ends when `messages` do; while they come, `stop` is looked at between them.
///
/// # Errors
/// When the output cannot be written, or a time bound means nothing. A closed pipe is one of the former; see
/// [`crate::error::Error::is_closed_pipe`].
pub fn query(
    messages: impl Iterator<Item = IngestMessage>,
    options: &QueryOptions<'_>,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<Outcome> {
    if options.follow {
        return Follower::new(options).run(messages, streams, stop);
    }
    let mut intake = Intake::with_rules(options.rules.as_ref());
    for message in messages {
        intake.take(message, streams);
        while intake.excess(options.memory).is_some() && intake.store.evict_oldest() {}
    }
    intake.settle();
    // Whoever stops a query before it has read everything does not want a part of it that looks like all.
    let matched =
        if stop.load(Ordering::Relaxed) { 0 } else { print_listing(&intake, options, streams, stop)? };
    streams.flush()?;
    if matched == 0 && options.output == QueryOutput::Table && !stop.load(Ordering::Relaxed) {
        streams.note(match options.listing {
            _ if intake.newest().is_none() => NOTHING_READ,
            Listing::Users(_) => "nobody made a request that matches",
            Listing::Rows { .. } | Listing::Groups { .. } => "no request matches",
        });
    }
    intake.tell_losses(streams, options.zone);
    Ok(Outcome { matched, failed_sources: intake.failed_sources })
}

/// Prints what was asked for of all that has been read; how many rows matched.
fn print_listing(
    intake: &Intake,
    options: &QueryOptions<'_>,
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<u64> {
    let range = time_range(options, intake, streams)?;
    match options.listing {
        Listing::Groups { fields, sort } => {
            print_groups(intake, options, range, (fields, *sort), streams, stop)
        }
        Listing::Users(sort) => print_users(intake, options, range, *sort, streams, stop),
        Listing::Rows { sort, .. } => {
            let plan = options.plan(intake);
            let rows = match sort {
                None => rows_in_order(&intake.store, &plan, options, range, options.limit),
                Some(sort) => {
                    let rows = rows_in_order(&intake.store, &plan, options, range, None);
                    let context = options.context(intake);
                    let mut rows = sort_rows(rows, sort, &intake.store, &context, options.is_by_request());
                    rows.truncate(options.limit.unwrap_or(usize::MAX));
                    rows
                }
            };
            print_rows(intake, options, &rows, streams, stop)
        }
    }
}

fn print_rows(
    intake: &Intake,
    options: &QueryOptions<'_>,
    rows: &[EventId],
    streams: &mut Streams<'_>,
    stop: &AtomicBool,
) -> Result<u64> {
    let mut printer = Printer::new(options);
    let mut texts = RowTexts::new(&intake.store);
    let mut print = |verdicts: &mut dyn Iterator<Item = bool>| {
        for (count, id) in rows.iter().enumerate() {
            printer.print(intake, &mut texts, *id, verdicts.next(), streams)?;
            if count % ROWS_AT_ONCE == 0 && stop.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    };
    if options.output == QueryOutput::Raw && !options.reveal {
        with_verdicts(&intake.store, rows, options.holds_secret, options.threads, print)?;
    } else {
        print(&mut std::iter::empty())?;
    }
    printer.finish(streams)?;
    Ok(printer.matched())
}

/// The window as moments, and says from where it was counted.
pub(super) fn time_range(
    options: &QueryOptions<'_>,
    intake: &Intake,
    streams: &mut Streams<'_>,
) -> Result<Option<(Micros, Micros)>> {
    let range = TimeRange::resolve(options.since, options.until, intake.newest(), options.now, options.zone)?;
    if let Some(explanation) = range.reference.and_then(|_| range.explain(options.zone)) {
        streams.note(&explanation);
    }
    Ok(range.bounds())
}

/// The window as moments.
///
/// # Errors
/// When a time bound means nothing.
pub(super) fn bounds(options: &QueryOptions<'_>, intake: &Intake) -> Result<Option<(Micros, Micros)>> {
    let range = TimeRange::resolve(options.since, options.until, intake.newest(), options.now, options.zone)?;
    Ok(range.bounds())
}

/// Matching rows in time order: all, or the newest ones up to a limit.
pub(super) fn rows_in_order(
    store: &Store,
    plan: &Plan,
    options: &QueryOptions<'_>,
    range: Option<(Micros, Micros)>,
    limit: Option<usize>,
) -> Vec<EventId> {
    let selected: HashMap<u32, Bitset> = store
        .entries()
        .map(|(number, entry)| (number, options.selected(plan, number, entry, range, 0)))
        .collect();
    let newest_first = store.order().chunks().iter().rev().flat_map(|chunk| chunk.ids().iter().rev());
    let mut rows: Vec<EventId> = newest_first
        .filter(|id| selected.get(&id.segment()).is_some_and(|rows| rows.get(id.row())))
        .take(limit.unwrap_or(usize::MAX))
        .copied()
        .collect();
    rows.reverse();
    rows
}
