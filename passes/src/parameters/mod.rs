//! The search for a key set.
