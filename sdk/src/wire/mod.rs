//! The raw client of the MySQL and MariaDB protocol: blocking, one socket, one thread at a time.
//!
//! Bulk rows need it because they are handed out as slices of the receive buffer, never copied and
//! never collected; the clone and binlog protocols need it because they speak their own packets
//! after the login. One story, in the order of the files:
//!
//! 1. `socket` opens TCP or a Unix socket with time-outs; a [`Canceller`] shuts it down from
//!    another thread.
//! 2. `handshake` reads the greeting and negotiates capabilities; `tls` wraps the socket with the
//!    meaning that the stock client gives to `--ssl-mode`; `auth` answers the login plugins.
//! 3. `packet` frames payloads of any size in both directions; `compress` packs them if the options
//!    say so.
//! 4. `connection` sends commands; `result` hands out rows.
//!
//! Nothing here panics on what a server sends, retries anything, or logs a secret. After any error
//! other than [`WireError::Server`] the connection is unusable and says so.

mod auth;
mod channel;
mod compress;
mod connection;
mod cursor;
mod error;
mod handshake;
mod login;
mod options;
mod packet;
mod result;
mod secret;
mod socket;
mod stream;
mod tls;
mod transport;

pub use compress::Compression;
pub use connection::{Connection, PayloadWriter};
pub use cursor::Cursor;
pub use error::{ServerError, SqlState, WireError};
pub use options::{Address, ConnectOptions, DEFAULT_PORT, Ssl, SslMode};
pub use packet::SequenceRule;
pub use result::{Column, ColumnFlags, ColumnType, Completion, QueryResult, Row};
pub use secret::Secret;
pub use socket::Canceller;
