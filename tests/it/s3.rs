//! Backups straight into object storage, and everything that reads back from it: on a real store, with
//! faults injected into single requests.
mod acceptance;
mod credentials;
mod faults;
mod interrupted;
mod killed;
mod locks;
mod manifest_unanswered;
mod markers;
mod memory;
mod objects;
mod reading;
mod refusals;
mod replaced;
mod round_trip;
mod streamer;
mod unanswered;
mod wishes;

use crate::cloned::text;
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Fault, FaultRule, Flavor, Invocation, Rig, Running, S3_BUCKET, S3Access, S3Client,
    S3FaultProxy, S3Operation, S3Options, S3Server, SampleTables, Server, ServerOptions,
    wait_until,
};
use serde_json::Value;
use std::time::Duration;

/// Longest that one run of `dbbackup` may take here.
const DEADLINE: Duration = Duration::from_secs(300);
/// How long it may take until a run sends its first parts.
const START: Duration = Duration::from_secs(60);
/// Folder of the bucket that backups go to.
const FOLDER: &str = "nightly";

/// A server, an installed dbbackup, a store, and a proxy before it.
struct Cloud {
    rig: Rig,
    server: Server,
    store: S3Server,
    proxy: S3FaultProxy,
}

impl Cloud {
    /// A server with so many rows in each of four tables: a thousand are about 200 KB.
    fn start(rows: u64) -> Result<Self> {
        Self::of(rows, ServerOptions::default(), S3Options::default())
    }

    /// The same with options of the server and of the store.
    fn of(rows: u64, server: ServerOptions, store: S3Options) -> Result<Self> {
        let server = Server::start(Flavor::Mysql97, server)?;
        SampleTables { schema: "shop".to_owned(), tables: 4, rows }.load(&server)?;
        let store = S3Server::start(store)?;
        let proxy = S3FaultProxy::start(store.port())?;
        Ok(Self { rig: Rig::new()?, server, store, proxy })
    }

    /// The bucket behind the proxy.
    fn access(&self) -> S3Access {
        self.store.access().through(&self.proxy)
    }

    /// A run of dbbackup that reaches the store through the proxy.
    fn dbbackup(&self, arguments: &[&str]) -> Invocation {
        with(self.rig.dbbackup(arguments.iter().copied()), &self.access())
    }

    /// A `stream-backup` of the server by an engine.
    fn stream(&self, engine: &str, name: &str) -> Invocation {
        self.stream_as(&self.access(), engine, name)
    }

    /// The same with other keys, or on another way.
    fn stream_as(&self, access: &S3Access, engine: &str, name: &str) -> Invocation {
        let arguments = ["stream-backup", "--target", &url(name), "--engine", engine];
        with(self.rig.dbbackup_on(&self.server, arguments), access).args(["--part-size", "5M"])
    }

    /// A `stream-backup` that is at work: some of its parts are on their way, slowly.
    fn in_the_middle(&self, engine: &str, name: &str) -> Result<Running> {
        self.proxy.forget();
        self.proxy.add(FaultRule::on(S3Operation::Part, Fault::Slow(4000)));
        let mut run = self.stream(engine, name).deadline(2 * DEADLINE).start()?;
        self.wait_for_parts(5)?;
        ensure!(run.is_running(), "it is done already");
        Ok(run)
    }

    /// Waits until so many parts are on their way through the proxy.
    fn wait_for_parts(&self, parts: usize) -> Result<()> {
        wait_until("parts are on their way", START, || {
            Ok(self.proxy.requests_of(S3Operation::Part).len() >= parts)
        })
    }

    /// The store as it is, without the proxy.
    fn client(&self) -> Result<S3Client> {
        self.store.client()
    }

    /// Names of all objects in the folder.
    fn names(&self) -> Result<Vec<String>> {
        let prefix = format!("{FOLDER}/");
        let keys = self.client()?.keys(&prefix)?;
        Ok(keys.into_iter().map(|key| key.replacen(&prefix, "", 1)).collect())
    }

    /// The folder holds these objects alone, and no upload is left that has not come to its end.
    fn expect_objects(&self, names: &[&str]) -> Result<()> {
        let found = self.names()?;
        ensure!(found == names, "objects {found:?} instead of {names:?}");
        let uploads = self.client()?.uploads()?;
        ensure!(uploads.is_empty(), "uploads are left: {uploads:?}");
        Ok(())
    }

    /// The data of a command's JSON document.
    fn data(&self, arguments: &[&str]) -> Result<Value> {
        let run = self.dbbackup(arguments).args(["--json"]).deadline(DEADLINE).run()?;
        Ok(run.expect_success()?.json()?["data"].clone())
    }

    /// The backup is good, and a restore of it holds the server's tables.
    fn expect_good(&self, name: &str) -> Result<()> {
        self.dbbackup(&["verify", &url(name)]).deadline(DEADLINE).run()?.expect_success()?;
        let other = Server::start(Flavor::Mysql97, ServerOptions::default())?;
        let arguments = ["restore", &url(name), "--into-server"];
        let run = with(self.rig.dbbackup_on(&other, arguments), &self.access());
        run.deadline(DEADLINE).run()?.expect_success()?;
        self.server.checksum_all()?.expect_same(&other.checksum_all()?)
    }

    /// Nothing of a run is left: no journal, no upload, no object that no manifest names.
    fn expect_nothing_left(&self) -> Result<()> {
        let report = self.dbbackup(&["cleanup", "--dry-run", "--json"]).run()?;
        let report = report.expect_success()?.json()?["data"].clone();
        ensure!(report["undone"] == Value::Array(Vec::new()), "left: {report}");
        let listed = self.data(&["list", &url("")])?;
        let backups = listed["locations"][0]["backups"].as_array().context("backups")?.clone();
        let incomplete = backups.iter().find(|backup| backup["state"]["state"] == "incomplete");
        ensure!(incomplete.is_none(), "incomplete: {incomplete:?}");
        let uploads = self.client()?.uploads()?;
        ensure!(uploads.is_empty(), "uploads are left: {uploads:?}");
        Ok(())
    }
}

/// A run with the keys of a bucket.
fn with(run: Invocation, access: &S3Access) -> Invocation {
    let run = run.deadline(DEADLINE);
    access.env().into_iter().fold(run, |run, (name, value)| run.env(name, value))
}

/// A name in the folder as dbbackup takes it.
fn url(name: &str) -> String {
    format!("s3://{S3_BUCKET}/{FOLDER}/{name}")
}

/// The path of a name in the rig's working directory.
fn local(cloud: &Cloud, name: &str) -> String {
    text(&cloud.rig.path(name))
}
