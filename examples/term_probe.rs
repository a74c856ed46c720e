//! A minimal program over `kauditui::term`, driven by `tests/terminal.rs`: it can be told to fail in ways that the
//! real program must not offer. `q` quits, `p` panics, `w` panics in a worker, Ctrl-Z suspends.

use std::process::ExitCode;
use std::sync::mpsc;

use crossterm::event::{KeyCode, KeyModifiers};
use kauditui::term::input::{Input, InputEvent};
use kauditui::term::signals::{Signal, Signals};
use kauditui::term::{Screen, hooks};

fn main() -> ExitCode {
    let (report, panics) = mpsc::sync_channel(8);
    hooks::install(move |panic| {
        let _ = report.try_send(panic.message);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(run(&panics))) {
        Ok(code) => ExitCode::from(code),
        // The kernel sends SIGCONT along with SIGHUP: the first to notice may be a call on the screen that fails.
        Err(_) => hooks::exit_now(129),
    }
}

async fn run(panics: &mpsc::Receiver<String>) -> std::io::Result<u8> {
    let mut signals = Signals::listen()?;
    let mut screen = Screen::enter(false)?;
    let (events, mut input) = tokio::sync::mpsc::channel(64);
    let mut reader = Input::start(events)?;
    let (mut keys, mut last) = (0_u32, "ready".to_owned());
    loop {
        screen.draw(|frame| {
            let size = frame.area();
            let text = format!("{last} keys={keys} size={}x{}", size.width, size.height);
            frame.render_widget(text.as_str(), size);
        })?;
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::HangUp => hooks::exit_now(129),
                Signal::Continue => screen.resume()?,
                Signal::Resize => {}
                other => return Ok(other.exit_code().unwrap_or(2)),
            },
            event = input.recv() => match event {
                None | Some(InputEvent::HungUp) => hooks::exit_now(129),
                Some(InputEvent::Paste(text)) => last = format!("paste:{text}"),
                Some(InputEvent::Mouse(_)) => {}
                Some(InputEvent::Key(key)) => {
                    keys += 1;
                    match key.code {
                        KeyCode::Char('q') => return Ok(0),
                        KeyCode::Char('p') => panic!("asked to"),
                        KeyCode::Char('w') => {
                            let _ = std::thread::spawn(|| panic!("worker asked to")).join();
                            last = format!("notice: {}", panics.try_recv().unwrap_or_default());
                        }
                        KeyCode::Char('z') if key.modifiers == KeyModifiers::CONTROL => {
                            reader.pause();
                            screen.suspend();
                            screen.resume()?;
                            reader.resume();
                        }
                        code => last = format!("{code:?}"),
                    }
                }
            },
        }
    }
}
