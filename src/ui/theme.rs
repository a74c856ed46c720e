//! Roles to styles: the terminal's own 16 colours and background, so that light and dark terminals both work, and
//! nothing but bold, dim and reverse where colours are off. No meaning rests on colour alone.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Less important.
    Faint,
    /// More important.
    Strong,
    /// Something was created.
    Create,
    /// Something was deleted.
    Delete,
    /// A refusal or client error.
    Failure,
    /// A server error, or a loss.
    Broken,
    /// A heading.
    Heading,
    /// The bars of the frame.
    Bar,
    /// The selected row.
    Cursor,
    /// The value under the cursor.
    CursorValue,
    /// A match while all rows are shown.
    Match,
    /// A key in a hint.
    Key,
}

/// Styles for the roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Theme {
    /// Whether colours are used.
    pub color: bool,
    /// Whether only ASCII marks are used.
    pub ascii: bool,
}

impl Theme {
    /// The style of a role.
    pub fn style(self, role: Role) -> Style {
        let plain = Style::default();
        let colored = |color: Color| if self.color { plain.fg(color) } else { plain };
        match role {
            Role::Plain => plain,
            Role::Faint => plain.add_modifier(Modifier::DIM),
            Role::Strong | Role::Heading => plain.add_modifier(Modifier::BOLD),
            Role::Create => colored(Color::Green),
            Role::Delete => colored(Color::Red).add_modifier(Modifier::BOLD),
            Role::Failure => colored(Color::Yellow),
            Role::Broken => colored(Color::Red).add_modifier(Modifier::BOLD),
            Role::Bar | Role::Cursor => plain.add_modifier(Modifier::REVERSED),
            Role::CursorValue => {
                plain.add_modifier(Modifier::REVERSED | Modifier::BOLD | Modifier::UNDERLINED)
            }
            Role::Match => colored(Color::Cyan).add_modifier(Modifier::BOLD),
            Role::Key => colored(Color::Cyan).add_modifier(Modifier::BOLD),
        }
    }

    /// A sign, or its ASCII stand-in.
    pub fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }
}
