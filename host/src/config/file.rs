//! From the tree of a file to a typed [`Config`]: every key is named here once.
use super::{
    BackupConfig, BinlogConfig, BinlogTarget, CloneConfig, CloneRemoteConfig, Config, ConfigError,
    ConnectionConfig, PluginsConfig, SnapshotBackend, SnapshotConfig, StreamingConfig, TrustChoice,
    node::Node, reader::Section,
};
use dbbackup_plugin_api::document::connection::SslMode;
use std::path::Path;

/// The words of `ssl_mode`, in either case.
pub(super) const SSL_MODES: [(&str, SslMode); 5] = [
    ("DISABLED", SslMode::Disabled),
    ("PREFERRED", SslMode::Preferred),
    ("REQUIRED", SslMode::Required),
    ("VERIFY_CA", SslMode::VerifyCa),
    ("VERIFY_IDENTITY", SslMode::VerifyIdentity),
];

/// Bounds of an S3 part, bytes.
const PART_BYTES: std::ops::RangeInclusive<u64> = 5 << 20..=5 << 30;

pub(super) fn config(file: &Path, root: &Node) -> Result<Config, ConfigError> {
    let mut root = Section::root(file, root)?;
    let config = Config {
        file: Some(file.to_owned()),
        warnings: Vec::new(),
        connection: connection(root.section("connection")?)?,
        plugins: plugins(root.section("plugins")?)?,
        backup: backup(root.section("backup")?)?,
        engines: root.section("engines")?.objects()?,
    };
    root.finish()?;
    Ok(config)
}

fn connection(mut section: Section<'_>) -> Result<ConnectionConfig, ConfigError> {
    let connection = ConnectionConfig {
        host: section.name("host")?,
        port: section.number("port", 1..=u16::MAX)?,
        socket: section.file_path("socket")?,
        user: section.name("user")?,
        password_file: section.file_path("password_file")?,
        ssl_mode: section.choice("ssl_mode", &SSL_MODES)?,
        ssl_ca: section.file_path("ssl_ca")?,
        ssl_capath: section.file_path("ssl_capath")?,
        ssl_cert: section.file_path("ssl_cert")?,
        ssl_key: section.file_path("ssl_key")?,
    };
    section.finish()?;
    Ok(connection)
}

fn plugins(mut section: Section<'_>) -> Result<PluginsConfig, ConfigError> {
    let policies =
        [("owner", TrustChoice::Owner), ("locked", TrustChoice::Locked), ("dev", TrustChoice::Dev)];
    let plugins = PluginsConfig {
        dirs: section.file_paths("dirs")?,
        trust: section.choice("trust", &policies)?.unwrap_or_default(),
        auto_select_third_party: section.switch("auto_select_third_party")?.unwrap_or(false),
        environment_for_root: section.switch("environment_for_root")?.unwrap_or(false),
        allow_shadowing: section.switch("allow_shadowing")?.unwrap_or(false),
    };
    section.finish()?;
    Ok(plugins)
}

fn backup(mut section: Section<'_>) -> Result<BackupConfig, ConfigError> {
    let default = BackupConfig::default();
    let backup = BackupConfig {
        engine: section.name("engine")?.unwrap_or(default.engine),
        output_dir: section.file_path("output_dir")?.unwrap_or(default.output_dir),
        clone: clone(section.section("clone")?)?,
        snapshot: snapshot(section.section("snapshot")?)?,
        streaming: streaming(section.section("streaming")?)?,
        binlog: binlog(section.section("binlog")?)?,
    };
    section.finish()?;
    Ok(backup)
}

fn clone(mut section: Section<'_>) -> Result<CloneConfig, ConfigError> {
    let clone = CloneConfig {
        data_dir: section.file_path("data_dir")?,
        remote: clone_remote(section.section("remote")?)?,
    };
    section.finish()?;
    Ok(clone)
}

fn clone_remote(mut section: Section<'_>) -> Result<CloneRemoteConfig, ConfigError> {
    let default = CloneRemoteConfig::default();
    let remote = CloneRemoteConfig {
        enabled: section.switch("enabled")?.unwrap_or(default.enabled),
        donor_host: section.text("donor_host")?.unwrap_or(default.donor_host),
        donor_port: section.number("donor_port", 1..=u16::MAX)?.unwrap_or(default.donor_port),
        donor_user: section.name("donor_user")?.unwrap_or(default.donor_user),
    };
    if remote.enabled {
        section.required("donor_host", Some(&remote.donor_host).filter(|host| !host.is_empty()))?;
    }
    section.finish()?;
    Ok(remote)
}

fn snapshot(mut section: Section<'_>) -> Result<SnapshotConfig, ConfigError> {
    let backends = [
        ("auto", None),
        ("lvm", Some(SnapshotBackend::Lvm)),
        ("zfs", Some(SnapshotBackend::Zfs)),
        ("btrfs", Some(SnapshotBackend::Btrfs)),
    ];
    let backend = section.choice("backend", &backends)?.flatten();
    let mut lvm = section.section("lvm")?;
    let mut zfs = section.section("zfs")?;
    let mut btrfs = section.section("btrfs")?;
    let snapshot = SnapshotConfig {
        backend,
        lvm_volume_group: lvm.name("volume_group")?,
        lvm_snapshot_bytes: lvm.size("snapshot_size")?,
        zfs_dataset: zfs.name("dataset")?,
        btrfs_subvolume: btrfs.file_path("subvolume")?,
    };
    for part in [lvm, zfs, btrfs, section] {
        part.finish()?;
    }
    Ok(snapshot)
}

fn streaming(mut section: Section<'_>) -> Result<StreamingConfig, ConfigError> {
    let default = StreamingConfig::default();
    let streaming = StreamingConfig {
        part_bytes: section.size_within("part_size", PART_BYTES)?.unwrap_or(default.part_bytes),
        workers: section.number("workers", 1..=256)?.unwrap_or(default.workers),
        checksum: section.switch("checksum")?.unwrap_or(default.checksum),
    };
    section.finish()?;
    Ok(streaming)
}

fn binlog(mut section: Section<'_>) -> Result<BinlogConfig, ConfigError> {
    let default = BinlogConfig::default();
    let interval = section.duration("checkpoint_interval")?;
    let binlog = BinlogConfig {
        enabled: section.switch("enabled")?.unwrap_or(default.enabled),
        server_id: section.number("server_id", 1..=u32::MAX)?.unwrap_or(default.server_id),
        use_gtid: section.switch("use_gtid")?.unwrap_or(default.use_gtid),
        checkpoint_interval: interval.unwrap_or(default.checkpoint_interval),
        targets: section.sections("targets", binlog_target)?,
    };
    section.finish()?;
    Ok(binlog)
}

fn binlog_target(mut section: Section<'_>) -> Result<BinlogTarget, ConfigError> {
    #[derive(Clone, Copy)]
    enum Kind {
        File,
        S3,
    }
    let kind = section.choice("type", &[("file", Kind::File), ("s3", Kind::S3)])?;
    let target = match section.required("type", kind)? {
        Kind::File => {
            let path = section.file_path("path")?;
            BinlogTarget::File {
                path: section.required("path", path)?,
                compress: section.switch("compress")?.unwrap_or(false),
                rotate_bytes: section.size_within("rotate_size", 1..=u64::MAX)?,
            }
        }
        Kind::S3 => {
            let bucket = section.name("bucket")?;
            BinlogTarget::S3 {
                bucket: section.required("bucket", bucket)?,
                prefix: section.text("prefix")?.unwrap_or_default(),
                region: section.name("region")?,
            }
        }
    };
    section.finish()?;
    Ok(target)
}
