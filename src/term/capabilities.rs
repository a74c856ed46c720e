//! What the environment says about the terminal. Pure: `ui::theme` and `runtime` ask, nothing is probed.
//!
//! Terminals are not queried (no device attributes, no colour requests): an answer can arrive late or not at all over
//! ssh, and then turns up as typed keys.

/// Which terminal this is, as far as it changes what may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalKind {
    /// `TERM` is unset, empty or `dumb`: no cursor addressing, the interactive program cannot run.
    Dumb,
    /// The Linux console: UTF-8, but a font of at most 512 glyphs, and 8 colours.
    LinuxConsole,
    /// Anything else: taken for an xterm.
    Other,
}

/// What may be sent to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Which terminal.
    pub kind: TerminalKind,
    /// Whether the locale's encoding is UTF-8.
    pub utf8: bool,
    /// Whether colours may be used: `NO_COLOR` is unset or empty (<https://no-color.org>) and the terminal has some.
    pub color: bool,
    /// Whether the program runs inside tmux, which swallows what it does not know unless it is wrapped.
    pub tmux: bool,
}

impl Capabilities {
    /// Reads the capabilities from environment variables as `variable` reports them.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Capabilities {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let kind = match set("TERM").as_deref() {
            None | Some("dumb") => TerminalKind::Dumb,
            Some("linux") => TerminalKind::LinuxConsole,
            Some(_) => TerminalKind::Other,
        };
        // The first that is set decides, in this order (locale(7)).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        Capabilities {
            kind,
            utf8: locale.is_some_and(|name| is_utf8(&name)),
            color: set("NO_COLOR").is_none() && kind != TerminalKind::Dumb,
            tmux: set("TMUX").is_some(),
        }
    }

    /// [`Capabilities::detect`] over the environment of this process.
    pub fn from_environment() -> Capabilities {
        Capabilities::detect(|name| std::env::var(name).ok())
    }

    /// Whether to draw with more than ASCII.
    pub fn unicode(&self) -> bool {
        self.utf8 && self.kind == TerminalKind::Other
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(environment: &[(&str, &str)]) -> Capabilities {
        Capabilities::detect(|name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(detect(&[("TERM", "xterm"), ("LANG", "en_US.UTF-8")]).unicode());
        assert!(
            detect(&[("TERM", "xterm"), ("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]).unicode()
        );
        assert!(!detect(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).unicode());
        assert!(!detect(&[("TERM", "xterm")]).utf8);
    }

    #[test]
    fn no_color_counts_only_with_a_value() {
        assert!(detect(&[("TERM", "xterm")]).color);
        assert!(detect(&[("TERM", "xterm"), ("NO_COLOR", "")]).color);
        assert!(!detect(&[("TERM", "xterm"), ("NO_COLOR", "1")]).color);
        assert!(!detect(&[("TERM", "dumb")]).color);
    }

    #[test]
    fn the_linux_console_has_colours_but_no_wide_font() {
        let console = detect(&[("TERM", "linux"), ("LANG", "C.UTF-8")]);
        assert!(console.color && console.utf8 && !console.unicode());
        assert_eq!(detect(&[]).kind, TerminalKind::Dumb);
    }

    #[test]
    fn tmux_is_known_by_its_variable() {
        assert!(detect(&[("TMUX", "/tmp/tmux-0/default,1,0")]).tmux);
        assert!(!detect(&[("TERM", "tmux-256color")]).tmux);
    }
}
