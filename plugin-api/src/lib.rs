//! The contract between dbbackup and its plugins.
