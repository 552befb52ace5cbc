//! S3: real stores, a client for assertions, a proxy that injects faults into single requests, and
//! a sink for benchmarks.
mod access;
mod client;
mod failure;
mod fault_proxy;
mod garage;
mod health;
mod http;
mod options;
mod request;
mod server;
mod sink;
mod weed;

pub use access::S3Access;
pub use client::{S3Client, S3Head, S3Object, S3Upload};
pub use failure::S3Failure;
pub use fault_proxy::{Fault, FaultRule, S3FaultProxy, S3Request};
pub use options::{S3Options, S3Store};
pub use request::S3Operation;
pub use server::{S3_BUCKET, S3Server};
pub use sink::S3Sink;
