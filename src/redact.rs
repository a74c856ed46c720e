//! What must not leave the log: secret values.
