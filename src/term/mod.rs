//! All that touches the terminal.
