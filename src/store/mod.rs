//! The in-memory indexed ring buffer.
