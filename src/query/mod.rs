//! The filter language and live results.
