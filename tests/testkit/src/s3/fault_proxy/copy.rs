//! Moves bodies, and does to their bytes what a fault asks for.
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const BUFFER_BYTES: usize = 64 * 1024;
/// How often a slowed body moves.
const TICKS_PER_SECOND: u64 = 20;

/// What happens to the bytes of a body on their way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Treatment {
    /// The byte whose lowest bit is flipped, counted from 0.
    pub(super) flip_at: Option<u64>,
    pub(super) bytes_per_second: Option<u64>,
}

/// What has been moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copied {
    pub(super) bytes: u64,
    /// The last bytes, the newest at the end.
    tail: [u8; LAST_CHUNK.len()],
}

const LAST_CHUNK: &[u8; 5] = b"0\r\n\r\n";

impl Copied {
    /// Whether a body in chunks has come to its end, and not only its connection.
    pub(super) fn ends_with_last_chunk(&self) -> bool {
        &self.tail == LAST_CHUNK
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += length(bytes);
        for byte in bytes.iter().rev().take(self.tail.len()).rev() {
            self.tail.rotate_left(1);
            if let Some(last) = self.tail.last_mut() {
                *last = *byte;
            }
        }
    }
}

/// Which side broke.
#[derive(Debug)]
pub(super) enum CopyError {
    Source(io::Error),
    Destination(io::Error),
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Source(error) | CopyError::Destination(error) => error,
        }
    }
}

/// Moves `limit` bytes, or fewer if the source ends before. `note` hears of bytes before they are
/// written.
pub(super) async fn copy<R, W>(
    source: &mut R,
    destination: &mut W,
    limit: u64,
    treatment: Treatment,
    mut note: impl FnMut(u64),
) -> Result<Copied, CopyError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut copied = Copied { bytes: 0, tail: [0; LAST_CHUNK.len()] };
    let mut buffer = vec![0; treatment.step_bytes()];
    while copied.bytes < limit {
        let wanted = usize::try_from(limit - copied.bytes).unwrap_or(usize::MAX);
        let room = buffer.len().min(wanted);
        let room = buffer.get_mut(..room).unwrap_or_default();
        let read = source.read(room).await.map_err(CopyError::Source)?;
        let bytes = room.get_mut(..read).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        treatment.apply(copied.bytes, bytes).await;
        note(length(bytes));
        copied.add(bytes);
        destination.write_all(bytes).await.map_err(CopyError::Destination)?;
    }
    Ok(copied)
}

impl Treatment {
    fn step_bytes(&self) -> usize {
        let step = self.bytes_per_second.map(|rate| (rate / TICKS_PER_SECOND).max(1));
        step.and_then(|step| usize::try_from(step).ok()).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES)
    }

    /// Treats the bytes that follow the first `before` ones of their body.
    async fn apply(&self, before: u64, bytes: &mut [u8]) {
        let place = self.flip_at.and_then(|at| at.checked_sub(before));
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
            *byte ^= 1;
        }
        if let Some(rate) = self.bytes_per_second {
            let micros = length(bytes).saturating_mul(1_000_000).checked_div(rate).unwrap_or(0);
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
