//! The program's state without a terminal: fed with recorded lines, driven by keys, drawn into a buffer.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kauditui::app::{App, Config, Effect, Msg};
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::ingest::{IngestMessage, SourceDescription};
use kauditui::model::{Event, Micros, SourceId, parse_rfc3339};
use kauditui::store::{Batch, SegmentBuilder};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// A recorded incident, trimmed.
pub const INCIDENT: &str = include_str!("../data/incident-small.jsonl");

/// A minute after the last recorded line.
pub fn now() -> Micros {
    parse_rfc3339(b"2026-11-20T22:01:00Z").expect("a time")
}

struct Building(SegmentBuilder);

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        self.0.push(event, text, marks.replaced);
    }

    fn unreadable(&mut self, kind: Unreadable, text: &[u8]) {
        panic!("{kind}: {}", String::from_utf8_lossy(text));
    }
}

/// Lines as a batch of the file numbered `origin`.
pub fn batch(lines: &str, origin: u32) -> Box<Batch> {
    batch_of(SourceId(0), lines, origin)
}

/// Lines of a log as a batch of the file numbered `origin`.
pub fn batch_of(source: SourceId, lines: &str, origin: u32) -> Box<Batch> {
    let mut building = Building(SegmentBuilder::new(source, now(), true));
    let mut reader = Reader::new();
    reader.read(lines.as_bytes(), &mut building);
    reader.finish(&mut building);
    Box::new(building.0.finish(origin))
}

/// A program with one open log and nothing in it.
pub fn empty_app(config: Config, width: u16, height: u16) -> App {
    let mut app = App::new(config, now());
    app.update(Msg::Resize(width, height), now());
    let description = SourceDescription {
        id: SourceId(0),
        name: "audit.log".into(),
        path: "/var/log/kubernetes/audit/audit.log".into(),
        rotated: 4,
        compressed: vec![".gz", ".gz"],
    };
    app.update(Msg::Ingest(IngestMessage::Opened(description)), now());
    app
}

/// Takes in history.
pub fn history(app: &mut App, lines: &str, origin: u32) -> Vec<Effect> {
    let effects = app.update(Msg::Ingest(IngestMessage::History(batch(lines, origin))), now());
    work(app);
    effects
}

/// Takes in live lines.
pub fn live(app: &mut App, lines: &str) {
    app.update(Msg::Ingest(IngestMessage::Live(batch(lines, 1))), now());
    work(app);
}

/// Filters until nothing is left to do; the clock stands still, so that screens are the same every time.
pub fn work(app: &mut App) {
    while app.has_work() {
        app.work(|| true, now);
    }
}

/// A program that has read the incident.
pub fn incident_app(width: u16, height: u16) -> App {
    let mut app = empty_app(Config::default(), width, height);
    history(&mut app, INCIDENT, 1);
    app.update(Msg::Ingest(IngestMessage::HistoryDone(SourceId(0))), now());
    app
}

/// Presses keys written as `/ n s : p r o d Enter ^d F1`.
pub fn keys(app: &mut App, keys: &str) -> Vec<Effect> {
    keys.split(' ').filter(|key| !key.is_empty()).flat_map(|key| press(app, event(key))).collect()
}

/// Types text.
pub fn type_text(app: &mut App, text: &str) {
    for letter in text.chars() {
        press(app, KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
    }
}

/// Presses one key.
pub fn press(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let effects = app.update(Msg::Key(event), now());
    work(app);
    effects
}

fn event(key: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match key {
        "Enter" => plain(KeyCode::Enter),
        "Esc" => plain(KeyCode::Esc),
        "Tab" => plain(KeyCode::Tab),
        "Space" => plain(KeyCode::Char(' ')),
        "Up" => plain(KeyCode::Up),
        "Down" => plain(KeyCode::Down),
        "Left" => plain(KeyCode::Left),
        "Right" => plain(KeyCode::Right),
        "Home" => plain(KeyCode::Home),
        "End" => plain(KeyCode::End),
        "PgDn" => plain(KeyCode::PageDown),
        "PgUp" => plain(KeyCode::PageUp),
        "Backspace" => plain(KeyCode::Backspace),
        _ => {
            let mut letters = key.chars();
            match (letters.next(), letters.next(), letters.next()) {
                (Some(letter), None, _) => plain(KeyCode::Char(letter)),
                (Some('^'), Some(letter), None) => {
                    KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)
                }
                _ => panic!("no such key: {key}"),
            }
        }
    }
}

/// Draws the program.
pub fn buffer(app: &App, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a buffer");
    terminal.draw(|frame| kauditui::ui::draw(app, frame)).expect("a frame");
    terminal.backend().buffer().clone()
}

/// The screen as text.
pub fn screen(app: &App, width: u16, height: u16) -> String {
    let buffer = buffer(app, width, height);
    (0..height)
        .map(|y| {
            let mut line = String::new();
            let mut x = 0;
            while x < width {
                let symbol = buffer[(x, y)].symbol();
                line += symbol;
                x += (kauditui::text::width(symbol).max(1)) as u16;
            }
            line.trim_end().to_owned() + "\n"
        })
        .collect()
}

/// One line of a `RequestResponse` event.
pub fn line(second: u32, user: &str, verb: &str, resource: &str, name: &str, code: u16) -> String {
    line_of(
        "ResponseComplete",
        &format!("{second:08}-0000-4000-a000-000000000000"),
        second,
        user,
        verb,
        resource,
        name,
        code,
    )
}

/// One line of any stage.
#[allow(clippy::too_many_arguments, reason = "a line has that many fields")]
pub fn line_of(
    stage: &str,
    audit_id: &str,
    second: u32,
    user: &str,
    verb: &str,
    resource: &str,
    name: &str,
    code: u16,
) -> String {
    let time =
        format!("2026-11-20T{:02}:{:02}:{:02}.000000Z", 10 + second / 3600, second / 60 % 60, second % 60);
    let event = serde_json::json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": audit_id, "stage": stage,
        "requestURI": format!("/api/v1/namespaces/prod/{resource}/{name}"), "verb": verb,
        "user": {"username": user}, "sourceIPs": ["10.0.0.9"], "userAgent": "kubectl/v1.34.1",
        "objectRef": {"resource": resource, "namespace": "prod", "name": name, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": time, "stageTimestamp": time,
    });
    event.to_string() + "\n"
}
