//! Integration tests.
mod tidy;
mod vendor;
