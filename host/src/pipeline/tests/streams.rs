//! Streams of unknown length in a tar archive: several at once, in bounded pieces.
use super::{EntryPath, PipelineError, noise, open_stream, push_file, read_all, read_spec, start};
use std::collections::BTreeMap;

#[test]
fn several_streams_interleave_and_come_back_whole() {
    for ending in [".tar", ".tar.gz"] {
        let (pipeline, memory) = start(ending);
        // One of many pieces, one of one, one empty, one that ends exactly with a piece.
        let lengths = [21_000_000, 90_000, 0, 8 << 20];
        let texts: Vec<_> = lengths.iter().zip(1..).map(|(len, seed)| noise(seed, *len)).collect();
        let mut streams: Vec<_> = (0..texts.len())
            .map(|number| open_stream(&pipeline, &format!("dump/shop/t{number}.sql")).unwrap())
            .collect();
        let mut rests: Vec<_> = texts.iter().map(Vec::as_slice).collect();
        while rests.iter().any(|rest| !rest.is_empty()) {
            for (stream, rest) in streams.iter_mut().zip(&mut rests) {
                let (now, later) = rest.split_at(rest.len().min(777_777));
                stream.write(now).unwrap();
                *rest = later;
            }
        }
        streams.iter_mut().for_each(|stream| stream.finish().unwrap());
        push_file(&pipeline, ".dbbackup/manifest.json", b"{}").unwrap();
        let receipt = pipeline.finish().unwrap();
        let mut joined: BTreeMap<EntryPath, Vec<u8>> = BTreeMap::new();
        let read = read_all(&read_spec(ending, Some(&receipt)), &memory.bytes()).unwrap();
        for ((path, content), record) in read.into_iter().zip(&receipt.members.files) {
            assert_eq!(path, record.path);
            if let Some(piece) = &record.piece {
                assert!(content.len() <= 8 << 20);
                joined.entry(piece.of.clone()).or_default().extend(content);
            }
        }
        for (number, text) in texts.iter().enumerate() {
            let path = EntryPath::from(format!("dump/shop/t{number}.sql").as_str());
            assert!(joined[&path] == *text, "{path}");
        }
        assert!(joined.len() == texts.len());
        let names: Vec<_> = receipt.members.files.iter().map(|r| r.path.to_string()).collect();
        assert!(names.contains(&"dump/shop/t0.00003.sql".to_owned()), "{names:?}");
        assert!(!names.contains(&"dump/shop/t3.00002.sql".to_owned()), "{names:?}");
    }
}

#[test]
fn one_stream_too_many_is_refused_with_the_limit() {
    for (ending, limit) in [(".tar.gz", 8), (".sql", 1)] {
        let (pipeline, _memory) = start(ending);
        assert_eq!(pipeline.limits().open_streams, limit);
        let mut open: Vec<_> = (0..limit)
            .map(|number| open_stream(&pipeline, &format!("dump/{number}.sql")).unwrap())
            .collect();
        let refused = open_stream(&pipeline, "dump/more.sql").err().unwrap();
        assert!(matches!(refused, PipelineError::TooManyOpen { .. }));
        assert!(refused.to_string().contains(&format!("takes {limit} open Stream")), "{refused}");
        open[0].finish().unwrap();
        open.push(open_stream(&pipeline, "dump/more.sql").unwrap());
        open.iter_mut().for_each(|stream| stream.finish().unwrap());
        pipeline.finish().unwrap();
    }
}

#[test]
fn files_and_streams_are_not_open_together_and_none_stays_open() {
    let (pipeline, _memory) = start(".tar");
    let mut stream = open_stream(&pipeline, "dump/t.sql").unwrap();
    let refused = push_file(&pipeline, "data/a", b"x").unwrap_err();
    assert!(matches!(refused, PipelineError::StreamsAreOpen { open: 1, .. }), "{refused:?}");
    stream.write(b"select 1").unwrap();
    let error = pipeline.finish().unwrap_err();
    assert_eq!(error.to_string(), "1 entries are still open at the end");
}
