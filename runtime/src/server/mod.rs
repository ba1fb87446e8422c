//! The server: executors of a program.
