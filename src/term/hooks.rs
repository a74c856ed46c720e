//! What a panic does to the screen: nothing if a worker panicked, an orderly retreat if the UI thread did.
//!
//! The standard hook prints to stderr with a macro that panics when stderr is a dead terminal, and a panic inside a
//! hook aborts. This one writes only through calls that can fail, and only after [`super::screen::restore`].

use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::screen;

/// A panic on a thread other than the UI's: something to show as a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerPanic {
    /// Name of the thread, or `unnamed`.
    pub thread: String,
    /// `file:line:column` in the program's source, when known.
    pub location: Option<String>,
    /// What the panic said, control and invisible characters escaped: it may quote a line of a log.
    pub message: String,
}

/// Installs the process's panic hook. Call it on the UI thread, before the screen is entered.
///
/// A panic on the calling thread restores the terminal and writes one line to stderr, once. A panic on any other
/// thread calls `on_worker_panic` on that thread, and leaves terminal and stderr alone; the callback must not panic
/// and should only hand the report on (`try_send` on a channel).
pub fn install(on_worker_panic: impl Fn(WorkerPanic) + Send + Sync + 'static) {
    let ui_thread = thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().id() == ui_thread {
            retreat(info);
        } else {
            on_worker_panic(report(info));
        }
    }));
}

/// Ends the process at once: no destructor runs, nothing is printed. For SIGHUP and a vanished terminal, where
/// everything a destructor could do on the way out would fail or block.
pub fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}

fn retreat(info: &PanicHookInfo<'_>) {
    static REPORTED: AtomicBool = AtomicBool::new(false);
    screen::restore();
    if !REPORTED.swap(true, Ordering::SeqCst) {
        let WorkerPanic { location, message, .. } = report(info);
        let place = location.map(|at| format!(" at {at}")).unwrap_or_default();
        let _ = writeln!(std::io::stderr().lock(), "kauditui: internal error{place}: {message}");
    }
}

fn report(info: &PanicHookInfo<'_>) -> WorkerPanic {
    WorkerPanic {
        thread: thread::current().name().unwrap_or("unnamed").to_owned(),
        location: info.location().map(ToString::to_string),
        message: escape(payload(info)),
    }
}

/// What `panic!` was given: a literal or a formatted string; other payloads have no text.
fn payload<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = info.payload();
    let literal = payload.downcast_ref::<&'static str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn escape(message: &str) -> String {
    let mut escaped = String::with_capacity(message.len());
    for character in message.chars() {
        match character {
            // Harmless, and `escape_debug` would make quoted text hard to read.
            '"' | '\'' => escaped.push(character),
            _ => escaped.extend(character.escape_debug()),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_carry_control_or_invisible_characters() {
        assert_eq!(
            escape("bad \"é\" \x1b[2J\n\u{202e}\u{200b}\u{9b}"),
            "bad \"é\" \\u{1b}[2J\\n\\u{202e}\\u{200b}\\u{9b}"
        );
    }
}
