//! What goes over the wire: wishes for encryption and storage class, and times that a store believes.
use super::{Cloud, DEADLINE, url, with};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Fault, FaultRule, Flavor, Invocation, Rig, S3_BUCKET, S3FaultProxy, S3Operation, S3Request,
    S3Sink, SampleTables, Server, ServerOptions,
};
use std::time::Duration;

const ENCRYPTION: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CLASS: &str = "x-amz-storage-class";
/// How far the clocks are apart: more than any store allows.
const APART: Duration = Duration::from_secs(2 * 3600);

/// A server, and a store behind a proxy that takes whatever it is told and confirms it.
pub(super) struct Believing {
    rig: Rig,
    pub(super) server: Server,
    pub(super) sink: S3Sink,
    pub(super) proxy: S3FaultProxy,
}

impl Believing {
    /// A server with tables that a dump of some megabytes holds.
    pub(super) fn start() -> Result<Self> {
        let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
        let tables = SampleTables { schema: "shop".to_owned(), tables: 4, rows: 14_000 };
        tables.load(&server)?;
        let sink = S3Sink::start()?;
        let proxy = S3FaultProxy::start(sink.port())?;
        Ok(Self { rig: Rig::new()?, server, sink, proxy })
    }

    /// A dump of the server through the proxy.
    pub(super) fn stream(&self, name: &str) -> Invocation {
        let arguments = ["stream-backup", "--target", &url(name), "--engine", "mysqldump"];
        let run = self.rig.dbbackup_on(&self.server, arguments);
        with(run, &self.sink.access().through(&self.proxy))
    }

    /// The only request of its kind for keys that end like this.
    fn only(&self, operation: S3Operation, key_suffix: &str) -> Result<S3Request> {
        let mut requests = self.proxy.requests_of(operation);
        requests.retain(|request| request.key.ends_with(key_suffix));
        ensure!(requests.len() == 1, "{operation:?} of {key_suffix}: {requests:?}");
        requests.pop().context("no request")
    }
}

#[test]
fn a_key_goes_with_whatever_makes_an_object_and_a_class_with_the_data_alone() -> Result<()> {
    let store = Believing::start()?;
    let asked = ["--encryption", "aws:kms:alias/backup", "--storage-class", "STANDARD_IA"];
    store.stream("db.sql").args(asked).args(["--part-size", "5M"]).run()?.expect_success()?;
    let upload = store.only(S3Operation::CreateUpload, "/db.sql")?;
    let manifest = store.only(S3Operation::Put, "/db.sql.manifest.json")?;
    let markers = store.proxy.requests_of(S3Operation::Put);
    let markers: Vec<_> = markers.iter().filter(|put| put.key.ends_with(".run.json")).collect();
    ensure!(!markers.is_empty(), "no marker was put");
    for request in [&upload, &manifest].into_iter().chain(markers.iter().copied()) {
        ensure!(request.header(ENCRYPTION) == Some("aws:kms"), "{request:?}");
        ensure!(request.header(KEY) == Some("alias/backup"), "{request:?}");
    }
    ensure!(upload.header(CLASS) == Some("STANDARD_IA"), "{upload:?}");
    // These must be read and removed at once, whatever becomes of the data.
    for request in [&manifest].into_iter().chain(markers) {
        ensure!(request.header(CLASS).is_none(), "{request:?}");
    }
    // S3 refuses a part that says again what its upload has said.
    let parts = store.proxy.requests_of(S3Operation::Part);
    ensure!(parts.len() > 1, "{parts:?}");
    let told = parts.iter().find(|part| part.header(ENCRYPTION).or(part.header(CLASS)).is_some());
    ensure!(told.is_none(), "{told:?}");

    // A small backup is put in one step.
    store.proxy.forget();
    store.stream("one.sql").args(asked).args(["--part-size", "64M"]).run()?.expect_success()?;
    let object = store.only(S3Operation::Put, "/one.sql")?;
    let wishes = [ENCRYPTION, KEY, CLASS].map(|name| object.header(name));
    ensure!(wishes == ["aws:kms", "alias/backup", "STANDARD_IA"].map(Some), "{object:?}");
    Ok(())
}

#[test]
fn a_store_that_cannot_encrypt_is_not_asked_for_long() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    cloud.proxy.add(FaultRule::on_any(Fault::CannotEncrypt));
    // By default a store that says 500 is asked for a quarter of an hour.
    let asked = cloud.stream("mysqldump", "db.sql").args(["--encryption", "aws:kms:alias/backup"]);
    let outcome = asked.deadline(DEADLINE / 3).run()?;
    outcome.expect_exit(6)?.expect_stderr("InternalError")?;
    outcome.expect_stderr("may not be able to encrypt as asked")?;
    cloud.expect_objects(&[])?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])
}

#[test]
fn a_wrong_clock_is_corrected_by_that_of_the_store() -> Result<()> {
    let store = Believing::start()?;
    store.proxy.add(FaultRule::on_any(Fault::ClockAhead(APART)));
    store.stream("db.sql").args(["--part-size", "5M"]).run()?.expect_success()?;
    let requests = store.proxy.requests();
    let refused = requests.iter().filter(|request| request.status == Some(403)).count();
    // Each process of a run learns the time by one refusal.
    ensure!((1..=5).contains(&refused), "{refused} of {} were refused", requests.len());
    let manifest = store.only(S3Operation::Put, "/db.sql.manifest.json")?;
    ensure!(manifest.status == Some(200), "{manifest:?}");
    ensure!(store.sink.object_bytes(S3_BUCKET, "nightly/db.sql").is_some(), "no object");
    Ok(())
}
