//! A program in a pseudo-terminal, and the screen that it shows there.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long anything may take to appear before the test fails. Generous: it is only ever waited out by a failure.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// One program and its terminal. Dropping it kills the program.
pub struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    reader: Option<thread::JoinHandle<()>>,
    terminal: PathBuf,
    parser: Arc<Mutex<vt100::Parser>>,
    closing: Arc<AtomicBool>,
}

impl Session {
    /// Starts `command` as the leader of a new session whose controlling terminal has the given size.
    pub fn start(command: CommandBuilder, rows: u16, columns: u16) -> Session {
        let pair = native_pty_system().openpty(size(rows, columns)).expect("a pseudo-terminal");
        let terminal = pair.master.tty_name().expect("the terminal's name");
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let closing = Arc::new(AtomicBool::new(false));
        let source = pair.master.try_clone_reader().expect("a reader");
        let reader = thread::spawn({
            let (parser, closing) = (Arc::clone(&parser), Arc::clone(&closing));
            move || feed(source, &parser, &closing)
        });
        let writer = Some(pair.master.take_writer().expect("a writer"));
        Session { child, master: Some(pair.master), writer, reader: Some(reader), terminal, parser, closing }
    }

    /// Types `keys`, escape sequences and all.
    pub fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("the terminal is open");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("the terminal takes keys");
    }

    /// Waits until the screen is as `wanted` says, and panics with the screen if it never is.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        while !wanted(self.parser.lock().unwrap().screen()) {
            assert!(start.elapsed() < PATIENCE, "waited for {what}; the screen:\n{}", self.screen_text());
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until `text` is on the screen.
    pub fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contents().contains(text));
    }

    /// What the screen shows, a line a row.
    pub fn screen_text(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// Asks something of the screen.
    pub fn screen<T>(&self, ask: impl FnOnce(&vt100::Screen) -> T) -> T {
        ask(self.parser.lock().unwrap().screen())
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.parser.lock().unwrap().screen_mut().set_size(rows, columns);
        let master = self.master.as_ref().expect("the terminal is open");
        master.resize(size(rows, columns)).expect("the terminal is resized");
    }

    /// The terminal's modes, printable and comparable.
    pub fn termios(&self) -> String {
        let master = self.master.as_ref().expect("the terminal is open");
        format!("{:?}", master.get_termios().expect("the terminal's modes"))
    }

    /// The program's process number.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a process number")
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process"), signal).expect("the signal is sent");
    }

    /// Takes the terminal away, as when an ssh connection drops.
    pub fn close_master(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // The reader's blocking read holds a descriptor of the master: a byte from the other side ends that read.
        let wake = std::fs::OpenOptions::new().write(true).open(&self.terminal);
        wake.and_then(|mut terminal| terminal.write_all(b"\0")).expect("the reader is woken");
        self.reader.take().expect("a reader").join().expect("the reader ends");
        self.writer = None;
        self.master = None;
    }

    /// Waits for the program's end, at most `within`.
    pub fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the program's state") {
                return status;
            }
            assert!(start.elapsed() < within, "still running after {within:?}:\n{}", self.screen_text());
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn feed(mut source: Box<dyn Read + Send>, parser: &Mutex<vt100::Parser>, closing: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = source.read(&mut bytes) {
        parser.lock().unwrap().process(&bytes[..count]);
        if closing.load(Ordering::SeqCst) {
            break;
        }
    }
}
