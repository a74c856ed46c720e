//! What a frame costs: drawing the timeline, building a segment, and the bytes that reach the terminal while a log is
//! followed.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use divan::Bencher;
use kauditui::app::{App, Config, Msg};
use kauditui::format::{Marks, Reader, Sink, Unreadable};
use kauditui::ingest::IngestMessage;
use kauditui::model::{Event, Micros, SourceId, parse_rfc3339};
use kauditui::store::{Batch, SegmentBuilder};
use ratatui::Terminal;
use ratatui::backend::{CrosstermBackend, TestBackend};
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};

const INCIDENT: &str = include_str!("../tests/data/incident-small.jsonl");

fn main() {
    for (width, height) in [(120, 36), (200, 50)] {
        println!("{width}x{height}: {} bytes a frame while 20 records come", bytes_per_frame(width, height));
    }
    divan::main();
}

fn now() -> Micros {
    parse_rfc3339(b"2026-11-20T22:01:00Z").expect("a time")
}

struct Building(SegmentBuilder);

impl Sink for Building {
    fn event(&mut self, event: &Event<'_>, text: &[u8], marks: Marks) {
        if !self.0.is_full() {
            self.0.push(event, text, marks.replaced);
        }
    }

    fn unreadable(&mut self, _: Unreadable, _: &[u8]) {}
}

fn batch(text: &str) -> Box<Batch> {
    let mut building = Building(SegmentBuilder::new(SourceId(0), 0, true));
    Reader::new().read(text.as_bytes(), &mut building);
    Box::new(building.0.finish(1))
}

/// A program that holds about a million records.
fn large_app(width: u16, height: u16) -> App {
    let mut app = App::new(Config { memory_limit: 4 << 30, ..Config::default() }, now());
    app.update(Msg::Resize(width, height), now());
    for round in 0..16u32 {
        let mut text = String::new();
        for repeat in 0..215 {
            let prefix = format!("\"auditID\":\"{:02x}{:03x}", round, repeat);
            for line in INCIDENT.lines() {
                let Some(at) = line.find("\"auditID\":\"") else { continue };
                text += &format!("{}{prefix}{}\n", &line[..at], &line[at + 16..])
                    .replace("T21:", &format!("T{round:02}:"));
            }
        }
        app.update(Msg::Ingest(IngestMessage::History(batch(&text))), now());
    }
    while app.has_work() {
        app.work(|| true, now);
    }
    app
}

#[divan::bench(args = [(120, 36), (200, 50)])]
fn frame(bencher: Bencher<'_, '_>, (width, height): (u16, u16)) {
    let app = large_app(width, height);
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a buffer");
    bencher
        .bench_local(|| terminal.draw(|frame| kauditui::ui::draw(&app, frame)).map(drop).expect("a frame"));
}

#[divan::bench]
fn segment(bencher: Bencher<'_, '_>) {
    bencher.counter(divan::counter::BytesCount::of_str(INCIDENT)).bench_local(|| batch(INCIDENT));
}

#[derive(Clone, Default)]
struct Counting(Rc<RefCell<usize>>);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        *self.0.borrow_mut() += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Bytes that one frame sends while twenty new records come between two frames.
fn bytes_per_frame(width: u16, height: u16) -> usize {
    const FRAMES: usize = 14;
    let written = Counting::default();
    let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, width, height)) };
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(written.clone()), options).expect("a terminal");
    let mut app = App::new(Config::default(), now());
    app.update(Msg::Resize(width, height), now());
    let lines: Vec<&str> = INCIDENT.lines().collect();
    terminal.draw(|frame| kauditui::ui::draw(&app, frame)).map(drop).expect("a frame");
    *written.0.borrow_mut() = 0;
    for lines in lines.chunks(20).take(FRAMES) {
        app.update(Msg::Ingest(IngestMessage::Live(batch(&(lines.join("\n") + "\n")))), now());
        while app.has_work() {
            app.work(|| true, now);
        }
        terminal.draw(|frame| kauditui::ui::draw(&app, frame)).map(drop).expect("a frame");
    }
    let bytes = *written.0.borrow();
    bytes / FRAMES
}
