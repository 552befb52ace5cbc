//! Rogue plugins.
