//! The histogram as a control: the bar under the cursor, zoom, shift, the range of time it sets, and the same bars a
//! day earlier; driven by keys, and as pictures.

mod common;

use common::app::*;
use kauditui::app::histogram::Axis;
use kauditui::app::{App, Config, Effect, Focus, Msg, Screen};
use kauditui::model::{Micros, SECOND, SourceId, parse_rfc3339};
use ratatui::style::{Color, Modifier};

/// Requests of one user, one a second.
fn lines(seconds: std::ops::Range<u32>) -> String {
    seconds.map(|s| line(s, "alice", "get", "pods", &format!("p{s}"), 200)).collect()
}

/// A request on a day of November; `line` writes those of the 20th.
fn on_day(day: u32, lines: &str) -> String {
    lines
        .replace("2026-11-20T", &format!("2026-11-{day:02}T"))
        .replace("-4000-a000-", &format!("-4{day:03}-a000-"))
}

fn at(clock: &str) -> Micros {
    parse_rfc3339(format!("2026-11-20T{clock}Z").as_bytes()).expect("a time")
}

/// 200 seconds from 10:00:00 on, with a cluster of failures a minute after the start.
fn small_log(width: u16, height: u16) -> App {
    let mut app = empty_app(Config::default(), width, height);
    let failures: String =
        (60..65).map(|s| line(s, "bob", "list", "secrets", &format!("s{s}"), 403)).collect();
    history(&mut app, &(lines(0..200) + &failures.replace("-4000-", "-4001-")), 1);
    app.update(Msg::Ingest(kauditui::ingest::IngestMessage::HistoryDone(SourceId(0))), now());
    app
}

fn axis(app: &App) -> Axis {
    app.histogram.counts().expect("counted").axis
}

fn bar_under_cursor(app: &App) -> Micros {
    axis(app).bar(app.histogram.cursor_bar(&axis(app))).start
}

fn message(app: &App) -> &str {
    app.message.as_ref().map_or("", |(text, _)| text)
}

fn command(app: &mut App, text: &str) {
    keys(app, ":");
    type_text(app, text);
    keys(app, "Enter");
}

fn row_times(app: &App) -> Vec<Micros> {
    app.view.window(&app.store, 0, usize::MAX).into_iter().map(|id| app.store.stage_time(id)).collect()
}

#[test]
fn the_cursor_begins_at_the_selected_event_and_moves_by_bars() {
    let mut app = small_log(80, 24);
    command(&mut app, "time 10:01:02");
    keys(&mut app, "i");
    assert_eq!(app.focus, Focus::Histogram);
    assert_eq!((axis(&app).bucket, bar_under_cursor(&app)), (5 * SECOND, at("10:01:00")));
    assert_eq!(app.selection_text().as_deref(), Some("10:01:00-10:01:05 UTC · 10 events, 5 failed"));
    keys(&mut app, "l Right h");
    assert_eq!(bar_under_cursor(&app), at("10:01:05"));
    keys(&mut app, "Home h");
    assert_eq!(bar_under_cursor(&app), at("10:00:00"), "not further than the log");
    keys(&mut app, "End");
    assert_eq!(bar_under_cursor(&app), at("10:03:15"));
    keys(&mut app, "Esc");
    assert_eq!(app.focus, Focus::Rows);
    assert_eq!(app.selection_text(), None);
    keys(&mut app, "h");
    assert_eq!(
        (app.focus, bar_under_cursor(&app)),
        (Focus::Histogram, at("10:00:55")),
        "a move takes the keys there, from the selected event on"
    );
    assert!(keys(&mut app, "q").is_empty(), "q leaves the histogram first");
    assert_eq!(app.focus, Focus::Rows);
}

#[test]
fn enter_shows_only_the_selected_bars_and_esc_all_again() {
    let mut app = small_log(80, 24);
    let all = app.view.len();
    command(&mut app, "time 10:01:02");
    let selected = app.timeline.selected();
    keys(&mut app, "i Space l l");
    assert_eq!(app.selection_text().as_deref(), Some("10:01:00-10:01:15 UTC · 20 events, 5 failed"));
    keys(&mut app, "Esc");
    assert!(!app.histogram.is_selecting() && app.focus == Focus::Histogram, "Esc takes the selection first");
    keys(&mut app, "Space h h Enter");
    assert_eq!(app.range, Some((at("10:01:00"), at("10:01:15"))));
    assert_eq!((app.focus, app.view.len()), (Focus::Rows, 20));
    assert!(row_times(&app).iter().all(|time| (at("10:01:00")..at("10:01:15")).contains(time)));
    assert_eq!(app.timeline.selected(), selected, "the selected event stays selected");
    let shown = screen(&app, 80, 24);
    assert!(shown.contains("[10:01:00-10:01:15 UTC]"), "{shown}");
    assert!(shown.contains("20 of 205"), "{shown}");
    assert_eq!(axis(&app).bucket, SECOND, "the bars are those of the range");
    keys(&mut app, "/");
    type_text(&mut app, "code:403");
    keys(&mut app, "Enter");
    assert_eq!(app.view.len(), 5, "the filter works within the range");
    keys(&mut app, "^x Esc");
    assert_eq!((app.range, app.view.len()), (None, all));
    assert_eq!(keys(&mut app, "q"), [Effect::Quit], "then there is nothing left to leave");
}

#[test]
fn enter_without_a_selection_takes_one_bar() {
    let mut app = small_log(80, 24);
    keys(&mut app, "g i Enter");
    assert_eq!(app.range, Some((at("10:00:00"), at("10:00:05"))));
    assert_eq!(app.view.len(), 5);
    assert!(keys(&mut app, "q").is_empty(), "q clears a range before it quits");
    assert_eq!(app.range, None);
}

#[test]
fn zooming_keeps_the_bar_and_the_rows() {
    let mut app = small_log(80, 24);
    let all = app.view.len();
    command(&mut app, "time 10:01:02");
    keys(&mut app, "i z");
    let closer = axis(&app);
    assert_eq!(closer.bucket, 2 * SECOND);
    assert!(closer.span().contains(at("10:01:00")) && closer.span().length() < 110 * SECOND, "{closer:?}");
    assert_eq!(bar_under_cursor(&app), at("10:01:02"), "the bar of the same moment");
    assert_eq!((app.range, app.view.len()), (None, all), "only the histogram changes");
    assert!(message(&app).contains("2s a bar"), "{}", message(&app));
    keys(&mut app, "z z");
    assert_eq!(axis(&app).bucket, SECOND);
    keys(&mut app, "z");
    assert_eq!(message(&app), "a bar is one second already");
    keys(&mut app, "Z Z Z Z");
    assert_eq!(axis(&app).bars, 40, "the whole log again");
    keys(&mut app, "Z");
    assert_eq!(message(&app), "this is the whole log");
}

#[test]
fn shifting_is_bounded_and_takes_the_cursor_along() {
    let mut app = small_log(80, 24);
    keys(&mut app, "i [");
    assert!(message(&app).contains("z zooms in"), "{}", message(&app));
    command(&mut app, "time 10:01:40");
    keys(&mut app, "Esc i z");
    let (before, cursor) = (axis(&app), bar_under_cursor(&app));
    keys(&mut app, "[");
    assert!(axis(&app).start < before.start && axis(&app).bucket == before.bucket);
    assert_eq!(before.start - axis(&app).start, cursor - bar_under_cursor(&app));
    keys(&mut app, "[ [ [ [");
    assert_eq!(axis(&app).start, at("10:00:00"));
    assert_eq!(message(&app), "this is the oldest that is held");
    keys(&mut app, "] ] ] ] ] ]");
    assert_eq!(message(&app), "this is the newest");
    assert!(axis(&app).span().contains(at("10:03:19")));
    keys(&mut app, "Home h h");
    assert!(axis(&app).span().contains(bar_under_cursor(&app)), "the window follows the cursor by a bar");
    assert!(!axis(&app).span().contains(at("10:03:19")));
}

#[test]
fn a_selection_may_reach_beyond_what_is_shown() {
    let mut app = small_log(80, 24);
    command(&mut app, "time 10:00:20");
    keys(&mut app, "i z Space ] ]");
    assert!(app.selection_text().is_some_and(|text| text.contains("begins outside of what is shown")));
    keys(&mut app, "Enter");
    let (since, until) = app.range.expect("a range");
    assert_eq!(since, at("10:00:20"));
    assert!(until > at("10:01:40"), "{until}");
}

#[test]
fn without_the_focus_zoom_and_shift_change_the_range_that_is_set() {
    let mut app = small_log(80, 24);
    command(&mut app, "range 10:00:30 10:01:30");
    assert_eq!(app.range, Some((at("10:00:30"), at("10:01:30"))));
    assert_eq!(app.view.len(), 65);
    keys(&mut app, "]");
    assert_eq!(app.range, Some((at("10:01:00"), at("10:02:00"))), "half of it later");
    keys(&mut app, "[ [");
    assert_eq!(app.range, Some((at("10:00:00"), at("10:01:00"))));
    keys(&mut app, "Z");
    assert_eq!(app.range, Some((at("10:00:00"), at("10:02:00"))), "twice as long within the log");
    keys(&mut app, "z");
    let (since, until) = app.range.expect("a range");
    assert_eq!(until - since, 60 * SECOND);
    keys(&mut app, "Z Z Z");
    assert_eq!((app.range, app.view.len()), (None, 205), "all of the log needs no range");
}

#[test]
fn the_range_command_sets_and_clears() {
    let mut app = small_log(80, 24);
    command(&mut app, "range -1m");
    assert_eq!(app.range, Some((at("10:02:19"), Micros::MAX)), "before the newest of a log at rest");
    assert_eq!(app.view.len(), 61);
    assert!(screen(&app, 80, 24).contains("[since 10:02:19 UTC]"));
    live(&mut app, &lines(200..210));
    assert_eq!(app.view.len(), 71, "open to what is still written");
    command(&mut app, "range");
    assert_eq!((app.range, app.view.len()), (None, 215));
    command(&mut app, "range");
    assert!(message(&app).contains("no range was set"), "{}", message(&app));
    command(&mut app, "range soon");
    assert!(
        app.message.as_ref().is_some_and(|(text, wrong)| *wrong && text.contains("'soon' is not a time"))
    );
    command(&mut app, "range 2026-11-20 2026-11-19");
    assert!(message(&app).contains("ends before it begins"), "{}", message(&app));
    assert_eq!(app.range, None);
}

#[test]
fn clearing_a_range_leads_back_to_what_was_asked_for_at_the_start() {
    let config = Config { since: Some("10:00:50".into()), ..Config::default() };
    let mut app = empty_app(config, 80, 24);
    history(&mut app, &lines(0..200), 1);
    let started = Some((at("10:00:50"), Micros::MAX));
    assert_eq!(app.range, started);
    assert_eq!(keys(&mut app, "q"), [Effect::Quit], "what was asked for at the start is no level");
    keys(&mut app, "g i Enter");
    assert_eq!(app.range, Some((at("10:00:50"), at("10:00:55"))));
    let older = history(&mut app, &lines(4000..4001).replace("2026-11-20", "2026-11-19"), 2);
    assert!(matches!(older[..], [Effect::EnoughHistory(_)]), "{older:?}");
    command(&mut app, "range 10:01:00 10:01:10");
    assert!(history(&mut app, &lines(52..54).replace("-4000-", "-4002-"), 3).is_empty(), "--since decides");
    keys(&mut app, "Esc");
    assert_eq!(app.range, started);
    assert_eq!(app.view.len(), 152);
}

#[test]
fn the_bars_grow_with_the_log_and_are_counted_once() {
    let mut app = small_log(80, 24);
    let total = |app: &App| app.histogram.counts().expect("bars").bars.iter().map(|b| b.matched).sum::<u32>();
    assert_eq!(total(&app), 205);
    let first = app.histogram.counts().expect("bars").bars.as_ptr();
    keys(&mut app, "k k j y Esc");
    assert_eq!(
        app.histogram.counts().expect("bars").bars.as_ptr(),
        first,
        "nothing changed, nothing counted"
    );
    live(&mut app, &lines(200..260));
    assert_eq!(total(&app), 265);
    assert!(axis(&app).span().contains(at("10:04:19")));
    keys(&mut app, "/");
    type_text(&mut app, "user:bob");
    assert_eq!(total(&app), 5);
    keys(&mut app, "Esc t");
    assert_eq!(total(&app), 265);
    app.update(Msg::Resize(59, 24), now());
    assert!(app.histogram.counts().is_none(), "no room for it");
    keys(&mut app, "i");
    assert!(message(&app).contains("too small") && app.focus == Focus::Rows);
    app.update(Msg::Resize(80, 24), now());
    keys(&mut app, "i");
    app.update(Msg::Resize(40, 10), now());
    assert_eq!(app.focus, Focus::Rows, "what is not on the screen has no keys");
}

/// Two days: 100 requests between 10:00 and 10:10 on the first, 200 in the same minutes of the second.
fn two_days(width: u16, height: u16) -> App {
    let mut app = empty_app(Config::default(), width, height);
    let every = |step: usize| (0..600).step_by(step).map(|s| line(s, "alice", "get", "pods", "p", 200));
    let earlier: String = every(6).collect();
    let later: String = every(3).collect();
    history(&mut app, &(on_day(19, &earlier) + &later), 1);
    app.update(Msg::Ingest(kauditui::ingest::IngestMessage::HistoryDone(SourceId(0))), now());
    app
}

#[test]
fn the_same_minutes_a_day_ago_are_counted_though_they_are_not_in_the_range() {
    let mut app = two_days(120, 36);
    command(&mut app, "range 2026-11-20 10:00 10:10");
    assert_eq!(app.view.len(), 200);
    keys(&mut app, "D");
    let counts = app.histogram.counts().expect("bars");
    let earlier = counts.day_ago.as_ref().expect("compared");
    assert_eq!(earlier.iter().map(|bar| bar.matched).sum::<u32>(), 100);
    assert_eq!(earlier.len(), counts.bars.len());
    assert_eq!(app.comparison_of(0, counts.axis.bars - 1).as_deref(), Some("now 200 · a day ago 100 (×2.0)"));
    let shown = screen(&app, 120, 36);
    assert!(shown.contains("now 200 · a day ago 100 (×2.0) · 10s/bar UTC"), "{shown}");
    assert!(shown.contains("-24h"), "a row of its own\n{shown}");
    // The filter, live lines and another range are followed.
    keys(&mut app, "/");
    type_text(&mut app, "nobody");
    keys(&mut app, "Enter");
    assert!(screen(&app, 120, 36).contains("now 0 · a day ago 0"));
    keys(&mut app, "^x");
    command(&mut app, "range 2026-11-20 10:00 10:05");
    assert!(screen(&app, 120, 36).contains("now 100 · a day ago 50 (×2.0)"), "{}", screen(&app, 120, 36));
    live(&mut app, &on_day(19, &lines(300..301)).replace("-4019-", "-4119-"));
    keys(&mut app, "]");
    assert_ne!(app.range, Some((at("10:00:00"), at("10:05:00"))));
    command(&mut app, "range 2026-11-20 10:00 10:10");
    assert!(screen(&app, 120, 36).contains("a day ago 101"), "{}", screen(&app, 120, 36));
    command(&mut app, "day-ago");
    assert!(app.histogram.counts().expect("bars").day_ago.is_none());
    assert!(!screen(&app, 120, 36).contains("-24h"));
}

#[test]
fn a_day_ago_needs_no_range_and_may_be_without_log() {
    let mut app = two_days(80, 24);
    keys(&mut app, "D g i");
    let text = |app: &App| app.selection_text().expect("the bar");
    assert!(text(&app).ends_with("· now 100 · no log a day ago"), "{}", text(&app));
    keys(&mut app, "G");
    assert!(text(&app).ends_with("now 200 · a day ago 100 (×2.0)"), "{}", text(&app));
    let mut young = small_log(80, 24);
    keys(&mut young, "D");
    let shown = screen(&young, 80, 24);
    assert!(shown.contains("now 205 · no log a day ago · 5s/bar UTC"), "{shown}");
    let mut short = small_log(80, 20);
    keys(&mut short, "D");
    let shown = screen(&short, 80, 20);
    assert!(shown.contains("no log a day ago") && !shown.contains("-24h"), "one row: only words\n{shown}");
}

#[test]
fn a_log_that_begins_within_the_day_before_says_so() {
    let mut app = empty_app(Config::default(), 120, 36);
    history(&mut app, &(on_day(19, &lines(300..600)) + &lines(0..600)), 1);
    app.update(Msg::Ingest(kauditui::ingest::IngestMessage::HistoryDone(SourceId(0))), now());
    command(&mut app, "range 2026-11-20 10:00 10:10");
    keys(&mut app, "D");
    let shown = screen(&app, 120, 36);
    assert!(shown.contains("now 600 · a day ago 300 (×2.0), log begins 10:05:00"), "{shown}");
}

#[test]
fn the_focused_histogram_with_a_selection() {
    for (width, height) in [(80, 24), (120, 36)] {
        let mut app = incident_app(width, height);
        command(&mut app, "time 21:58:46");
        keys(&mut app, "i Space l l l");
        let shown = screen(&app, width, height);
        insta::assert_snapshot!(format!("selection_{width}x{height}"), shown);
        let pointer = shown.lines().find(|line| line.contains('▲')).expect("the axis");
        assert!(pointer.contains("[━━▲"), "{pointer}");
        assert!(shown.contains("Space select") && shown.contains("Enter set range"), "{shown}");
        let drawn = buffer(&app, width, height);
        let x = pointer.chars().position(|c| c == '▲').expect("the cursor") as u16;
        let inverted = |x: u16, y: u16| drawn[(x, y)].modifier.contains(Modifier::REVERSED);
        assert!(inverted(x, 2) && inverted(x, 3) && !inverted(x - 1, 2) && !inverted(x + 1, 2));
        keys(&mut app, "Enter D");
        insta::assert_snapshot!(format!("range_{width}x{height}"), screen(&app, width, height));
    }
    let mut app = two_days(120, 36);
    command(&mut app, "range 2026-11-20 09:58 10:12");
    keys(&mut app, "D");
    insta::assert_snapshot!("day_ago_120x36", screen(&app, 120, 36));
}

#[test]
fn meaning_needs_neither_colour_nor_more_than_ascii() {
    let mut app = empty_app(Config { ascii: true, color: false, ..Config::default() }, 120, 36);
    history(&mut app, INCIDENT, 1);
    for pressed in ["i", "Space h h", "z", "[", "D", "Enter", "Z", "Esc"] {
        keys(&mut app, pressed);
        let shown = screen(&app, 120, 36);
        let odd: Vec<char> = shown.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "after {pressed}: {odd:?}\n{shown}");
        let drawn = buffer(&app, 120, 36);
        assert!(drawn.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    }
    keys(&mut app, "i Space h h");
    assert!(screen(&app, 120, 36).contains("^=]"), "{}", screen(&app, 120, 36));
}

#[test]
fn it_is_the_same_control_above_the_tables() {
    let mut app = small_log(120, 36);
    keys(&mut app, "2 i");
    assert_eq!((app.screen, app.focus), (Screen::Users, Focus::Histogram));
    keys(&mut app, "Space h Esc Esc");
    assert_eq!(
        (app.screen, app.focus),
        (Screen::Users, Focus::Rows),
        "Esc leaves the histogram, not the table"
    );
    keys(&mut app, "i Home Enter");
    assert_eq!(app.range, Some((at("10:00:00"), at("10:00:02"))));
    assert_eq!((app.screen, app.focus), (Screen::Users, Focus::Rows));
    assert!(screen(&app, 120, 36).contains("[10:00:00-10:00:02 UTC]"), "{}", screen(&app, 120, 36));
    keys(&mut app, "1 Esc");
    assert_eq!((app.screen, app.range), (Screen::Timeline, None));
}

#[test]
fn nothing_read_yet_is_said() {
    let mut app = empty_app(Config::default(), 80, 24);
    for pressed in ["i", "h", "z", "Z", "[", "]", "D"] {
        keys(&mut app, pressed);
        assert_eq!((message(&app), app.focus), ("nothing was read yet", Focus::Rows), "{pressed}");
    }
    command(&mut app, "range -5m");
    assert_eq!(message(&app), "nothing was read yet");
}

#[test]
fn marked_matches_are_a_bright_layer() {
    let mut app = small_log(80, 24);
    command(&mut app, "filter name:p7*");
    let alone = app.histogram.counts().expect("counted");
    assert!(alone.matches.is_none(), "all that is shown matches");
    keys(&mut app, "\\");
    let counts = app.histogram.counts().expect("counted");
    let matches = counts.matches.as_ref().expect("matches are marked");
    let sum = |bars: &[kauditui::query::Bucket]| bars.iter().map(|bar| bar.matched).sum::<u32>();
    assert_eq!((sum(&counts.bars), sum(matches)), (205, 11), "p7 and p70 to p79");

    let axis = axis(&app);
    let drawn = buffer(&app, 80, 24);
    let foot = app.layout.histogram.y + app.layout.histogram.height - 2;
    let is_bright = |seconds: &str| {
        let column = app.layout.histogram.x + 6 + axis.bar_of(at(seconds)) as u16;
        let cell = &drawn[(column, foot)];
        assert_ne!(cell.symbol(), " ", "{seconds}");
        cell.modifier.contains(Modifier::BOLD)
    };
    assert!(is_bright("10:01:12") && is_bright("10:01:15") && is_bright("10:00:07"));
    assert!(!is_bright("10:01:30") && !is_bright("10:02:30"));
    let failed = &drawn[(app.layout.histogram.x + 6 + axis.bar_of(at("10:01:00")) as u16, foot)];
    assert_ne!(failed.fg, Color::Yellow, "failures among the matches only");
    live(&mut app, &line(300, "alice", "get", "pods", "p78", 200));
    let counts = app.histogram.counts().expect("counted");
    assert_eq!(counts.matches.as_deref().map(sum), Some(12), "live");
}
