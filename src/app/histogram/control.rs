//! What the keys do to the histogram, and the range of time that it sets: moving the bar, zooming, shifting, selecting.
//!
//! Where a range is set, it is what the histogram shows, and zooming and shifting change it; else they change the
//! window of the histogram only, and the rows stay.

use super::super::action::Action;
use super::super::{App, Focus};
use super::{Axis, Span, Sum, length_name, shown_span};
use crate::model::{
    Micros, SECOND, TimeZoneChoice, format_clock, format_local_offset, format_stamp, parse_user_time,
};
use crate::text;

/// Bars that page keys move by.
const PAGE: isize = 10;

impl App {
    /// What keys mean while the histogram has them. Returns whether this was one of them.
    pub(crate) fn perform_in_histogram(&mut self, action: Action) -> bool {
        match action {
            Action::ColumnLeft => self.move_bar(-1),
            Action::ColumnRight => self.move_bar(1),
            Action::PageUp => self.move_bar(-PAGE),
            Action::PageDown => self.move_bar(PAGE),
            Action::First => self.move_bar(isize::MIN),
            Action::Follow => self.move_bar(isize::MAX),
            Action::Open => self.take_selection(),
            Action::Back => return self.back_in_histogram(),
            _ => return false,
        }
        true
    }

    /// What an action of the histogram does, wherever the keys are.
    pub(crate) fn perform_on_histogram(&mut self, action: Action) {
        let Some(axis) = self.histogram_axis() else {
            return self.say(match self.log_span() {
                Some(_) => "this terminal is too small for the histogram".into(),
                None => "nothing was read yet".into(),
            });
        };
        match action {
            Action::FocusHistogram if self.focus == Focus::Histogram => {
                self.leave_histogram();
            }
            Action::FocusHistogram => self.focus_histogram(&axis),
            Action::BarLeft => self.move_bar(-1),
            Action::BarRight => self.move_bar(1),
            Action::SelectBars => self.begin_selection(&axis),
            Action::ZoomIn => self.zoom(&axis, true),
            Action::ZoomOut => self.zoom(&axis, false),
            Action::ShiftBack => self.shift(&axis, -1),
            Action::ShiftForward => self.shift(&axis, 1),
            Action::CompareDayAgo => {
                self.histogram.compares = !self.histogram.compares;
                self.settle_histogram();
                if !self.histogram.compares {
                    self.say("no longer compared with a day ago".into());
                }
            }
            _ => {}
        }
    }

    /// The keys go to the histogram, its cursor at the event that is selected.
    fn focus_histogram(&mut self, axis: &Axis) {
        self.histogram.cursor = self.timeline.selected_time().unwrap_or(axis.span().end);
        self.histogram.anchor = None;
        self.focus = Focus::Histogram;
    }

    /// The keys go back to where they were. Returns whether the histogram had them.
    pub(crate) fn leave_histogram(&mut self) -> bool {
        if self.focus != Focus::Histogram {
            return false;
        }
        self.histogram.anchor = None;
        self.focus = if self.opened { Focus::Detail } else { Focus::Rows };
        true
    }

    /// Takes the selection away, or leaves the histogram. Returns whether there was either.
    pub(crate) fn back_in_histogram(&mut self) -> bool {
        if self.focus == Focus::Histogram && self.histogram.anchor.take().is_some() {
            return true;
        }
        self.leave_histogram()
    }

    fn begin_selection(&mut self, axis: &Axis) {
        if self.focus != Focus::Histogram {
            self.focus_histogram(axis);
        }
        self.histogram.anchor = match self.histogram.anchor {
            None => Some(axis.bar(self.histogram.cursor_bar(axis)).start),
            Some(_) => None,
        };
    }

    /// Moves the cursor by bars; a window that does not show the whole log moves along.
    fn move_bar(&mut self, by: isize) {
        let Some(axis) = self.histogram_axis() else { return };
        if self.focus != Focus::Histogram {
            self.focus_histogram(&axis);
        }
        let at = self.histogram.cursor_bar(&axis);
        let wanted = at.saturating_add_signed(by).min(axis.bars - 1);
        if wanted == at
            && by.unsigned_abs() == 1
            && let (Some(window), Some(log), None) = (self.histogram.window, self.log_span(), self.range)
        {
            let moved = window.shifted(axis.bucket.saturating_mul(by as i64), log);
            let cursor = axis.bar(at).start.saturating_add(moved.start.saturating_sub(window.start));
            self.histogram.window = Some(moved);
            self.histogram.cursor = cursor;
            return;
        }
        self.histogram.cursor = axis.bar(wanted).start;
    }

    /// Sets the range to the bars that are selected.
    fn take_selection(&mut self) {
        let Some(axis) = self.histogram_axis() else { return };
        let span = self.histogram.selected_span(&axis);
        self.leave_histogram();
        self.set_range((span.start, span.end));
    }

    /// The moment that zooming keeps in its place.
    fn zoom_point(&self, span: Span) -> Micros {
        if self.focus == Focus::Histogram {
            return self.histogram.cursor;
        }
        let selected = self.timeline.selected_time().filter(|time| span.contains(*time));
        selected.unwrap_or(span.start.saturating_add(span.length() / 2))
    }

    fn zoom(&mut self, axis: &Axis, closer: bool) {
        let Some(log) = self.log_span() else { return };
        let span = shown_span(log, self.range, self.histogram.window);
        let around = self.zoom_point(span);
        if closer {
            if axis.bucket <= SECOND {
                return self.say("a bar is one second already".into());
            }
            return self.show_span(span.halved(around));
        }
        let wider = span.doubled(around, log);
        if wider != log {
            return self.show_span(wider);
        }
        if self.range.is_some() {
            let before = self.range;
            self.clear_range();
            if self.range == before {
                self.say("this is all that was asked for (--since, --until); :range asks for another".into());
            }
        } else if self.histogram.window.take().is_some() {
            self.say("the whole log".into());
        } else {
            self.say("this is the whole log".into());
        }
    }

    /// Shifts by half of what is shown, the cursor along with it.
    fn shift(&mut self, axis: &Axis, direction: i64) {
        let Some(log) = self.log_span() else { return };
        let span = shown_span(log, self.range, self.histogram.window);
        if self.range.is_none() && self.histogram.window.is_none() {
            return self.say("the whole log is shown; z zooms in".into());
        }
        // By whole bars, so that they stay what they are.
        let half = (span.length() / 2 / axis.bucket).max(1).saturating_mul(axis.bucket);
        let shifted = span.shifted(half.saturating_mul(direction), log);
        if shifted == span {
            let older = if self.is_loading() {
                "older history is still being read"
            } else {
                "this is the oldest that is held"
            };
            return self.say(if direction < 0 { older } else { "this is the newest" }.into());
        }
        let by = shifted.start.saturating_sub(span.start);
        self.histogram.cursor = self.histogram.cursor.saturating_add(by);
        self.show_span(shifted);
    }

    /// Shows another stretch: as the range where one is set, else in the histogram only.
    fn show_span(&mut self, span: Span) {
        if let (Some((since, until)), Some(log)) = (self.range, self.log_span()) {
            // A range that is open to what is still read or written stays so.
            let since = if since == Micros::MIN && span.start <= log.start { since } else { span.start };
            let until = if until == Micros::MAX && span.end >= log.end { until } else { span.end };
            return self.set_range((since, until));
        }
        self.histogram.window = Some(span);
        let Some(axis) = self.histogram_axis() else { return };
        let text = self.span_text(span, &axis);
        self.say(format!("{text}, {} a bar; Z zooms out, [ ] shift", length_name(axis.bucket)));
    }

    fn span_text(&self, span: Span, axis: &Axis) -> String {
        range_text((span.start, span.end), axis.span(), self.zone())
    }

    /// Shows only what happened within a range of time, from its first moment to before its second.
    pub(crate) fn set_range(&mut self, range: (Micros, Micros)) {
        self.range = Some(range);
        self.range_is_own = true;
        self.restart_views();
        let text = self.range_text().unwrap_or_default();
        self.say(format!("only {text}; Esc or :range shows all again"));
    }

    /// Shows again what the program was started with. Returns whether a range had been set since.
    pub(crate) fn clear_range(&mut self) -> bool {
        if !self.range_is_own {
            return false;
        }
        self.range_is_own = false;
        self.range = self.started_range;
        self.restart_views();
        self.say(match self.range_text() {
            Some(text) => format!("only {text} again"),
            None => "all times".into(),
        });
        true
    }

    /// `:range 03:00 03:10`, `:range -10m`
    pub(crate) fn range_command(&mut self, text: &str) -> bool {
        let Some(newest) = self.store.order().last_time() else {
            self.say_wrong("nothing was read yet".into());
            return false;
        };
        let reference = if self.now - newest > super::super::STALE { newest } else { self.now };
        match read_range(text, reference, newest, self.zone()) {
            Ok((since, until)) if since >= until => {
                self.say_wrong("this range ends before it begins".into());
                return false;
            }
            Ok(range) => self.set_range(range),
            Err(problem) => {
                self.say_wrong(problem);
                return false;
            }
        }
        true
    }

    /// The range that is set, as text; `None` when there is none.
    pub fn range_text(&self) -> Option<String> {
        let log = self.log_span().unwrap_or(Span { start: self.now, end: self.now });
        self.range.map(|range| range_text(range, log, self.zone()))
    }

    /// What is told of the bars under the cursor while the histogram has the keys.
    pub fn selection_text(&self) -> Option<String> {
        if self.focus != Focus::Histogram {
            return None;
        }
        let counts = self.histogram.counts()?;
        let (from, until) = self.histogram.selected_bars(&counts.axis);
        let sum = Sum::of(counts.bars.get(from..=until)?);
        let span = self.histogram.selected_span(&counts.axis);
        let mut out = self.span_text(span, &counts.axis);
        if self.histogram.anchor.is_some_and(|anchor| !counts.axis.span().contains(anchor)) {
            return Some(format!("{out} · begins outside of what is shown"));
        }
        out += &match (sum.records, sum.matched, sum.failed) {
            (0, ..) => " · nothing logged".to_owned(),
            (_, 1, 0) => " · 1 event".to_owned(),
            (_, matched, 0) => format!(" · {} events", text::thousands(matched)),
            (_, matched, failed) => {
                format!(" · {} events, {} failed", text::thousands(matched), text::thousands(failed))
            }
        };
        if let Some(compared) = self.comparison_of(from, until) {
            out += &format!(" · {compared}");
        }
        Some(out)
    }
}

/// `03:00:10-03:01:00 UTC`, with dates unless all of `around` is one day.
fn range_text(range: (Micros, Micros), around: Span, zone: TimeZoneChoice) -> String {
    let (since, until) = range;
    let day = |time: Micros| format_stamp(time, zone).get(..10).unwrap_or_default().to_owned();
    let mut bounds = [since, until].into_iter().filter(|bound| *bound > Micros::MIN && *bound < Micros::MAX);
    let today = day(around.start);
    let one_day = bounds.clone().chain([around.end]).all(|time| day(time) == today);
    let shown = |time| if one_day { format_clock(time, zone, false) } else { format_stamp(time, zone) };
    let offset = match format_local_offset(bounds.next_back().unwrap_or(around.end), zone) {
        offset if offset == "Z" => "UTC".to_owned(),
        offset => offset,
    };
    match (since > Micros::MIN, until < Micros::MAX) {
        (true, true) if day(since) == day(until) => {
            format!("{}-{} {offset}", shown(since), format_clock(until, zone, false))
        }
        (true, true) => format!("{} - {} {offset}", shown(since), shown(until)),
        (true, false) => format!("since {} {offset}", shown(since)),
        (false, true) => format!("until {} {offset}", shown(until)),
        (false, false) => "all times".to_owned(),
    }
}

/// Reads one moment, from which on everything is shown, or two with a space or `-` between them. An end that is a
/// time of day is the first such time after the start.
///
/// # Errors
/// A sentence that says which forms are understood.
fn read_range(
    text: &str,
    reference: Micros,
    newest: Micros,
    zone: TimeZoneChoice,
) -> Result<(Micros, Micros), String> {
    let text = text.trim();
    let problem = match parse_user_time(text, reference, newest, zone) {
        Ok(since) => return Ok((since, Micros::MAX)),
        Err(problem) => problem,
    };
    for between in [' ', '-'] {
        for (at, _) in text.match_indices(between) {
            let (since, until) = (&text[..at], &text[at + 1..]);
            let Ok(since) = parse_user_time(since, reference, newest, zone) else { continue };
            // A time of day is looked for backwards from there.
            let within_a_day = since.saturating_add(super::comparison::DAY);
            if let Ok(until) = parse_user_time(until, reference, within_a_day, zone) {
                return Ok((since, until));
            }
        }
    }
    Err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{format_rfc3339, parse_rfc3339};

    fn moment(text: &str) -> Micros {
        parse_rfc3339(text.as_bytes()).expect("a time")
    }

    #[test]
    fn ranges_are_read_as_people_write_them() {
        let newest = moment("2026-11-20T02:30:00Z");
        let read = |text: &str| {
            let (since, until) = read_range(text, newest, newest, TimeZoneChoice::Utc)?;
            let until =
                if until == Micros::MAX { "open".into() } else { format_rfc3339(until)[..16].to_owned() };
            Ok::<_, String>((format_rfc3339(since)[..16].to_owned(), until))
        };
        for (text, since, until) in [
            ("-10m", "2026-11-20T02:20", "open"),
            ("2026-11-20 01:00", "2026-11-20T01:00", "open"),
            ("02:00 02:10", "2026-11-20T02:00", "2026-11-20T02:10"),
            ("02:00-02:10", "2026-11-20T02:00", "2026-11-20T02:10"),
            ("23:50 00:10", "2026-11-19T23:50", "2026-11-20T00:10"),
            ("-2h -1h", "2026-11-20T00:30", "2026-11-20T01:30"),
            ("2026-11-18 01:00 01:30", "2026-11-18T01:00", "2026-11-18T01:30"),
            ("2026-11-18 01:00 2026-11-19 01:30", "2026-11-18T01:00", "2026-11-19T01:30"),
            ("2026-11-18", "2026-11-18T00:00", "open"),
        ] {
            assert_eq!(read(text), Ok((since.to_owned(), until.to_owned())), "{text}");
        }
        for wrong in ["", "later", "02:00 later", "- -"] {
            assert!(read(wrong).is_err_and(|problem| problem.contains("is not a time")), "{wrong}");
        }
    }

    #[test]
    fn ranges_are_written_with_their_zone_and_with_dates_where_they_matter() {
        let zone = TimeZoneChoice::Utc;
        let [first, since, until, last] =
            ["02:00:00", "03:00:10", "03:01:00", "05:00:00"].map(|t| moment(&format!("2026-01-14T{t}Z")));
        let log = Span { start: first, end: last };
        assert_eq!(range_text((since, until), log, zone), "03:00:10-03:01:00 UTC");
        assert_eq!(range_text((since, Micros::MAX), log, zone), "since 03:00:10 UTC");
        assert_eq!(range_text((Micros::MIN, until), log, zone), "until 03:01:00 UTC");
        let days = Span { start: first - super::super::comparison::DAY, end: last };
        assert_eq!(range_text((since, until), days, zone), "2026-01-14 03:00:10-03:01:00 UTC");
        assert_eq!(
            range_text((days.start, until), days, zone),
            "2026-01-13 02:00:00 - 2026-01-14 03:01:00 UTC"
        );
        assert_eq!(range_text((Micros::MIN, Micros::MAX), log, zone), "all times");
    }
}
