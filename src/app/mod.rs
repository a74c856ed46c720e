//! Behaviour without terminal or I/O.
