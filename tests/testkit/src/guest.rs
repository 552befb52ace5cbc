//! Guests: a real Linux kernel with device mapper or ZFS as an ordinary process, for tests of what
//! this machine's own kernel may lack. It needs neither root nor KVM, and installs nothing.
//!
//! The guest's root is a copy-on-write view of this machine's files, so a program that was built
//! here runs in there as it is: a test re-executes itself as [`Guest::run_test`] inside, once for
//! many steps, and [`GuestOutcome::expect_steps`] asserts what they came to. One slow processor, no
//! udev, and all that it writes outside of its disks lies in its memory and is gone afterwards.
mod image;
mod lvm;
mod outcome;
mod steps;

pub use lvm::VolumeGroup;
pub use outcome::GuestOutcome;
pub use steps::Steps;

use crate::env;
use crate::process::OwnedProcess;
use crate::product::Product;
use crate::scratch::Scratch;
use anyhow::{Context, Result, ensure};
use image::Image;
use rustix::process::Signal;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a guest's kernel and tools can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestKind {
    /// Device mapper with snapshots and thin pools, LVM's tools, ext4 and XFS.
    Lvm,
    /// OpenZFS.
    Zfs,
}

impl GuestKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Lvm, Self::Zfs];

    /// Why this machine cannot run such a guest, if it cannot.
    ///
    /// # Errors
    /// The machine's release is not readable.
    pub fn unavailable(self) -> Result<Option<String>> {
        image::unavailable(self)
    }

    /// Fetches and builds what such a guest needs, or finds it in the cache. ZFS costs five minutes
    /// of processor time once.
    ///
    /// # Errors
    /// The machine cannot run such a guest, or has no network while the cache is cold.
    pub fn prepare(self) -> Result<()> {
        Image::prepare(self).map(|_| ())
    }
}

/// A guest that is about to be started.
#[derive(Debug)]
pub struct Guest {
    image: Image,
    scratch: Scratch,
    disks: Vec<PathBuf>,
    memory_mib: u32,
}

/// How long a guest has for its boot and its end beside the time of its command.
const AROUND: Duration = Duration::from_secs(30);
/// How long a guest has to switch itself off once it is told to.
const TERMINATION: Duration = Duration::from_secs(5);

impl Guest {
    /// Prepares a guest without disks and with 2 GiB of memory.
    ///
    /// # Errors
    /// As for [`GuestKind::prepare`].
    pub fn new(kind: GuestKind) -> Result<Self> {
        let image = Image::prepare(kind)?;
        Ok(Self { image, scratch: Scratch::new()?, disks: Vec::new(), memory_mib: 2048 })
    }

    /// Adds an empty disk: `/dev/ubda`, then `/dev/ubdb`, and so on.
    ///
    /// # Errors
    /// The scratch directory is not writable.
    pub fn disk(mut self, bytes: u64) -> Result<Self> {
        let path = self.scratch.join(format!("disk{}", self.disks.len()));
        File::create(&path)?.set_len(bytes).context("make a disk")?;
        self.disks.push(path);
        Ok(self)
    }

    /// Chooses the guest's memory, which also holds what it writes outside of its disks.
    #[must_use]
    pub fn memory_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = memory_mib;
        self
    }

    /// Runs one ignored test of the running test program inside, by its full name, as root. Product
    /// and servers are there, because they are built and cached out here.
    ///
    /// # Errors
    /// The guest does not start, or does not end by the deadline.
    pub fn run_test(self, name: &str, deadline: Duration) -> Result<GuestOutcome> {
        let words = ["--exact", name, "--ignored", "--nocapture", "--test-threads=1"];
        self.run_again(&Product::built()?, &words, deadline)
    }

    /// Runs the running program inside with other arguments, as root, with a product built out here
    /// as the one that [`Product::built`] finds.
    ///
    /// # Errors
    /// As for [`Guest::run_test`].
    pub fn run_again(
        self,
        product: &Product,
        arguments: &[&str],
        deadline: Duration,
    ) -> Result<GuestOutcome> {
        product.write(&self.scratch.join("product.json"))?;
        let program = std::env::current_exe()?;
        let cache = env::cache_root()?;
        let cache = cache.parent().context("the cache lies nowhere")?;
        let mut script = String::new();
        for (variable, value) in [
            ("HOME", Path::new("/root")),
            ("XDG_CACHE_HOME", cache),
            (env::PRODUCT_FILE, Path::new("/run/guest/product.json")),
            (env::IN_GUEST, Path::new("1")),
        ] {
            writeln!(script, "export {variable}={}", quoted(value))?;
        }
        let words =
            [&[program.as_path()][..], &arguments.iter().map(Path::new).collect::<Vec<_>>()];
        let words: Vec<String> = words.concat().into_iter().map(quoted).collect();
        writeln!(script, "exec {}", words.join(" "))?;
        self.run_script(&script, deadline)
    }

    /// Runs a script of the shell inside, as root.
    ///
    /// # Errors
    /// As for [`Guest::run_test`].
    pub fn run_script(self, script: &str, deadline: Duration) -> Result<GuestOutcome> {
        let started = Instant::now();
        self.write_run(script, deadline)?;
        let output = self.scratch.join("output");
        let (stdout, console) =
            (File::create(&output)?, File::create(self.scratch.join("console"))?);
        let mut kernel = OwnedProcess::spawn(self.image.kernel(), |command| {
            command.args(self.kernel_arguments()).env("TMPDIR", memory_directory());
            command.stdin(Stdio::null()).stdout(stdout).stderr(console);
            if let Some(library) = self.image.preload() {
                command.env("LD_PRELOAD", library);
            }
        })?;
        let ended = kernel.wait(deadline + AROUND);
        if ended.is_err() {
            // Its processes are its own affair: it takes them along if it may end by itself.
            kernel.signal(Signal::TERM)?;
            drop(kernel.wait(TERMINATION));
        }
        GuestOutcome::read(self.scratch.path(), &output, started.elapsed())
    }

    /// The run's directory, which the guest sees as `/run/guest`.
    fn write_run(&self, script: &str, deadline: Duration) -> Result<()> {
        let overlays: Vec<String> =
            self.image.overlays().iter().map(|path| path.display().to_string()).collect();
        for (name, text) in [
            ("command", script.to_owned()),
            ("seconds", deadline.as_secs().to_string()),
            ("overlays", format!("{}\n", overlays.join("\n"))),
            ("modules", self.image.modules().display().to_string()),
            ("version", self.image.version().to_owned()),
            ("load", self.image.load().to_owned()),
        ] {
            fs::write(self.scratch.join(name), text).with_context(|| format!("write {name}"))?;
        }
        fs::copy(image::script("second-stage")?, self.scratch.join("second-stage"))?;
        Ok(())
    }

    fn kernel_arguments(&self) -> Vec<String> {
        let run = self.scratch.path().display();
        let first_stage = image::script("first-stage").unwrap_or_default();
        let mut arguments = vec![
            format!("mem={}M", self.memory_mib),
            format!("uml_dir={run}/"),
            "umid=u".to_owned(),
        ];
        for (letter, disk) in ('a'..='p').zip(&self.disks) {
            arguments.push(format!("ubd{letter}={}", disk.display()));
        }
        arguments.extend(
            ["quiet", "loglevel=1", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"]
                .map(str::to_owned),
        );
        arguments.push(format!("init={}", first_stage.display()));
        arguments.push(format!("guest={run}"));
        // The kernel's messages go to its stderr, the command's output to its stdout.
        arguments.extend(["con=null", "con0=null,fd:2", "con1=null,fd:1"].map(str::to_owned));
        arguments
    }
}

/// Runs a program to its end, as inside of a guest, and returns what it printed.
///
/// # Errors
/// It ends with another status than 0; the message holds what it complained of.
pub fn run_program(program: &str, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{program} {arguments:?}: {}: {complained}", output.status);
    Ok(said.into_owned())
}

/// Where the guest's memory is kept: a file that it maps, so not on a disk.
fn memory_directory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}
