//! Splits a stream of SQL into statements as the stock client does: strings, quoted identifiers,
//! comments, executable comments and `DELIMITER` are understood, nothing else.
//!
//! A statement is handed out whole, or in parts once it is longer than [`PART_BYTES`], so that a
//! row of any size passes through a bounded buffer.

use std::{
    io::{self, Read},
    ops::Range,
};

use memchr::{memchr, memchr_iter, memchr2, memmem};

/// Room for input; also the least that is read at once.
const READ_BYTES: usize = 256 * 1024;
/// A statement longer than this is handed out in parts of about this size.
pub(crate) const PART_BYTES: usize = 16 * 1024 * 1024;
/// Longest delimiter accepted.
const MAX_DELIMITER_BYTES: usize = 64;

/// Where a statement begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, from 1.
    pub(crate) line: u64,
    /// Byte offset from the start of the entry.
    pub(crate) offset: u64,
}

/// A statement, or a part of one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The bytes, without the delimiter, leading blanks and plain comments.
    pub(crate) bytes: &'a [u8],
    /// Where the statement begins.
    pub(crate) place: Place,
    /// It is the first piece of its statement.
    pub(crate) first: bool,
    /// It is the last piece of its statement.
    pub(crate) last: bool,
}

/// Input that is no sequence of statements.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SplitError {
    /// The input cannot be read.
    #[error("read the statements")]
    Read(#[source] io::Error),
    /// The input ends inside something that has no end.
    #[error("the input ends inside a {what} that begins in line {line}")]
    Unterminated {
        /// What was open.
        what: &'static str,
        /// Line of the statement's beginning.
        line: u64,
    },
    /// `DELIMITER` without a usable one.
    #[error("line {line}: DELIMITER needs one word of at most {MAX_DELIMITER_BYTES} bytes")]
    Delimiter {
        /// Its line.
        line: u64,
    },
}

/// What the scan is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: plain SQL.
    Plain,
    /// A string or quoted identifier that ends with this byte.
    Quoted(u8),
    /// A comment up to the end of the line.
    LineComment,
    /// `/* … */`.
    BlockComment,
}

/// Splits the bytes of one entry after the other; delimiter and SQL mode live on between entries.
#[derive(Debug)]
pub(crate) struct Splitter {
    buffer: Vec<u8>,
    /// First byte that was not handed out, next byte to look at, and end of the input read.
    start: usize,
    scan: usize,
    end: usize,
    state: State,
    /// Inside `/*! … */`, where delimiters do not count.
    executable: bool,
    delimiter: Vec<u8>,
    backslash_escapes: bool,
    /// Place of `start`.
    place: Place,
    /// Place of the statement whose parts are being handed out.
    parts_of: Option<Place>,
    at_end: bool,
    part_bytes: usize,
    /// What was handed out last; it stays in the buffer until more is read.
    handed: Range<usize>,
}

impl Splitter {
    /// Begins with the delimiter `;`.
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; READ_BYTES],
            start: 0,
            scan: 0,
            end: 0,
            state: State::Plain,
            executable: false,
            delimiter: vec![b';'],
            backslash_escapes: true,
            place: Place { line: 1, offset: 0 },
            parts_of: None,
            at_end: false,
            part_bytes: PART_BYTES,
            handed: 0..0,
        }
    }

    /// The bytes of the piece that was handed out last, once more.
    pub(crate) fn last_part(&self) -> &[u8] {
        self.buffer.get(self.handed.clone()).unwrap_or_default()
    }

    /// Says whether `\` escapes in strings, which a session's SQL mode decides.
    pub(crate) fn set_backslash_escapes(&mut self, escapes: bool) {
        self.backslash_escapes = escapes;
    }

    /// Goes on with another entry; lines and offsets count from its beginning.
    pub(crate) fn begin_entry(&mut self) {
        (self.start, self.scan, self.end) = (0, 0, 0);
        (self.state, self.executable, self.at_end) = (State::Plain, false, false);
        self.place = Place { line: 1, offset: 0 };
        self.parts_of = None;
    }

    /// The next statement or part of one, or nothing at the end of the entry.
    ///
    /// # Errors
    /// [`SplitError`]; the entry cannot be read on.
    pub(crate) fn next<R: Read>(&mut self, input: &mut R) -> Result<Option<Piece<'_>>, SplitError> {
        loop {
            if self.scan == self.start && self.parts_of.is_none() && !self.skip_lead(input)? {
                return Ok(None);
            }
            if let Some(length) = self.scan_to_delimiter() {
                let bytes = self.scan..self.scan + length;
                return Ok(Some(self.hand_out(bytes.start, bytes.end, true)));
            }
            if self.scan - self.start >= self.part_bytes {
                return Ok(Some(self.hand_out(self.scan, self.scan, false)));
            }
            if self.at_end {
                return self.rest();
            }
            self.fill(input)?;
        }
    }

    /// What is left at the end of the input: a statement that needs no delimiter.
    fn rest(&mut self) -> Result<Option<Piece<'_>>, SplitError> {
        let what = match self.state {
            State::Plain | State::LineComment if !self.executable => {
                self.scan = self.end;
                return Ok(Some(self.hand_out(self.end, self.end, true)));
            }
            State::Plain | State::LineComment | State::BlockComment => "comment",
            State::Quoted(b'`') => "quoted identifier",
            State::Quoted(_) => "string",
        };
        let line = self.parts_of.unwrap_or(self.place).line;
        Err(SplitError::Unterminated { what, line })
    }

    /// Hands out everything up to `to` and goes on behind `next`.
    fn hand_out(&mut self, to: usize, next: usize, last: bool) -> Piece<'_> {
        let from = self.start;
        let place = self.parts_of.unwrap_or(self.place);
        let first = self.parts_of.is_none();
        self.parts_of = if last { None } else { Some(place) };
        self.consume(next);
        self.handed = from..to;
        Piece { bytes: self.last_part(), place, first, last }
    }

    /// Moves `start` to `next`, counting lines.
    fn consume(&mut self, next: usize) {
        let passed = self.buffer.get(self.start..next).unwrap_or_default();
        self.place.line += memchr_iter(b'\n', passed).count() as u64;
        self.place.offset += passed.len() as u64;
        (self.start, self.scan) = (next, next);
    }

    /// Skips blanks, plain comments, stray delimiters and `DELIMITER` lines before a statement.
    /// False at the end of the input.
    fn skip_lead<R: Read>(&mut self, input: &mut R) -> Result<bool, SplitError> {
        loop {
            let rest = self.unread();
            let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if blank > 0 {
                self.consume(self.start + blank);
                continue;
            }
            // Enough to tell a comment, an executable comment and the word DELIMITER apart.
            if rest.len() < MAX_DELIMITER_BYTES && !self.at_end {
                self.fill(input)?;
                continue;
            }
            let Some(&lead) = rest.first() else {
                return Ok(false);
            };
            let skipped = if rest.starts_with(&self.delimiter) {
                self.consume(self.start + self.delimiter.len());
                true
            } else if lead == b'#' || is_dash_comment(rest) {
                self.skip_line(input)?;
                true
            } else if rest.starts_with(b"/*") && !is_executable(rest) {
                self.skip_comment(input)?
            } else if is_delimiter_command(rest) {
                self.take_delimiter(input)?;
                true
            } else {
                false
            };
            if !skipped {
                return Ok(true);
            }
        }
    }

    fn skip_line<R: Read>(&mut self, input: &mut R) -> Result<(), SplitError> {
        loop {
            if let Some(at) = memchr(b'\n', self.unread()) {
                self.consume(self.start + at + 1);
                return Ok(());
            }
            self.consume(self.end);
            if self.at_end {
                return Ok(());
            }
            self.fill(input)?;
        }
    }

    /// Skips `/* … */`; a comment without an end is left to the scan, which reports it.
    fn skip_comment<R: Read>(&mut self, input: &mut R) -> Result<bool, SplitError> {
        loop {
            let rest = self.unread();
            let inner = rest.get(2..).unwrap_or_default();
            if let Some(at) = memmem::find(inner, b"*/") {
                self.consume(self.start + at + 4);
                return Ok(true);
            }
            if self.at_end {
                return Ok(false);
            }
            self.fill(input)?;
        }
    }

    /// Obeys `DELIMITER word`.
    fn take_delimiter<R: Read>(&mut self, input: &mut R) -> Result<(), SplitError> {
        while memchr(b'\n', self.unread()).is_none() && !self.at_end {
            self.fill(input)?;
        }
        let line = self.unread().split(|byte| *byte == b'\n').next().unwrap_or_default();
        let consumed = line.len();
        let words = line.get("DELIMITER".len()..).unwrap_or_default();
        let word = words.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if word.is_empty() || word.len() > MAX_DELIMITER_BYTES || word.contains(&b'\\') {
            return Err(SplitError::Delimiter { line: self.place.line });
        }
        self.delimiter = word.to_vec();
        self.consume(self.start + consumed);
        Ok(())
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more, making room first.
    fn fill<R: Read>(&mut self, input: &mut R) -> Result<(), SplitError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scan -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ_BYTES {
            // Doubling up to the size of a part, so that long statements are not copied too often.
            let grown = (self.buffer.len() * 2).max(self.end + READ_BYTES);
            self.buffer.resize(grown, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match input.read(room) {
            Ok(0) => self.at_end = true,
            Ok(read) => self.end += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SplitError::Read(error)),
        }
        Ok(())
    }

    /// Looks on from `scan`; answers the delimiter's length when `scan` stands at one. Otherwise
    /// everything that can be told is scanned, and more input is needed.
    fn scan_to_delimiter(&mut self) -> Option<usize> {
        loop {
            let rest = self.buffer.get(self.scan..self.end).unwrap_or_default();
            match self.state {
                State::Plain => match self.scan_plain(rest) {
                    Plain::Delimiter(passed) => {
                        self.scan += passed;
                        return Some(self.delimiter.len());
                    }
                    Plain::Enter(passed, state) => {
                        self.scan += passed;
                        self.state = state;
                    }
                    Plain::Executable(passed, inside) => {
                        self.scan += passed;
                        self.executable = inside;
                    }
                    Plain::More(passed) => {
                        self.scan += passed;
                        return None;
                    }
                },
                State::Quoted(quote) => match self.scan_quoted(rest, quote) {
                    Ok(passed) => {
                        self.scan += passed;
                        self.state = State::Plain;
                    }
                    Err(passed) => {
                        self.scan += passed;
                        return None;
                    }
                },
                State::LineComment => {
                    let Some(at) = memchr(b'\n', rest) else {
                        self.scan = self.end;
                        return None;
                    };
                    self.scan += at + 1;
                    self.state = State::Plain;
                }
                State::BlockComment => {
                    let Some(at) = memmem::find(rest, b"*/") else {
                        // A `*` at the end may be the first half.
                        self.scan += rest.len() - usize::from(rest.ends_with(b"*"));
                        return None;
                    };
                    self.scan += at + 2;
                    self.state = State::Plain;
                }
            }
        }
    }

    /// Scans plain SQL up to something that changes the state.
    fn scan_plain(&self, rest: &[u8]) -> Plain {
        // What may be the first half of something waits for more input.
        let settled =
            if self.at_end { rest.len() } else { rest.len().saturating_sub(MAX_DELIMITER_BYTES) };
        let delimiter = self.delimiter.first().copied().unwrap_or(b';');
        let mut at = 0;
        while at < settled {
            let ahead = rest.get(at..).unwrap_or_default();
            let Some(&byte) = ahead.first() else { break };
            if byte == delimiter && !self.executable && ahead.starts_with(&self.delimiter) {
                return Plain::Delimiter(at);
            }
            match byte {
                b'\'' | b'"' | b'`' => return Plain::Enter(at + 1, State::Quoted(byte)),
                b'#' => return Plain::Enter(at + 1, State::LineComment),
                b'-' if is_dash_comment(ahead) => return Plain::Enter(at + 2, State::LineComment),
                b'/' if ahead.starts_with(b"/*") => {
                    return if is_executable(ahead) {
                        Plain::Executable(at + 3, true)
                    } else {
                        Plain::Enter(at + 2, State::BlockComment)
                    };
                }
                b'*' if self.executable && ahead.starts_with(b"*/") => {
                    return Plain::Executable(at + 2, false);
                }
                _ => at += 1,
            }
        }
        Plain::More(at)
    }

    /// Scans to behind the closing quote; `Err` with what was passed when more input is needed.
    fn scan_quoted(&self, rest: &[u8], quote: u8) -> Result<usize, usize> {
        if quote == b'`' || !self.backslash_escapes {
            return memchr(quote, rest).map(|at| at + 1).ok_or(rest.len());
        }
        let mut at = 0;
        while let Some(found) = memchr2(quote, b'\\', rest.get(at..).unwrap_or_default()) {
            at += found;
            if rest.get(at) == Some(&quote) {
                return Ok(at + 1);
            }
            if rest.len() < at + 2 {
                return Err(at);
            }
            at += 2;
        }
        Err(rest.len())
    }
}

/// What plain SQL leads to, and how many bytes before that.
enum Plain {
    Delimiter(usize),
    Enter(usize, State),
    Executable(usize, bool),
    More(usize),
}

/// `-- `: two dashes count only with a blank or the end behind them.
fn is_dash_comment(rest: &[u8]) -> bool {
    rest.starts_with(b"--") && rest.get(2).is_none_or(|byte| *byte <= b' ')
}

/// `/*!` and MariaDB's `/*M!`: the server executes what is inside.
fn is_executable(rest: &[u8]) -> bool {
    rest.starts_with(b"/*!") || rest.starts_with(b"/*M!")
}

fn is_delimiter_command(rest: &[u8]) -> bool {
    const WORD: &[u8] = b"DELIMITER";
    rest.get(..WORD.len()).is_some_and(|word| word.eq_ignore_ascii_case(WORD))
        && rest.get(WORD.len()).is_some_and(|byte| matches!(byte, b' ' | b'\t'))
}

#[cfg(test)]
mod tests;
