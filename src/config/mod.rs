//! The config file: raw TOML to checked settings, with every problem at once.
//!
//! It may use the core and read files it is pointed to. It must never start anything, and never
//! print: problems are values.

mod file_source;

pub use file_source::FileSourceConfig;
