//! Commands to the donor.

use crate::rpc::{INNODB, NEWEST_PROTOCOL};

/// Byte that begins a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A clone begins.
    Init = 1,
    /// One more connection for a clone that runs.
    Attach = 2,
    /// A clone goes on after a cut connection.
    Reinit = 3,
    /// Send data.
    Execute = 4,
    /// A stage is done on our side.
    Ack = 5,
    /// Leave the protocol.
    Exit = 6,
}

impl Command {
    /// The command without a body.
    pub(crate) fn bare(self) -> Vec<u8> {
        vec![self as u8]
    }
}

/// Set in the DDL time-out: the donor takes no backup lock, and DDL goes on.
const ALLOW_DDL: u32 = 1 << 31;

/// `Init`, `Attach` or `Reinit` with one locator of InnoDB.
pub(crate) fn begin(
    command: Command,
    ddl_timeout_seconds: u32,
    allow_ddl: bool,
    locator: &[u8],
) -> Vec<u8> {
    let allow = if allow_ddl { ALLOW_DDL } else { 0 };
    let mut packet = command.bare();
    packet.extend(NEWEST_PROTOCOL.to_le_bytes());
    packet.extend((ddl_timeout_seconds & !ALLOW_DDL | allow).to_le_bytes());
    put_locator(&mut packet, locator);
    packet
}

/// `Ack` of the end of a stage, with the descriptor that said so. An `error` other than 0 ends the
/// clone on the donor.
pub(crate) fn ack(error: u32, locator: &[u8], descriptor: &[u8]) -> Vec<u8> {
    let mut packet = Command::Ack.bare();
    packet.extend(error.to_le_bytes());
    put_locator(&mut packet, locator);
    put_counted(&mut packet, descriptor);
    packet
}

fn put_locator(packet: &mut Vec<u8>, locator: &[u8]) {
    packet.push(INNODB);
    put_counted(packet, locator);
}

fn put_counted(packet: &mut Vec<u8>, bytes: &[u8]) {
    // Locators and descriptors are far below 4 GiB: their parts are bounded when they are read.
    packet.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    packet.extend_from_slice(bytes);
}
