//! `cargo xtask`: everything that is done to the project, in one place each.
#![allow(clippy::print_stdout, reason = "these commands talk to the person who runs them")]
mod bench;
mod demo;
mod dist;
mod servers;
mod step;
mod test;

use clap::{Parser, Subcommand};

/// Tasks of the dbbackup project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Bench(bench::BenchArgs),
    #[command(hide = true)]
    BenchInside(bench::InsideArgs),
    Demo(demo::DemoArgs),
    Dist(dist::DistArgs),
    Servers(servers::ServersArgs),
    Test(test::TestArgs),
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().task {
        Task::Bench(args) => bench::run(&args),
        Task::BenchInside(args) => bench::run_inside(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Servers(args) => servers::run(&args),
        Task::Test(args) => test::run(&args),
    }
}
