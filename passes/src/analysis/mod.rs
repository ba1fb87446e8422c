//! Facts about the IR; nothing is changed here.
