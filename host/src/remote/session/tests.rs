//! Of objects that were read, the worker keeps none.
use super::*;
use crate::supervisor::job::EnginePin;
use std::{collections::BTreeSet, path::PathBuf};

/// A worker that opens whatever it is asked for, each object of three bytes; answers how many it has
/// opened, and which of them it still holds at the end.
fn opens_everything(socket: UnixStream) -> (usize, BTreeSet<usize>) {
    let (mut opened, mut held) = (0, BTreeSet::new());
    let mut requests = BufReader::new(socket.try_clone().unwrap());
    let mut answers = socket;
    while let Some(request) = receive::<Request>(&mut requests).unwrap() {
        match request {
            Request::Open { .. } => {
                held.insert(opened);
                send(&mut answers, &Answer::Opened { object: opened, bytes: 3 }).unwrap();
                opened += 1;
            }
            Request::Read { object, .. } => {
                assert!(held.contains(&object), "{object} is read and not open");
                send(&mut answers, &Answer::Bytes { bytes: 3 }).unwrap();
                answers.write_all(b"abc").unwrap();
            }
            Request::Forget { object } => assert!(held.remove(&object), "{object} is not open"),
            other => panic!("{other:?}"),
        }
    }
    (opened, held)
}

fn target(socket: UnixStream) -> Arc<RemoteTarget> {
    let engine = EnginePin {
        plugin: "p".to_owned(),
        engine: "e".to_owned(),
        path: PathBuf::new(),
        sha256: String::new(),
        environment: Vec::new(),
    };
    let place = TargetPlace {
        engine,
        options: serde_json::Value::Null,
        location: "s3://bucket".to_owned(),
        name: String::new(),
    };
    let requests = socket.try_clone().unwrap();
    let connection = Connection { answers: BufReader::new(socket), requests, worker: None };
    Arc::new(RemoteTarget { place, connection: Mutex::new(connection) })
}

#[test]
fn the_worker_holds_no_object_that_was_read() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let worker = thread::spawn(move || opens_everything(theirs));
    let target = target(ours);
    let kept = target.open_object("kept").unwrap();
    for _ in 0..200 {
        assert_eq!(target.read("a.manifest.json").unwrap(), b"abc");
    }
    let mut content = [0; 3];
    assert_eq!(kept.read_bytes(0, &mut content).unwrap(), 3);
    drop(kept);
    drop(target);
    assert_eq!(worker.join().unwrap(), (201, BTreeSet::new()));
}

#[test]
fn an_object_of_a_worker_that_is_gone_is_dropped_in_silence() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let worker = thread::spawn(move || {
        let mut requests = BufReader::new(theirs.try_clone().unwrap());
        receive::<Request>(&mut requests).unwrap();
        let mut answers = theirs;
        send(&mut answers, &Answer::Opened { object: 0, bytes: 3 }).unwrap();
    });
    let target = target(ours);
    let file = target.open_object("a").unwrap();
    worker.join().unwrap();
    drop(file);
}
