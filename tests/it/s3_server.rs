//! What the tests of S3 stand on: the store, its keys and TLS, the proxy's faults, and the sink.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Fault, FaultRule, S3_BUCKET, S3Client, S3Failure, S3FaultProxy, S3Operation, S3Options,
    S3Server, S3Sink, S3Store, wait_until,
};
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;

/// The failure that must have come, and no success.
fn failure<T>(what: &str, outcome: Result<T, S3Failure>) -> Result<S3Failure> {
    outcome.err().with_context(|| format!("{what} went well"))
}

/// Stores objects and part of an upload, kills the store, and finds all of it again.
fn keeps_what_it_was_given(store: S3Store) -> Result<()> {
    let mut store = S3Server::start(S3Options::default().store(store))?;
    let client = store.client()?;
    client.put("a/one", "first")?;
    client.put("a/two", vec![7; 3 * MIB])?;
    let upload = client.create_upload("a/three")?;
    let first = client.upload_part("a/three", &upload, 1, vec![1; 5 * MIB])?;
    store.kill()?;
    ensure!(failure("reading", client.get("a/one"))?.status.is_none(), "a dead store answered");
    store.restart()?;
    ensure!(client.keys("")? == ["a/one", "a/two"], "{:?}", client.list("")?);
    ensure!(client.get("a/one")? == b"first", "another content");
    ensure!(client.get_range("a/two", 3 * MIB as u64 - 2, 10)? == [7, 7], "another range");
    let uploads = client.uploads()?;
    ensure!(uploads.len() == 1 && uploads[0].id == upload && uploads[0].key == "a/three");
    let second = client.upload_part("a/three", &upload, 2, "end")?;
    client.complete_upload("a/three", &upload, &[first, second])?;
    ensure!(client.uploads()?.is_empty(), "{:?}", client.uploads()?);
    let head = client.head("a/three")?.context("no object")?;
    ensure!(head.size_bytes == 5 * MIB as u64 + 3, "{head:?}");
    let upload = client.create_upload("a/four")?;
    client.abort_upload("a/four", &upload)?;
    client.delete("a/one")?;
    ensure!(client.head("a/one")?.is_none(), "it is still there");
    ensure!(client.uploads()?.is_empty(), "{:?}", client.uploads()?);
    Ok(())
}

#[test]
fn a_killed_store_keeps_what_it_was_given() -> Result<()> {
    keeps_what_it_was_given(S3Store::SeaweedFs)
}

mod acceptance {
    use super::*;

    #[test]
    fn so_does_the_second_store() -> Result<()> {
        keeps_what_it_was_given(S3Store::Garage)
    }
}

#[test]
fn keys_may_do_what_they_are_for_and_nothing_else() -> Result<()> {
    let store = S3Server::start(S3Options::default())?;
    store.client()?.put("kept", "by the administrator")?;
    for access in [store.write_only(), store.append_only()] {
        let client = access.client()?;
        client.put("k", "v")?;
        let upload = client.create_upload("parts")?;
        let etag = client.upload_part("parts", &upload, 1, "all of it")?;
        client.complete_upload("parts", &upload, &[etag])?;
        let upload = client.create_upload("parts")?;
        client.abort_upload("parts", &upload)?;
        for (what, failure) in [
            ("reading", failure("reading", client.get("k"))?),
            ("looking", failure("looking", client.head("k"))?),
            ("listing", failure("listing", client.list(""))?),
            ("listing uploads", failure("listing uploads", client.uploads())?),
        ] {
            ensure!(failure.status == Some(403), "{what} as {access:?}: {failure}");
        }
    }
    let appender = store.append_only().client()?;
    ensure!(failure("deleting", appender.delete("kept"))?.is("AccessDenied"));
    store.write_only().client()?.delete("kept")?;
    let wrong = store.access().with_wrong_secret().client()?;
    ensure!(failure("a wrong secret", wrong.list(""))?.is("SignatureDoesNotMatch"));
    let missing = store.access().bucket("missing").client()?;
    for failed in [missing.put("k", "v").err(), missing.create_upload("k").err()] {
        let failed = failed.context("a bucket that is missing was there")?;
        ensure!(failed.is("NoSuchBucket"), "{failed}");
    }
    Ok(())
}

#[test]
fn https_needs_the_authority() -> Result<()> {
    let mut store = S3Server::start(S3Options::default().tls())?;
    let client = store.client()?;
    client.put("k", "over TLS")?;
    ensure!(store.endpoint().starts_with("https://"));
    let mut stranger = store.access();
    stranger.ca = None;
    let told = failure("an unknown authority", stranger.client()?.get("k"))?.to_string();
    ensure!(told.contains("UnknownIssuer"), "{told}");
    store.restart()?;
    ensure!(client.get("k")? == b"over TLS");
    Ok(())
}

/// A store behind a proxy: a client through it, and one past it.
struct Behind {
    proxy: S3FaultProxy,
    client: S3Client,
    direct: S3Client,
    _store: S3Server,
}

impl Behind {
    fn start() -> Result<Self> {
        let store = S3Server::start(S3Options::default())?;
        let proxy = S3FaultProxy::start(store.port())?;
        let client = store.access().through(&proxy).client()?;
        Ok(Self { proxy, client, direct: store.client()?, _store: store })
    }

    fn once(&self, operation: S3Operation, fault: Fault) {
        self.proxy.clear();
        self.proxy.add(FaultRule::on(operation, fault).first(1));
    }

    /// A put that must fail, once; the next one must not.
    fn failed_put(&self, key: &str, fault: Fault) -> Result<S3Failure> {
        self.once(S3Operation::Put, fault);
        let failure = failure(key, self.client.put(key, vec![7; MIB]))?;
        self.client.put("another", "passes")?;
        Ok(failure)
    }

    /// How many bytes of an object of sevens are none.
    fn wrong_bytes(contents: &[u8]) -> usize {
        contents.iter().filter(|byte| **byte != 7).count()
    }
}

fn refusals_have_their_status_and_code(behind: &Behind) -> Result<()> {
    for (fault, status, code) in [
        (Fault::Status500, 500, "InternalError"),
        (Fault::Status503(Some(2)), 503, "ServiceUnavailable"),
        (Fault::SlowDown, 503, "SlowDown"),
        (Fault::Expired, 400, "ExpiredToken"),
        (Fault::Skew, 403, "RequestTimeTooSkewed"),
        (Fault::Deny, 403, "AccessDenied"),
    ] {
        let failed = behind.failed_put("refused", fault)?;
        ensure!(failed.status == Some(status) && failed.is(code), "{fault:?}: {failed}");
        ensure!(behind.direct.head("refused")?.is_none(), "{fault:?} was carried out");
    }
    Ok(())
}

fn connections_end_before_and_after_the_deed(behind: &Behind) -> Result<()> {
    let reset = behind.failed_put("reset", Fault::Reset)?;
    ensure!(reset.status.is_none() && behind.direct.head("reset")?.is_none(), "{reset}");
    let lost = behind.failed_put("lost", Fault::LostAnswer)?;
    ensure!(lost.status.is_none() && behind.direct.head("lost")?.is_some(), "{lost}");
    behind.failed_put("cut", Fault::Truncate)?;
    ensure!(behind.direct.head("cut")?.is_some(), "a cut answer to nothing");
    behind.once(S3Operation::Get, Fault::Truncate);
    let cut = failure("a cut answer", behind.client.get("cut"))?.to_string();
    ensure!(behind.client.get("cut")?.len() == MIB, "{cut}");
    Ok(())
}

fn time_passes(behind: &Behind) -> Result<()> {
    for fault in [Fault::Stall(Duration::from_millis(500)), Fault::Slow(2048)] {
        behind.once(S3Operation::Put, fault);
        let started = Instant::now();
        behind.client.put("late", vec![7; MIB])?;
        ensure!(started.elapsed() > Duration::from_millis(400), "{fault:?} took no time");
    }
    Ok(())
}

fn what_is_held_goes_on_when_the_rules_are_taken_back(behind: &Behind) -> Result<()> {
    behind.proxy.forget();
    behind.once(S3Operation::Put, Fault::Hold);
    std::thread::scope(|scope| {
        let held = scope.spawn(|| behind.client.put("held", "on its way"));
        let arrives = wait_until("the request arrives", Duration::from_secs(30), || {
            Ok(!behind.proxy.requests_of(S3Operation::Put).is_empty())
        });
        let there = behind.direct.head("held");
        behind.proxy.clear();
        let put = held.join().map_err(|_| anyhow::anyhow!("the client has panicked"))?;
        arrives?;
        ensure!(there?.is_none(), "it was not held");
        Ok(put?)
    })?;
    ensure!(behind.direct.get("held")? == b"on its way", "another content");
    Ok(())
}

fn what_is_missing_is_denied_and_nothing_else(behind: &Behind) -> Result<()> {
    behind.once(S3Operation::Get, Fault::HideMissing);
    let denied = failure("a missing object", behind.client.get("nowhere"))?;
    ensure!(denied.status == Some(403) && denied.is("AccessDenied"), "{denied}");
    behind.once(S3Operation::Get, Fault::HideMissing);
    ensure!(behind.client.get("held")? == b"on its way", "another content");
    Ok(())
}

fn bits_are_flipped(behind: &Behind) -> Result<()> {
    behind.once(S3Operation::Put, Fault::Corrupt);
    behind.client.put("flipped", vec![7; MIB])?;
    ensure!(Behind::wrong_bytes(&behind.direct.get("flipped")?) == 1);
    behind.client.put("flipped", vec![7; MIB])?;
    behind.once(S3Operation::Get, Fault::CorruptGet);
    ensure!(Behind::wrong_bytes(&behind.client.get("flipped")?) == 1);
    ensure!(Behind::wrong_bytes(&behind.client.get("flipped")?) == 0);
    Ok(())
}

fn successes_are_none(behind: &Behind) -> Result<()> {
    let client = &behind.client;
    let upload = client.create_upload("parts")?;
    let first = client.upload_part("parts", &upload, 1, vec![7; 5 * MIB])?;
    behind.once(S3Operation::Part, Fault::LosePart);
    let lost = client.upload_part("parts", &upload, 2, "lost")?;
    let failed = client.complete_upload("parts", &upload, &[first.clone(), lost]);
    let failed = failure("a lost part", failed)?;
    ensure!(failed.is("InvalidPart"), "{failed}");
    let etags = [first, client.upload_part("parts", &upload, 2, "there")?];
    behind.once(S3Operation::Complete, Fault::Error200);
    let failed = failure("an error", client.complete_upload("parts", &upload, &etags))?;
    ensure!(failed.is("InternalError") && failed.status == Some(200), "{failed}");
    ensure!(behind.direct.head("parts")?.is_none(), "it was carried out");
    client.complete_upload("parts", &upload, &etags)?;
    ensure!(behind.direct.get("parts")?.ends_with(b"there"), "another content");
    Ok(())
}

fn requests_are_on_record(behind: &Behind) -> Result<()> {
    let proxy = &behind.proxy;
    proxy.clear();
    proxy.forget();
    proxy.add(FaultRule::on(S3Operation::Put, Fault::Deny).key_suffix(".json"));
    behind.client.put("seen.tar", vec![7; 1000])?;
    failure("a denied key", behind.client.put("seen.json", "{}"))?;
    ensure!(behind.client.get_range("seen.tar", 10, 20)?.len() == 20);
    let puts = proxy.requests_of(S3Operation::Put);
    ensure!(puts.len() == 2 && proxy.faults() == 1, "{puts:?}");
    ensure!((puts[0].bucket.as_str(), puts[0].key.as_str()) == (S3_BUCKET, "seen.tar"));
    ensure!(puts[0].status == Some(200) && puts[0].request_bytes == 1000, "{puts:?}");
    ensure!(puts[1].status == Some(403) && puts[1].fault == Some(Fault::Deny), "{puts:?}");
    let gets = proxy.requests_of(S3Operation::Get);
    ensure!(gets[0].header("range") == Some("bytes=10-29"), "{gets:?}");
    ensure!(proxy.read_bytes() == 20, "{gets:?}");
    Ok(())
}

#[test]
fn each_fault_is_what_it_says() -> Result<()> {
    let behind = Behind::start()?;
    refusals_have_their_status_and_code(&behind)?;
    connections_end_before_and_after_the_deed(&behind)?;
    time_passes(&behind)?;
    what_is_held_goes_on_when_the_rules_are_taken_back(&behind)?;
    what_is_missing_is_denied_and_nothing_else(&behind)?;
    bits_are_flipped(&behind)?;
    successes_are_none(&behind)?;
    requests_are_on_record(&behind)
}

#[test]
fn a_client_with_less_patience_than_the_fault_gives_up() -> Result<()> {
    let sink = S3Sink::start()?;
    let proxy = S3FaultProxy::start(sink.port())?;
    let access = sink.access();
    let client = access.through(&proxy).client()?.timeout(Duration::from_millis(300))?;
    proxy.add(FaultRule::on_any(Fault::Stall(Duration::from_secs(60))).first(1));
    let started = Instant::now();
    failure("a stalled put", client.put("k", "v"))?;
    ensure!(started.elapsed() < Duration::from_secs(10), "it waited for the proxy");
    client.put("k", "v")?;
    Ok(())
}

#[test]
fn the_sink_remembers_sizes() -> Result<()> {
    let sink = S3Sink::start()?;
    let client = sink.access().client()?;
    let upload = client.create_upload("big")?;
    let parts = [5 * MIB, 5 * MIB, 17].into_iter().enumerate();
    let etags: Result<Vec<String>, S3Failure> = parts
        .map(|(index, size)| client.upload_part("big", &upload, index as i32 + 1, vec![0; size]))
        .collect();
    client.complete_upload("big", &upload, &etags?)?;
    client.put("small.json", "{}")?;
    ensure!(client.get("small.json")? == b"{}");
    ensure!(client.head("big")?.context("no object")?.size_bytes == 10 * MIB as u64 + 17);
    ensure!(client.head("none")?.is_none());
    ensure!(client.keys("")? == ["big", "small.json"], "{:?}", client.list("")?);
    ensure!(sink.received_bytes() >= 10 * MIB as u64);
    client.delete("big")?;
    ensure!(sink.object_bytes(S3_BUCKET, "big").is_none());
    Ok(())
}
