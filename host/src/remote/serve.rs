//! The worker's side: does what the supervisor asks of an open target, one request after the other.
use super::{
    ReadAheadObject,
    error::{refusal_of, target_report},
    message::{Answer, MOST_READ_BYTES, Request},
};
use crate::{
    plugin::{LoadedTarget, PluginError},
    supervisor::message::{receive, send},
};
use dbbackup_plugin_api::document::target::ObjectCreate;
use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Write},
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, Ordering},
};

/// Most bytes of an object that is written in one step: a manifest.
const MOST_PUT_BYTES: u64 = 1 << 30;

/// Serves until the supervisor has no more requests, or is gone. `waiting` is true between them.
///
/// # Errors
/// Those of the socket; what the target refuses is an answer.
pub(crate) fn serve(
    target: &LoadedTarget,
    socket: UnixStream,
    waiting: &AtomicBool,
) -> io::Result<()> {
    let mut requests = BufReader::new(socket.try_clone()?);
    let mut session = Session { target, socket, objects: OpenObjects::default() };
    loop {
        waiting.store(true, Ordering::Relaxed);
        let request = receive::<Request>(&mut requests)?;
        waiting.store(false, Ordering::Relaxed);
        match request {
            None | Some(Request::Close) => return Ok(()),
            Some(Request::Put { key, if_absent, bytes }) => {
                let content = content(&mut requests, bytes)?;
                session.answer(|session| session.put(key, if_absent, &content))?;
            }
            Some(Request::Read { object, offset, bytes }) => session.read(object, offset, bytes)?,
            Some(Request::Forget { object }) => session.objects.forget(object),
            Some(request) => session.answer(|session| session.ask(request))?,
        }
    }
}

/// Bytes that follow a request.
fn content(from: &mut impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    if bytes > MOST_PUT_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an object of too many bytes"));
    }
    let mut content = Vec::new();
    let read = from.take(bytes).read_to_end(&mut content)?;
    if u64::try_from(read).unwrap_or(u64::MAX) < bytes {
        // Whoever sent it is gone: half a manifest would take the place of a whole one.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(content)
}

struct Session<'a> {
    target: &'a LoadedTarget,
    socket: UnixStream,
    objects: OpenObjects,
}

/// The objects that are being read, by the numbers that the supervisor knows them by. Each has threads and
/// blocks of its own, and a folder of backups is thousands of manifests: whoever is done with one says so.
#[derive(Default)]
struct OpenObjects {
    numbered: BTreeMap<usize, ReadAheadObject>,
    opened: usize,
}

impl OpenObjects {
    /// Keeps an object until it is forgotten; answers its number, which no other one gets.
    fn keep(&mut self, object: ReadAheadObject) -> usize {
        let number = self.opened;
        self.numbered.insert(number, object);
        self.opened += 1;
        number
    }

    fn get(&self, number: usize) -> Option<&ReadAheadObject> {
        self.numbered.get(&number)
    }

    /// Ends its threads and frees its blocks; one that is gone already stays gone.
    fn forget(&mut self, number: usize) {
        self.numbered.remove(&number);
    }
}

impl Session<'_> {
    fn answer(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<Answer, PluginError>,
    ) -> io::Result<()> {
        let answer = work(self).unwrap_or_else(|error| failed(&error));
        send(&mut self.socket, &answer)
    }

    fn ask(&mut self, request: Request) -> Result<Answer, PluginError> {
        match request {
            Request::List { prefix } => Ok(Answer::List { objects: self.target.list(&prefix)? }),
            Request::Head { key } => Ok(Answer::Facts { facts: self.target.head(&key)? }),
            Request::Delete { key } => self.target.delete(&key).map(|()| Answer::Done),
            Request::Open { key } => {
                let reader = self.target.open_object(&key)?;
                let object = ReadAheadObject::new(reader, &self.target.limits());
                let bytes = object.length();
                Ok(Answer::Opened { object: self.objects.keep(object), bytes })
            }
            Request::Expect { object, offset, bytes } => {
                if let Some(object) = self.objects.get(object) {
                    object.announce(offset..offset.saturating_add(bytes));
                }
                Ok(Answer::Done)
            }
            Request::Unfinished { prefix } => {
                Ok(Answer::Unfinished { uploads: self.target.unfinished(&prefix)? })
            }
            Request::Abandon { upload } => self.target.abandon(&upload).map(|()| Answer::Done),
            // These have bytes with them, or no answer.
            Request::Put { .. }
            | Request::Read { .. }
            | Request::Forget { .. }
            | Request::Close => Ok(Answer::Done),
        }
    }

    fn put(&mut self, key: String, if_absent: bool, bytes: &[u8]) -> Result<Answer, PluginError> {
        let object = ObjectCreate {
            key,
            if_absent,
            expected_bytes: Some(bytes.len() as u64),
            part_of: None,
            extra: serde_json::Map::new(),
        };
        Ok(Answer::Facts { facts: self.target.put(&object, bytes)? })
    }

    fn read(&mut self, object: usize, offset: u64, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes.min(MOST_READ_BYTES)).unwrap_or(usize::MAX);
        let Some(object) = self.objects.get(object) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no such object is open"));
        };
        let socket = &mut self.socket;
        let sent = object.with_bytes(offset, bytes, |content| -> io::Result<()> {
            send(socket, &Answer::Bytes { bytes: content.len() as u64 })?;
            socket.write_all(content)
        });
        match sent {
            Ok(sent) => sent,
            Err(error) => match error.downcast::<PluginError>() {
                Ok(error) => send(&mut self.socket, &failed(&error)),
                Err(error) => Err(error),
            },
        }
    }
}

fn failed(error: &PluginError) -> Answer {
    Answer::Failed { refusal: refusal_of(error), report: target_report(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::read_ahead::BlockSource;
    use dbbackup_plugin_api::document::target::TargetLimits;

    struct Nothing;

    impl BlockSource for Nothing {
        fn length(&self) -> u64 {
            0
        }

        fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> Result<usize, PluginError> {
            Ok(0)
        }
    }

    #[test]
    fn an_object_is_held_until_it_is_forgotten() {
        let limits = TargetLimits { parallel_reads: 4, read_bytes: 1, extra: Default::default() };
        let object = || ReadAheadObject::new(Nothing, &limits);
        let mut objects = OpenObjects::default();
        let kept = objects.keep(object());
        for _ in 0..1440 {
            let number = objects.keep(object());
            assert!(objects.get(number).is_some());
            objects.forget(number);
            assert!(objects.get(number).is_none());
        }
        assert!(objects.get(kept).is_some());
        objects.forget(kept);
        objects.forget(kept);
        assert!(objects.numbered.is_empty());
    }

    #[test]
    fn half_of_a_manifest_is_none() {
        assert_eq!(content(&mut &b"whole"[..], 5).unwrap(), b"whole");
        let short = content(&mut &b"who"[..], 5).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
        let large = content(&mut &b""[..], MOST_PUT_BYTES + 1).unwrap_err();
        assert_eq!(large.kind(), io::ErrorKind::InvalidData);
    }
}
