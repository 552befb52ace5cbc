//! A private apt state: resolves and downloads packages of any Debian suite, signatures checked,
//! without root and without touching what is installed.
use super::run;
use crate::wait::pause;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const ATTEMPTS: u32 = 4;
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Packages that a server's or tool's dependencies name, and that it runs well without.
const NEVER_UNPACKED: [&str; 9] = [
    "perl",
    "libperl",
    "libgdbm",
    "libdb5",
    "libc-gconv",
    "debconf",
    "mariadb-common",
    "mysql-common",
    "lsof",
];

/// What to fetch.
pub(crate) struct Selection<'a> {
    /// The Debian suite, such as `sid`.
    pub(crate) suite: &'a str,
    /// Components of the suite, such as `main contrib`.
    pub(crate) components: &'a str,
    /// Packages that are fetched with all that they depend on.
    pub(crate) packages: &'a [&'a str],
    /// Packages that are fetched alone, for the files inside; `name=6.1.176-*` chooses a version.
    pub(crate) alone: &'a [&'a str],
}

/// Fetches a selection and unpacks it into `root`, using `scratch` meanwhile.
///
/// Returns the version of the first package.
pub(crate) fn unpack(selection: &Selection<'_>, root: &Path, scratch: &Path) -> Result<String> {
    let state = State::create(selection, scratch)?;
    let mut names = state.closure(selection.packages)?;
    names.extend(selection.alone.iter().map(|name| (*name).to_owned()));
    let archives = state.download(&names)?;
    fs::create_dir_all(root)?;
    for archive in &archives {
        run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(root))?;
    }
    let first = selection.packages.first().or(selection.alone.first());
    let first = first.context("no package selected")?.split('=').next().unwrap_or_default();
    let archive = archives
        .iter()
        .find(|path| file_name(path).starts_with(&format!("{first}_")))
        .with_context(|| format!("package {first} was not downloaded"))?;
    let version = run(Command::new("dpkg-deb").arg("-f").arg(archive).arg("Version"))?;
    fs::remove_dir_all(scratch).with_context(|| format!("remove {}", scratch.display()))?;
    let version = String::from_utf8(version.stdout)?;
    // `1:10.11.18-0+deb12u1`: the epoch is of no interest outside of Debian.
    let version = version.trim();
    Ok(version.split_once(':').map_or(version, |(_, plain)| plain).to_owned())
}

struct State {
    directory: PathBuf,
}

impl State {
    /// Reads the suite's package lists from the first of the machine's own mirrors that has it.
    fn create(selection: &Selection<'_>, directory: &Path) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial", "etc/preferences.d", "log"] {
            fs::create_dir_all(directory.join(part))?;
        }
        fs::write(directory.join("status"), "")?;
        let Selection { suite, components, .. } = selection;
        let state = Self { directory: directory.to_owned() };
        let mut refused = Vec::new();
        for site in mirrors()? {
            let line = format!("deb [signed-by={KEYRING}] {site} {suite} {components}\n");
            fs::write(directory.join("etc/sources.list"), line)?;
            match retried(|| run(state.apt().arg("update"))) {
                Ok(_) => return Ok(state),
                Err(error) => refused.push(error.to_string()),
            }
        }
        bail!("no mirror of this machine has the Debian suite {suite}: {}", refused.join("; "))
    }

    /// Lists `packages` and all they depend on, without what no server needs.
    fn closure(&self, packages: &[&str]) -> Result<Vec<String>> {
        if packages.is_empty() {
            return Ok(Vec::new());
        }
        let output = run(self.apt().args(["install", "--simulate"]).args(packages))?;
        let plan = String::from_utf8(output.stdout)?;
        Ok(plan
            .lines()
            .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
            .filter(|name| !NEVER_UNPACKED.iter().any(|prefix| name.starts_with(prefix)))
            .map(ToOwned::to_owned)
            .collect())
    }

    fn download(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        let archives = self.directory.join("archives");
        fs::create_dir_all(&archives)?;
        retried(|| run(self.apt().current_dir(&archives).arg("download").args(names)))?;
        let mut paths = Vec::new();
        for entry in fs::read_dir(&archives)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// An apt-get that knows only this state. Proxy and credentials stay the machine's own.
    fn apt(&self) -> Command {
        let mut apt = Command::new("apt-get");
        let directories = [
            ("Dir::Etc", "etc"),
            ("Dir::Etc::sourcelist", "etc/sources.list"),
            ("Dir::Etc::sourceparts", "etc/none"),
            ("Dir::Etc::preferencesparts", "etc/preferences.d"),
            ("Dir::State", "."),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
            ("Dir::Log", "log"),
        ];
        for (key, part) in directories {
            let mut option = OsString::from(format!("{key}="));
            option.push(self.directory.join(part));
            apt.arg("-o").arg(option);
        }
        let settings = [
            "Dir::Etc::netrc=/etc/apt/auth.conf",
            "Dir::Etc::netrcparts=/etc/apt/auth.conf.d",
            "APT::Install-Recommends=false",
            "APT::Sandbox::User=root",
            "APT::Get::List-Cleanup=false",
            "Acquire::Check-Valid-Until=false",
            "Acquire::Check-Date=false",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
            "Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false",
            "Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false",
        ];
        for setting in settings {
            apt.arg("-o").arg(setting);
        }
        apt.args(["-q", "-y"]).env("LC_ALL", "C");
        apt
    }
}

/// The mirrors that the machine itself uses, Debian's own ones first.
fn mirrors() -> Result<Vec<String>> {
    let format = "$(SITE)|$(COMPONENT)|$(ORIGIN)";
    let output = run(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    let text = String::from_utf8(output.stdout)?;
    let mut sites: Vec<(bool, String)> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('|');
        let (Some(site), Some(component), origin) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let is_security = site.contains("security");
        let known = sites.iter().any(|(_, seen)| seen == site);
        if component == "main" && !is_security && !known {
            sites.push((origin != Some("Debian"), site.to_owned()));
        }
    }
    sites.sort_by_key(|(foreign, _)| *foreign);
    if sites.is_empty() {
        bail!("apt-get indextargets names no mirror: this machine has no Debian package source");
    }
    Ok(sites.into_iter().map(|(_, site)| site).collect())
}

fn retried<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut made = 1;
    loop {
        match attempt() {
            Err(_) if made < ATTEMPTS => pause(Duration::from_secs(u64::from(made) * 2)),
            outcome => return outcome,
        }
        made += 1;
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
