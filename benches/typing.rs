//! How long the program is busy with one turn of its loop while a filter is typed over a million records: a key with
//! the slice of work that answers it, further slices of work while nothing else happens, and the frame after each. No
//! turn may take longer than a frame of 16 ms, and what a key asks for must be on screen in the frame after it.
//!
//! It prints, for each question, the longest turn, that which 99 of 100 do not exceed, and how many turns it took until
//! the result was whole.

#[allow(dead_code, reason = "the other benches use the rest of it")]
mod common;

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kauditui::app::{App, Config, Msg};
use kauditui::ingest::IngestMessage;
use kauditui::model::{Micros, SECOND};
use kauditui::store::MAX_ROWS;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use common::{RECORDS, STEP, batch};

/// The share of a turn that work may take, as in `kauditui::runtime`.
const SLICE: Duration = Duration::from_millis(8);

/// What is typed, letter by letter; each is taken back before the next.
const QUESTIONS: [&str; 9] = [
    "verb:delete ns:kube-system",
    "user:team-3/app-1 code:>=400",
    "name:web-12",
    "uri:team-3",
    "agent~^kube-1",
    "ip:10.0.2.0/24 is:write",
    "tool:kube-3 manager:kubectl",
    "object:kube-system/deploy/web-1",
    "novelapp or team-3",
];

fn now() -> Micros {
    RECORDS as Micros * STEP + SECOND
}

fn main() {
    let mut app = App::new(Config { memory_limit: 16 << 30, ..Config::default() }, now());
    let (width, height) = (120, 36);
    app.update(Msg::Resize(width, height), now());
    let mut from = 0;
    while from < RECORDS {
        let until = (from + u64::from(MAX_ROWS)).min(RECORDS);
        app.update(Msg::Ingest(IngestMessage::History(Box::new(batch(from..until)))), now());
        from = until;
    }
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a buffer");
    let mut program = Program { app: &mut app, terminal: &mut terminal };
    program.finish();
    println!("{:<34} {:>10} {:>10} {:>7}", "typed", "longest", "p99", "turns");
    let mut all = Vec::new();
    for question in QUESTIONS {
        let mut turns = program.press(KeyCode::Char('/'));
        turns.extend(question.chars().flat_map(|letter| program.press(KeyCode::Char(letter))));
        tell(question, &mut turns);
        all.extend(turns);
        let mut turns = program.press(KeyCode::Esc);
        turns.extend(program.finish());
        all.extend(turns);
    }
    tell("all", &mut all);
}

fn tell(name: &str, turns: &mut [Duration]) {
    turns.sort_unstable();
    let at = |share: f64| turns[((turns.len() as f64 * share).ceil() as usize).clamp(1, turns.len()) - 1];
    println!("{name:<34} {:>10.2?} {:>10.2?} {:>7}", at(1.0), at(0.99), turns.len());
}

struct Program<'a> {
    app: &'a mut App,
    terminal: &'a mut Terminal<TestBackend>,
}

impl Program<'_> {
    /// A key, its answer, and all work that follows before the next one.
    fn press(&mut self, code: KeyCode) -> Vec<Duration> {
        let began = Instant::now();
        let effects = self.app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), now());
        assert!(effects.is_empty(), "keys of a filter change nothing outside");
        self.work();
        self.draw();
        let first = began.elapsed();
        std::iter::once(first).chain(self.finish()).collect()
    }

    /// Turns until nothing is left to do.
    fn finish(&mut self) -> Vec<Duration> {
        let mut turns = Vec::new();
        while self.app.has_work() {
            let began = Instant::now();
            self.work();
            self.draw();
            turns.push(began.elapsed());
        }
        turns
    }

    fn work(&mut self) {
        if self.app.has_work() {
            let until = Instant::now() + SLICE;
            self.app.work(|| Instant::now() < until, now);
        }
    }

    fn draw(&mut self) {
        if self.app.take_dirty() {
            let app = &*self.app;
            self.terminal.draw(|frame| kauditui::ui::draw(app, frame)).map(drop).expect("a frame");
        }
    }
}
