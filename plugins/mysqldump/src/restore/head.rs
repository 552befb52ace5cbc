//! Reads the head of a statement: which schema and object it is about. That is all that selecting
//! and renaming need; the rest of a statement is never parsed.

use std::ops::Range;

/// How much of a statement is looked at.
const HEAD_BYTES: usize = 4096;

/// What a statement does, as far as its head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// `USE`: the schema that unqualified names are in from now on.
    Use(Name),
    /// `CREATE`, `ALTER` or `DROP DATABASE`.
    Schema(Action, Name),
    /// A statement about an object, perhaps qualified with its schema.
    Object(Kind, Action, Option<Name>, Name),
    /// `CREATE TABLESPACE`.
    Tablespace,
    /// `UNLOCK TABLES`.
    Unlock,
    /// Anything else: session settings above all.
    Other,
}

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Alter,
    /// It is removed.
    Drop,
    /// Rows are written, or the table is locked for that.
    Write,
}

/// What kind of object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A table or a sequence.
    Table,
    /// A view.
    View,
    /// A trigger; the name is that of its table where the statement says it.
    Trigger,
    /// A procedure, function, package, library or event.
    Program,
}

/// A name in a statement: its meaning and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The name without quotes.
    pub(crate) text: String,
    /// Bytes of the statement, quotes included.
    pub(crate) range: Range<usize>,
}

/// Reads the head of a statement.
pub(crate) fn parse(statement: &[u8]) -> Head {
    let statement = statement.get(..HEAD_BYTES).unwrap_or(statement);
    Words { statement, at: 0 }.head().unwrap_or(Head::Other)
}

/// Schemas that the head of a `CREATE TRIGGER` names: its own and its table's, as the user wrote them.
pub(crate) fn schemas_of_trigger(statement: &[u8]) -> Vec<Name> {
    let mut words = Words { statement: statement.get(..HEAD_BYTES).unwrap_or(statement), at: 0 };
    let mut schemas = Vec::new();
    let mut last: Option<Name> = None;
    while let Some(token) = words.token() {
        match token {
            Token::Word(word, _) if word.eq_ignore_ascii_case(b"FOR") => break,
            Token::Word(word, range) => {
                last = Some(Name { text: String::from_utf8_lossy(word).into_owned(), range });
            }
            Token::Quoted(name) => last = Some(name),
            Token::Sign(b'.') => schemas.extend(last.take()),
            Token::Sign(_) => last = None,
        }
    }
    schemas
}

/// The tokens of a statement. Plain comments are blanks, and so are the marks of executable ones.
struct Words<'a> {
    statement: &'a [u8],
    at: usize,
}

/// A token.
enum Token<'a> {
    /// A bare word.
    Word(&'a [u8], Range<usize>),
    /// A name in backticks or double quotes.
    Quoted(Name),
    /// Any other byte.
    Sign(u8),
}

impl<'a> Words<'a> {
    fn head(&mut self) -> Option<Head> {
        match self.word()?.as_str() {
            "USE" => Some(Head::Use(self.name()?)),
            "CREATE" => self.created(),
            "ALTER" => self.object(Action::Alter),
            "DROP" => self.object(Action::Drop),
            "TRUNCATE" | "ANALYZE" | "OPTIMIZE" => self.object(Action::Write),
            "INSERT" | "REPLACE" => self.written(),
            "DO" | "SELECT" => self.set_value(),
            "LOCK" => {
                self.word().filter(|word| word.starts_with("TABLE"))?;
                self.qualified(Kind::Table, Action::Write)
            }
            "UNLOCK" => Some(Head::Unlock),
            _ => None,
        }
    }

    /// Skips what stands between `CREATE` and the kind of object.
    fn created(&mut self) -> Option<Head> {
        loop {
            let before = self.at;
            match self.token()? {
                Token::Word(word, _) if is_kind(word) => {
                    self.at = before;
                    return self.object(Action::Create);
                }
                // `DEFINER=`user`@`host``, `OR REPLACE`, `ALGORITHM=MERGE`, `SQL SECURITY INVOKER`…
                Token::Word(..) | Token::Quoted(_) | Token::Sign(b'=' | b'@' | b'\'') => {}
                Token::Sign(_) => return None,
            }
        }
    }

    /// From the kind of object on.
    fn object(&mut self, action: Action) -> Option<Head> {
        let kind = match self.word()?.as_str() {
            "DATABASE" | "SCHEMA" => {
                self.skip_condition();
                return Some(Head::Schema(action, self.name()?));
            }
            "TABLESPACE" => return Some(Head::Tablespace),
            "TABLE" | "SEQUENCE" => Kind::Table,
            "VIEW" => Kind::View,
            "TRIGGER" => return self.trigger(action),
            "PACKAGE" => {
                self.skip_words(&["BODY"]);
                Kind::Program
            }
            "PROCEDURE" | "FUNCTION" | "EVENT" | "LIBRARY" => Kind::Program,
            _ => return None,
        };
        self.skip_condition();
        self.qualified(kind, action)
    }

    /// A trigger belongs to its table: `… TRIGGER name BEFORE INSERT ON table`.
    fn trigger(&mut self, action: Action) -> Option<Head> {
        self.skip_condition();
        let own = self.qualified(Kind::Trigger, action)?;
        if action != Action::Create {
            return Some(own);
        }
        loop {
            match self.token()? {
                Token::Word(word, _) if word.eq_ignore_ascii_case(b"ON") => {
                    return self.qualified(Kind::Trigger, action);
                }
                Token::Word(..) => {}
                _ => return Some(own),
            }
        }
    }

    fn written(&mut self) -> Option<Head> {
        self.skip_words(&["IGNORE", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY"]);
        self.skip_words(&["INTO"]);
        self.qualified(Kind::Table, Action::Write)
    }

    /// `DO SETVAL(sequence, …)`, and `SELECT SETVAL(…)` of MariaDB's own dumps.
    fn set_value(&mut self) -> Option<Head> {
        self.word().filter(|word| word == "SETVAL")?;
        match self.token()? {
            Token::Sign(b'(') => self.qualified(Kind::Table, Action::Write),
            _ => None,
        }
    }

    fn skip_condition(&mut self) {
        self.skip_words(&["IF", "NOT", "EXISTS"]);
    }

    /// Skips these words in this order, each if it is there.
    fn skip_words(&mut self, words: &[&str]) {
        for word in words {
            let before = self.at;
            if self.word().is_none_or(|found| found != *word) {
                self.at = before;
            }
        }
    }

    fn qualified(&mut self, kind: Kind, action: Action) -> Option<Head> {
        let first = self.name()?;
        let before = self.at;
        if matches!(self.token(), Some(Token::Sign(b'.'))) {
            let second = self.name()?;
            return Some(Head::Object(kind, action, Some(first), second));
        }
        self.at = before;
        Some(Head::Object(kind, action, None, first))
    }

    fn name(&mut self) -> Option<Name> {
        match self.token()? {
            Token::Quoted(name) => Some(name),
            Token::Word(word, range) => {
                Some(Name { text: String::from_utf8_lossy(word).into_owned(), range })
            }
            Token::Sign(_) => None,
        }
    }

    /// The next token, if it is a bare word, in upper case.
    fn word(&mut self) -> Option<String> {
        match self.token()? {
            Token::Word(word, _) => Some(String::from_utf8_lossy(word).to_ascii_uppercase()),
            _ => None,
        }
    }

    fn token(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let rest = self.statement.get(self.at..)?;
        let first = *rest.first()?;
        if first == b'`' || first == b'"' {
            return self.quoted(first);
        }
        let length = rest.iter().take_while(|byte| is_word_byte(**byte)).count();
        if length == 0 {
            self.at += 1;
            return Some(Token::Sign(first));
        }
        let range = self.at..self.at + length;
        self.at = range.end;
        Some(Token::Word(self.statement.get(range.clone())?, range))
    }

    fn quoted(&mut self, quote: u8) -> Option<Token<'a>> {
        let from = self.at;
        let mut text = Vec::new();
        let mut at = from + 1;
        loop {
            let byte = *self.statement.get(at)?;
            at += 1;
            if byte == quote {
                if self.statement.get(at) != Some(&quote) {
                    break;
                }
                at += 1;
            }
            text.push(byte);
        }
        self.at = at;
        let text = String::from_utf8_lossy(&text).into_owned();
        Some(Token::Quoted(Name { text, range: from..at }))
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.statement.get(self.at..).unwrap_or_default();
            let skip = if rest.first().is_some_and(u8::is_ascii_whitespace) {
                1
            } else if rest.starts_with(b"/*!") || rest.starts_with(b"/*M!") {
                let mark = if rest.starts_with(b"/*M!") { 4 } else { 3 };
                let digits = rest.iter().skip(mark).take_while(|byte| byte.is_ascii_digit());
                mark + digits.count()
            } else if rest.starts_with(b"/*") {
                memchr::memmem::find(rest, b"*/").map_or(rest.len(), |at| at + 2)
            } else if rest.starts_with(b"*/") {
                2
            } else if rest.starts_with(b"-- ") || rest.starts_with(b"#") {
                memchr::memchr(b'\n', rest).unwrap_or(rest.len())
            } else {
                return;
            };
            self.at += skip;
        }
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn is_kind(word: &[u8]) -> bool {
    const KINDS: [&str; 13] = [
        "DATABASE",
        "SCHEMA",
        "TABLE",
        "SEQUENCE",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "PACKAGE",
        "LIBRARY",
        "TEMPORARY",
        "TABLESPACE",
    ];
    KINDS.iter().any(|kind| word.eq_ignore_ascii_case(kind.as_bytes()))
}

#[cfg(test)]
mod tests;
