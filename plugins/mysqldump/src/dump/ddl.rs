//! Keeping the DDL of other sessions waiting, where that stalls nothing else.
//!
//! Without it, a dump is not wrong but may fail: DDL on a table that is still to be read is noticed.
//! And DDL that comes while its table is being read waits for that, and every later statement on the
//! table behind it. So on MySQL 8 the backup lock is taken by default: DDL waits at the lock, before
//! it holds any table.

use dbbackup_sdk::server::{
    BackupStage, Grants, LockBudget, Requirement, ServerLock, Session, SessionError,
};

use super::sessions::LONGEST_DUMP;
use crate::{error::EngineError, options::BlockDdl};

/// Keeps DDL waiting until the lock is given back; nothing where that is not wanted or possible.
///
/// # Errors
/// With [`BlockDdl::On`], whatever keeps DDL from being blocked.
pub(super) fn block<'s>(
    session: &'s mut Session,
    choice: BlockDdl,
    grants: &Grants,
    budget: LockBudget,
) -> Result<Option<ServerLock<'s>>, EngineError> {
    // The hold of this lock is the length of the dump: it makes no commit wait.
    let budget = LockBudget { wait: budget.wait, hold: LONGEST_DUMP };
    let version = session.version().clone();
    let has_backup_lock = !version.is_mariadb() && version.at_least([8, 0, 0]);
    let has_stages = version.is_mariadb() && version.at_least([10, 4, 1]);
    match choice {
        BlockDdl::Off => Ok(None),
        BlockDdl::Auto if !has_backup_lock => Ok(None),
        BlockDdl::Auto if !grants.allows(&Requirement::global("BACKUP_ADMIN")) => {
            tracing::info!("without BACKUP_ADMIN, DDL does not wait: DDL on a table ends the dump");
            Ok(None)
        }
        BlockDdl::Auto => match session.lock_instance_for_backup(budget) {
            Ok(lock) => Ok(Some(lock)),
            Err(SessionError::LockBudgetExceeded { .. }) => {
                tracing::info!(
                    "DDL is running: the dump does not wait for it, and notices changes"
                );
                Ok(None)
            }
            Err(error) => Err(error.into()),
        },
        BlockDdl::On if has_backup_lock => Ok(Some(session.lock_instance_for_backup(budget)?)),
        BlockDdl::On if has_stages => {
            let mut lock = session.backup_stages(budget)?;
            lock.advance(BackupStage::Flush)?;
            lock.advance(BackupStage::BlockDdl)?;
            Ok(Some(lock))
        }
        BlockDdl::On => Err(EngineError::CannotBlockDdl { server: version.to_string() }),
    }
}
