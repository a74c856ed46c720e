//! The terminal as a screen: entered once, drawn a frame at a time, always left as it was found.
//!
//! [`restore`] is a free function over process-wide state because the panic hook ([`super::hooks`]) must leave the
//! screen before anything unwinds, and has no [`Screen`] to call. Nothing here reads input; see [`super::input`].

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::queue;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

/// Bytes held back until a frame is whole. A full 200x50 frame with colours is about 40 KB; stdout's own 1 KiB
/// would cut every frame into pieces that a slow connection shows one by one.
const FRAME_BUFFER: usize = 64 * 1024;

/// Alternate screen, clear, hidden cursor, bracketed paste.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l\x1b[?2004h";
/// Buttons, drags and the wheel in SGR coordinates. Not mode 1003, which sends a report for every cell that the
/// pointer crosses: over ssh that is traffic for nothing.
const MOUSE_ON: &[u8] = b"\x1b[?1002h\x1b[?1006h";
/// Undoes [`ENTER`], [`MOUSE_ON`] and a frame cut off in the middle, whichever of them were in force.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?2004l\x1b[0m\x1b[?1049l\x1b[?25h";

/// How long [`restore`] waits for a terminal that takes no output (a stalled connection) before it gives up writing.
const LEAVE_PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Whether this process has changed the terminal and not yet put it back.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The entered terminal. Dropping it leaves the screen, and neither panics nor prints.
pub struct Screen {
    /// Never dropped: `Terminal::drop` reports a failure with `eprintln!`, which panics once stderr is a dead
    /// terminal, and a panic while panicking aborts. What is lost is two cell buffers and a descriptor, at exit.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<FrameWriter>>>,
    /// True while a frame is being put together: see [`FrameWriter`].
    frame_open: Rc<Cell<bool>>,
    mouse: bool,
}

impl Screen {
    /// Takes over the terminal on standard output: raw mode, alternate screen, hidden cursor, bracketed paste and,
    /// if `mouse`, reports of buttons and the wheel.
    ///
    /// # Errors
    /// When standard output is no terminal, or it cannot be changed or written. The terminal is then as before.
    pub fn enter(mouse: bool) -> io::Result<Screen> {
        let stdout = rustix::stdio::stdout();
        if !rustix::termios::isatty(stdout) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "standard output is not a terminal"));
        }
        let own_stdout = File::from(stdout.try_clone_to_owned()?);
        let frame_open = Rc::new(Cell::new(false));
        take_over(mouse)?;
        let writer = FrameWriter {
            buffer: BufWriter::with_capacity(FRAME_BUFFER, own_stdout),
            frame_open: Rc::clone(&frame_open),
        };
        match Terminal::new(CrosstermBackend::new(writer)) {
            Ok(terminal) => Ok(Screen { terminal: ManuallyDrop::new(terminal), frame_open, mouse }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws one frame of the terminal's present size and writes what differs from the last one: one `write` call up
    /// to 64 KiB, wrapped in synchronized output (DEC mode 2026), so that no half frame is seen.
    ///
    /// A terminal of no size (a window being made) and a screen that was left are not drawn to.
    ///
    /// # Errors
    /// When the terminal is gone or refuses the output.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        // Asked here first: on a dead terminal crossterm would start `tput` to learn the size.
        let size = size()?;
        if size.is_empty() || !ENTERED.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.frame_open.set(true);
        let drawn = self.draw_held(render);
        self.frame_open.set(false);
        drawn?;
        self.terminal.backend_mut().flush()
    }

    fn draw_held(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(render)?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Writes a control sequence that moves no cursor and shows nothing, such as
    /// [`super::clipboard::Copy::sequence`].
    ///
    /// # Errors
    /// When the terminal is gone or refuses the output.
    pub fn send(&mut self, sequence: &[u8]) -> io::Result<()> {
        self.terminal.backend_mut().write_all(sequence)?;
        self.terminal.backend_mut().flush()
    }

    /// Puts the terminal back as it was found. Safe to call at any time and any number of times; each step is tried
    /// whatever became of the others, and nothing is reported, since there may be nobody left to read it.
    pub fn leave(&mut self) {
        restore();
    }

    /// Ctrl-Z: puts the terminal back and stops the foreground job, this process and those in one pipe with it.
    /// Returns when the job is continued; call [`Screen::resume`] then. Call it on the main thread: only there is
    /// the stop certain to happen before this returns.
    ///
    /// SIGTSTP with its default action, not SIGSTOP: the kernel ignores it where no shell could continue the job
    /// (`ssh -t node kauditui`), which SIGSTOP would freeze for good.
    pub fn suspend(&mut self) {
        restore();
        // A refusal leaves the process running, and the caller's `resume` brings the screen back.
        let _ = rustix::process::kill_current_process_group(Signal::TSTP);
    }

    /// Takes the terminal over again, after [`Screen::suspend`] or on SIGCONT, and forgets what was on it, so that
    /// the next frame is painted whole. Harmless when the screen was never left.
    ///
    /// # Errors
    /// When the terminal is gone or refuses the change.
    pub fn resume(&mut self) -> io::Result<()> {
        // After a SIGSTOP from outside, raw mode is believed to be on but the shell has turned it off; crossterm
        // only sets what it believes to be unset.
        let _ = disable_raw_mode();
        take_over(self.mouse)?;
        self.repaint()
    }

    /// Clears the screen and forgets what was on it, so that the next frame is painted whole (Ctrl-L).
    ///
    /// # Errors
    /// When the terminal is gone or refuses the output.
    pub fn repaint(&mut self) -> io::Result<()> {
        let size = size()?;
        self.terminal.resize(size)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Puts the terminal back as it was found, if this process has changed it. What [`Screen::leave`] does, for the
/// panic hook and other places that have no [`Screen`].
pub fn restore() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        if accepts_output() {
            let _ = write_all(LEAVE);
        }
        let _ = disable_raw_mode();
    }
}

/// The terminal's size in cells, from the terminal on standard output.
///
/// # Errors
/// When standard output is no terminal, or the terminal is gone.
pub fn size() -> io::Result<Rect> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout())?;
    Ok(Rect::new(0, 0, size.ws_col, size.ws_row))
}

fn take_over(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    let entered = write_all(ENTER).and_then(|()| if mouse { write_all(MOUSE_ON) } else { Ok(()) });
    if entered.is_err() {
        restore();
    }
    entered
}

fn accepts_output() -> bool {
    let stdout = rustix::stdio::stdout();
    let mut descriptors = [PollFd::new(&stdout, PollFlags::OUT)];
    let polled = rustix::event::poll(&mut descriptors, Some(&LEAVE_PATIENCE));
    polled.is_ok() && descriptors[0].revents().contains(PollFlags::OUT)
}

/// Straight to the descriptor: `std::io::stdout` has a lock that a panicking thread may hold.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A buffer that ignores `flush` while a frame is open: ratatui's backend flushes after each cursor command, which
/// would cut a frame into up to four writes and put the cursor's move outside the synchronized update.
struct FrameWriter {
    buffer: BufWriter<File>,
    frame_open: Rc<Cell<bool>>,
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame_open.get() { Ok(()) } else { self.buffer.flush() }
    }
}
