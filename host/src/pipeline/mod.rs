//! The host's pipeline: from an engine's entries to bytes at a target, one stage a file.

pub mod pages;
