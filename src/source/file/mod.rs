//! Log files: finding them, knowing them again, and reading what is new.
