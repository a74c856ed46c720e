//! Taking in what the pipeline tells: records within the memory budget, notices, progress; and what can be understood
//! only once records are there (`--since`, `--at`).

use super::{App, Effect, STALE, SourceState};
use crate::ingest::{IngestMessage, SourceDescription};
use crate::model::{Micros, SourceId, parse_user_time};
use crate::notice::Notice;
use crate::text::counted;

impl App {
    pub(super) fn ingest(&mut self, message: IngestMessage) -> Vec<Effect> {
        match message {
            IngestMessage::Opened(description) => {
                let state = SourceState {
                    progress: (0, 0),
                    history_done: false,
                    ended: false,
                    files: Vec::new(),
                    formats: Vec::new(),
                    description,
                };
                self.sources.insert(state.description.id, state);
                Vec::new()
            }
            IngestMessage::Available(path) => {
                self.say(format!("{} can be read now", path.display()));
                vec![Effect::OpenLog(path)]
            }
            // Lines that were under way when their log was closed.
            IngestMessage::Live(batch) | IngestMessage::History(batch)
                if self.closed.contains(&batch.segment.source()) =>
            {
                Vec::new()
            }
            IngestMessage::Failed(error) => {
                self.say_wrong(format!("{error} ({})", error.tip()));
                let notice = Notice {
                    source: None,
                    kind: "source failed".into(),
                    detail: error.to_string(),
                    is_loss: true,
                };
                self.notices.add(notice, self.now);
                Vec::new()
            }
            IngestMessage::Live(batch) => {
                self.rate.add(self.now, batch.segment.rows());
                if let Err(error) = self.store.push_live(*batch) {
                    let detail = error.to_string();
                    let kind = "live lines lost".to_owned();
                    self.notices.add(Notice { source: None, kind, detail, is_loss: true }, self.now);
                }
                self.after_data()
            }
            IngestMessage::History(batch) => {
                if !self.has_room_for_history(&batch) {
                    self.memory_full = true;
                    return vec![Effect::StopHistory];
                }
                let source = batch.segment.source();
                let last = batch.segment.max_time();
                self.store.push(*batch);
                let mut effects = self.after_data();
                if self.started_range.is_some_and(|(since, _)| last < since) {
                    effects.push(Effect::EnoughHistory(source));
                }
                effects
            }
            IngestMessage::Progress { source, done, total } => {
                if let Some(state) = self.sources.get_mut(&source) {
                    state.progress = (done, total);
                }
                Vec::new()
            }
            IngestMessage::Formats(source, formats) => {
                if let Some(state) = self.sources.get_mut(&source) {
                    let known = &mut state.formats;
                    known.extend(
                        formats.into_iter().filter(|format| !known.contains(format)).collect::<Vec<_>>(),
                    );
                }
                Vec::new()
            }
            IngestMessage::Notice(notice) => {
                if !notice.kind.starts_with("unreadable") && self.message.is_none() {
                    self.say(notice.detail.clone());
                }
                self.notices.add(notice, self.now);
                Vec::new()
            }
            IngestMessage::File(source, report) => {
                if let Some(state) = self.sources.get_mut(&source)
                    && state.files.len() < 10_000
                {
                    state.files.push(*report);
                }
                Vec::new()
            }
            IngestMessage::HistoryDone(source) => {
                if let Some(state) = self.sources.get_mut(&source) {
                    state.history_done = true;
                    if self.opened_from.is_some_and(|first| source >= first) {
                        let records = state.files.iter().map(|file| file.events).sum();
                        let text =
                            format!("{} is open: {}", state.description.path, counted(records, "record"));
                        self.say(text);
                    }
                }
                self.renew_story();
                if let Some(id) = self.wanted_at.clone().filter(|_| !self.is_loading()) {
                    self.say_wrong(format!("auditID {id} is not in this log, as far as it was read"));
                    self.wanted_at = None;
                }
                Vec::new()
            }
            IngestMessage::End(source) => {
                if let Some(state) = self.sources.get_mut(&source) {
                    state.ended = true;
                }
                Vec::new()
            }
        }
    }

    /// Closes the log of this number, name or path: what was read from it is dropped, and what was found in it.
    pub(super) fn close_log(&mut self, name: &str) -> Vec<Effect> {
        let number = |source: &SourceState| u32::from(source.description.id.0) + 1;
        let is_called = |source: &&SourceState| {
            let SourceDescription { name: known, path, .. } = &source.description;
            known == name || path == name || name.parse() == Ok(number(source))
        };
        let found: Vec<SourceId> =
            self.sources.values().filter(is_called).map(|source| source.description.id).collect();
        let [id] = found.as_slice() else {
            let is_known = |source: &&SourceState| found.is_empty() || found.contains(&source.description.id);
            let known = self.sources.values().filter(is_known);
            let known: Vec<String> =
                known.map(|source| format!("{} {}", number(source), source.description.path)).collect();
            let which = if found.is_empty() { "no log" } else { "several logs" };
            self.say_wrong(format!(":close NUMBER: {which} called {name} among {}", known.join(", ")));
            return Vec::new();
        };
        self.closed.insert(*id);
        let path = self.sources.remove(id).map(|source| source.description.path).unwrap_or_default();
        let records = self.store.remove_source(*id);
        self.forget_found();
        let counts = self.store.counts();
        let mut said = format!("{path} is closed: {} records were dropped", crate::text::thousands(records));
        if counts.duplicates > 0 {
            said += "; lines that another log holds as well went with it: :close and :open that one reads them again";
        }
        if counts.evicted_records > 0 {
            said += "; alerts of records that were dropped for memory are forgotten";
        }
        self.say(said);
        let mut effects = self.after_data();
        effects.push(Effect::CloseLog(*id));
        effects
    }

    /// History that is older than all that is held is not taken in when memory is full: it would be dropped at once.
    fn has_room_for_history(&self, batch: &crate::store::Batch) -> bool {
        let full = self.store.memory_bytes() + batch.segment.memory_bytes() > self.config.memory_limit;
        let oldest = self.store.order().first_time();
        !full || oldest.is_none_or(|oldest| batch.segment.max_time() > oldest)
    }

    pub(super) fn after_data(&mut self) -> Vec<Effect> {
        self.resolve_range();
        let mut effects = self.keep_memory();
        self.identities.update(&self.store);
        self.unfold_unusual();
        effects.extend(self.watch_data());
        self.data_changed();
        effects
    }

    /// Brings everything that is shown in step with the store.
    pub(super) fn data_changed(&mut self) {
        let changes = self.store.take_changes();
        if let Some(matches) = &mut self.matches {
            matches.update(&self.store, &changes);
        }
        self.view.update(&self.store, &changes);
        self.sides_changed(&changes);
        self.analysis_data_changed(&changes);
        self.histogram.data_changed(&self.store, &changes);
        self.go_where_wanted();
        self.after_view_change();
    }

    /// Drops the oldest segments while more is held than allowed.
    fn keep_memory(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        // What the process holds lags behind what is dropped; one segment a look is enough to follow it.
        let mut resident_counts = self.resident > self.config.memory_limit;
        while self.store.memory_bytes() > self.config.memory_limit || resident_counts {
            resident_counts = false;
            // What is dropped is remembered as far as identities go.
            self.identities.update(&self.store);
            if !self.store.evict_oldest() {
                break;
            }
            if !self.memory_full {
                self.memory_full = true;
                effects.push(Effect::StopHistory);
            }
        }
        effects
    }

    /// `--since` and `--until` are understood when the newest event is known.
    fn resolve_range(&mut self) {
        if !self.range_is_open {
            return;
        }
        let Some(newest) = self.store.order().last_time() else { return };
        let stale = self.now - newest > STALE;
        // A log that is still written decides; until then another one may turn out to be.
        self.range_is_open = stale && self.is_loading();
        let reference = if stale { newest } else { self.now };
        let zone = self.zone();
        let read = |text: &Option<String>| {
            text.as_deref().map(|text| parse_user_time(text, reference, newest, zone)).transpose()
        };
        match (read(&self.config.since), read(&self.config.until)) {
            (Ok(since), Ok(until)) => {
                let range = Some((since.unwrap_or(Micros::MIN), until.unwrap_or(Micros::MAX)));
                if self.started_range == range {
                    return;
                }
                self.started_range = range;
                if self.range_is_own {
                    return;
                }
                self.range = range;
                if stale {
                    self.say(
                        "times are counted back from the newest event: this log is no longer written".into(),
                    );
                }
                self.restart_views();
            }
            (Err(problem), _) | (_, Err(problem)) => self.say_wrong(problem),
        }
    }

    fn go_where_wanted(&mut self) {
        let Some(audit_id) = self.wanted_at.clone() else { return };
        let Some(found) = self.store.find_audit_id(&audit_id).into_iter().next_back() else { return };
        self.wanted_at = None;
        let shown = self.store.stages(found).into_iter().find(|id| self.view.contains(*id));
        if shown.is_none() {
            // It is in the log but not in the result: show it all the same.
            self.fold_routine = false;
            self.restart_views();
            self.view.advance(&self.store, || true);
        }
        let target =
            shown.or_else(|| self.store.stages(found).into_iter().find(|id| self.view.contains(*id)));
        self.timeline.select(target.unwrap_or(found), &self.store);
        self.open_wanted_analysis(target.unwrap_or(found));
    }
}
