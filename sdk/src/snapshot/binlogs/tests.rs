#![allow(clippy::unwrap_used, reason = "a test may panic")]
use super::{NeededBinlogs, SnapshotView};
use crate::snapshot::paths::BinlogPlace;
use std::{fs, path::PathBuf};

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dbbackup-sdk-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn find(&self, is_mariadb: bool) -> NeededBinlogs {
        let place = BinlogPlace {
            directory: self.0.clone(),
            base: "b".into(),
            index: self.0.join("b.index"),
        };
        let view = SnapshotView::new(vec![(self.0.clone(), self.0.clone())]);
        NeededBinlogs::find(&place, &self.0, &view, is_mariadb).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn event(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, kind, 0, 0, 0, 0];
    bytes.extend(u32::try_from(19 + body.len()).unwrap().to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    bytes
}

fn checkpoint(name: &str) -> Vec<u8> {
    let mut body = u32::try_from(name.len()).unwrap().to_le_bytes().to_vec();
    body.extend(name.as_bytes());
    event(161, &body)
}

fn binlog(events: &[Vec<u8>]) -> Vec<u8> {
    [b"\xfebin".to_vec(), events.concat()].concat()
}

#[test]
fn mariadb_needs_the_binlogs_from_the_last_checkpoint_on() {
    let directory = Directory::new("checkpoint");
    let path = |name: &str| directory.0.join(name);
    fs::write(path("b.index"), "./b.1\n./b.2\n./b.3\n").unwrap();
    let pending = binlog(&[event(15, &[0; 50]), checkpoint("b.2"), event(2, &[1; 9])]);
    fs::write(path("b.3"), &pending).unwrap();
    let found = directory.find(true);
    assert_eq!(found.live, [path("b.2"), path("b.3")]);
    assert_eq!(found.index(), b"./b.2\n./b.3\n");
    assert_eq!((found.newest(), found.newest_bytes), ("b.3".to_owned(), pending.len() as u64));

    let decided = [pending, checkpoint("b.3"), checkpoint("b.1")].concat();
    fs::write(path("b.3"), decided).unwrap();
    assert_eq!(directory.find(true).live, [path("b.3")]);
    // Cut off inside of an event, as a crash leaves it.
    fs::write(path("b.3"), &binlog(&[checkpoint("b.1")])[..29]).unwrap();
    assert_eq!(directory.find(true).live, [path("b.3")]);
    fs::write(path("b.3"), binlog(&[event(164, &[0; 20]), vec![7; 400]])).unwrap();
    assert_eq!(directory.find(true).live, [path("b.2"), path("b.3")]);
}

#[test]
fn mysql_needs_the_newest_alone() {
    let directory = Directory::new("newest");
    let path = |name: &str| directory.0.join(name);
    let full = path("b.000010").display().to_string();
    fs::write(path("b.index"), format!("./b.000009\n{full}\n")).unwrap();
    fs::write(path("b.000010"), binlog(&[])).unwrap();
    let found = directory.find(false);
    assert_eq!(found.live, [path("b.000010")]);
    assert_eq!(found.index(), b"./b.000010\n");
}
