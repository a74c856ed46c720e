//! All that touches the terminal and the process around it: the screen, the keyboard, signals, the clipboard.
//!
//! Knows nothing of audit events: `runtime` owns a [`Screen`], an [`Input`](input::Input) and
//! [`Signals`](signals::Signals), turns what they report into messages for `app`, and hands `ui` a frame to fill.
//!
//! One rule shapes every file here: **the terminal can vanish at any moment** (an ssh connection drops), with or
//! without SIGHUP. Then nothing may panic, print, retry or spin; the process ends.
//!
//! - [`screen`]: entering and leaving the alternate screen, one write a frame, Ctrl-Z
//! - [`input`]: the thread that waits on the terminal; [`keys`]: bytes from it into keys
//! - [`signals`]: signals as values; [`hooks`]: what a panic does
//! - [`clipboard`]: OSC 52; [`capabilities`]: what the environment says about the terminal
//! - [`process`]: low priority, first to go when memory runs out

pub mod capabilities;
pub mod clipboard;
pub mod hooks;
pub mod input;
pub mod keys;
pub mod process;
pub mod screen;
pub mod signals;

pub use screen::Screen;
