//! A server with a few sample tables, and a dbbackup to back it up with.
use crate::aftermath::Aftermath;
use anyhow::Result;
use dbbackup_testkit::{Flavor, Invocation, Rig, SampleTables, Server, ServerOptions};

pub(crate) struct Shop {
    pub(crate) rig: Rig,
    pub(crate) server: Server,
}

impl Shop {
    /// About `rows` times 240 bytes in each of four tables.
    pub(crate) fn open(rows: u64) -> Result<Self> {
        Self::on(Flavor::Mysql97, rows)
    }

    pub(crate) fn on(flavor: Flavor, rows: u64) -> Result<Self> {
        let server = Server::start(flavor, ServerOptions::default())?;
        SampleTables { rows, ..SampleTables::small() }.load(&server)?;
        Ok(Self { rig: Rig::new()?, server })
    }

    /// Prepares `physical-backup --engine mysqldump --output NAME`.
    pub(crate) fn backup(&self, output: &str) -> Invocation {
        let arguments = ["physical-backup", "--engine", "mysqldump", "--output", output];
        self.rig.dbbackup_on(&self.server, arguments)
    }

    /// Makes a backup that must succeed.
    pub(crate) fn backed_up(&self, output: &str) -> Result<()> {
        self.backup(output).run()?.expect_success().map(drop)
    }

    /// What is asked after a run.
    pub(crate) fn aftermath(&self) -> Aftermath<'_> {
        Aftermath { rig: &self.rig, server: &self.server }
    }

    /// See [`Aftermath::expect_names`].
    pub(crate) fn expect_names(&self, expected: &[&str]) -> Result<()> {
        self.aftermath().expect_names(expected)
    }

    /// See [`Aftermath::expect_clean`].
    pub(crate) fn expect_clean(&self) -> Result<()> {
        self.aftermath().expect_clean()
    }

    /// See [`Aftermath::expect_backups`].
    pub(crate) fn expect_backups(&self, count: usize) -> Result<()> {
        self.aftermath().expect_backups(count)
    }
}
