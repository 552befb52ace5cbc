//! One connection through the proxy: a thread for each direction.
use super::gate::{self, Gate, Verdict};
use super::{Direction, Ending};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

/// Bytes read at once: small, so that orders take effect soon.
const BUFFER_BYTES: usize = 16 * 1024;

/// Moves bytes both ways until either side ends or an order ends the connection.
pub(super) fn start(client: TcpStream, server: TcpStream, gate: &Arc<Gate>) -> std::io::Result<()> {
    for stream in [&client, &server] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
    }
    let (client, server) = (Arc::new(client), Arc::new(server));
    for direction in [Direction::ToServer, Direction::ToClient] {
        let gate = Arc::clone(gate);
        let (client, server) = (Arc::clone(&client), Arc::clone(&server));
        let registered = match direction {
            Direction::ToServer => server.try_clone()?,
            Direction::ToClient => client.try_clone()?,
        };
        let id = gate.register(registered);
        std::thread::spawn(move || {
            let ending = match direction {
                Direction::ToServer => pump(&client, &server, &gate, direction),
                Direction::ToClient => pump(&server, &client, &gate, direction),
            };
            gate.forget(id);
            if let Some(ending) = ending {
                gate::end(&client, ending);
                gate::end(&server, ending);
            }
        });
    }
    Ok(())
}

/// Returns how the whole connection must end, or `None` after an orderly half-close.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    gate: &Gate,
    direction: Direction,
) -> Option<Ending> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => {
                drop(to.shutdown(Shutdown::Write));
                return None;
            }
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Some(Ending::Reset),
        };
        let mut rest = buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            match gate.ask(direction, rest.len()) {
                Verdict::End(ending) => return Some(ending),
                Verdict::Pass(count) => {
                    let (now, later) = rest.split_at(count.min(rest.len()));
                    if to.write_all(now).is_err() {
                        return Some(Ending::Reset);
                    }
                    rest = later;
                }
            }
        }
    }
}
