//! The supervisor's side: a place that a worker serves, for as long as it is needed.
#[cfg(test)]
mod tests;

use super::{
    error::RemoteError,
    message::{Answer, Request},
    place::TargetPlace,
};
use crate::{
    pipeline::read::RangedRead,
    supervisor::{
        ArtefactStream, CancelFlag, Observer, RunEvent, Runtime, Secrets, Supervisor,
        SupervisorError,
        event::LogLevel,
        job::{Receipt, TargetTask, Task},
        message::{receive, send},
        runtime::new_run_id,
    },
};
use dbbackup_plugin_api::document::target::{ObjectFacts, ObjectList, UnfinishedUpload};
use jiff::Timestamp;
use std::{
    io::{self, BufReader, Read, Write},
    net::Shutdown,
    ops::Range,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

/// A place in use. Dropped, its worker ends.
pub(crate) struct RemoteTarget {
    place: TargetPlace,
    connection: Mutex<Connection>,
}

struct Connection {
    answers: BufReader<UnixStream>,
    requests: UnixStream,
    /// Taken once the worker's end was heard.
    worker: Option<JoinHandle<Result<Receipt, SupervisorError>>>,
}

/// Shows what the worker logs, and nothing else of it.
struct LogAlone;

impl Observer for LogAlone {
    fn event(&self, event: &RunEvent) {
        let RunEvent::Log(log) = event else { return };
        let (source, message) = (log.target.as_str(), log.message.as_str());
        match log.level {
            LogLevel::Error => tracing::error!(source, "{message}"),
            LogLevel::Warn => tracing::warn!(source, "{message}"),
            LogLevel::Info => tracing::info!(source, "{message}"),
            LogLevel::Debug | LogLevel::Trace => tracing::debug!(source, "{message}"),
        }
    }
}

impl RemoteTarget {
    /// Starts a worker that serves the place; whether the place can be used, the first request shows.
    ///
    /// # Errors
    /// [`RemoteError::Worker`] if no worker can be started.
    pub(crate) fn open(
        place: &TargetPlace,
        runtime: &Runtime<'_>,
        cancel: &CancelFlag,
    ) -> Result<Arc<Self>, RemoteError> {
        let program = runtime.worker.path().to_owned();
        let failed = |source| SupervisorError::Spawn { program: program.clone(), source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let requests = ours.try_clone().map_err(failed)?;
        let task = Task::Target(Box::new(TargetTask { place: place.clone() }));
        let job = runtime.job(&new_run_id(Timestamp::now()), &Secrets::new(), task);
        let (command, limits, cancel) = (runtime.worker.clone(), runtime.limits, cancel.clone());
        // A worker dies with the thread that has started it.
        let worker = thread::Builder::new()
            .name("target".to_owned())
            .spawn(move || {
                let supervisor = Supervisor::new(&command, limits, &LogAlone, &cancel);
                supervisor.run_with(job, None, ArtefactStream::Socket(theirs))
            })
            .map_err(failed)?;
        let answers = BufReader::new(ours);
        let connection = Mutex::new(Connection { answers, requests, worker: Some(worker) });
        Ok(Arc::new(Self { place: place.clone(), connection }))
    }

    /// The place.
    pub(crate) fn place(&self) -> &TargetPlace {
        &self.place
    }

    /// All objects whose names start with a prefix.
    pub(crate) fn list(&self, prefix: &str) -> Result<ObjectList, RemoteError> {
        let what = format!("list {}", self.place.named(prefix));
        match self.ask(&what, &Request::List { prefix: prefix.to_owned() }, &[])? {
            Answer::List { objects } => Ok(objects),
            other => Err(unexpected(what, &other)),
        }
    }

    /// Facts of an object.
    pub(crate) fn head(&self, key: &str) -> Result<ObjectFacts, RemoteError> {
        let what = format!("look at {}", self.place.named(key));
        match self.ask(&what, &Request::Head { key: key.to_owned() }, &[])? {
            Answer::Facts { facts } => Ok(facts),
            other => Err(unexpected(what, &other)),
        }
    }

    /// Writes a small object.
    pub(crate) fn put(
        &self,
        key: &str,
        if_absent: bool,
        content: &[u8],
    ) -> Result<ObjectFacts, RemoteError> {
        let what = format!("write {}", self.place.named(key));
        let bytes = content.len() as u64;
        let request = Request::Put { key: key.to_owned(), if_absent, bytes };
        match self.ask(&what, &request, content)? {
            Answer::Facts { facts } => Ok(facts),
            other => Err(unexpected(what, &other)),
        }
    }

    /// Deletes an object; gone already is success.
    pub(crate) fn delete(&self, key: &str) -> Result<(), RemoteError> {
        let what = format!("delete {}", self.place.named(key));
        self.ask(&what, &Request::Delete { key: key.to_owned() }, &[]).map(drop)
    }

    /// Uploads and markers below a prefix that have not come to their end.
    pub(crate) fn unfinished(&self, prefix: &str) -> Result<Vec<UnfinishedUpload>, RemoteError> {
        let what = format!("list the unfinished uploads of {}", self.place.named(prefix));
        match self.ask(&what, &Request::Unfinished { prefix: prefix.to_owned() }, &[])? {
            Answer::Unfinished { uploads } => Ok(uploads.uploads),
            other => Err(unexpected(what, &other)),
        }
    }

    /// Removes one of them.
    pub(crate) fn abandon(&self, upload: &UnfinishedUpload) -> Result<(), RemoteError> {
        let what = format!("remove the unfinished upload of {}", self.place.named(&upload.key));
        self.ask(&what, &Request::Abandon { upload: upload.clone() }, &[]).map(drop)
    }

    /// Opens an object for ranged reads.
    pub(crate) fn open_object(self: &Arc<Self>, key: &str) -> Result<RemoteFile, RemoteError> {
        let what = format!("read {}", self.place.named(key));
        match self.ask(&what, &Request::Open { key: key.to_owned() }, &[])? {
            Answer::Opened { object, bytes } => {
                Ok(RemoteFile { target: Arc::clone(self), key: key.to_owned(), object, bytes })
            }
            other => Err(unexpected(what, &other)),
        }
    }

    /// The whole of a small object.
    pub(crate) fn read(self: &Arc<Self>, key: &str) -> Result<Vec<u8>, RemoteError> {
        let file = self.open_object(key)?;
        let mut content = Vec::new();
        while (content.len() as u64) < file.bytes {
            let start = content.len();
            let piece = (file.bytes - start as u64).min(super::message::MOST_READ_BYTES);
            content.resize(start + usize::try_from(piece).unwrap_or(usize::MAX), 0);
            let rest = content.get_mut(start..).unwrap_or_default();
            match file.read_bytes(start as u64, rest)? {
                // What was made room for is no content: an object that ends early is no shorter object.
                0 => {
                    let what = format!("read {}", self.place.named(key));
                    let source = io::ErrorKind::UnexpectedEof.into();
                    return Err(RemoteError::Answer { what, source });
                }
                length => content.truncate(start + length),
            }
        }
        Ok(content)
    }

    fn ask(&self, what: &str, request: &Request, bytes: &[u8]) -> Result<Answer, RemoteError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = connection.exchange(request, bytes);
        connection.judge(what, answered)
    }
}

impl Connection {
    fn exchange(&mut self, request: &Request, bytes: &[u8]) -> io::Result<Answer> {
        send(&mut self.requests, request)?;
        self.requests.write_all(bytes)?;
        receive(&mut self.answers)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Says something that is not answered.
    fn tell(&mut self, request: &Request) -> io::Result<()> {
        send(&mut self.requests, request)
    }

    /// The answer, a refusal as an error, or why there is none.
    fn judge(&mut self, what: &str, answer: io::Result<Answer>) -> Result<Answer, RemoteError> {
        match answer {
            Ok(Answer::Failed { refusal, report }) => {
                let (what, source) = (what.to_owned(), report.into());
                Err(RemoteError::Refused { what, refusal, source })
            }
            Ok(answer) => Ok(answer),
            // A worker that is gone says why; if it does not, the socket does.
            Err(source) => match self.end() {
                Some(error) => Err(error.into()),
                None => Err(RemoteError::Answer { what: what.to_owned(), source }),
            },
        }
    }

    /// Ends the worker, and answers why it had ended before, if it had.
    fn end(&mut self) -> Option<SupervisorError> {
        if let Err(error) = self.requests.shutdown(Shutdown::Both) {
            tracing::debug!(%error, "the worker has closed its end");
        }
        match self.worker.take()?.join() {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(SupervisorError::OtherReceipt { task: "target" }),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(error) = self.end() {
            tracing::debug!(%error, "the worker of a target has ended badly after its work");
        }
    }
}

/// One object of a place, read by ranges. Dropped, the worker forgets it.
pub(crate) struct RemoteFile {
    target: Arc<RemoteTarget>,
    key: String,
    object: usize,
    bytes: u64,
}

impl RemoteFile {
    fn read_bytes(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, RemoteError> {
        let what = format!("read {} at byte {offset}", self.target.place.named(&self.key));
        let mut connection = self.target.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = buffer.len() as u64;
        let request = Request::Read { object: self.object, offset, bytes };
        let answer = connection.exchange(&request, &[]);
        let Answer::Bytes { bytes } = connection.judge(&what, answer)? else {
            return Err(unexpected(what, &Answer::Done));
        };
        let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(buffer.len());
        let place = buffer.get_mut(..length).unwrap_or_default();
        match connection.answers.read_exact(place) {
            Ok(()) => Ok(length),
            Err(error) => connection.judge(&what, Err(error)).map(|_| 0),
        }
    }
}

impl RangedRead for RemoteFile {
    fn size_bytes(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_bytes(offset, buffer).map_err(io::Error::other)
    }

    fn expect(&self, range: Range<u64>) {
        let what = format!("read ahead in {}", self.target.place.named(&self.key));
        let bytes = range.end.saturating_sub(range.start);
        let request = Request::Expect { object: self.object, offset: range.start, bytes };
        if let Err(error) = self.target.ask(&what, &request, &[]) {
            tracing::debug!(%error, "{what}");
        }
    }
}

impl Drop for RemoteFile {
    fn drop(&mut self) {
        let mut connection = self.target.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = connection.tell(&Request::Forget { object: self.object }) {
            // A worker that is gone has forgotten everything.
            tracing::debug!(%error, key = self.key, "the worker is gone before an object was closed");
        }
    }
}

fn unexpected(what: String, answer: &Answer) -> RemoteError {
    let source = io::Error::new(io::ErrorKind::InvalidData, format!("another answer: {answer:?}"));
    RemoteError::Answer { what, source }
}
