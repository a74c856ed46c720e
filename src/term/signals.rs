//! Signals as values for the loop in `runtime`. Neighbours: [`super::screen`] for what Ctrl-Z does, [`super::hooks`]
//! for leaving without destructors.
//!
//! SIGTSTP is deliberately not among them: once a handler is registered its default action cannot be had back, and
//! [`Screen::suspend`](super::Screen::suspend) needs that action. SIGINT arrives only from outside: in raw mode
//! Ctrl-C is a key.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What was asked of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: the terminal is gone. Leave through [`super::hooks::exit_now`].
    HangUp,
    /// SIGINT.
    Interrupt,
    /// SIGQUIT. Caught because its default action would leave the terminal in raw mode.
    Quit,
    /// SIGTERM.
    Terminate,
    /// SIGCONT: the process was stopped and goes on; the screen must be entered and painted anew.
    Continue,
    /// SIGWINCH: the terminal has another size.
    Resize,
}

impl Signal {
    /// The exit code of a process that this signal ends, 128 + its number; `None` for those that end nothing.
    pub fn exit_code(self) -> Option<u8> {
        let kind = match self {
            Signal::HangUp => SignalKind::hangup(),
            Signal::Interrupt => SignalKind::interrupt(),
            Signal::Quit => SignalKind::quit(),
            Signal::Terminate => SignalKind::terminate(),
            Signal::Continue | Signal::Resize => return None,
        };
        u8::try_from(128 + kind.as_raw_value()).ok()
    }
}

/// The signals that this process listens to.
#[derive(Debug)]
pub struct Signals {
    /// `None` when the process was started with the signal ignored: it stays ignored.
    hang_up: Option<Stream>,
    interrupt: Option<Stream>,
    quit: Option<Stream>,
    terminate: Stream,
    resume: Stream,
    resize: Stream,
}

impl Signals {
    /// Starts to listen. SIGHUP, SIGINT and SIGQUIT stay ignored where the parent had them ignored (`nohup`, a
    /// background job of a script): a handler of tokio's would override that.
    ///
    /// # Errors
    /// When the system refuses a handler.
    ///
    /// # Panics
    /// Outside a tokio runtime with its I/O driver enabled, as all of tokio's signals do.
    pub fn listen() -> io::Result<Signals> {
        let ignored = IgnoredSignals::of_this_process();
        let unless_ignored =
            |kind: SignalKind| if ignored.contains(kind) { Ok(None) } else { signal(kind).map(Some) };
        Ok(Signals {
            hang_up: unless_ignored(SignalKind::hangup())?,
            interrupt: unless_ignored(SignalKind::interrupt())?,
            quit: unless_ignored(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            resume: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for the next signal. Safe to drop and call again (`select!`); signals of one kind that come before they
    /// are asked for are one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            () = received(self.hang_up.as_mut()) => Signal::HangUp,
            () = received(Some(&mut self.terminate)) => Signal::Terminate,
            () = received(self.interrupt.as_mut()) => Signal::Interrupt,
            () = received(self.quit.as_mut()) => Signal::Quit,
            () = received(Some(&mut self.resume)) => Signal::Continue,
            () = received(Some(&mut self.resize)) => Signal::Resize,
        }
    }
}

async fn received(stream: Option<&mut Stream>) {
    if let Some(stream) = stream
        && stream.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// The set of ignored signals, as the `SigIgn` mask of `/proc/PID/status` (proc(5)).
struct IgnoredSignals(u64);

impl IgnoredSignals {
    fn of_this_process() -> IgnoredSignals {
        IgnoredSignals::parse(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// Without the line, or with one that is no number, nothing counts as ignored.
    fn parse(status: &str) -> IgnoredSignals {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        IgnoredSignals(mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0))
    }

    fn contains(&self, kind: SignalKind) -> bool {
        let bit = u32::try_from(kind.as_raw_value() - 1).ok();
        bit.and_then(|bit| self.0.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_recognised_by_its_bit() {
        let ignored = IgnoredSignals::parse("Name:\tx\nSigBlk:\tffff\nSigIgn:\t0000000000001001\n");
        assert!(ignored.contains(SignalKind::hangup()));
        assert!(ignored.contains(SignalKind::pipe()));
        assert!(!ignored.contains(SignalKind::interrupt()));
        assert!(!IgnoredSignals::parse("").contains(SignalKind::hangup()));
        assert!(!IgnoredSignals::parse("SigIgn:\tnonsense").contains(SignalKind::hangup()));
    }

    #[test]
    fn exit_codes_are_128_and_the_number() {
        assert_eq!(Signal::HangUp.exit_code(), Some(129));
        assert_eq!(Signal::Interrupt.exit_code(), Some(130));
        assert_eq!(Signal::Quit.exit_code(), Some(131));
        assert_eq!(Signal::Terminate.exit_code(), Some(143));
        assert_eq!(Signal::Resize.exit_code(), None);
    }
}
