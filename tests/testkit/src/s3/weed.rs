//! SeaweedFS: master, volume server, filer and S3 gateway in one process.
use super::health;
use super::server::{ADMIN, APPENDER, Key, Place, Ports, S3_BUCKET, WRITER};
use crate::fetch;
use crate::port::Port;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The options for the ports between the parts of the store: HTTP and gRPC.
const INNER: [&str; 7] = [
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port.grpc",
];

/// How many ports it needs beside those for clients.
pub(super) const INNER_PORTS: usize = INNER.len();

/// What derives the key of `AES256`; without one, encrypted requests end with status 500.
const ENCRYPTION_SECRET: &str = "the-test-kit-keeps-no-secrets";

/// The command that runs the store.
pub(super) fn command(place: &Place<'_>) -> Result<Command> {
    let data = place.directory.join("data");
    fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
    let identities = place.directory.join("identities.json");
    fs::write(&identities, identities_text()).context("write the identities")?;
    let socket = |name: &str| place.directory.join(name).display().to_string();
    let mut command = Command::new(fetch::seaweedfs_program()?);
    // The machine's address is the default for both, and there is no other machine.
    command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]);
    command.arg(format!("-dir={}", data.display()));
    command.arg(format!("-s3.config={}", identities.display()));
    command.arg(format!("-filer.localSocket={}", socket("filer.sock")));
    command.arg(format!("-s3.localSocket={}", socket("s3.sock")));
    command.arg(format!("-s3.port={}", place.ports.http.number()));
    for (index, flag) in INNER.iter().enumerate() {
        command.arg(format!("-{flag}={}", place.ports.inner(index)?));
    }
    // A master that resumes waits for an election after a kill: 20 s instead of 3.
    command.arg("-master.resumeState=false");
    // As S3: a key that may do everything would find no bucket missing.
    command.arg("-s3.autoCreateBucket=false");
    // Services with ports that two stores would both want, and word to its makers.
    command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]);
    command.args(["-volume.max=0", "-master.volumeSizeLimitMB=1024", "-volume.preStopSeconds=0"]);
    if !place.ports.nodes.is_empty() {
        // One copy more, on another volume server of the same rack.
        command.arg("-master.defaultReplication=001");
    }
    if let Some(files) = place.certificates {
        command.arg(format!("-s3.port.https={}", place.ports.https.number()));
        command.arg(format!("-s3.cert.file={}", files.certificate.display()));
        command.arg(format!("-s3.key.file={}", files.key.display()));
    }
    // It would make a user of the keys in these, and read configuration below `HOME`.
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("HOME", place.directory).env("WEED_S3_SSE_KEY", ENCRYPTION_SECRET);
    Ok(command)
}

/// The command that runs a further volume server, which announces itself to the store's master.
pub(super) fn node_command(place: &Place<'_>, node: &Node) -> Result<Command> {
    let data = place.directory.join(format!("node-{}", node.http.number()));
    fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
    let mut command = Command::new(fetch::seaweedfs_program()?);
    command.args(["-logtostderr=true", "volume", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    // The port for gRPC follows a dot.
    command.arg(format!("-master=127.0.0.1:{}.{}", place.ports.inner(0)?, place.ports.inner(1)?));
    command.arg(format!("-port={}", node.http.number()));
    command.arg(format!("-port.grpc={}", node.grpc.number()));
    command.arg(format!("-dir={}", data.display()));
    command.args(["-max=0", "-preStopSeconds=0"]);
    command.env("HOME", place.directory);
    Ok(command)
}

/// Ports of a further volume server.
#[derive(Debug)]
pub(super) struct Node {
    http: Port,
    grpc: Port,
}

impl Node {
    pub(super) fn lease() -> Result<Self> {
        Ok(Self { http: Port::lease()?, grpc: Port::lease()? })
    }
}

/// Sockets that it makes outside of its directory and that a killed one leaves there.
pub(super) fn sockets(ports: &Ports) -> impl Iterator<Item = PathBuf> {
    let own = INNER.iter().zip(&ports.inner);
    let own = own.filter_map(|(flag, port)| Some((flag.strip_suffix(".port.grpc")?, port)));
    let nodes = ports.nodes.iter().map(|node| ("volume", &node.grpc));
    own.chain(nodes)
        .map(|(part, port)| format!("/tmp/seaweedfs-{part}-grpc-{}.sock", port.number()).into())
}

/// Whether the S3 gateway says that it is up.
pub(super) fn is_healthy(port: u16) -> bool {
    health::status(port, "/healthz") == Some(200)
}

/// Users and what they may do. An action with a bucket is allowed in that bucket alone; `Write`
/// means to put, upload in parts, abort and delete. What is finer than that needs a policy.
fn identities_text() -> String {
    let identity = |key: &Key, rights: (&str, Value)| {
        json!({
            "name": key.name,
            "credentials": [{"accessKey": key.id, "secretKey": key.secret}],
            rights.0: rights.1,
        })
    };
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:AbortMultipartUpload"],
            "Resource": [format!("arn:aws:s3:::{S3_BUCKET}/*")],
        }],
    });
    json!({
        "identities": [
            identity(&ADMIN, ("actions", json!(["Admin", "Read", "List", "Tagging", "Write"]))),
            identity(&WRITER, ("actions", json!([format!("Write:{S3_BUCKET}")]))),
            identity(&APPENDER, ("policyNames", json!(["append-only"]))),
        ],
        "policies": [{"name": "append-only", "content": policy.to_string()}],
    })
    .to_string()
}
