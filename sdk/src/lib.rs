//! Safe Rust for engine authors.

pub mod wire;
