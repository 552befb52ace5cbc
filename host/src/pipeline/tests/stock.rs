//! Stock `tar`, `gzip` and `zstd` open what the pipeline writes.
use super::{EntryKind, add_local, meta, noise, open_stream, push_file, start};
use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    process::{Command, Stdio},
};

/// True if the program is there; a missing one is a printed skip.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{program} {arguments:?}: {errors}");
    output.stdout
}

#[test]
fn stock_tar_restores_files_holes_and_names() {
    for (ending, filter) in [(".tar", "-x"), (".tar.gz", "-xz"), (".tar.zst", "-x")] {
        if !has("tar") || (ending == ".tar.zst" && !has("zstd")) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let sparse = folder.path().join("sparse");
        let file = File::create(&sparse).unwrap();
        for range in 0..30 {
            file.write_all_at(&noise(range, 4096), range * 500_000).unwrap();
        }
        file.set_len(20_000_000).unwrap();
        let (pipeline, memory) = start(ending);
        let long = format!("data/{}/t1.ibd", "a_long_name".repeat(15));
        let long_sparse = format!("data/{}/t2.ibd", "a_long_name".repeat(15));
        pipeline
            .open_entry(&meta(EntryKind::Directory, "data/empty", None))
            .unwrap()
            .finish()
            .unwrap();
        push_file(&pipeline, &long, &noise(1, 2_500_001)).unwrap();
        add_local(&pipeline, "data/sparse", &sparse).unwrap();
        add_local(&pipeline, &long_sparse, &sparse).unwrap();
        let mut stream = open_stream(&pipeline, "dump/t.sql").unwrap();
        stream.write(&noise(2, 9_000_000)).unwrap();
        stream.finish().unwrap();
        pipeline.finish().unwrap();
        let name = format!("backup{ending}");
        fs::write(folder.path().join(&name), memory.bytes()).unwrap();
        run("tar", &[filter, "-f", &name], folder.path());
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        assert!(read(&long) == noise(1, 2_500_001));
        assert!(read("data/sparse") == fs::read(&sparse).unwrap());
        assert!(read(&long_sparse) == fs::read(&sparse).unwrap());
        assert!(
            [read("dump/t.00001.sql"), read("dump/t.00002.sql")].concat() == noise(2, 9_000_000)
        );
        let restored = fs::metadata(folder.path().join("data/sparse")).unwrap();
        assert!(restored.blocks() * 512 < 1_000_000, "{} blocks", restored.blocks());
        assert!(folder.path().join("data/empty").is_dir());
        assert_eq!(fs::metadata(folder.path().join(&long)).unwrap().mtime(), 1_700_000_000);
    }
}

#[test]
fn stock_gzip_and_zstd_decompress_texts() {
    for (ending, program) in [(".sql.gz", "gzip"), (".sql.zst", "zstd")] {
        if !has(program) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let (pipeline, memory) = start(ending);
        let mut stream = open_stream(&pipeline, "dump/all.sql").unwrap();
        stream.write(&noise(5, 3_000_000)).unwrap();
        stream.finish().unwrap();
        pipeline.finish().unwrap();
        let name = format!("backup{ending}");
        fs::write(folder.path().join(&name), memory.bytes()).unwrap();
        run(program, &["-q", "-t", &name], folder.path());
        assert!(run(program, &["-q", "-d", "-c", &name], folder.path()) == noise(5, 3_000_000));
    }
}
