//! The part of a measurement that runs inside of a guest.
use super::contest::{Contest, chain};
use super::dump::{backup, options};
use super::guests::ROUNDS;
use super::mariadb_backup;
use super::setting::Setting;
use anyhow::{Result, bail, ensure};
use dbbackup_testkit::{DataSet, Flavor, Server, VolumeGroup, env, run_program};
use std::path::PathBuf;

/// Measure inside of a guest, which `bench` starts.
#[derive(Debug, clap::Args)]
pub(crate) struct InsideArgs {
    /// The engine, whose volume is made on the guest's disk.
    engine: String,
    /// How many turns each of the pair gets.
    #[arg(long)]
    rounds: u32,
    /// Size of the data, as for `bench`.
    #[arg(long)]
    scale: f64,
}

pub(crate) fn run(args: &InsideArgs) -> Result<()> {
    ensure!(env::is_in_guest(), "this runs inside of a guest, which `cargo xtask bench` starts");
    let setting = Setting::inside(args.rounds, args.scale)?;
    let datadir = volume(&args.engine)?.join("data");
    setting.data_on(Flavor::Mariadb1011, DataSet::Sysbench)?.copy_to(&datadir)?;
    let mut server = Server::start_on(Flavor::Mariadb1011, &datadir, options())?;
    let (servers, output) = ([server.pid()?], "guest.tar.zst");
    // On the guest's memory: a second disk would be a part of what is measured.
    let directory = std::env::temp_dir().join("turn");
    let contest = Contest { rounds: args.rounds, servers: &servers, directory, output };
    let rounds = contest.run(
        |output| {
            // A guest's LVM takes a second for what a machine does in a tenth.
            let mut command = backup(&setting, &server, &args.engine, output);
            command.args(["--max-lock", "30s", "--max-lock-wait", "30s"]);
            chain(vec![command], None)
        },
        |output| mariadb_backup::stream(&setting, &server, output),
    )?;
    println!("\n{ROUNDS}{}", serde_json::to_string(&rounds)?);
    server.stop()
}

fn volume(engine: &str) -> Result<PathBuf> {
    match engine {
        "lvm-snapshot" => VolumeGroup::make("vg_mysql", "/dev/ubda")?.thick("lv_data", "1500M"),
        "zfs-snapshot" => {
            run_program("zpool", &["create", "tank", "/dev/ubda"])?;
            run_program("zfs", &["create", "-o", "mountpoint=/srv/mysql", "tank/mysql"])?;
            Ok(PathBuf::from("/srv/mysql"))
        }
        other => bail!("no volume for the engine {other}"),
    }
}
