//! HTTP/1.1 as far as a proxy and a sink for S3 speak it: heads, and how long a body is.
#[cfg(test)]
mod tests;

use std::io;
use std::time::SystemTime;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// The longest head that is read; S3's own servers allow 8 KiB of headers.
const LONGEST_HEAD_BYTES: u64 = 64 * 1024;

/// The first line and the headers of a request or an answer, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    start: String,
    headers: Vec<(String, String)>,
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// By its length.
    Length(u64),
    /// By chunks, the last of which is empty.
    Chunked,
    /// By the end of the connection.
    UntilEnd,
}

impl Head {
    /// A head with this first line.
    pub(super) fn new(start: impl Into<String>) -> Self {
        Self { start: start.into(), headers: Vec::new() }
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Parses a head without its closing empty line.
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let start = lines.next().filter(|line| line.contains(' '));
        let mut head = Self::new(start.ok_or_else(|| malformed("no first line"))?);
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(line))?;
            head.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(head)
    }

    /// A word of the first line, counted from 0.
    pub(super) fn word(&self, index: usize) -> &str {
        self.start.splitn(3, ' ').nth(index).unwrap_or_default()
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> Option<u16> {
        self.word(1).parse().ok()
    }

    /// The headers, as they were sent.
    pub(super) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The first header of this name, whatever its case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Removes every header of this name.
    pub(super) fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The head as it goes over the wire, with the closing empty line.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// How the body of a request is told to end. A request without a word on it has none.
    pub(super) fn request_framing(&self) -> io::Result<Framing> {
        Ok(self.framing()?.unwrap_or(Framing::Empty))
    }

    /// How the body of an answer to a request of `method` is told to end.
    pub(super) fn answer_framing(&self, method: &str) -> io::Result<Framing> {
        if method == "HEAD" || matches!(self.status(), Some(100..=199 | 204 | 304)) {
            return Ok(Framing::Empty);
        }
        Ok(self.framing()?.unwrap_or(Framing::UntilEnd))
    }

    fn framing(&self) -> io::Result<Option<Framing>> {
        if self.header("transfer-encoding").is_some_and(|value| !value.eq("identity")) {
            return Ok(Some(Framing::Chunked));
        }
        let Some(length) = self.header("content-length") else { return Ok(None) };
        let length = length.parse().map_err(|_| malformed("a content-length that is no number"))?;
        Ok(Some(if length == 0 { Framing::Empty } else { Framing::Length(length) }))
    }
}

/// Reads the next head; `None` if the connection ends before it.
pub(super) async fn read_head<R>(reader: &mut R) -> io::Result<Option<Head>>
where
    R: AsyncBufRead + Unpin,
{
    let mut bytes = Vec::new();
    let mut limited = reader.take(LONGEST_HEAD_BYTES);
    loop {
        let before = bytes.len();
        limited.read_until(b'\n', &mut bytes).await?;
        match bytes.get(before..).unwrap_or_default() {
            [] if bytes.is_empty() => return Ok(None),
            // Between two requests a client may send an empty line.
            b"\r\n" | b"\n" if before == 0 => bytes.clear(),
            b"\r\n" | b"\n" => return Head::parse(&bytes).map(Some),
            line if line.ends_with(b"\n") => {}
            _ => return Err(malformed("a head without an end")),
        }
    }
}

/// Decodes `%41` and, in a query, `+`.
pub(super) fn percent_decoded(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, after) = match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', tail),
            },
            (b'+', _) if plus_is_space => (b' ', tail),
            (other, _) => (*other, tail),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A time as it stands in headers; `None` in a year that HTTP cannot write.
pub(super) fn http_date(time: SystemTime) -> Option<String> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed HTTP: {what}"))
}
