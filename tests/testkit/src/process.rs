//! Child processes that never outlive the test: killed on drop, and by the kernel when the test
//! process itself is killed.
use crate::wait::wait_until;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// A child process that is killed and reaped on drop.
#[derive(Debug)]
pub(crate) struct OwnedProcess {
    child: Child,
}

impl OwnedProcess {
    /// Starts `program`; the kernel kills it when this process dies, even by SIGKILL.
    ///
    /// `configure` adds arguments and streams.
    pub(crate) fn spawn(
        program: impl AsRef<OsStr>,
        configure: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program.as_ref());
        configure(&mut command);
        let (reply, answer) = channel();
        spawner()
            .send(Order { command, reply })
            .context("the thread that starts processes is gone")?;
        let child = answer
            .recv()
            .context("the thread that starts processes is gone")?
            .with_context(|| format!("start {} by setpriv", program.as_ref().display()))?;
        Ok(Self { child })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if the process has ended.
    pub(crate) fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("wait for process {}", self.child.id()))
    }

    /// Sends `signal`, unless the process has ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exited()?.is_none()
            && let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw)
        {
            kill_process(pid, signal).with_context(|| format!("signal process {}", self.id()))?;
        }
        Ok(())
    }

    /// Waits for the end of the process, at most until `deadline`.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let mut status = None;
        wait_until(&format!("process {} ends", self.id()), deadline, || {
            status = self.exited()?;
            Ok(status.is_some())
        })?;
        status.context("the process has no exit status")
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        // Both fail only if the process is already gone and reaped.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A request to start a process from the one thread that lives as long as this process.
struct Order {
    command: Command,
    reply: Sender<std::io::Result<Child>>,
}

/// The kernel's parent-death signal fires when the *thread* that forked ends, and test threads
/// end before the process does; so one thread that never ends starts every child.
fn spawner() -> &'static Sender<Order> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (orders, inbox): (Sender<Order>, Receiver<Order>) = channel();
        std::thread::spawn(move || {
            for mut order in inbox {
                // Nobody waits for the child any more: dropping the reply is all there is to do.
                drop(order.reply.send(order.command.spawn()));
            }
        });
        orders
    })
}
