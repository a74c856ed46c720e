//! What fits where, from the size of the terminal alone. [`crate::ui`] draws it; [`super`] needs the heights to page.

use super::Screen;

/// A rectangle in cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Area {
    /// Left column.
    pub x: u16,
    /// Top row.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// Where the detail is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Placement {
    /// Below the rows where there is room; as large as the screen once opened.
    #[default]
    Below,
    /// Beside the rows.
    Right,
    /// As large as the screen.
    Full,
    /// Not shown until opened.
    Off,
}

impl Placement {
    /// The next one.
    pub fn next(self) -> Self {
        match self {
            Placement::Below => Placement::Right,
            Placement::Right => Placement::Full,
            Placement::Full => Placement::Off,
            Placement::Off => Placement::Below,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Placement::Below => "below",
            Placement::Right => "right",
            Placement::Full => "full screen",
            Placement::Off => "off",
        }
    }
}

/// The parts of the screen; an area without rows is not drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    /// Nothing fits but one line that says so.
    pub too_small: bool,
    /// Log, window, state.
    pub status: Area,
    /// Filter and counts.
    pub filter: Area,
    /// Histogram, its axis included.
    pub histogram: Area,
    /// Column headings.
    pub heading: Area,
    /// Rows.
    pub rows: Area,
    /// Detail of the selected row, its frame included.
    pub detail: Area,
    /// What a table tells of the row under the cursor, its frame included.
    pub pane: Area,
    /// Key hints.
    pub hints: Area,
    /// Messages and prompts.
    pub message: Area,
}

/// Lays out a screen of this size. `opened` says that the detail has been opened, so that it must be seen.
pub fn layout(width: u16, height: u16, placement: Placement, opened: bool, screen: Screen) -> Layout {
    if width < 20 || height < 5 {
        return Layout { too_small: true, ..Layout::default() };
    }
    let mut out = Layout::default();
    let mut y = 0;
    let mut take = |rows: u16| {
        let area = Area { x: 0, y, width, height: rows };
        y += rows;
        area
    };
    let table_only = width < 60 || height < 12;
    out.status = take(1);
    out.filter = take(1);
    let analysis = matches!(screen, Screen::Object | Screen::Story);
    let detection = matches!(screen, Screen::Alerts | Screen::Rules);
    if !table_only && !analysis && !detection {
        out.histogram = take(match height {
            0..24 => 2,
            24..40 => 3,
            _ => 5,
        });
    }
    let bottom = if table_only { 1 } else { 2 };
    let middle = height - y - bottom;
    let whole = Area { x: 0, y, width, height: middle };
    let room_below = !table_only && height >= 30;
    let room_right = !table_only && width >= 140;
    let place = match placement {
        Placement::Below if room_below && !opened => Placement::Below,
        Placement::Right if room_right => Placement::Right,
        Placement::Right if room_below && !opened => Placement::Below,
        _ if opened => Placement::Full,
        _ => Placement::Off,
    };
    let place = if screen == Screen::Timeline { place } else { Placement::Off };
    let mut table = match place {
        Placement::Full => {
            out.detail = whole;
            Area::default()
        }
        Placement::Off => whole,
        Placement::Below => {
            let detail = (middle * 2 / 5).clamp(8, 24);
            out.detail = Area { y: whole.y + middle - detail, height: detail, ..whole };
            Area { height: middle - detail, ..whole }
        }
        Placement::Right => {
            let detail = (width * 2 / 5).clamp(50, 110);
            out.detail = Area { x: width - detail, width: detail, ..whole };
            Area { width: width - detail, ..whole }
        }
    };
    // The profile of a user needs seven lines with its frame; the table keeps more.
    if screen == Screen::Users && !table_only && middle >= 16 {
        let pane = (middle / 3).clamp(7, 12);
        table.height -= pane;
        out.pane = Area { y: table.y + table.height, height: pane, ..whole };
    }
    // What an analysis tells of the line under the cursor: beside it, or below.
    if analysis && !table_only {
        if width >= 130 {
            let pane = width * 2 / 5;
            table.width -= pane;
            out.pane = Area { x: table.width, width: pane, ..table };
        } else {
            let share = if screen == Screen::Object { middle / 2 } else { middle / 4 };
            let pane = share.clamp(5, 18);
            table.height -= pane;
            out.pane = Area { y: table.y + table.height, height: pane, ..whole };
        }
    }
    // What is told of an alert or a rule, wherever the detail is wanted.
    if detection {
        let pane = (middle * 2 / 5).clamp(6, 24);
        match placement {
            Placement::Full => {
                out.pane = whole;
                table.height = 0;
            }
            Placement::Right if room_right => {
                let width = width * 2 / 5;
                table.width -= width;
                out.pane = Area { x: table.width, width, ..table };
            }
            Placement::Below | Placement::Right if !table_only => {
                table.height -= pane;
                out.pane = Area { y: table.y + table.height, height: pane, ..whole };
            }
            _ => {}
        }
    }
    if table.height > 0 {
        out.heading = Area { height: 1, ..table };
        out.rows = Area { y: table.y + 1, height: table.height - 1, ..table };
    }
    if bottom == 2 {
        out.hints = Area { x: 0, y: height - 2, width, height: 1 };
    }
    out.message = Area { x: 0, y: height - 1, width, height: 1 };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overlaps_or_sticks_out() {
        for width in (1..300).step_by(7) {
            for height in 1..90 {
                for placement in [Placement::Below, Placement::Right, Placement::Full, Placement::Off] {
                    for opened in [false, true] {
                        let others = [Screen::Story, Screen::Rules];
                        for screen in Screen::ALL.map(|(_, screen)| screen).into_iter().chain(others) {
                            check(width, height, placement, opened, screen);
                        }
                    }
                }
            }
        }
    }

    fn check(width: u16, height: u16, placement: Placement, opened: bool, screen: Screen) {
        let l = layout(width, height, placement, opened, screen);
        if l.too_small {
            return;
        }
        let parts =
            [l.status, l.filter, l.histogram, l.heading, l.rows, l.detail, l.pane, l.hints, l.message];
        let cells: u32 = parts.iter().map(|a| u32::from(a.width) * u32::from(a.height)).sum();
        assert_eq!(
            cells,
            u32::from(width) * u32::from(height),
            "{width}x{height} {placement:?} {opened}: {l:?}"
        );
        assert!(parts.iter().all(|a| a.x + a.width <= width && a.y + a.height <= height));
        let is_text = placement == Placement::Full && matches!(screen, Screen::Alerts | Screen::Rules);
        assert!(l.rows.height > 0 || l.detail.height > 0 || (is_text && l.pane.height > 1));
        assert!(!opened || l.detail.height > 1 || l.rows.height > 0 || is_text);
        assert!(screen == Screen::Timeline || is_text || (l.rows.height > 0 && l.detail.height == 0));
    }

    #[test]
    fn the_usual_terminals() {
        let small = layout(80, 24, Placement::Below, false, Screen::Timeline);
        assert_eq!((small.rows.height, small.detail.height), (16, 0));
        assert_eq!(
            layout(80, 24, Placement::Below, true, Screen::Timeline).rows.height,
            0,
            "the detail takes the screen"
        );
        let large = layout(120, 36, Placement::Below, false, Screen::Timeline);
        assert!(large.rows.height >= 15 && large.detail.height >= 9, "{large:?}");
        assert!(layout(200, 50, Placement::Right, false, Screen::Timeline).detail.x > 0);
        let users = layout(80, 24, Placement::Below, false, Screen::Users);
        assert_eq!((users.rows.height, users.pane.height), (9, 7));
        assert!(layout(40, 10, Placement::Below, false, Screen::Timeline).histogram.height == 0);
    }
}
