//! Text made safe and fitting for a terminal.
