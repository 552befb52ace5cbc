//! The stream that packets are written to: the transport, or compression over it.

use std::io::{self, Read, Write};

use crate::wire::{
    Compression,
    compress::{Deflater, Inflater},
    transport::{LastWords, Transport},
};

/// A stream in both directions.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) transport: Transport,
    packing: Option<Box<Packing>>,
}

/// Both directions of a compressed stream.
#[derive(Debug)]
struct Packing {
    inflater: Inflater,
    deflater: Deflater,
    /// Number of the next compressed packet, of either side. Those of the server are not checked:
    /// they start anew at moments that only its own dialogue knows.
    number: u8,
}

impl Stream {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, packing: None }
    }

    /// From now on everything is compressed.
    pub(crate) fn start_compression(&mut self, compression: Compression) -> io::Result<()> {
        let inflater = Inflater::new(compression)?;
        let deflater = Deflater::new(compression)?;
        self.packing = Some(Box::new(Packing { inflater, deflater, number: 0 }));
        Ok(())
    }

    /// A new command begins.
    pub(crate) fn restart(&mut self) {
        if let Some(packing) = &mut self.packing {
            packing.number = 0;
        }
    }

    /// Reads what the server sent before it closed.
    pub(crate) fn last_words(&mut self) -> impl Read {
        StreamLastWords(self)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.packing {
            None => self.transport.read(buffer),
            Some(packing) => packing.read(&mut self.transport, buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packing {
            None => self.transport.write(bytes),
            Some(packing) => {
                packing.deflater.write(&mut self.transport, bytes, &mut packing.number)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.packing {
            None => self.transport.flush(),
            Some(packing) => packing.deflater.flush(&mut self.transport, &mut packing.number),
        }
    }
}

impl Packing {
    fn read(&mut self, from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        let mut received = self.number.wrapping_sub(1);
        let outcome = self.inflater.read(from, buffer, &mut received);
        self.number = received.wrapping_add(1);
        outcome
    }
}

struct StreamLastWords<'s>(&'s mut Stream);

impl Read for StreamLastWords<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut transport = LastWords(&mut self.0.transport);
        match &mut self.0.packing {
            None => transport.read(buffer),
            Some(packing) => packing.read(&mut transport, buffer),
        }
    }
}
