//! One level down: one arrow, one file.
