//! Dealing with alerts: acknowledging, closing, and muting by a Sigma filter that is shown before it is written.

use super::alert_table::Muted;
use super::{App, Effect, Mode, Prompt, PromptKind, menus};
use crate::detect::{Ack, AckKind, AlertKey, AlertState, MuteScope, mute};
use crate::text;

/// The longest note.
const LONGEST_NOTE: usize = 500;

impl App {
    /// Asks for a note on the alert under the cursor, or on those of a group; what was dealt with is opened again.
    pub(super) fn acknowledge_or_take_back(&mut self) -> Vec<Effect> {
        let meant = self.alerts_meant();
        if meant.is_empty() {
            self.say("put the cursor on an alert, or on the heading of a group".into());
            return Vec::new();
        }
        let is_done = |key: &AlertKey| {
            self.alert_called(key)
                .is_some_and(|alert| matches!(self.watch.acks.state(alert), AlertState::Done(_)))
        };
        if meant.iter().all(is_done) {
            return self.take_back(&meant);
        }
        self.alert_table.dealing = meant;
        self.mode = Mode::Prompt(Prompt::new(PromptKind::Acknowledge));
        Vec::new()
    }

    /// Notes that the alerts in question were dealt with.
    pub(super) fn acknowledge(&mut self, kind: AckKind, note: &str) -> Vec<Effect> {
        let meant = std::mem::take(&mut self.alert_table.dealing);
        let note: String = note.chars().take(LONGEST_NOTE).collect();
        let mut done = 0;
        for key in &meant {
            let Some(last) = self.alert_called(key).map(|alert| alert.last) else { continue };
            let ack = Ack { kind, note: note.clone(), last, at: self.now };
            if !self.watch.acks.set(key.clone(), ack) {
                let text = format!("only {done}: too many alerts were dealt with; mute what is noise with X");
                self.say_wrong(text);
                self.after_view_change();
                return self.keep_acks();
            }
            self.watch.dealt_with(key);
            done += 1;
        }
        if done == 0 {
            self.say_wrong("this alert is gone".into());
            return Vec::new();
        }
        let word = match kind {
            AckKind::Acknowledged => "acknowledged",
            AckKind::FalsePositive => "closed as a false positive",
        };
        let what = if done == 1 { String::new() } else { format!("{} ", text::counted(done, "alert")) };
        let kept = if self.config.state_file.is_some() { "" } else { " for this session" };
        self.say(format!("{what}{word}{kept}; x shows what was dealt with, m there takes it back"));
        self.after_view_change();
        self.keep_acks()
    }

    /// Opens alerts again.
    fn take_back(&mut self, meant: &[AlertKey]) -> Vec<Effect> {
        let mut done = 0;
        for key in meant {
            if self.watch.acks.take_back(key) {
                self.watch.taken_back(key);
                done += 1;
            }
        }
        if done > 0 {
            self.say(if done == 1 { "open again".into() } else { format!("{done} alerts are open again") });
            self.after_view_change();
        }
        self.keep_acks()
    }

    fn keep_acks(&self) -> Vec<Effect> {
        let Some(path) = &self.config.state_file else { return Vec::new() };
        vec![Effect::KeepState { path: path.clone(), content: self.watch.acks.to_json() }]
    }

    /// Shows the filter that would mute the alert in question.
    pub(super) fn show_mute(&mut self, scope: MuteScope) {
        let alert = self.alert_table.dealing.first().and_then(|key| self.alert_called(key));
        let Some((board, alert)) = self.watch.board.as_ref().zip(alert) else {
            return self.say_wrong("this alert is gone".into());
        };
        let Some(mute) = mute(board.engine(), alert, scope) else {
            return self
                .say_wrong("nothing can be told apart by this: it is masked, or the rule has none".into());
        };
        self.mode = Mode::Menu(menus::mute_menu(&mute, self.config.rules_folder.as_deref()));
        self.alert_table.muting = Some(mute);
    }

    /// Writes the filter that is shown, or asks where to.
    pub(super) fn write_mute(&mut self) -> Vec<Effect> {
        match &self.config.rules_folder {
            Some(folder) => self.mute_in(Some(folder.clone())),
            None => {
                self.mode = Mode::Prompt(Prompt::new(PromptKind::MuteFolder));
                Vec::new()
            }
        }
    }

    /// Writes the filter that was shown to a folder; without one it counts until the program ends.
    pub(super) fn mute_in(&mut self, folder: Option<String>) -> Vec<Effect> {
        let Some(mute) = self.alert_table.muting.take() else { return Vec::new() };
        if folder.is_none() {
            self.say(
                "muted until the program ends; :mutes takes it back, --rules DIR keeps the next one".into(),
            );
        }
        // A folder that is none of the program's rules is not read by it.
        let is_read = folder.is_some() && folder == self.config.rules_folder;
        let mutes = &mut self.alert_table.mutes;
        let number = mutes.last().map_or(0, |last| last.number + 1);
        mutes.push(Muted { number, is_in_force: false, mute: mute.clone(), folder: folder.clone() });
        vec![Effect::Mute { number, folder, file: mute.file, text: mute.text, for_session: !is_read }]
    }

    /// The filter of this number counts from now on, or no more, or could not be put in force.
    pub(super) fn take_muted(&mut self, number: u32, is_in_force: bool) {
        for muted in self.alert_table.mutes.iter_mut().filter(|muted| muted.number == number) {
            if muted.is_in_force && !is_in_force {
                self.message = Some((format!("no longer muted: {}", muted.mute.title), false));
            }
            muted.is_in_force = is_in_force;
        }
    }

    /// Lists what was muted.
    pub(super) fn list_mutes(&mut self) {
        if self.alert_table.mutes.iter().all(|muted| !muted.is_in_force) {
            return self.say("nothing was muted since the program began; X on an alert mutes".into());
        }
        self.mode = Mode::Menu(menus::mutes_menu(&self.alert_table.mutes));
    }

    /// Takes back what was muted: its filter counts no more, and the file that was written for it is removed.
    pub(super) fn unmute(&mut self, number: u32) -> Vec<Effect> {
        vec![Effect::Unmute { number }]
    }
}
