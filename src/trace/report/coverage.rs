//! What a report rests on: which logs, what they can and cannot tell, and how to check its evidence.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::markdown::{cell, code};
use super::stamp;
use crate::model::{Level, LogKind, Micros};
use crate::store::{Store, StoreCounts};
use crate::text::thousands;

/// What a report rests on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Coverage {
    /// How the events were chosen, as one would type it.
    pub chosen_by: String,
    /// Each file that was read.
    pub files: Vec<CoveredFile>,
    /// Logs that could not be opened or read.
    pub failed_sources: u64,
    /// Records held, by audit level.
    pub levels: Vec<(Level, u64)>,
    /// What was read twice, dropped for memory, or forgotten.
    pub counts: StoreCounts,
    /// What was lost while reading, and how often; the words are ours, what stands in them may be a log's.
    pub losses: Vec<(String, u64)>,
}

/// What one file held.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CoveredFile {
    /// Its path.
    pub path: String,
    /// Lines that are not blank.
    pub lines: u64,
    /// Audit events read from them.
    pub events: u64,
    /// Lines or parts that could not be read, by kind.
    pub unreadable: Vec<(String, u64)>,
    /// Least and greatest stage time.
    pub span: Option<(Micros, Micros)>,
    /// Stretches of more than ten minutes without a line.
    pub gaps: Vec<(Micros, Micros)>,
}

/// Gaps of one file that are written down; a log with a line an hour has one for each.
const MOST_GAPS: usize = 20;

impl Coverage {
    /// How many records of API servers' logs are held, by audit level.
    pub fn levels_of(store: &Store) -> Vec<(Level, u64)> {
        let mut levels: BTreeMap<&str, (Level, u64)> = BTreeMap::new();
        for (_, entry) in store.entries() {
            let all = entry.segment().all_facts().iter();
            for facts in all.filter(|facts| facts.log() == LogKind::Kube) {
                let level = facts.level();
                levels.entry(level.name()).or_insert((level, 0)).1 += 1;
            }
        }
        levels.into_values().collect()
    }

    pub(super) fn write(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("\n## What this rests on\n\n");
        if !self.chosen_by.is_empty() {
            writeln!(out, "- events chosen by {}", code(&self.chosen_by))?;
        }
        let levels: Vec<String> =
            self.levels.iter().map(|(level, count)| level_in_words(*level, *count)).collect();
        if !levels.is_empty() {
            writeln!(out, "- audit levels: {}", levels.join(", "))?;
        }
        out.push_str(
            "- only what the API servers that wrote these logs handled, and what their audit policy let them write; \
             where there are more API servers, each has a log of its own\n",
        );
        out.push_str(
            "- the address is that of the last peer; user agent, forwarded addresses and auditID are what the client \
             says\n",
        );
        self.write_losses(out)?;
        self.write_files(out)?;
        if self.files.iter().any(|file| !file.gaps.is_empty()) {
            self.write_gaps(out)?;
        }
        out.push_str(
            "\nTo check the SHA-256 of the line at byte N of a file: \
             `tail -c +$((N + 1)) FILE | head -n 1 | tr -d '\\n' | sha256sum`; of an archive: \
             `zcat FILE | tail -c +$((N + 1)) | head -n 1 | tr -d '\\n' | sha256sum`\n",
        );
        Ok(())
    }

    fn write_losses(&self, out: &mut String) -> std::fmt::Result {
        let counts = &self.counts;
        if let Some(until) = counts.evicted_until {
            let records = thousands(counts.evicted_records);
            writeln!(out, "- **{records} records up to {} were dropped for memory**", stamp(until))?;
        }
        if counts.forgotten_requests > 0 {
            let requests = thousands(counts.forgotten_requests);
            writeln!(
                out,
                "- {requests} requests had no end and were forgotten: their further stages count anew"
            )?;
        }
        if counts.duplicates > 0 {
            writeln!(out, "- {} lines were in two files and count once", thousands(counts.duplicates))?;
        }
        if self.failed_sources > 0 {
            writeln!(out, "- **{} logs could not be read**", self.failed_sources)?;
        }
        for (kind, count) in &self.losses {
            writeln!(out, "- lost: {} ({})", code(kind), thousands(*count))?;
        }
        let is_whole = counts.evicted_until.is_none() && self.failed_sources == 0 && self.losses.is_empty();
        if is_whole {
            out.push_str("- no line was dropped or unreadable\n");
        }
        Ok(())
    }

    fn write_files(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("\n| File | Lines | Events | Unreadable | First (UTC) | Last (UTC) |\n");
        out.push_str("| --- | ---: | ---: | --- | --- | --- |\n");
        for file in &self.files {
            let unreadable: Vec<String> = file
                .unreadable
                .iter()
                .map(|(kind, count)| format!("{kind}: {}", thousands(*count)))
                .collect();
            let unreadable = if unreadable.is_empty() { "none".to_owned() } else { unreadable.join(", ") };
            let (first, last) =
                file.span.map_or(("-".into(), "-".into()), |(first, last)| (stamp(first), stamp(last)));
            writeln!(
                out,
                "| {} | {} | {} | {unreadable} | {first} | {last} |",
                cell(&file.path),
                thousands(file.lines),
                thousands(file.events)
            )?;
        }
        Ok(())
    }

    fn write_gaps(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("\nStretches of more than ten minutes without a line:\n\n");
        for file in &self.files {
            for (before, after) in file.gaps.iter().take(MOST_GAPS) {
                writeln!(out, "- {} to {} in {}", stamp(*before), stamp(*after), code(&file.path))?;
            }
            if file.gaps.len() > MOST_GAPS {
                writeln!(out, "- and {} more in {}", file.gaps.len() - MOST_GAPS, code(&file.path))?;
            }
        }
        Ok(())
    }
}

fn level_in_words(level: Level, count: u64) -> String {
    let says = match level {
        Level::Metadata => "no bodies",
        Level::Request => "bodies of requests",
        Level::RequestResponse => "bodies of requests and answers",
        Level::Unknown => "not told",
    };
    let name = if level == Level::Unknown { "none" } else { level.name() };
    format!("{name} ({says}) {} records", thousands(count))
}
