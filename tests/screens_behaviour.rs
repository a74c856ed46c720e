//! The screens beside the timeline driven by keys: what stays, what follows the data, what leads where.

mod common;

use std::collections::BTreeMap;

use common::app::*;
use kauditui::app::facets::Facets;
use kauditui::app::{App, Config, Effect, Mode, Msg, Screen};
use kauditui::query::{Group, parse};
use kauditui::store::Field;
use kauditui::trace::credential_told;

/// A line of a user at a second.
fn by(second: u32, user: &str, verb: &str) -> String {
    line(second, user, verb, "pods", "web", 200)
}

/// So many requests of a user from a second on.
fn many(from: u32, count: u32, user: &str, verb: &str) -> String {
    (from..from + count).map(|second| by(second, user, verb)).collect()
}

fn command(app: &mut App, text: &str) {
    keys(app, ":");
    type_text(app, text);
    keys(app, "Enter");
}

fn filter(app: &mut App, text: &str) {
    command(app, &format!("filter {text}"));
}

fn facets(app: &App) -> &Facets {
    match &app.mode {
        Mode::Facets(facets) => facets,
        other => panic!("no facets: {other:?}"),
    }
}

fn selected_user(app: &App) -> &str {
    app.users.selected().map_or("", |actor| actor.name.as_ref())
}

fn row_of_cursor(app: &App) -> String {
    let group = app.statistics.groups().get(app.statistics.cursor.row).expect("a row");
    group.values.join(" ")
}

fn counted<'g>(groups: impl IntoIterator<Item = &'g Group>) -> BTreeMap<String, (u64, u64, u64)> {
    let told = |group: &Group| (group.stats.count, group.stats.failed, group.stats.bytes);
    groups.into_iter().map(|group| (group.values.join(" "), told(group))).collect()
}

fn users(app: &App) -> BTreeMap<String, (u64, u64, usize)> {
    let actors = (0..app.users.len()).filter_map(|at| app.users.actor(at));
    actors.map(|a| (a.name.to_string(), (a.stats.count, a.stats.writes, a.stats.distinct(0).0))).collect()
}

#[test]
fn the_cursor_stays_on_its_row_while_rows_change_places() {
    let mut app = empty_app(Config::default(), 120, 36);
    history(
        &mut app,
        &[many(100, 5, "alice", "get"), many(200, 3, "bob", "get"), by(300, "carol", "get")].concat(),
        1,
    );
    keys(&mut app, "2 j");
    assert_eq!(selected_user(&app), "bob");
    let row = app.users.cursor.row;
    live(&mut app, &many(400, 9, "carol", "get"));
    assert_eq!(selected_user(&app), "bob");
    assert_eq!(app.users.cursor.row, row + 1, "carol has overtaken");
    live(&mut app, &many(500, 20, "bob", "get"));
    assert_eq!((selected_user(&app), app.users.cursor.row), ("bob", row - 1));
    let shown = screen(&app, 120, 36);
    assert!(shown.lines().any(|line| line.starts_with('▶') && line.contains("bob")), "{shown}");

    command(&mut app, "by user,verb");
    keys(&mut app, "j j");
    assert_eq!(row_of_cursor(&app), "alice get");
    live(&mut app, &many(600, 50, "alice", "get"));
    assert_eq!((row_of_cursor(&app).as_str(), app.statistics.cursor.row), ("alice get", 0));

    command(&mut app, "facets user");
    keys(&mut app, "j");
    let chosen = facets(&app).value();
    assert_eq!(chosen.as_ref().map(|(_, value)| value.as_str()), Some("bob"));
    live(&mut app, &many(700, 90, "bob", "get"));
    assert_eq!(facets(&app).value(), chosen);
    assert_eq!(facets(&app).cursor.row, 0);
}

#[test]
fn down_to_the_events_of_a_user_and_back() {
    let mut app = incident_app(120, 36);
    filter(&mut app, "is:write");
    keys(&mut app, "2 j");
    let (user, writes) = app.users.selected().map(|a| (a.name.to_string(), a.stats.count)).expect("somebody");
    keys(&mut app, "Enter");
    assert_eq!(app.screen, Screen::Timeline);
    assert_eq!(app.filter_bar.text(), format!("is:write user:\"{user}\""));
    assert_eq!(app.view.len() as u64, writes, "as many rows as the table says");
    keys(&mut app, "Enter Esc");
    assert_eq!(app.screen, Screen::Timeline, "first out of the detail");
    keys(&mut app, "Esc");
    assert_eq!((app.screen, app.filter_bar.text().as_str()), (Screen::Users, "is:write"));
    assert_eq!(selected_user(&app), user, "on the same row");
    keys(&mut app, "Esc Esc Esc");
    assert_eq!((app.screen, app.filter_bar.text().as_str()), (Screen::Timeline, "is:write"));

    // The profile tells what was done, not how it was asked for.
    filter(&mut app, "user:\"bob@example.com\" sub:exec");
    keys(&mut app, "2");
    let shown = screen(&app, 120, 36);
    assert!(shown.contains("writes exec production/pods/cart-"), "{shown}");
    let mut other = empty_app(Config::default(), 120, 36);
    let lists = [200, 403, 200].into_iter().enumerate();
    let lines: String = lists.map(|(at, code)| line(at as u32, "eve", "list", "pods", "", code)).collect();
    history(&mut other, &lines, 1);
    keys(&mut other, "2");
    let shown = screen(&other, 120, 36);
    assert!(shown.contains("403s   list prod/pods  "), "once, not thrice\n{shown}");
    filter(&mut app, "is:write");

    // A section's heading folds instead.
    keys(&mut app, "2 g");
    let lines = app.users.lines().len();
    keys(&mut app, "Enter");
    assert!(app.users.lines().len() < lines && app.screen == Screen::Users);
    keys(&mut app, "Enter");
    assert_eq!(app.users.lines().len(), lines);
}

#[test]
fn down_to_the_events_of_a_group_and_back() {
    let mut app = incident_app(120, 36);
    keys(&mut app, "x");
    filter(&mut app, "-verb:watch");
    command(&mut app, "by verb,code");
    for row in 0..app.statistics.groups().len() {
        let group = &app.statistics.groups()[row];
        let (count, values) = (group.stats.count, row_of_cursor(&app));
        keys(&mut app, "Enter");
        assert_eq!((app.screen, app.view.len() as u64), (Screen::Timeline, count), "{values}");
        keys(&mut app, "Esc");
        assert_eq!((app.screen, app.filter_bar.text().as_str()), (Screen::Statistics, "-verb:watch"));
        assert_eq!(row_of_cursor(&app), values);
        keys(&mut app, "j");
    }

    // A single slow request is gone to, and not filtered for.
    keys(&mut app, "5 Tab Tab Tab j j");
    let wanted = app.statistics.slow()[app.statistics.cursor.row].id;
    keys(&mut app, "Enter");
    assert_eq!((app.timeline.selected(), app.filter_bar.text().as_str()), (Some(wanted), "-verb:watch"));
}

#[test]
fn going_down_asks_for_what_was_switched_off() {
    let mut app = incident_app(120, 36);
    command(&mut app, "by verb");
    keys(&mut app, "Enter");
    let (filter_text, rows) = (app.filter_bar.text(), app.view.len());
    keys(&mut app, "p Space Esc");
    assert!(app.view.len() > rows, "{filter_text} is off");
    command(&mut app, "by verb");
    keys(&mut app, "Enter");
    assert_eq!((app.filter_bar.text(), app.view.len()), (filter_text, rows), "the row's rows and no others");
    keys(&mut app, "Esc");
    assert_eq!(app.filter_bar.effective().to_string(), "", "off again");
}

#[test]
fn down_to_what_was_changed_and_back() {
    let mut app = incident_app(120, 36);
    assert!(app.fold_routine);
    command(&mut app, "changes -30m");
    let changed = app.statistics.changed()[0].clone();
    keys(&mut app, "Enter");
    let times: u64 = changed.verbs.iter().map(|(_, count)| count).sum();
    assert_eq!(app.view.len() as u64, times, "{}", app.filter_bar.text());
    keys(&mut app, "Esc");
    assert_eq!((app.screen, app.filter_bar.text().as_str()), (Screen::Statistics, ""));
    assert!(app.fold_routine, "what was hidden is hidden again");
}

#[test]
fn another_screen_by_key_ends_the_way_back() {
    let mut app = incident_app(80, 24);
    keys(&mut app, "2 Enter");
    let narrowed = app.filter_bar.text();
    assert!(!narrowed.is_empty());
    keys(&mut app, "5 1 Esc");
    assert_eq!((app.screen, app.filter_bar.text()), (Screen::Timeline, narrowed));
}

#[test]
fn values_of_tables_go_into_the_filter() {
    let mut app = incident_app(120, 36);
    keys(&mut app, "2");
    let first = selected_user(&app).to_owned();
    keys(&mut app, "-");
    assert_eq!(app.filter_bar.text(), format!("-user:{first}"));
    assert!(!users(&app).contains_key(&first) && app.screen == Screen::Users);
    keys(&mut app, "+");
    let second = app.filter_bar.text();
    assert!(second.contains("-user:") && second.contains(" user:"), "{second}");
    keys(&mut app, "=");
    assert_eq!(app.filter_bar.text(), format!("user:{}", selected_user(&app)));
    keys(&mut app, "^x");
    command(&mut app, "by verb,user");
    let verb = app.statistics.groups()[0].values[0].to_string();
    keys(&mut app, "+");
    assert_eq!(app.filter_bar.text(), format!("verb:{verb}"));
    assert!(app.statistics.groups().iter().all(|group| *group.values[0] == *verb));
    keys(&mut app, "-");
    assert_eq!(app.filter_bar.text(), format!("-verb:{verb}"));
    assert!(app.statistics.groups().iter().all(|group| *group.values[0] != *verb));
}

#[test]
fn facets_include_exclude_and_go_in() {
    let mut app = incident_app(120, 36);
    keys(&mut app, "x f");
    type_text(&mut app, "verb");
    keys(&mut app, "Enter");
    let counts = counted(facets(&app).values());
    let total: u64 = counts.values().map(|(count, ..)| count).sum();
    assert_eq!((total as usize, facets(&app).total()), (app.view.len(), app.view.len()));
    let (_, first) = facets(&app).value().expect("a value");
    keys(&mut app, "-");
    assert_eq!(app.filter_bar.text(), format!("-verb:{first}"));
    assert_eq!(app.view.len() as u64, total - counts[&first].0);
    assert!(!counted(facets(&app).values()).contains_key(&first), "live: it is gone from the list");
    let (_, next) = facets(&app).value().expect("a value");
    keys(&mut app, "=");
    assert_eq!(app.filter_bar.text(), format!("verb:{next}"));
    assert_eq!(app.view.len() as u64, counts[&next].0);
    keys(&mut app, "Esc Esc Esc");
    assert!(matches!(app.mode, Mode::Normal));

    // What was gone into goes into the filter with the value.
    keys(&mut app, "^x");
    command(&mut app, "facets user");
    let (_, user) = facets(&app).value().expect("a value");
    keys(&mut app, "Enter");
    type_text(&mut app, "verb");
    keys(&mut app, "Enter");
    let inside = counted(facets(&app).values());
    let (_, verb) = facets(&app).value().expect("a value");
    assert_eq!(facets(&app).scope.len(), 1);
    keys(&mut app, "+");
    assert_eq!(app.filter_bar.text(), format!("user=={user} verb:{verb}"));
    assert_eq!(app.view.len() as u64, inside[&verb].0);
    keys(&mut app, "Esc Esc Esc Esc");
    filter(&mut app, "is:write or is:read");
    let all = app.view.len() as u64;
    command(&mut app, "facets user");
    keys(&mut app, "Enter");
    type_text(&mut app, "verb");
    keys(&mut app, "Enter -");
    assert_eq!(
        app.filter_bar.text(),
        format!("(is:write or is:read) -(user=={user} verb=={verb})"),
        "the verb of others stays"
    );
    assert_eq!(app.view.len() as u64, all - inside[&verb].0);
}

#[test]
fn facets_find_values_by_letters() {
    let mut app = incident_app(80, 24);
    command(&mut app, "facets user");
    let all = facets(&app).len();
    keys(&mut app, "/");
    type_text(&mut app, "mlry");
    assert_eq!(facets(&app).len(), 1, "of {all}");
    keys(&mut app, "Enter =");
    assert_eq!(app.filter_bar.text(), "user:mallory@example.com");
    keys(&mut app, "Esc Esc Esc");
    command(&mut app, "facets nonsense");
    assert!(app.message.as_ref().is_some_and(|(text, wrong)| *wrong && text.contains("nonsense")));
}

#[test]
fn absence_is_a_value() {
    let mut app = empty_app(Config::default(), 80, 24);
    let clusterwide = by(10, "bob", "list").replace("\"namespace\":\"prod\",", "");
    history(&mut app, &[many(100, 3, "alice", "get"), clusterwide].concat(), 1);
    command(&mut app, "facets ns");
    keys(&mut app, "j");
    assert_eq!(facets(&app).value().map(|(_, value)| value), Some(String::new()));
    assert!(screen(&app, 80, 24).contains("(none)"));
    keys(&mut app, "-");
    assert_eq!(app.view.len(), 3, "{}", app.filter_bar.text());
    keys(&mut app, "Esc Esc ^x");
    command(&mut app, "facets ns");
    keys(&mut app, "j +");
    assert_eq!(app.view.len(), 1, "{}", app.filter_bar.text());
}

/// What the three tables tell of an app.
type Told = (
    BTreeMap<String, (u64, u64, usize)>,
    BTreeMap<String, (u64, u64, u64)>,
    BTreeMap<String, (u64, u64, u64)>,
);

fn told(app: &mut App) -> Told {
    keys(app, "2");
    let by_user = users(app);
    command(app, "by user,verb");
    let groups = counted(app.statistics.groups());
    command(app, "facets tool");
    let tools = counted(facets(app).values());
    keys(app, "Esc Esc 1");
    (by_user, groups, tools)
}

#[test]
fn live_lines_are_counted_as_a_fresh_program_counts_them() {
    let mut app = incident_app(120, 36);
    let parts: Vec<String> =
        (0..6).map(|part| many(43_000 + part * 50, 7 + part, &format!("u{}", part % 3), "patch")).collect();
    for (at, part) in parts.iter().enumerate() {
        // Each screen is on while something comes.
        keys(&mut app, ["1", "2", "5", "f u s e r Enter", "Esc Esc 1", "2"][at]);
        live(&mut app, part);
    }
    let mut fresh = empty_app(Config::default(), 120, 36);
    history(&mut fresh, &(INCIDENT.to_owned() + &parts.concat()), 1);
    assert_eq!(told(&mut app), told(&mut fresh));
    for filter_text in ["verb:patch", "-user:u1 is:write", ""] {
        for app in [&mut app, &mut fresh] {
            keys(app, "2 /");
            type_text(app, filter_text);
            keys(app, "Enter ^x 1");
            if !filter_text.is_empty() {
                filter(app, filter_text);
            }
        }
        assert_eq!(told(&mut app), told(&mut fresh), "{filter_text}");
    }
}

#[test]
fn what_was_dropped_for_memory_is_counted_no_more() {
    let batches: Vec<String> =
        (0..8).map(|at| many(at * 1000, 300, ["alice", "bob", "carol"][at as usize % 3], "get")).collect();
    for on in ["2", "5", "f u s e r Enter"] {
        let mut app = empty_app(Config::default(), 120, 36);
        history(&mut app, &batches[0], 1);
        keys(&mut app, on);
        // Room for about three of them.
        app.config.memory_limit = app.store.memory_bytes() * 3 + (64 << 10);
        for lines in &batches[1..] {
            history(&mut app, lines, 1);
        }
        assert!(app.memory_full && app.store.counts().evicted_records > 0);
        let held = app.store.held_records();
        assert!(held < 2400 && held.is_multiple_of(300), "{held}");
        if matches!(app.mode, Mode::Facets(_)) {
            let counts = counted(facets(&app).values());
            assert_eq!(counts.values().map(|(count, ..)| count).sum::<u64>(), held);
            keys(&mut app, "Esc Esc");
        }
        let mut fresh = empty_app(Config::default(), 120, 36);
        for lines in batches.iter().skip(batches.len() - held as usize / 300) {
            history(&mut fresh, lines, 1);
        }
        assert_eq!(told(&mut app), told(&mut fresh), "{on}");
    }
}

#[test]
fn offers_are_counted_in_the_rest_of_the_filter() {
    let mut app = incident_app(120, 36);
    let mut beside = incident_app(120, 36);
    for rest in ["code:>=400", "-verb:get", "(verb:list or verb:create) -code:403"] {
        filter(&mut beside, rest);
        command(&mut beside, "by user");
        let truth = counted(beside.statistics.groups());
        keys(&mut app, "^x /");
        type_text(&mut app, &format!("{rest} user:"));
        let offered: BTreeMap<String, u64> =
            app.suggestions.items().iter().map(|o| (o.text.clone(), o.count.expect("a count"))).collect();
        let truth: BTreeMap<String, u64> = truth
            .into_iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, (count, ..))| (name, count))
            .collect();
        assert_eq!(offered, truth, "{rest}");
        let most = app.suggestions.items()[0].clone();
        assert_eq!(most.count, truth.values().copied().max(), "the most frequent first");
        keys(&mut app, "Tab Enter");
        assert_eq!(app.filter_bar.text(), format!("{rest} user:{}", most.text));
        assert_eq!(app.view.len() as u64, most.count.unwrap_or(0), "{rest}");
    }
}

#[test]
fn offers_follow_the_letters_and_live_lines() {
    let mut app = empty_app(Config::default(), 80, 24);
    history(&mut app, &[many(10, 3, "alice", "get"), many(20, 5, "CN=a, O=b", "list")].concat(), 1);
    keys(&mut app, "/");
    type_text(&mut app, "us");
    assert_eq!(app.suggestions.items()[0].text, "user");
    keys(&mut app, "Tab");
    assert_eq!(app.filter_bar.input.value(), "user:");
    let offers = |app: &App| -> Vec<(String, Option<u64>)> {
        app.suggestions.items().iter().map(|offer| (offer.text.clone(), offer.count)).collect()
    };
    assert_eq!(offers(&app), [("CN=a, O=b".to_owned(), Some(5)), ("alice".to_owned(), Some(3))]);
    live(&mut app, &many(100, 4, "alice", "get"));
    assert_eq!(offers(&app)[0], ("alice".to_owned(), Some(7)), "counted while it is open");
    keys(&mut app, "Down Down Enter Enter");
    assert_eq!((app.filter_bar.text().as_str(), app.view.len()), ("user:\"CN=a, O=b\"", 5));
}

#[test]
fn earlier_filters_beside_the_offers() {
    let mut app = incident_app(80, 24);
    for text in ["verb:get", "verb:list"] {
        filter(&mut app, text);
    }
    keys(&mut app, "^x / Up");
    assert_eq!(app.filter_bar.input.value(), "verb:list");
    keys(&mut app, "Up");
    assert_eq!(app.filter_bar.input.value(), "verb:get");
    keys(&mut app, "Down");
    assert_eq!(app.filter_bar.input.value(), "verb:list", "down again, and not into the offers");
    keys(&mut app, "Esc /");
    type_text(&mut app, "verb:");
    keys(&mut app, "Down");
    assert!(app.suggestions.moved && app.filter_bar.input.value() == "verb:", "among the offers");
    keys(&mut app, "Down");
    assert_eq!(app.suggestions.cursor, 1);
    keys(&mut app, "Up");
    assert_eq!((app.suggestions.cursor, app.filter_bar.input.value()), (0, "verb:"));
}

#[test]
fn conditions_are_switched_off_and_on() {
    let mut app = incident_app(80, 24);
    filter(&mut app, "user:mallory verb:get");
    let both = app.view.len();
    keys(&mut app, "p j Space");
    assert_eq!(app.filter_bar.effective().to_string(), "user:mallory");
    let one = app.view.len();
    assert!(one > both);
    keys(&mut app, "Esc");
    assert!(screen(&app, 80, 24).contains("[off: verb:get]"));
    // Every screen obeys what is on.
    keys(&mut app, "2");
    assert_eq!(users(&app).values().map(|(count, ..)| *count as usize).max(), Some(one));
    keys(&mut app, "5");
    assert_eq!(app.statistics.total() as usize, one);
    keys(&mut app, "1 p j Space Esc");
    assert_eq!(
        (app.view.len(), app.filter_bar.effective().to_string().as_str()),
        (both, "user:mallory verb:get")
    );
    keys(&mut app, "p d Esc");
    assert_eq!(app.filter_bar.text(), "verb:get");

    // What was off and is asked for anew is on.
    keys(&mut app, "p Space Esc ^x");
    keys(&mut app, "/");
    type_text(&mut app, "user:bob");
    keys(&mut app, "Enter");
    keys(&mut app, "/");
    type_text(&mut app, "verb:get");
    keys(&mut app, "Enter");
    assert_eq!(app.filter_bar.effective().to_string(), "user:bob verb:get");
}

#[test]
fn named_filters_are_chosen_typed_and_completed() {
    let named = |name: &str, text: &str| (name.to_owned(), parse(text).expect("a filter"));
    let config = Config {
        named_filters: vec![named("refused", "code:403"), named("people", "kind:human or kind:anonymous")],
        ..Config::default()
    };
    let mut app = empty_app(config, 80, 24);
    history(&mut app, INCIDENT, 1);
    assert_eq!(app.filter_bar.text(), "", "none is applied by itself");
    command(&mut app, "filters");
    assert!(screen(&app, 80, 24).contains("kind:human or kind:anonymous"));
    type_text(&mut app, "peo");
    keys(&mut app, "Enter");
    assert_eq!(app.filter_bar.text(), "kind:human or kind:anonymous");
    let people = app.view.len();
    command(&mut app, "filter @refused");
    assert_eq!(app.filter_bar.text(), "code:403");
    command(&mut app, "filter @nobody");
    assert!(screen(&app, 80, 24).contains("has no filter 'nobody'"));
    keys(&mut app, "^x /");
    type_text(&mut app, "@pe");
    keys(&mut app, "Tab Enter");
    assert_eq!((app.filter_bar.text().as_str(), app.view.len()), ("kind:human or kind:anonymous", people));
    keys(&mut app, "^x /");
    type_text(&mut app, "verb:get @pe");
    keys(&mut app, "Tab Enter");
    assert_eq!(
        app.filter_bar.text(),
        "verb:get (kind:human or kind:anonymous)",
        "one condition beside others"
    );
}

#[test]
fn highlighting_keeps_all_rows_and_counts_the_matches() {
    let mut app = incident_app(120, 36);
    filter(&mut app, "user:mallory");
    keys(&mut app, "k k");
    let matching = app.view.len();
    let selected = app.timeline.selected();
    keys(&mut app, "\\");
    assert!(app.view.len() > matching && app.result().len() == matching);
    assert_eq!(app.timeline.selected(), selected, "the same event stays selected");
    keys(&mut app, "2");
    assert_eq!(users(&app).get("mallory@example.com").map(|(count, ..)| *count as usize), Some(matching));
    keys(&mut app, "5");
    assert_eq!(app.statistics.total() as usize, matching);
    keys(&mut app, "1 \\");
    assert_eq!((app.view.len(), app.timeline.selected()), (matching, selected));
}

#[test]
fn secrets_are_neither_offered_nor_filtered_by() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4IiwiZXhwIjoxfQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    let event = by(5, "bob", "get")
        .replace("pods/web\"", &format!("pods/web?access_token={token}\""))
        .replace("kubectl/v1.34.1", &format!("curl/8 Bearer {token}"));
    let mut app = empty_app(Config::default(), 120, 36);
    history(&mut app, &[event, by(6, "eve", "get")].concat(), 1);
    for field in ["uri", "agent"] {
        command(&mut app, &format!("facets {field}"));
        let shown = screen(&app, 120, 36);
        assert!(shown.contains("‹masked") && !shown.contains(token), "{shown}");
        while !facets(&app).value().is_some_and(|(_, value)| value.contains("‹masked")) {
            let row = facets(&app).cursor.row;
            keys(&mut app, "j");
            assert_ne!(facets(&app).cursor.row, row, "the masked value is listed");
        }
        for key in ["+", "-", "="] {
            keys(&mut app, key);
            assert!(app.message.as_ref().is_some_and(|(text, wrong)| *wrong && text.contains("masked")));
            assert_eq!(app.filter_bar.text(), "");
        }
        keys(&mut app, "Esc Esc");
        command(&mut app, &format!("by {field}"));
        assert!(!screen(&app, 120, 36).contains(token));
        while !row_of_cursor(&app).contains("‹masked") {
            keys(&mut app, "j");
        }
        keys(&mut app, "+");
        assert_eq!(app.filter_bar.text(), "");
        keys(&mut app, "1 /");
        type_text(&mut app, &format!("{field}:"));
        let items = app.suggestions.items();
        assert_eq!(items.len(), 1, "only what is not masked: {items:?}");
        type_text(&mut app, &token[..12]);
        assert_eq!(app.view.len(), 0, "it is not found by what it is");
        assert!(app.suggestions.items().is_empty());
        keys(&mut app, "Esc");
    }
}

/// Every state of the program in which something else is drawn.
const STATES: [&str; 22] = [
    "1",
    "1 Enter",
    "2",
    "2 G",
    "2 g Enter",
    "5",
    "5 Tab",
    "5 Tab Tab",
    "5 Tab Tab Tab",
    "5 Tab Tab Tab Tab",
    "5 Tab Tab Tab Tab Tab",
    "5 Tab Tab Tab Tab Tab Tab",
    ": c h a n g e s Space - 1 d Enter",
    ": b y Space u s e r , v e r b Enter G",
    "f",
    "f u s e r Enter",
    "f u s e r Enter Enter v e r b Enter",
    "f u s e r Enter / a",
    "/",
    "/ u s e r : Down",
    "p",
    ": h e l p Space f i l t e r Enter",
];

fn odd_app(config: Config, users: &[String]) -> App {
    let mut app = empty_app(config, 80, 24);
    let lines: Vec<String> =
        users.iter().zip(100u32..).map(|(user, second)| by(second, user, "create")).collect();
    history(&mut app, &lines.concat(), 1);
    history(&mut app, INCIDENT, 2);
    app
}

fn odd_users() -> Vec<String> {
    vec![
        "\u{1b}]0;owned\u{7}\u{1b}[2Jeve\r\n\tx".into(),
        "l".repeat(5000) + "-end",
        "\u{202e}gnp.exe\u{2066}مرحبا بالعالم".into(),
        "👩‍👩‍👧‍👦🇩🇪e\u{301}\u{301}\u{301} 名前の長い利用者".into(),
        "\u{9b}31m\u{0}\u{7f}\u{feff}".into(),
        "a:b,c \"d\" *(e) \\".into(),
    ]
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for (ascii, color) in [(false, true), (true, false)] {
        for state in STATES {
            let mut app = odd_app(Config { ascii, color, ..Config::default() }, &odd_users());
            filter(&mut app, "-verb:watch");
            keys(&mut app, state);
            for (width, height) in [
                (80, 24),
                (40, 10),
                (20, 5),
                (21, 6),
                (60, 12),
                (300, 90),
                (1, 1),
                (19, 90),
                (300, 4),
                (120, 36),
            ] {
                app.update(Msg::Resize(width, height), now());
                work(&mut app);
                let shown = screen(&app, width, height);
                assert!(!shown.trim().is_empty(), "{state} {width}x{height}");
                if ascii && width >= 20 && height >= 5 {
                    let own = |c: &char| "▶▾▸─│┌┐└┘▁▂▃▄▅▆▇█·…×↑↓→µ".contains(*c);
                    assert_eq!(shown.chars().find(own), None, "{state} {width}x{height}\n{shown}");
                }
            }
        }
    }
}

#[test]
fn hostile_names_are_shown_safely_and_gone_down_to() {
    for state in STATES {
        let app = &mut odd_app(Config::default(), &odd_users());
        keys(app, state);
        for (width, height) in [(80, 24), (120, 36)] {
            app.update(Msg::Resize(width, height), now());
            work(app);
            let shown = screen(app, width, height);
            let unsafe_sign = |c: &char| {
                (c.is_control() && *c != '\n')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            };
            assert_eq!(shown.chars().find(unsafe_sign), None, "{state}\n{}", shown.escape_debug());
        }
    }
    // Whatever a name is, its row leads to its events.
    let mut app = odd_app(Config::default(), &odd_users());
    keys(&mut app, "2");
    for name in odd_users() {
        keys(&mut app, "2 g");
        while selected_user(&app) != name {
            let row = app.users.cursor.row;
            keys(&mut app, "j");
            assert_ne!(app.users.cursor.row, row, "{} is listed", name.escape_debug());
        }
        keys(&mut app, "Enter");
        assert_eq!(app.view.len(), 1, "{}", app.filter_bar.text().escape_debug());
        let id = app.timeline.selected().expect("a row");
        assert_eq!(app.store.segment(id).expect("held").string(Field::User, id.row()), name);
        assert_eq!(parse(&app.filter_bar.text()).as_ref(), Ok(&app.filter_bar.applied), "prints back");
        keys(&mut app, "Esc");
        keys(&mut app, "+");
        assert_eq!(app.view.len(), 1, "{}", app.filter_bar.text().escape_debug());
        keys(&mut app, "^x");
    }
}

fn message(app: &App) -> &str {
    app.message.as_ref().map_or("", |(text, _)| text)
}

fn copied(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.as_str()),
        _ => None,
    })
}

#[test]
fn keys_do_not_act_on_a_row_that_is_not_shown() {
    let mut app = empty_app(Config::default(), 120, 30);
    history(&mut app, &many(0, 5, "alice", "delete"), 1);
    keys(&mut app, "g j");
    let before = app.timeline.selected();
    filter(&mut app, "verb:delte");
    assert_eq!(app.view.len(), 0);
    for key in ["C", "H", "R", "K", "m", "s", "Enter"] {
        keys(&mut app, key);
        assert_eq!((app.screen, app.marks.len(), app.opened), (Screen::Timeline, 0, false), "{key}");
        assert!(matches!(app.mode, Mode::Normal), "{key}: {:?}", app.mode);
    }
    keys(&mut app, "y");
    let offered = screen(&app, 120, 30);
    assert!(
        offered.contains("command line that reopens this view") && !offered.contains("auditID"),
        "{offered}"
    );
    assert_eq!(copied(&keys(&mut app, "e")), None);
    keys(&mut app, "Esc 2 y");
    assert!(!screen(&app, 120, 30).contains("event in one line"));
    keys(&mut app, "Esc 1");
    filter(&mut app, "verb:delete");
    assert_eq!(app.timeline.selected(), before, "what was selected is remembered");
}

#[test]
fn letters_of_the_copy_menu_copy() {
    let forbidden = r#"{"annotations":{"authorization.k8s.io/decision":"forbid"},"#;
    let refused = line(9, "bob", "list", "secrets", "", 403).replacen('{', forbidden, 1);
    let mut app = empty_app(Config::default(), 120, 30);
    history(&mut app, &(many(0, 5, "alice", "delete") + &refused), 1);
    keys(&mut app, "g");
    let command = keys(&mut app, "y q");
    assert!(copied(&command).is_some_and(|text| text.starts_with("kauditui ")), "{command:?}");
    let kubectl = keys(&mut app, "y k");
    assert!(
        copied(&kubectl).is_some_and(|text| text.contains("kubectl") && text.contains("delete")),
        "{kubectl:?}"
    );
    keys(&mut app, "G");
    let roles = keys(&mut app, "y b");
    let roles = copied(&roles).expect("roles");
    assert!(roles.lines().count() > 10 && roles.lines().any(|line| line == "kind: Role"), "{roles}");
}

#[test]
fn leaving_the_filter_by_esc_gives_the_row_back() {
    let mut app = empty_app(Config::default(), 120, 30);
    history(&mut app, &(many(0, 5, "alice", "get") + &many(10, 5, "bob", "list")), 1);
    keys(&mut app, "g j j");
    let before = app.timeline.selected();
    keys(&mut app, "/");
    type_text(&mut app, "user:bob");
    assert_ne!(app.timeline.selected(), before);
    keys(&mut app, "Esc");
    assert_eq!((app.timeline.selected(), app.timeline.following), (before, false));
    keys(&mut app, "G /");
    type_text(&mut app, "user:alice");
    keys(&mut app, "Esc");
    assert!(app.timeline.following, "who followed goes on following");
}

#[test]
fn a_mistake_in_the_word_that_is_typed_leaves_the_rest_in_force() {
    let mut app = empty_app(Config::default(), 120, 30);
    history(&mut app, &(many(0, 5, "alice", "get") + &many(10, 5, "bob", "delete")), 1);
    keys(&mut app, "/");
    type_text(&mut app, "user:bob vrb:delete");
    assert_eq!(app.view.len(), 5, "not the rows with a word vrb");
    let shown = screen(&app, 120, 30);
    assert!(shown.contains("did you mean") && shown.contains("(shown without it)"), "{shown}");
}

#[test]
fn changes_in_a_range_count_from_its_end_and_tell_what_was_first() {
    let change = |second, verb| line(second, "alice", verb, "configmaps", "web", 200);
    let mut app = empty_app(Config::default(), 120, 30);
    history(&mut app, &[change(60, "create"), change(120, "delete"), change(600, "patch")].concat(), 1);
    let verbs = |app: &App| -> Vec<String> {
        app.statistics.changed().iter().flat_map(|row| &row.verbs).map(|(verb, _)| verb.to_string()).collect()
    };
    command(&mut app, "changes 10:00 10:03");
    assert_eq!(verbs(&app), ["create", "delete"], "{}", message(&app));
    command(&mut app, "range 10:00 10:02:30");
    command(&mut app, "changes -1m");
    assert_eq!(verbs(&app), ["delete"]);
    command(&mut app, "changes");
    assert_eq!(verbs(&app), ["create", "delete"], "the range alone");
    command(&mut app, "changes soon later");
    assert!(app.message.as_ref().is_some_and(|(_, wrong)| *wrong));
}

#[test]
fn the_beginning_of_several_commands_names_them() {
    let mut app = empty_app(Config::default(), 120, 30);
    command(&mut app, "fil");
    assert!(message(&app).contains(":filter") && message(&app).contains(":filters"), "{}", message(&app));
    command(&mut app, "nonsense");
    assert!(message(&app).contains("no command 'nonsense'"));
}

#[test]
fn a_credential_in_a_chain_leads_to_all_that_was_done_with_it() {
    let mut app = incident_app(120, 36);
    filter(&mut app, "credential:*");
    keys(&mut app, "G C");
    assert_eq!(app.screen, Screen::Story);
    let credential = loop {
        let line = app.story.as_ref().and_then(|story| story.line()).expect("a line");
        if let Some(credential) = credential_told(line) {
            break credential.to_owned();
        }
        let last = app.story.as_ref().map_or(0, |story| story.cursor);
        keys(&mut app, "j");
        assert_ne!(app.story.as_ref().map_or(0, |story| story.cursor), last, "no line tells of a credential");
    };
    assert!(screen(&app, 120, 36).contains("Enter: its events"));
    keys(&mut app, "Enter");
    assert_eq!(app.screen, Screen::Timeline);
    assert!(app.filter_bar.text().starts_with("credential==") && app.filter_bar.text().contains(&credential));
    assert!(!app.view.is_empty());
    keys(&mut app, "Esc");
    assert_eq!(app.screen, Screen::Story);
}
