//! Writing text into cells: everything that comes from a log passes through here, is made visible and is cut by
//! display width.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme::{Role, Theme};
use crate::app::geometry::Area;
use crate::text::{self, Marks, SanitiseOptions};

/// A buffer with the theme.
pub struct Canvas<'a> {
    /// The cells.
    pub buffer: &'a mut Buffer,
    /// Styles and signs.
    pub theme: Theme,
}

impl Canvas<'_> {
    /// Our own words without signs that an ASCII terminal lacks. Not for text from a log.
    pub fn words(&self, text: &str) -> String {
        if !self.theme.ascii {
            return text.to_owned();
        }
        let text = text.replace(" → ", " -> ");
        let replaced = [
            ('·', "-"),
            ('…', "..."),
            ('↑', "Up"),
            ('↓', "Down"),
            ('←', "Left"),
            ('→', "Right"),
            ('×', "x"),
            ('µ', "u"),
        ];
        replaced.iter().fold(text.to_owned(), |text, (sign, ascii)| text.replace(*sign, ascii))
    }

    /// Makes text from a log safe to show.
    pub fn safe<'t>(&self, raw: &'t str) -> std::borrow::Cow<'t, str> {
        let marks = if self.theme.ascii { Marks::Ascii } else { Marks::Unicode };
        text::sanitise_with(raw, SanitiseOptions { marks, keep_lines: false })
    }

    /// The sign for text that was cut.
    pub fn ellipsis(&self) -> &'static str {
        self.theme.sign("…", "..")
    }

    /// Writes text from column `x` on, at most `width` columns; returns the columns used.
    pub fn put(&mut self, x: u16, y: u16, width: u16, raw: &str, role: Role) -> u16 {
        let style = self.theme.style(role);
        self.put_styled(x, y, width, raw, style)
    }

    /// The same with a style.
    pub fn put_styled(&mut self, x: u16, y: u16, width: u16, raw: &str, style: Style) -> u16 {
        let area = *self.buffer.area();
        if y >= area.bottom() || x >= area.right() || width == 0 {
            return 0;
        }
        let room = width.min(area.right() - x);
        let safe = self.safe(raw).into_owned();
        let fitted = text::fit_end(&safe, usize::from(room), self.ellipsis());
        let (end, _) = self.buffer.set_stringn(x, y, fitted.as_ref(), usize::from(room), style);
        end - x
    }

    /// Writes parts one after the other; returns the columns used.
    pub fn line(&mut self, x: u16, y: u16, width: u16, parts: &[(&str, Role)]) -> u16 {
        let mut used = 0;
        for (part, role) in parts {
            if used >= width {
                break;
            }
            used += self.put(x + used, y, width - used, part, *role);
        }
        used
    }

    /// Writes text that ends at the right edge of `width` columns from `x`; returns the column where it begins.
    pub fn put_right(&mut self, x: u16, y: u16, width: u16, raw: &str, role: Role) -> u16 {
        let safe = self.safe(raw).into_owned();
        let needed = u16::try_from(text::width(&safe)).unwrap_or(u16::MAX).min(width);
        let start = x + (width - needed);
        self.put(start, y, needed, &safe, role);
        start
    }

    /// Gives a whole row a style.
    pub fn fill(&mut self, area: Area, role: Role) {
        let style = self.theme.style(role);
        self.buffer.set_style(rect(area), style);
    }

    /// Draws a frame with a title and empties what is inside; returns the inside.
    pub fn frame(&mut self, area: Area, title: &str, right: &str, focused: bool) -> Area {
        let role = if focused { Role::Strong } else { Role::Faint };
        let (h, v) = (self.theme.sign("─", "-"), self.theme.sign("│", "|"));
        let corners = if self.theme.ascii { ["+", "+", "+", "+"] } else { ["┌", "┐", "└", "┘"] };
        if area.width < 4 || area.height < 2 {
            return Area::default();
        }
        let (right_x, bottom) = (area.x + area.width - 1, area.y + area.height - 1);
        for y in area.y..=bottom {
            for x in area.x..=right_x {
                let sign = match (x == area.x, x == right_x, y == area.y, y == bottom) {
                    (true, _, true, _) => corners[0],
                    (_, true, true, _) => corners[1],
                    (true, _, _, true) => corners[2],
                    (_, true, _, true) => corners[3],
                    (_, _, true, _) | (_, _, _, true) => h,
                    (true, ..) | (_, true, ..) => v,
                    _ => " ",
                };
                let style = self.theme.style(role);
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    if sign != " " {
                        cell.set_symbol(sign).set_style(style);
                    }
                }
            }
        }
        let room = area.width.saturating_sub(4);
        let used = self.put(area.x + 2, area.y, room, &format!(" {title} "), Role::Heading);
        if !right.is_empty() && usize::from(room - used) > text::width(right) + 2 {
            self.put_right(area.x + 2 + used, area.y, room - used, &format!(" {right} "), Role::Faint);
        }
        Area { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
    }
}

/// A rectangle as ratatui names it.
pub fn rect(area: Area) -> Rect {
    Rect::new(area.x, area.y, area.width, area.height)
}
