//! Safe Rust for engine authors.
