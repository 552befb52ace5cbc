//! What a guest is made of: a kernel, its modules, and packages laid over this machine's tree.
use super::GuestKind;
use crate::cache;
use crate::env;
use crate::fetch::apt::{self, Selection};
use crate::fetch::run;
use crate::product::workspace_root;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The one release whose packages fit over the machine's own tree.
const SUITE: &str = "bookworm";
const RELEASE: (&str, &str) = ("debian", "12");
/// Raised when the layout of the cached trees changes.
const LAYOUT: u32 = 1;

/// The kernel, and all tools that the machine may lack with the libraries that they need.
const PACKAGES: &[&str] = &[
    "user-mode-linux",
    "busybox-static",
    "kmod",
    "libkmod2",
    "lvm2",
    "dmsetup",
    "libdevmapper1.02.1",
    "libdevmapper-event1.02.1",
    "liblvm2cmd2.03",
    "libaio1",
    "libreadline8",
    "thin-provisioning-tools",
    "libexpat1",
    "xfsprogs",
    "libinih1",
    "liburcu8",
    // For the build of ZFS.
    "bison",
    "flex",
    "m4",
    "libsigsegv2",
];

/// OpenZFS's own programs; the suite's backports have a release with fixes of two years.
const ZFS_SUITE: &str = "bookworm-backports";
const ZFS_USERLAND: &[&str] = &[
    "zfsutils-linux",
    "libzfs6linux",
    "libzpool6linux",
    "libnvpair3linux",
    "libuutil3linux",
    "libzfsbootenv1linux",
];
/// Programs that the build takes from the machine.
const BUILD_PROGRAMS: &[&str] = &["gcc", "make", "bc", "xz", "python3", "strip"];

/// The parts of a guest, in the cache.
#[derive(Debug)]
pub(super) struct Image {
    kind: GuestKind,
    /// The packages, and the kernel's version beside them.
    base: PathBuf,
    version: String,
    /// Userland and modules of ZFS.
    zfs: Option<PathBuf>,
    /// What the kernel needs on processors that it does not know.
    preload: Option<PathBuf>,
}

pub(super) fn unavailable(kind: GuestKind) -> Result<Option<String>> {
    let (id, version) = RELEASE;
    let release = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned()).unwrap_or_default()
    };
    if !cfg!(target_arch = "x86_64") || field("ID") != id || field("VERSION_ID") != version {
        return Ok(Some(format!("a guest's packages fit over {id} {version} on x86-64 alone")));
    }
    let missing = BUILD_PROGRAMS.iter().find(|name| kind == GuestKind::Zfs && !is_on_path(name));
    Ok(missing.map(|name| format!("the build of ZFS needs {name}")))
}

fn is_on_path(name: &str) -> bool {
    std::env::split_paths(&env::path()).any(|directory| directory.join(name).is_file())
}

/// One of the scripts that make or start a guest.
pub(super) fn script(name: &str) -> Result<PathBuf> {
    Ok(workspace_root()?.join("tests/testkit/uml").join(name))
}

impl Image {
    pub(super) fn prepare(kind: GuestKind) -> Result<Self> {
        if let Some(reason) = unavailable(kind)? {
            bail!("no guest on this machine: {reason}");
        }
        let base = cache::entry(&format!("guest-{SUITE}-{LAYOUT}"), |building, _| fetch(building))?;
        let version = fs::read_to_string(base.join("VERSION"))?;
        let zfs = match kind {
            GuestKind::Lvm => None,
            GuestKind::Zfs => {
                let name = format!("guest-zfs-{version}-{LAYOUT}");
                Some(cache::entry(&name, |building, _| build_zfs(&base, &version, building))?)
            }
        };
        Ok(Self { kind, base, version, zfs, preload: preload()? })
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.base.join("root/usr/bin/linux.uml")
    }

    /// A library that is loaded before the kernel's own, if it needs one here.
    pub(super) fn preload(&self) -> Option<&Path> {
        self.preload.as_deref()
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Directories laid over the root, the first one on top.
    pub(super) fn overlays(&self) -> Vec<PathBuf> {
        let userland = self.zfs.as_ref().map(|zfs| zfs.join("userland"));
        std::iter::once(self.base.join("root")).chain(userland).collect()
    }

    /// The directory that becomes `/lib/modules`.
    pub(super) fn modules(&self) -> PathBuf {
        match &self.zfs {
            None => self.base.join("root/usr/lib/uml/modules"),
            Some(zfs) => zfs.join("modules/lib/modules"),
        }
    }

    /// The modules that the guest loads at its start.
    pub(super) fn load(&self) -> &'static str {
        match self.kind {
            GuestKind::Lvm => "dm-mod dm-snapshot dm-thin-pool",
            GuestKind::Zfs => "zfs",
        }
    }
}

/// On processors with AMX the kernel cannot give registers back: see `whole-registers.c`.
fn preload() -> Result<Option<PathBuf>> {
    let processors = fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
    if !processors.split_whitespace().any(|flag| flag == "amx_tile") {
        return Ok(None);
    }
    const LIBRARY: &str = "whole-registers.so";
    let built = cache::entry("guest-registers-1", |building, _| {
        let output = building.join(LIBRARY);
        run(Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(output)
            .arg(script("whole-registers.c")?))?;
        Ok(())
    })?;
    Ok(Some(built.join(LIBRARY)))
}

fn fetch(building: &Path) -> Result<()> {
    let root = building.join("root");
    let selection = Selection { suite: SUITE, components: "main", packages: &[], alone: PACKAGES };
    apt::unpack(&selection, &root, &building.join("apt"))?;
    merge_usr(&root)?;
    let version = run(Command::new(root.join("usr/bin/linux.uml")).arg("--version"))?;
    fs::write(building.join("VERSION"), String::from_utf8(version.stdout)?.trim())?;
    Ok(())
}

fn build_zfs(base: &Path, version: &str, building: &Path) -> Result<()> {
    let (sources, userland) = (building.join("sources"), building.join("userland"));
    let scratch = building.join("apt");
    let series: Vec<&str> = version.split('.').take(2).collect();
    // Of the kernel's own version, whichever Debian revision it has.
    let linux = format!("linux-source-{}={version}-*", series.join("."));
    for (suite, components, alone, into) in [
        (SUITE, "main", &[linux.as_str()][..], &sources),
        (ZFS_SUITE, "main contrib", &["zfs-dkms"][..], &sources),
        (ZFS_SUITE, "main contrib", ZFS_USERLAND, &userland),
    ] {
        apt::unpack(&Selection { suite, components, packages: &[], alone }, into, &scratch)?;
    }
    merge_usr(&userland)?;
    let work = building.join("work");
    run(Command::new(script("build-zfs")?)
        .arg(base.join("root"))
        .arg(&sources)
        .arg(&work)
        .arg(building.join("modules")))?;
    for directory in [&sources, &work] {
        fs::remove_dir_all(directory).with_context(|| format!("remove {}", directory.display()))?;
    }
    Ok(())
}

/// Packages may still hold `/bin` as a directory, which would hide the machine's link to `/usr/bin`.
fn merge_usr(root: &Path) -> Result<()> {
    for name in ["bin", "sbin", "lib", "lib64"] {
        let directory = root.join(name);
        if directory.is_dir() {
            let merged = root.join("usr").join(name);
            fs::create_dir_all(&merged)?;
            run(Command::new("cp").arg("-a").arg(directory.join(".")).arg(&merged))?;
            fs::remove_dir_all(&directory)?;
        }
    }
    Ok(())
}
