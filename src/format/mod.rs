//! Bytes of a line to [`crate::model::Event`].
