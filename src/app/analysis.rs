//! The analyses of the event under the cursor: its object's history (`H`), its cause chain (`C`), why it was allowed or
//! refused (`R`), the session it belongs to (`K`). What their keys do, and what is kept up to date.

use std::collections::{BTreeMap, HashMap};

use super::action::Action;
use super::object::described;
use super::screens::Screen;
use super::story::{Story, StoryKind};
use super::{App, Effect, Mode, Prompt, PromptKind, SaveContent};
use crate::ingest::FileReport;
use crate::model::{EventId, LogKind, TimeZoneChoice, format_stamp};
use crate::query::{Expression, condition_for, with_condition};
use crate::redact;
use crate::store::{Bitset, Changes, Field};
use crate::text::counted;
use crate::trace::access::{UserAccess, allowed_in_words, request_access};
use crate::trace::report::{Coverage, CoveredFile, Draft, MOST_EVENTS, ReportAlert};
use crate::trace::select::{in_time_order, requests_with, rows_of};
use crate::trace::{
    Certainty, Chain, History, HistoryOptions, Log, Request, SESSION_GAP, Told, quoted, session_lines,
    sessions, tell,
};

/// Where machines' identities were used that are at home elsewhere.
#[derive(Debug, Default)]
pub(super) struct Unusual {
    /// Username and address.
    places: Vec<(String, String)>,
    /// For how many distinct uses that was told.
    distinct: usize,
    /// Rows of each segment that were looked at for them.
    looked_at: HashMap<u32, u32>,
}

impl App {
    /// What answers are made from.
    pub(super) fn log(&self) -> Log<'_> {
        Log { store: &self.store, identities: &self.identities, zone: self.zone() }
    }

    /// The event that an analysis is asked for: the one under the cursor of whatever is on screen.
    pub(super) fn subject(&self) -> Option<EventId> {
        match self.screen {
            Screen::Object => self.object.selected().and_then(|revision| revision.request.id),
            Screen::Story => {
                let story = self.story.as_ref()?;
                story.line().and_then(|line| line.event).or(Some(story.about))
            }
            Screen::Statistics => self.statistics.slow().get(self.statistics.cursor.row).map(|slow| slow.id),
            Screen::Alerts => self.event_of_alert(),
            Screen::Users | Screen::Rules => None,
            Screen::Timeline => {
                let selected = self.timeline.selected_in(&self.view)?;
                Some(self.detail.as_ref().map_or(selected, |detail| detail.id))
            }
        }
    }

    pub(super) fn analyse(&mut self, action: Action) {
        match (action, self.screen) {
            (Action::Session, Screen::Users) => return self.show_session_of_user(),
            (Action::Access, Screen::Users) => return self.show_access_of_user(),
            _ => {}
        }
        let Some(id) = self.subject() else {
            return self.say(match self.screen {
                Screen::Timeline => "no event is shown".into(),
                _ => "put the cursor on an event first".into(),
            });
        };
        match action {
            Action::History => self.show_history(id),
            Action::Chain => self.show_chain(id),
            Action::Access => self.show_access(id),
            _ => self.show_session(id),
        }
    }

    fn show_history(&mut self, id: EventId) {
        let Some(request) = Request::read(&self.store, id) else { return };
        if request.object.resource.is_empty() || request.object.name.is_empty() {
            return self.say_wrong("this event is about no single object that the log names".into());
        }
        let mut object = std::mem::take(&mut self.object);
        object.options.revealed = self.revealed;
        object.open(&self.log(), &request.object, Some(id));
        self.object = object;
        self.show_analysis(Screen::Object);
    }

    fn show_chain(&mut self, id: EventId) {
        if let Some(story) = self.chain_story(id, None) {
            self.show_story(story);
        }
    }

    /// The cursor begins at the line of the event `at`.
    fn chain_story(&self, id: EventId, at: Option<EventId>) -> Option<Story> {
        let log = self.log();
        let chain = Chain::of(&log, id)?;
        let title = format!("cause chain of {}", tell::deed_in_words(&chain.request));
        Some(Story::new(StoryKind::Chain, title, id, tell::chain(&log, &chain), at))
    }

    /// Makes the cause chain on screen anew once another log was read: it may be the one that a hop was missing.
    pub(super) fn renew_story(&mut self) {
        let is_chain = |story: &&Story| story.kind == StoryKind::Chain && self.screen == Screen::Story;
        let Some(old) = self.story.as_ref().filter(is_chain) else { return };
        let under_cursor = old.line().and_then(|line| line.event);
        let Some(mut new) = self.chain_story(old.about, under_cursor) else { return };
        if new.lines == old.lines {
            return;
        }
        // Lines that came in above must not move the cursor to another statement.
        if let Some(at) = old.line().and_then(|line| new.lines.iter().position(|other| other == line)) {
            new.cursor = at;
        }
        new.top = old.top;
        self.story = Some(new);
        self.after_view_change();
    }

    fn show_access(&mut self, id: EventId) {
        let log = self.log();
        let Some(request) = Request::read(&self.store, id) else { return };
        if request.log != LogKind::Kube {
            let log = request.log.name();
            return self.say(format!(
                "{log}'s log tells nothing of who may do what; C leads on to the API's requests"
            ));
        }
        let title = format!("why {} was answered {}", tell::deed_in_words(&request), request.code);
        let mut lines = request_access(&log, &request);
        lines.extend(access_lines(&log, request.acting_user()));
        self.show_story(Story::new(StoryKind::Access, title, id, lines, None));
    }

    fn show_access_of_user(&mut self) {
        let Some(name) = self.users.selected().map(|actor| actor.name.to_string()) else { return };
        let Some(last) = requests_with(&self.store, &[(Field::User, &name)]).last().copied() else {
            return self.say("this user made no request of its own in this log".into());
        };
        let lines = access_lines(&self.log(), &name);
        let title = format!("what {name} was allowed and refused");
        self.show_story(Story::new(StoryKind::Access, title, last, lines, None));
    }

    /// The least roles for what RBAC refused to the user of the event or of the row under the cursor, as YAML.
    pub(super) fn roles_text(&self) -> Option<String> {
        let user = match self.screen {
            Screen::Users => self.users.selected().map(|actor| actor.name.to_string()),
            _ => {
                self.subject().and_then(|id| Request::of(&self.store, id)).map(|r| r.acting_user().to_owned())
            }
        }?;
        Some(UserAccess::of(&self.log(), &user).roles_for_refusals().to_yaml())
    }

    fn show_session(&mut self, id: EventId) {
        let Some(request) = Request::of(&self.store, id) else { return };
        let all = sessions(&self.store, &request.user, SESSION_GAP);
        let Some(session) = all.iter().find(|session| session.requests.contains(&id)) else {
            return self.say("this record belongs to no session: it is no request of its own".into());
        };
        let story = self.session_story(session, id, Some(id));
        self.show_story(story);
    }

    fn show_session_of_user(&mut self) {
        let Some(name) = self.users.selected().map(|actor| actor.name.to_string()) else { return };
        let all = sessions(&self.store, &name, SESSION_GAP);
        let latest = all.iter().rfind(|session| session.writes > 0).or(all.last());
        let Some(session) = latest else { return self.say("this user has no session in this log".into()) };
        let Some(about) = session.requests.first().copied() else { return };
        let story = self.session_story(session, about, None);
        self.show_story(story);
    }

    fn session_story(&self, session: &crate::trace::Session, about: EventId, at: Option<EventId>) -> Story {
        let log = self.log();
        let title = format!(
            "{} · {} to {} · {} from {} · {}, {}, {}",
            session.actor,
            log.clock(session.first),
            log.clock(session.last),
            session.tool,
            session.source_ip,
            counted(session.requests.len() as u64, "request"),
            counted(session.writes, "write"),
            counted(session.failures, "failure"),
        );
        let mut lines = vec![Told::heading("writes of this session, as kubectl would do them")];
        for (id, line) in session_lines(&self.store, session, self.revealed) {
            let Some(request) = Request::of(&self.store, id) else { continue };
            let certainty = if line.is_exact() { Certainty::Certain } else { Certainty::Likely };
            lines.push(Told {
                depth: 1,
                label: if line.is_exact() { "exact" } else { "equivalent" },
                certainty: Some(certainty),
                text: format!("{}  {}  → {}", log.clock(request.time), line.command(), request.code),
                evidence: line.certainty(),
                event: Some(id),
            });
        }
        if lines.len() == 1 {
            lines.push(Told {
                depth: 1,
                label: "nothing",
                certainty: Some(Certainty::Certain),
                text: "no write in this session".to_owned(),
                evidence: String::new(),
                event: None,
            });
        }
        // A read has no line of its own: the cursor begins at the next write.
        let time = at.map(|id| self.store.stage_time(id));
        let near = lines
            .iter()
            .filter_map(|line| line.event)
            .find(|id| time.is_some_and(|time| self.store.stage_time(*id) >= time));
        Story::new(StoryKind::Session, title, about, lines, near)
    }

    fn show_story(&mut self, story: Story) {
        self.story = Some(story);
        self.show_analysis(Screen::Story);
    }

    fn show_analysis(&mut self, screen: Screen) {
        self.remember_way();
        self.show(screen);
    }

    /// Keys of both screens. Returns whether this was one.
    pub(super) fn perform_in_analysis(&mut self, action: Action, rows: isize) -> bool {
        match (action, self.screen) {
            (_, Screen::Object) if rows != 0 => self.object.move_by(rows),
            (_, Screen::Story) if rows != 0 => {
                if let Some(story) = &mut self.story {
                    story.move_by(rows);
                }
            }
            (Action::StepForward | Action::StepBack, _) => self.step(action == Action::StepForward),
            (Action::Open, Screen::Object) => {
                self.object.options.noise = !self.object.options.noise;
                self.refresh_object();
            }
            (Action::ToggleRoutine, Screen::Object) => {
                self.object.options.owned = !self.object.options.owned;
                self.refresh_object();
                let text = if self.object.options.owned {
                    "with what belongs to it: its replica sets, their pods, …"
                } else {
                    "the object alone"
                };
                self.say(text.into());
            }
            (Action::ToggleStages, Screen::Object) => {
                self.object.options.reports = !self.object.options.reports;
                self.refresh_object();
            }
            (Action::Mark, Screen::Object) => match self.object.toggle_base() {
                Some(number) => self.say(format!("comparing with revision {number}; m on it ends that")),
                None => self.say("each revision against the one before".into()),
            },
            (Action::Open, Screen::Story) => {
                if let Some(id) = self.story.as_ref().and_then(|story| story.line()?.event) {
                    self.go_to_event(id);
                } else if let Some((field, value)) = self.value_in_table() {
                    // All that was done with it, whatever the filter is.
                    let condition = condition_for(field, &value);
                    let filter = with_condition(&Expression::default(), condition.clone());
                    self.go_down_to(filter, &[condition], true);
                } else {
                    self.say("no event stands behind this line".into());
                }
            }
            (Action::NextPane | Action::ColumnLeft | Action::ColumnRight | Action::CyclePlacement, _) => {}
            _ => return false,
        }
        true
    }

    /// Forward and back through a history or a session in the order of time.
    pub(super) fn step(&mut self, forward: bool) {
        match self.screen {
            // The newest stands on top.
            Screen::Object => self.object.move_by(if forward { -1 } else { 1 }),
            Screen::Story => {
                if let Some(story) = &mut self.story {
                    story.move_by(if forward { 1 } else { -1 });
                }
            }
            _ => self.say("K opens a session, H a history, to step through".into()),
        }
    }

    pub(super) fn refresh_object(&mut self) {
        let mut object = std::mem::take(&mut self.object);
        object.options.revealed = self.revealed;
        object.refresh(&self.log());
        self.object = object;
    }

    /// Keeps cursors and panes in step.
    pub(super) fn settle_analysis(&mut self) {
        let (width, height) = (usize::from(self.layout.rows.width), usize::from(self.layout.rows.height));
        match self.screen {
            Screen::Object => {
                let mut object = std::mem::take(&mut self.object);
                // One row is the table's heading.
                object.settle(&self.log(), height.saturating_sub(1));
                self.object = object;
            }
            Screen::Story => {
                let Some(mut story) = self.story.take() else { return };
                story.settle(width, height);
                story.side = self.side_of(&story);
                self.story = Some(story);
            }
            _ => {}
        }
    }

    /// What the pane beside a story tells of the line under the cursor.
    fn side_of(&self, story: &Story) -> Vec<String> {
        let Some(line) = story.line() else { return Vec::new() };
        let mut side = Vec::new();
        if story.kind == StoryKind::Session {
            side.extend(Some(line.evidence.clone()).filter(|evidence| !evidence.is_empty()));
        } else if !line.evidence.is_empty() {
            side.push(format!("by {}", line.evidence));
        }
        let Some(id) = line.event else { return side };
        let log = self.log();
        let Some(request) = Request::read(&self.store, id) else { return side };
        if story.kind == StoryKind::Session && !request.object.name.is_empty() {
            let options = HistoryOptions { revealed: self.revealed, ..HistoryOptions::default() };
            let history = History::of(&log, &request.object, options);
            let revision = history.revisions.iter().find(|revision| revision.request.id == Some(id));
            side.extend(revision.map_or_else(
                || vec![tell::request_in_words(&log, &request)],
                |revision| described(&log, revision),
            ));
        } else {
            side.push(tell::request_in_words(&log, &request));
            side.push(format!("auditID {} · Enter shows the event", request.audit_id));
        }
        side
    }

    /// Shows an event in the timeline, whatever the filter leaves out. Esc leads back.
    pub(super) fn go_to_event(&mut self, id: EventId) {
        self.remember_way();
        self.show(Screen::Timeline);
        let shown = |app: &App| app.store.stages(id).into_iter().find(|stage| app.view.contains(*stage));
        let mut target = shown(self);
        if target.is_none() {
            self.show_everything_for(id);
            target = shown(self);
        }
        self.timeline.select(target.unwrap_or(id), &self.store);
        self.after_view_change();
        self.say("Esc leads back".into());
    }

    /// What is copied of an analysis: all of it as text.
    pub(super) fn analysis_text(&self) -> Option<String> {
        match self.screen {
            Screen::Story => {
                let story = self.story.as_ref()?;
                let mut out = format!("{}\n", story.title);
                for line in &story.lines {
                    out += &line.to_string();
                    out.push('\n');
                }
                Some(out)
            }
            Screen::Object => {
                let log = self.log();
                let mut out = format!("{}\n", tell::history_title(&self.object.history));
                for revision in self.object.newest_first() {
                    out += &format!("{:>4} ", revision.number);
                    out += &described(&log, revision).join("\n       ");
                    out.push('\n');
                }
                Some(out)
            }
            _ => None,
        }
    }

    /// The state after the revision under the cursor, as YAML; the last known one of an object that is gone.
    pub(super) fn manifest_text(&self) -> Option<String> {
        use crate::trace::manifest::{manifest, masked};
        use crate::trace::yaml::yaml;
        let log = self.log();
        let history = &self.object.history;
        let selected = self.object.selected()?.number;
        let state = history.state_after(&log, selected).or_else(|| Some(history.last_known(&log)?.1))?;
        let state = if self.revealed { state } else { masked(&state, &history.key.resource) };
        Some(yaml(&manifest(&state)))
    }

    /// The analysis that `--view` asks for opens at the event of `--at`, once that is there.
    pub(super) fn open_wanted_analysis(&mut self, id: EventId) {
        match self.config.view.as_deref() {
            Some("object") => self.show_history(id),
            Some("chain") => self.show_chain(id),
            Some("access") => self.show_access(id),
            Some("session") => self.show_session(id),
            _ => {}
        }
    }

    /// A machine's identity that shows up where it is not at home is never folded away as routine.
    pub(super) fn unfold_unusual(&mut self) {
        let distinct = self.identities.distinct_uses();
        if distinct != self.unusual.distinct {
            let places = self.identities.unusual_places();
            let places: Vec<(String, String)> =
                places.into_iter().map(|(user, address)| (user.to_owned(), address.to_owned())).collect();
            if places != self.unusual.places {
                self.unusual.looked_at.clear();
            }
            self.unusual.places = places;
            self.unusual.distinct = distinct;
        }
        let mut unfolded: Vec<(u32, Bitset)> = Vec::new();
        self.unusual.looked_at.retain(|number, _| self.store.entry(*number).is_some());
        for (number, entry) in self.store.entries() {
            let rows = entry.segment().rows();
            if self.unusual.looked_at.insert(number, rows) == Some(rows) {
                continue;
            }
            let mut found = Bitset::none(rows);
            for (user, address) in &self.unusual.places {
                found.or(&rows_of(entry, &[(Field::User, user), (Field::SourceIp, address)]));
            }
            unfolded.push((number, found));
        }
        for (number, rows) in unfolded {
            self.store.unfold(number, rows);
        }
    }

    /// What is revealed or masked from now on is told anew.
    pub(super) fn refresh_analysis(&mut self) {
        self.refresh_object();
        if let Some(story) = self.story.take() {
            let (kind, about, cursor, way) = (story.kind, story.about, story.cursor, self.came_from.len());
            self.story = Some(story);
            if self.screen == Screen::Story {
                match kind {
                    StoryKind::Chain => self.show_chain(about),
                    StoryKind::Access => self.show_access(about),
                    StoryKind::Session => self.show_session(about),
                }
                self.came_from.truncate(way);
                if let Some(story) = &mut self.story {
                    story.cursor = cursor.min(story.lines.len().saturating_sub(1));
                }
            }
        }
    }

    /// A history that is on screen goes on as writes come; an answer is one of its moment.
    pub(super) fn analysis_data_changed(&mut self, changes: &Changes) {
        let is_shown = self.screen == Screen::Object && self.object.is_open();
        if is_shown && !(changes.touched.is_empty() && changes.removed.is_empty()) {
            let now = History::count(&self.log(), &self.object.history.key);
            if now != self.object.history.writes {
                self.refresh_object();
            }
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        /// Notes are written by hand; more are a stuck key.
        const MOST: usize = 1000;
        let Some(id) = self.subject() else { return self.say("put the cursor on an event first".into()) };
        if self.notes.len() < MOST {
            self.notes.insert(id, text.to_owned());
            self.say("noted; s saves a report with it".into());
        }
    }

    /// The events that are saved: the marked ones, or else those of what is on screen.
    fn chosen(&self) -> Vec<EventId> {
        let mut ids: Vec<EventId> = if !self.marks.is_empty() {
            self.marks.iter().copied().collect()
        } else {
            match self.screen {
                Screen::Object => {
                    self.object.history.revisions.iter().filter_map(|revision| revision.request.id).collect()
                }
                Screen::Story => {
                    let story = self.story.iter();
                    story.flat_map(|s| s.lines.iter().filter_map(|l| l.event).chain([s.about])).collect()
                }
                Screen::Alerts => {
                    let board = self.watch.board.as_ref();
                    board
                        .zip(self.selected_alert())
                        .map(|(board, alert)| board.events(alert))
                        .unwrap_or_default()
                }
                _ => self.subject().into_iter().collect(),
            }
        };
        ids.extend(self.notes.keys().copied());
        in_time_order(&self.store, &mut ids);
        ids
    }

    pub(super) fn begin_save(&mut self) {
        if self.chosen().is_empty() {
            return self.say("nothing is marked or chosen; m marks events".into());
        }
        let day = format_stamp(self.now, self.zone()).replace(' ', "-").replace(':', "");
        let mut prompt = Prompt::new(PromptKind::Save);
        prompt.insert(&format!("kauditui-{day}.md"));
        self.mode = Mode::Prompt(prompt);
    }

    /// Saves to a path whose ending says as what: `.jsonl` the lines, masked unless revealed; `.yaml` the object on
    /// screen; anything else a report.
    pub(super) fn save(&mut self, path: &str) -> Vec<Effect> {
        if path.is_empty() {
            self.say("nothing was saved".into());
            return Vec::new();
        }
        let ids = self.chosen();
        let content = match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("jsonl" | "json") => SaveContent::Text(self.lines_of(&ids)),
            Some("yaml" | "yml") => match self.manifest_text() {
                Some(text) => SaveContent::Text(text),
                None => {
                    self.say_wrong("no state of an object is known here; H opens one".into());
                    return Vec::new();
                }
            },
            _ => SaveContent::Report(Box::new(self.draft(&ids))),
        };
        vec![Effect::Save { path: path.to_owned(), content }]
    }

    fn lines_of(&self, ids: &[EventId]) -> String {
        let mut out = String::new();
        for id in ids.iter().flat_map(|id| self.store.stages(*id)) {
            let Some(text) = self.store.segment(id).and_then(|segment| segment.text(id.row()).ok()) else {
                continue;
            };
            if self.revealed {
                out += &String::from_utf8_lossy(&text);
            } else {
                out += &redact::masked_line(&text);
            }
            out.push('\n');
        }
        out
    }

    /// The options with which `kauditui report` chooses the same requests, as far as they have auditIDs.
    fn choosing_options(&self, ids: &[EventId]) -> String {
        let mut words: Vec<String> = Vec::new();
        for id in ids {
            let audit_id = self.store.segment(*id).map_or_else(String::new, |s| s.audit_id(id.row()));
            let option = format!("--at {}", quoted(&audit_id));
            if !audit_id.is_empty() && !words.contains(&option) {
                words.push(option);
            }
        }
        words.join(" ")
    }

    fn draft(&self, ids: &[EventId]) -> Draft {
        let files: BTreeMap<u32, &str> = self
            .sources
            .values()
            .flat_map(|source| source.files.iter().map(|file| (file.origin, file.path.as_str())))
            .collect();
        let shown = ids.get(..ids.len().min(MOST_EVENTS)).unwrap_or(ids);
        let log = Log { zone: TimeZoneChoice::Utc, ..self.log() };
        let mut draft = Draft::of(&log, shown, |id| {
            let source = self.store.segment(id).and_then(|segment| self.sources.get(&segment.source()));
            let origin = self.store.entry(id.segment()).map_or(0, |entry| entry.origin());
            let path = files.get(&origin).copied().or(source.map(|source| source.description.path.as_str()));
            let name = source.map_or("", |source| source.description.name.as_str());
            (path.unwrap_or_default().to_owned(), name.to_owned())
        });
        for event in &mut draft.report.events {
            event.notes.extend(event.request.id.and_then(|id| self.notes.get(&id)).cloned());
        }
        draft.report.left_out = (ids.len() - shown.len()) as u64;
        if let Some(board) = &self.watch.board {
            draft.report.alerts = ReportAlert::of(board, &log, &draft.report.events);
        }
        draft.report.coverage = Coverage {
            chosen_by: self.choosing_options(shown),
            files: self.sources.values().flat_map(|source| source.files.iter().map(covered)).collect(),
            failed_sources: 0,
            levels: Coverage::levels_of(&self.store),
            counts: self.store.counts(),
            losses: self
                .notices
                .groups()
                .filter(|(_, _, group)| group.is_loss)
                .map(|(kind, _, group)| (kind.to_owned(), group.count))
                .collect(),
        };
        draft
    }
}

/// What a user was allowed by which binding, what was refused, and the least roles for that.
fn access_lines(log: &Log<'_>, user: &str) -> Vec<Told> {
    let access = UserAccess::of(log, user);
    let line = |label, text: String, evidence: &str, event| Told {
        depth: 1,
        label,
        certainty: Some(Certainty::Certain),
        text,
        evidence: evidence.to_owned(),
        event,
    };
    let mut told = vec![Told::heading("all that this user was allowed")];
    for grant in &access.grants {
        let s = if grant.count == 1 { "" } else { "s" };
        let text = format!("{} request{s} by {}", grant.count, allowed_in_words(&grant.by));
        told.push(line("grant", text, "authorization.k8s.io/reason", None));
    }
    told.push(Told::heading("all that this user was refused"));
    for group in &access.refusals {
        let times = if group.count == 1 { String::new() } else { format!("{}× ", group.count) };
        let text = format!("{times}{} ({})", group.refused.why, log.clock(group.first_time));
        told.push(line("refused", text, group.refused.evidence, Some(group.first)));
    }
    let yaml = access.roles_for_refusals().to_yaml();
    told.push(Told::heading("the least roles for these refusals (y copies them)"));
    for text in yaml.lines().filter(|text| !text.is_empty()) {
        told.push(line("", text.to_owned(), "", None));
    }
    told
}

fn covered(file: &FileReport) -> CoveredFile {
    CoveredFile {
        path: if file.path == "-" { "stdin".to_owned() } else { file.path.clone() },
        lines: file.lines,
        events: file.events,
        unreadable: file.unreadable.clone(),
        span: file.first.zip(file.last),
        gaps: file.gaps.clone(),
    }
}
