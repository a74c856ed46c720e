//! Lists over the screen.

use super::canvas::Canvas;
use super::shorten;
use super::theme::Role;
use crate::app::geometry::Area;
use crate::app::{Menu, MenuKind};
use crate::text;

/// What the keys do while a list is open.
pub fn keys_of(kind: MenuKind) -> &'static str {
    match kind {
        MenuKind::Help => "j/k move, Esc closes",
        MenuKind::Copy => "a letter or Enter copies, Esc closes",
        MenuKind::Palette => "type to search, Enter runs, Esc closes",
        MenuKind::Notices | MenuKind::Sources => "Esc closes",
        MenuKind::Filters => "type to search, Enter uses it, Esc closes",
        MenuKind::Conditions => "Space on/off, d removes, Esc closes",
        MenuKind::Marks => "Enter goes there, Esc closes",
        MenuKind::Deal => "a letter or Enter does it, Esc leaves it",
        MenuKind::Mute => "Enter puts it in force, Esc leaves it",
        MenuKind::Mutes => "Enter takes it back, Esc closes",
    }
}

/// Draws a list in the middle of the screen. Returns where the text cursor is when it can be searched.
pub fn draw(menu: &Menu, canvas: &mut Canvas<'_>) -> Option<(u16, u16)> {
    let screen = *canvas.buffer.area();
    let key_width = menu.shown.iter().map(|item| text::width(&item.key)).max().unwrap_or(0).min(38) as u16;
    let longest = menu.shown.iter().map(|item| text::width(&item.text)).max().unwrap_or(0);
    let close = keys_of(menu.kind);
    // Wide enough for what is said in the frame, too.
    let framed = text::width(&menu.title) + text::width(close) + 8;
    let wanted = (usize::from(key_width) + longest + 8).max(framed);
    let width = u16::try_from(wanted).unwrap_or(u16::MAX).min(screen.width.saturating_sub(2)).min(110);
    let search = u16::from(menu.is_searchable());
    let wanted_height = u16::try_from(menu.shown.len()).unwrap_or(u16::MAX).saturating_add(2 + search);
    let height = wanted_height.clamp(4, screen.height.saturating_sub(2).max(4)).min(screen.height);
    let area = Area { x: (screen.width - width) / 2, y: (screen.height - height) / 2, width, height };
    // Without knowing the keys, nobody gets any further; the title may be the name of a file.
    let for_title = usize::from(width).saturating_sub(text::width(close) + 9).max(16);
    let title = shorten::middle(&menu.title, for_title, canvas.ellipsis());
    let mut inside = canvas.frame(area, &title, close, true);
    let mut cursor = None;
    if search > 0 && inside.height > 1 {
        let used = canvas.put(inside.x + 1, inside.y, 2, "> ", Role::Key);
        let typed = menu.input.value();
        canvas.put(inside.x + 1 + used, inside.y, inside.width.saturating_sub(4), typed, Role::Strong);
        cursor = Some((inside.x + 1 + used + menu.input.visual_cursor() as u16, inside.y));
        inside = Area { y: inside.y + 1, height: inside.height - 1, ..inside };
    }
    let height = usize::from(inside.height);
    let top = menu.cursor.saturating_sub(height / 2).min(menu.shown.len().saturating_sub(height));
    for (offset, item) in menu.shown.iter().skip(top).take(height).enumerate() {
        let y = inside.y + offset as u16;
        let x = inside.x + 1;
        let room = inside.width.saturating_sub(2);
        if item.heading {
            canvas.put(x, y, room, &item.text, Role::Heading);
        } else {
            let key = canvas.words(&item.key);
            canvas.put(x, y, key_width.max(1), &key, Role::Key);
            // The words of help are our own; other lists may hold text from a log.
            let own = (menu.kind == MenuKind::Help).then(|| canvas.words(&item.text));
            let text = own.as_deref().unwrap_or(&item.text);
            canvas.put(x + key_width + 1, y, room.saturating_sub(key_width + 1), text, Role::Plain);
        }
        if top + offset == menu.cursor && !matches!(menu.kind, MenuKind::Help | MenuKind::Mute) {
            canvas.fill(Area { y, height: 1, ..inside }, Role::Cursor);
        }
    }
    if menu.shown.is_empty() {
        canvas.put(inside.x + 1, inside.y, inside.width, "nothing fits these letters", Role::Faint);
    }
    cursor
}
