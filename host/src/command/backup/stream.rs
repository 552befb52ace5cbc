//! Flags of `dbbackup stream-backup`: an upload straight from the server.
use super::BackupArgs;
use crate::{
    cli::{TargetArgs, UsageError, size},
    command::Context,
    engine_options::EngineOptions,
    exit::Failure,
    remote::is_url,
};
use clap::Args;
use std::{
    ffi::{OsStr, OsString},
    num::NonZeroU32,
};

/// Back up a server straight to object storage, without any local disk.
#[derive(Debug, Args)]
pub(crate) struct StreamBackupArgs {
    /// Where to, such as s3://bucket/path/backup.tar.gz; a name's ending says how it is written, as for
    /// physical-backup. Ending in /: HOST-TIME.tar.gz there.
    #[arg(long = "target", value_name = "URL")]
    to: OsString,
    #[command(flatten)]
    upload: UploadArgs,
    #[command(flatten)]
    pub(super) backup: BackupArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// How the bytes are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Upload")]
struct UploadArgs {
    /// Parts that are sent at once [default: `backup.streaming.workers`, 4].
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroU32>,
    /// Smallest size of a part, such as 20M; parts grow as the backup does [default:
    /// `backup.streaming.part_size`, 10 MiB].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    part_size: Option<u64>,
    /// Most parts of one object; what is beyond continues in a further object [default: 9000].
    #[arg(long, value_name = "N")]
    max_parts: Option<NonZeroU32>,
    /// Have the store encrypt: AES256, aws:kms or aws:kms:KEY. For a key of your own that the store never
    /// sees, use --encrypt-to.
    #[arg(long, value_name = "HOW")]
    encryption: Option<String>,
    /// Storage class of the objects, such as STANDARD_IA.
    #[arg(long, value_name = "NAME")]
    storage_class: Option<String>,
    /// Lock the objects against deletion: GOVERNANCE:30d or COMPLIANCE:30d.
    #[arg(long, value_name = "MODE:TIME")]
    object_lock: Option<String>,
}

impl StreamBackupArgs {
    /// Where to, and the options of the engine that serves it.
    ///
    /// # Errors
    /// The target is a path.
    pub(super) fn destination(
        &self,
        context: &Context,
    ) -> Result<(&OsStr, EngineOptions), Failure> {
        if !self.to.to_str().is_some_and(is_url) {
            let text = format!(
                "--target {} is no place such as s3://bucket/path/backup.tar.gz; for a file there is \
                 physical-backup --output",
                self.to.display()
            );
            return Err(UsageError::Contradiction(text).into());
        }
        let mut options = self.target.options(&context.config);
        let upload = &self.upload;
        let flags = [
            ("workers", upload.workers.map(|number| number.to_string())),
            ("part_size", upload.part_size.map(|bytes| bytes.to_string())),
            ("max_parts", upload.max_parts.map(|number| number.to_string())),
            ("encryption", upload.encryption.clone()),
            ("storage_class", upload.storage_class.clone()),
            ("object_lock", upload.object_lock.clone()),
        ];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        options.given.splice(0..0, flags);
        Ok((&self.to, options))
    }
}
