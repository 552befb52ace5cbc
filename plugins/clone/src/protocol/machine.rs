//! The stages of a clone, and what each thing that the donor says means in them.

use dbbackup_sdk::{
    Host, Sink, Unit,
    document::manifest::{CoordinatesRecord, Precision, ReplicaSourceRecord},
};

use crate::{
    artefact::{Donor, Layout, Stage},
    error::CloneError,
    protocol::{
        chunks::ChunkMap,
        event::{Begun, Task},
        files::FileTable,
        key_info::KeyInfo,
        naming::Naming,
        observer::{Observer, Position},
        output::Output,
        pace::Pace,
        summary::page_size,
    },
    rpc::{DataPart, FileMeta, Locator, MAX_FILES, State, StateChange, ack},
};

/// Everything that is known of the clone at a moment; outlives cut connections.
pub(crate) struct Machine<'r> {
    pub(crate) state: State,
    pub(crate) output: Output<'r>,
    pub(crate) files: FileTable,
    key_info: KeyInfo,
    pub(crate) donor: Donor,
    pub(crate) protocol_version: u32,
    pub(crate) bracket: Bracket,
    locator: Option<Locator>,
    naming: Naming,
    chunks: ChunkMap,
    /// The master has said that the stage is over, and it is not acknowledged yet.
    ended: Option<StateChange>,
    /// Workers that are attached, with the last stage whose end they have said.
    workers: Vec<(Task, State)>,
    pace: Pace<'r>,
}

/// What is read of the donor's history around the instant of the clone.
#[derive(Debug, Default)]
pub(crate) struct Bracket {
    lower: Option<Position>,
    upper: Option<Position>,
    /// The donor's clock just before the instant.
    pub(crate) consistent_at: Option<String>,
    /// On a replica, how far it had applied its sources just before the instant.
    pub(crate) replica_sources: Vec<ReplicaSourceRecord>,
}

impl Bracket {
    /// As the manifest has it.
    pub(crate) fn coordinates(&self) -> CoordinatesRecord {
        let (lower, upper) =
            (self.lower.clone().unwrap_or_default(), self.upper.clone().unwrap_or_default());
        let is_known = lower.binlog.is_some() || lower.gtid.is_some() || upper.gtid.is_some();
        CoordinatesRecord {
            precision: if is_known { Precision::Bracket } else { Precision::None },
            binlog: lower.binlog,
            gtid: lower.gtid,
            binlog_upper: upper.binlog,
            gtid_upper: upper.gtid,
            lsn: None,
        }
    }
}

impl<'r> Machine<'r> {
    /// Before the first connection.
    ///
    /// # Errors
    /// The sink does not answer.
    pub(crate) fn new(sink: &'r Sink, layout: Layout, host: &'r Host) -> Result<Self, CloneError> {
        Ok(Self {
            state: State::None,
            output: Output::new(sink, layout)?,
            files: FileTable::default(),
            key_info: KeyInfo::default(),
            donor: Donor::default(),
            protocol_version: 0,
            bracket: Bracket::default(),
            locator: None,
            naming: Naming::default(),
            chunks: ChunkMap::default(),
            ended: None,
            workers: Vec::new(),
            pace: Pace::new(host),
        })
    }

    /// The locator with which a cut clone goes on; nothing where it has to begin anew, because no
    /// file has been named yet.
    pub(crate) fn restart_locator(&self) -> Option<Vec<u8>> {
        let locator = self.locator.as_ref().filter(|_| self.state >= State::FileCopy)?;
        Some(locator.for_restart(self.state, self.naming.is_complete(), &self.chunks.to_bytes()))
    }

    /// The connections are gone; what has come stays.
    pub(crate) fn cut(&mut self) {
        self.chunks.cut();
        self.workers.clear();
        self.ended = None;
        if self.state < State::FileCopy {
            self.state = State::None;
        }
    }

    /// The donor has accepted the clone, or its continuation.
    pub(crate) fn begun(&mut self, begun: Begun) {
        self.protocol_version = begun.version;
        if self.state == State::None {
            self.state = State::Init;
            self.donor = begun.donor;
        }
        self.locator = Some(begun.locator);
    }

    /// The locator that names the clone to workers.
    ///
    /// # Errors
    /// The donor has not accepted it yet.
    pub(crate) fn locator(&self) -> Result<&Locator, CloneError> {
        self.locator.as_ref().ok_or_else(|| CloneError::order("a stage", "the locator of a clone"))
    }

    /// Whether further connections may join.
    pub(crate) fn takes_workers(&self) -> bool {
        self.naming.lets_workers_join(self.state)
    }

    /// A worker takes part from now on.
    pub(crate) fn attached(&mut self, task: Task) {
        self.workers.push((task, State::Init));
    }

    /// Whether this worker takes part.
    pub(crate) fn is_attached(&self, task: Task) -> bool {
        self.workers.iter().any(|(worker, _)| *worker == task)
    }

    /// A stage begins or ends. Answers the acknowledgement to send, if one is due.
    ///
    /// # Errors
    /// It makes no sense here, or what a stage's end needs cannot be done.
    pub(crate) fn state(
        &mut self,
        task: Task,
        change: StateChange,
        observer: &mut Observer,
    ) -> Result<Option<Vec<u8>>, CloneError> {
        if change.is_keep_alive() {
            self.pace.alive();
            return Ok(None);
        }
        match task {
            Task::Master if change.is_start() => self.enter(&change, observer)?,
            Task::Master if change.state == self.state => {
                self.chunks.task_done(task);
                self.ended = Some(change);
            }
            Task::Worker(_) if change.is_start() => {}
            Task::Worker(_) => {
                if change.state == self.state {
                    self.chunks.task_done(task);
                }
                let worker = self.workers.iter_mut().find(|(worker, _)| *worker == task);
                if let Some((_, ended)) = worker {
                    *ended = change.state;
                }
            }
            _ => {
                let what = format!("the end of {}", change.state);
                return Err(CloneError::order(&what, self.expected()));
            }
        }
        self.acknowledge(observer)
    }

    /// Goes over to a stage that the master begins, or begins again after a cut.
    fn enter(&mut self, change: &StateChange, observer: &mut Observer) -> Result<(), CloneError> {
        let next = change.state.number() == self.state.number() + 1;
        if !next && change.state != self.state {
            let what = format!("the beginning of {}", change.state);
            return Err(CloneError::order(&what, self.expected()));
        }
        self.chunks = ChunkMap::of_stage(change.chunks);
        self.state = change.state;
        self.pace.stage(change.state, change.estimate_bytes);
        tracing::info!(
            chunks = change.chunks,
            files = change.files,
            bytes = change.estimate_bytes,
            "{} begins",
            change.state
        );
        match change.state {
            State::FileCopy if change.files > MAX_FILES => {
                Err(CloneError::order("more files than a server can have", "a number of files"))
            }
            State::FileCopy => {
                self.naming.expect(change.files);
                Ok(())
            }
            State::RedoCopy if self.bracket.upper.is_none() => {
                self.bracket.upper = Some(observer.position()?);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The acknowledgement of the stage, once every connection has brought its share of it.
    fn acknowledge(&mut self, observer: &mut Observer) -> Result<Option<Vec<u8>>, CloneError> {
        if self.workers.iter().any(|(_, ended)| *ended < self.state) {
            return Ok(None);
        }
        let Some(change) = self.ended.take() else {
            return Ok(None);
        };
        match change.state {
            State::FileCopy => self.output.finish_stage(Stage::FileCopy, &mut self.files)?,
            State::PageCopy => {
                self.output.finish_stage(Stage::PageCopy, &mut self.files)?;
                // The donor fixes the instant of the clone once it has the acknowledgement.
                if self.bracket.lower.is_none() {
                    self.bracket.lower = Some(observer.position()?);
                    self.bracket.replica_sources = observer.replica_sources()?;
                    self.bracket.consistent_at = Some(observer.now()?);
                }
            }
            State::RedoCopy => self.output.finish_stage(Stage::RedoCopy, &mut self.files)?,
            _ => {}
        }
        let locator = self.locator()?;
        Ok(Some(ack(0, locator.bytes(), &change.acknowledgement())))
    }

    /// The donor says something of a file.
    ///
    /// # Errors
    /// As [`FileTable::notice`].
    pub(crate) fn file(&mut self, meta: &FileMeta) -> Result<(), CloneError> {
        if self.files.len() >= usize::try_from(MAX_FILES).unwrap_or(usize::MAX) {
            return Err(CloneError::order("more files than a server can have", "files"));
        }
        self.files.notice(meta, self.state)?;
        if self.state == State::FileCopy {
            self.naming.named(meta.index);
        }
        Ok(())
    }

    /// Bytes of a file.
    ///
    /// # Errors
    /// They belong to another stage, or as [`Output::write`].
    pub(crate) fn data(
        &mut self,
        task: Task,
        part: &DataPart,
        bytes: &mut [u8],
        is_last: bool,
    ) -> Result<(), CloneError> {
        let stage = match part.state {
            State::FileCopy => Stage::FileCopy,
            State::PageCopy => Stage::PageCopy,
            State::RedoCopy => Stage::RedoCopy,
            _ => return Err(CloneError::order("data", self.expected())),
        };
        if task == Task::Master && part.state != self.state {
            let what = format!("data of {}", part.state);
            return Err(CloneError::order(&what, self.expected()));
        }
        let is_known = match stage {
            // A worker may be faster than the master, which names the files.
            _ if part.state != self.state => true,
            Stage::RedoCopy => self.files.has_redo(part.file_index),
            Stage::FileCopy | Stage::PageCopy => self.files.get(part.file_index).is_some(),
        };
        if !is_known {
            return Err(CloneError::UnknownFile { index: part.file_index });
        }
        if stage == Stage::PageCopy {
            self.files.grown(part.file_index, part.file_bytes);
        }
        if let Some(file) = self.files.get(part.file_index).filter(|file| file.is_encrypted()) {
            let page_size_bytes = page_size(&self.donor)?;
            self.key_info.look(file, stage, part, bytes, page_size_bytes)?;
        }
        let count = bytes.len() as u64;
        self.output.write(stage, part, bytes, &mut self.files)?;
        self.pace.bytes(count);
        if is_last && part.state == self.state {
            self.chunks.block_done(task, part.chunk, part.block);
        }
        Ok(())
    }

    /// The donor has been silent for a while but answers in the other session.
    pub(crate) fn alive(&self) {
        self.pace.alive();
    }

    fn expected(&self) -> &'static str {
        match self.state {
            State::None => "the beginning of a clone",
            State::Init => "the end of the preparation or the beginning of the file copy",
            State::FileCopy => "the file copy or the beginning of the page copy",
            State::PageCopy => "the page copy or the beginning of the redo copy",
            State::RedoCopy => "the redo copy or the end of the clone",
            State::Done => "the end of the clone",
        }
    }
}

/// What progress is called in this stage.
pub(crate) fn phase(state: State) -> &'static str {
    match state {
        State::None | State::Init => "prepare",
        State::FileCopy => "files",
        State::PageCopy => "pages",
        State::RedoCopy | State::Done => "redo",
    }
}

/// Progress is counted in bytes.
pub(crate) const UNIT: Unit = Unit::Bytes;
