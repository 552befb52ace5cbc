//! Does one misdeed, named in its options, at one place: `create`, `assess`, `backup` or `drop`.
#![allow(
    unsafe_code,
    clippy::exit,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "misdeeds on purpose: every one of them is something that a plugin must not do"
)]
use dbbackup_sdk::{
    BackupEngine, BackupRun, Engine, Failure, Host, Sink,
    document::{assessment::Assessment, backup::BackupSummary, environment::Environment},
    export_plugin,
};
use serde::Deserialize;
use std::time::Duration;

export_plugin! {
    manifest: "plugins/misdeeds.json",
    engines: { "misdeeds" => Misdeeds: [backup] },
}

struct Misdeeds(Options);

#[derive(Default, Deserialize)]
struct Options {
    #[serde(default)]
    misdeed: Misdeed,
    #[serde(default)]
    place: Place,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    Create,
    Assess,
    #[default]
    Backup,
    Drop,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Misdeed {
    #[default]
    None,
    Panic,
    PanicInThread,
    Abort,
    Segfault,
    Exit,
    Hang,
    SpamStdout,
    ChangeEnvironment,
    ChangeDirectory,
    ChangeUmask,
    ChangeSignals,
    LeakDescriptors,
    LeakThreads,
    SwallowSinkErrors,
    IgnoreCancellation,
    ForgetJournal,
    LeaveEntryOpen,
}

impl Misdeeds {
    fn at(&self, place: Place) {
        if self.0.place == place {
            commit(self.0.misdeed);
        }
    }
}

fn commit(misdeed: Misdeed) {
    match misdeed {
        Misdeed::Panic => panic!("a rogue panic"),
        Misdeed::PanicInThread => {
            let ended = std::thread::spawn(|| panic!("a rogue panic in a thread")).join();
            assert!(ended.is_err());
        }
        Misdeed::Abort => std::process::abort(),
        // SAFETY: none. The process is meant to die of it.
        Misdeed::Segfault => unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) },
        Misdeed::Exit => std::process::exit(0),
        Misdeed::Hang => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
        Misdeed::SpamStdout => println!("{}", "rogue ".repeat(2000)),
        // SAFETY: not sound with other threads, which is why a plugin must not do it.
        Misdeed::ChangeEnvironment => unsafe { std::env::set_var("TZ", "Antarctica/Troll") },
        Misdeed::ChangeDirectory => drop(std::env::set_current_dir("/")),
        Misdeed::ChangeUmask => {
            rustix::process::umask(rustix::fs::Mode::empty());
        }
        Misdeed::ChangeSignals => ignore_sigterm(),
        Misdeed::LeakDescriptors => std::mem::forget(std::fs::File::open("/dev/null")),
        Misdeed::LeakThreads => drop(std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        })),
        Misdeed::None
        | Misdeed::SwallowSinkErrors
        | Misdeed::IgnoreCancellation
        | Misdeed::ForgetJournal
        | Misdeed::LeaveEntryOpen => {}
    }
}

fn ignore_sigterm() {
    unsafe extern "C" {
        fn signal(number: i32, handler: usize) -> usize;
    }
    const SIGTERM: i32 = 15;
    const SIG_IGN: usize = 1;
    // SAFETY: a plain call into the C library; the handler is no function of ours.
    unsafe { signal(SIGTERM, SIG_IGN) };
}

impl Engine for Misdeeds {
    type Options = Options;
    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        // The drop of an engine that was never made is not what `drop` means.
        let place = options.place;
        if place == Place::Create {
            commit(options.misdeed);
        }
        Ok(Self(options))
    }
    fn assess(&self, _environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        self.at(Place::Assess);
        Ok(dbbackup_rogue::applicable("misdeeds"))
    }
}

impl BackupEngine for Misdeeds {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        self.at(Place::Backup);
        let bytes = dbbackup_rogue::DEFAULT_BYTES;
        match self.0.misdeed {
            Misdeed::SwallowSinkErrors => {
                drop(dbbackup_rogue::emit(run, sink, bytes));
                Ok(BackupSummary::default())
            }
            Misdeed::IgnoreCancellation => {
                drop(dbbackup_rogue::emit(run, sink, bytes));
                std::thread::sleep(Duration::from_secs(6));
                Ok(BackupSummary::default())
            }
            Misdeed::ForgetJournal => {
                let record = dbbackup_sdk::undo_record("rogue", "never undone".to_owned(), &true)?;
                drop(run.host.journal(&record)?);
                dbbackup_rogue::emit(run, sink, bytes)
            }
            _ => dbbackup_rogue::emit(run, sink, bytes),
        }
    }
}

impl Drop for Misdeeds {
    fn drop(&mut self) {
        self.at(Place::Drop);
    }
}
