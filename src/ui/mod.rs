//! The picture of the state: [`draw`] reads an [`App`] and writes cells, nothing else.
//!
//! One file a part of the screen (`grid` draws the tables of `users`, `alerts`, `rules`, `statistics` and `object`); `theme` turns roles into styles, `canvas` makes text from a log safe and fitting,
//! `shorten` knows what may be left out of a name.

mod alerts;
mod canvas;
mod detail;
mod facets;
mod grid;
mod histogram;
mod object;
mod overlay;
mod rules;
pub mod shorten;
mod statistics;
mod status;
mod story;
mod theme;
mod timeline;
mod users;

use ratatui::Frame;
use ratatui::layout::Position;

use crate::app::{App, Mode, Screen};
use canvas::Canvas;
pub use theme::{Role, Theme};

/// Draws the whole screen.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let theme = Theme { color: app.config.color, ascii: app.config.ascii };
    let mut canvas = Canvas { buffer: frame.buffer_mut(), theme };
    let area = *canvas.buffer.area();
    let layout = &app.layout;
    if layout.too_small {
        canvas.put(0, 0, area.width, "too small", Role::Plain);
        return;
    }
    status::draw_status(app, &mut canvas, layout.status);
    let mut cursor = status::draw_filter(app, &mut canvas, layout.filter);
    if layout.histogram.height > 0 {
        histogram::draw(app, &mut canvas, layout.histogram);
    }
    if layout.rows.height > 0 {
        match app.screen {
            Screen::Timeline => timeline::draw(app, &mut canvas, layout.heading, layout.rows),
            Screen::Users => users::draw(app, &mut canvas, layout.heading, layout.rows),
            Screen::Alerts => alerts::draw(app, &mut canvas, layout.heading, layout.rows),
            Screen::Rules => rules::draw(app, &mut canvas, layout.heading, layout.rows),
            Screen::Statistics => statistics::draw(app, &mut canvas, layout.heading, layout.rows),
            Screen::Object => object::draw(app, &mut canvas, layout.heading, layout.rows),
            Screen::Story => story::draw(app, &mut canvas, layout.heading, layout.rows),
        }
    }
    if layout.pane.height > 0 {
        match app.screen {
            Screen::Object => object::draw_side(app, &mut canvas, layout.pane),
            Screen::Alerts => alerts::draw_pane(app, &mut canvas, layout.pane),
            Screen::Rules => rules::draw_pane(app, &mut canvas, layout.pane),
            Screen::Story => story::draw_side(app, &mut canvas, layout.pane),
            _ => users::draw_profile(app, &mut canvas, layout.pane),
        }
    }
    if layout.detail.height > 0 {
        detail::draw(app, &mut canvas, layout.detail);
    }
    if layout.hints.height > 0 {
        status::draw_hints(app, &mut canvas, layout.hints);
    }
    let prompt_cursor = status::draw_message(app, &mut canvas, layout.message);
    cursor = cursor.or(prompt_cursor);
    match &app.mode {
        Mode::Menu(menu) => cursor = overlay::draw(menu, &mut canvas),
        Mode::Facets(open) => cursor = facets::draw(app, open, &mut canvas),
        Mode::Filter => facets::draw_suggestions(app, &mut canvas),
        Mode::Normal | Mode::Prompt(_) => {}
    }
    if let Some((x, y)) = cursor.filter(|(x, y)| *x < area.width && *y < area.height) {
        frame.set_cursor_position(Position::new(x, y));
    }
}
