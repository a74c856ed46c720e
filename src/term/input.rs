//! The thread that waits on the terminal and sends what is typed to the loop in `runtime`.
//!
//! It sleeps in its own poll(2), on the terminal and on a pipe through which it is told to pause or end, and leaves
//! as soon as the terminal reports HUP, ERR or NVAL. It reads only when nothing that it read before is waiting for
//! the loop, so memory is bounded by one read; what is typed meanwhile stays in the kernel. Even then it watches for
//! the hangup. [`super::keys`] turns the bytes into events.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::keys::Decoder;
pub use super::keys::InputEvent;

/// How long the rest of an escape sequence may take. A lone ESC is the Escape key after this time: too short for a
/// person to notice, long enough for the bytes of one key that a network has cut in two.
const SEQUENCE_PATIENCE: Duration = Duration::from_millis(30);
/// How long a paste may pause before what came of it is taken for all of it.
const PASTE_PATIENCE: Duration = Duration::from_secs(1);
/// How soon a full channel is tried again.
const FULL_CHANNEL_RETRY: Duration = Duration::from_millis(10);
/// How long [`Input::pause`] waits for the thread's answer, which it owes at once.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);
/// Bytes in one read: the size of the kernel's own line buffer.
const READ_SIZE: usize = 4096;

const PAUSE: u8 = b'p';
const RESUME: u8 = b'r';

/// Handle of the input thread. Dropping it ends the thread.
#[derive(Debug)]
pub struct Input {
    orders: PipeWriter,
    paused: mpsc::Receiver<()>,
}

impl Input {
    /// Starts the thread. Keys are read from standard input if it is a terminal, otherwise (`kauditui -` in a pipe)
    /// from `/dev/tty`. The last event is [`InputEvent::HungUp`]; the thread also ends when `events` is closed.
    ///
    /// # Errors
    /// When there is no terminal to read from, or no thread or pipe to be had.
    pub fn start(events: Sender<InputEvent>) -> io::Result<Input> {
        let terminal = Source::open()?;
        let (orders_reader, orders) = io::pipe()?;
        // One slot: the thread answers each pause once and must never wait for the listener.
        let (answers, paused) = mpsc::sync_channel(1);
        let reader = Reader {
            terminal,
            orders: orders_reader,
            answers,
            events,
            decoder: Decoder::default(),
            unsent: VecDeque::new(),
            paused: false,
        };
        thread::Builder::new().name("terminal input".into()).spawn(move || reader.run())?;
        Ok(Input { orders, paused })
    }

    /// Stops reading, so that another program can have the keyboard. Returns when the thread has stopped; keys it had
    /// already read are still sent. The hangup is watched for all the same.
    pub fn pause(&mut self) {
        while self.paused.try_recv().is_ok() {}
        if self.order(PAUSE) {
            // No answer means that the thread has ended, which is as good.
            let _ = self.paused.recv_timeout(ANSWER_PATIENCE);
        }
    }

    /// Reads again after [`Input::pause`].
    pub fn resume(&mut self) {
        self.order(RESUME);
    }

    fn order(&mut self, order: u8) -> bool {
        self.orders.write_all(&[order]).is_ok()
    }
}

/// Where keys come from: the same choice as crossterm makes for raw mode, so that both mean one terminal.
enum Source {
    Stdin,
    Controlling(File),
}

impl Source {
    fn open() -> io::Result<Source> {
        if rustix::termios::isatty(rustix::stdio::stdin()) {
            Ok(Source::Stdin)
        } else {
            File::open("/dev/tty").map(Source::Controlling)
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Source::Stdin => rustix::stdio::stdin(),
            Source::Controlling(file) => file.as_fd(),
        }
    }
}

struct Reader {
    terminal: Source,
    orders: PipeReader,
    answers: mpsc::SyncSender<()>,
    events: Sender<InputEvent>,
    decoder: Decoder,
    /// Events of the last read that the loop has not taken yet.
    unsent: VecDeque<InputEvent>,
    paused: bool,
}

/// Why the thread ends.
enum End {
    /// The terminal is gone, and the loop must hear of it.
    HungUp,
    /// Nobody listens any more.
    NotWanted,
}

impl Reader {
    fn run(mut self) {
        if let End::HungUp = self.watch() {
            // What could not be sent belongs to a terminal that is gone. Waits if the channel is full.
            let _ = self.events.blocking_send(InputEvent::HungUp);
        }
    }

    fn watch(&mut self) -> End {
        loop {
            if let Err(end) = self.send() {
                return end;
            }
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return End::HungUp,
            };
            if ready.order && !self.obey() {
                return End::NotWanted;
            }
            if ready.terminal.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
                return End::HungUp;
            }
            if ready.timed_out && self.unsent.is_empty() {
                self.decoder.flush(&mut self.unsent);
            }
            if ready.terminal.contains(PollFlags::IN) && !self.paused && !self.read() {
                return End::HungUp;
            }
        }
    }

    fn wait(&self) -> rustix::io::Result<Ready> {
        let reading = !self.paused && self.unsent.is_empty();
        // HUP and ERR are reported whatever is asked for.
        let interest = if reading { PollFlags::IN } else { PollFlags::empty() };
        let mut descriptors =
            [PollFd::new(&self.terminal, interest), PollFd::new(&self.orders, PollFlags::IN)];
        let timeout = self.patience().and_then(|patience| Timespec::try_from(patience).ok());
        let ready = rustix::event::poll(&mut descriptors, timeout.as_ref())?;
        Ok(Ready {
            timed_out: ready == 0,
            terminal: descriptors[0].revents(),
            order: !descriptors[1].revents().is_empty(),
        })
    }

    fn patience(&self) -> Option<Duration> {
        if !self.unsent.is_empty() {
            Some(FULL_CHANNEL_RETRY)
        } else if self.decoder.is_pasting() {
            Some(PASTE_PATIENCE)
        } else if self.decoder.is_waiting() {
            Some(SEQUENCE_PATIENCE)
        } else {
            None
        }
    }

    /// Reads once, which cannot block: the terminal has just said that it has something. False when it is gone.
    fn read(&mut self) -> bool {
        let mut bytes = [0; READ_SIZE];
        match rustix::io::read(&self.terminal, &mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.decoder.feed(&bytes[..count], &mut self.unsent);
                true
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => true,
            Err(_) => false,
        }
    }

    fn send(&mut self) -> Result<(), End> {
        while let Some(event) = self.unsent.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.unsent.push_front(event);
                    return Ok(());
                }
                Err(TrySendError::Closed(_)) => return Err(End::NotWanted),
            }
        }
        if self.events.is_closed() { Err(End::NotWanted) } else { Ok(()) }
    }

    /// False when the handle was dropped.
    fn obey(&mut self) -> bool {
        let mut order = [0];
        match self.orders.read(&mut order) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            _ => return false,
        }
        self.paused = order[0] == PAUSE;
        if self.paused {
            let _ = self.answers.try_send(());
        }
        true
    }
}

struct Ready {
    timed_out: bool,
    terminal: PollFlags,
    order: bool,
}
