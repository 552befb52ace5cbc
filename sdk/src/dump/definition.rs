//! Definitions as `SHOW CREATE` gives them, in a session of [`SESSION_SETTINGS`](super::SESSION_SETTINGS):
//! their texts come in the character set that they were made in.

use std::ops::Range;

use super::collation;
use crate::server::{
    Record, Session, SessionError,
    quote::{self, Escaping},
};

/// Session settings that are part of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// SQL mode; none for views.
    pub sql_mode: Option<String>,
    /// Character set of the definition's bytes.
    pub character_set_client: String,
    /// Collation of its literals.
    pub collation_connection: String,
    /// Collation of the schema at that time; empty where the server does not say.
    pub database_collation: String,
    /// Time zone; for events.
    pub time_zone: Option<String>,
}

/// A stored program.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Name.
    pub name: String,
    /// `CREATE …`, in the character set of its context.
    pub definition: Vec<u8>,
    /// Session settings it was made with.
    pub context: Context,
}

/// A trigger.
#[derive(Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Table that it belongs to.
    pub table: String,
    /// The program.
    pub program: Program,
}

/// The text that `SHOW CREATE` gives in one of its columns.
///
/// # Errors
/// What the server refuses.
pub fn definition(
    session: &mut Session,
    kind: &str,
    quoted: &str,
    column: usize,
) -> Result<Vec<u8>, SessionError> {
    let statement = format!("SHOW CREATE {kind} {quoted}");
    let answer = session.query(&statement)?;
    let text = answer.only()?.at(column).map(<[u8]>::to_vec);
    text.ok_or(SessionError::Answer { statement, what: "the definition".to_owned() })
}

/// A table's definition as it is to be written.
///
/// - A server that prints the collation of each column gets one that says it only where the column
///   has its own.
/// - `ARCHIVE` takes no key below its counter, so that the rows could not be inserted behind a
///   definition that states it. They bring the counter to where it was.
#[must_use]
pub fn table_definition(session: &Session, storage_engine: &str, printed: Vec<u8>) -> Vec<u8> {
    let own = match session.version().is_mariadb() {
        true => printed,
        false => collation::without_inherited(&printed),
    };
    match storage_engine.eq_ignore_ascii_case("ARCHIVE") {
        true => without_counter(&own),
        false => own,
    }
}

/// Where the table's options are, behind its last column or key, up to the first that holds an
/// author's own words.
pub(super) fn server_options(definition: &[u8]) -> Option<Range<usize>> {
    const OWN_WORDS: [&[u8]; 5] =
        [b" COMMENT='", b" CONNECTION='", b" DATA DIRECTORY='", b" INDEX DIRECTORY='", b" UNION=("];
    let start = memchr::memmem::rfind(definition, b"\n) ")?;
    let options = definition.get(start..)?;
    let ends = OWN_WORDS.iter().filter_map(|words| memchr::memmem::find(options, words));
    Some(start..start + ends.min().unwrap_or(options.len()))
}

/// A definition without its `AUTO_INCREMENT` value.
fn without_counter(definition: &[u8]) -> Vec<u8> {
    const OPTION: &[u8] = b" AUTO_INCREMENT=";
    let find = || {
        let options = server_options(definition)?;
        let start = options.start;
        Some(start + memchr::memmem::find(definition.get(options)?, OPTION)?)
    };
    let Some((head, rest)) = find().and_then(|at| definition.split_at_checked(at)) else {
        return definition.to_vec();
    };
    let digits = rest.iter().skip(OPTION.len()).take_while(|byte| byte.is_ascii_digit()).count();
    [head, rest.get(OPTION.len() + digits..).unwrap_or_default()].concat()
}

/// A program of the default schema as `SHOW CREATE` gives it: the text is in the column named after
/// its kind.
///
/// # Errors
/// What the server refuses, and [`SessionError::Answer`] where the account may not see the text.
pub fn program(session: &mut Session, kind: &str, name: &str) -> Result<Program, SessionError> {
    let statement = format!("SHOW CREATE {kind} {}", quote::identifier(name));
    let answer = session.query(&statement)?;
    let record = answer.only()?;
    let text_column = answer.columns().iter().find(|column| {
        *column == "SQL Original Statement" || column.to_ascii_uppercase().starts_with("CREATE ")
    });
    // NULL where the account may see that the routine is there, and not what is in it.
    let definition = text_column.and_then(|column| record.bytes(column));
    let definition = definition.ok_or_else(|| SessionError::Answer {
        statement,
        what: "the definition: the account may not see it".to_owned(),
    })?;
    Ok(Program {
        name: name.to_owned(),
        definition: definition.to_vec(),
        context: context(&record),
    })
}

/// Triggers of the tables that `is_wanted` names, in the order in which they fire; `schema` is the
/// default one.
///
/// # Errors
/// As [`program`].
pub fn triggers(
    session: &mut Session,
    schema: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Trigger>, SessionError> {
    let literal = quote::string(schema, Escaping::Backslash);
    let list = session.query(format!(
        "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS \
         WHERE TRIGGER_SCHEMA = {literal} \
         ORDER BY EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER"
    ))?;
    let mut triggers = Vec::new();
    for record in list.records() {
        let table = record.text("EVENT_OBJECT_TABLE")?;
        if is_wanted(table) {
            let program = program(session, "TRIGGER", record.text("TRIGGER_NAME")?)?;
            triggers.push(Trigger { table: table.to_owned(), program });
        }
    }
    Ok(triggers)
}

fn context(record: &Record<'_>) -> Context {
    let text = |column: &str| record.get(column).unwrap_or_default().to_owned();
    Context {
        sql_mode: record.get("sql_mode").map(str::to_owned),
        character_set_client: text("character_set_client"),
        collation_connection: text("collation_connection"),
        database_collation: text("Database Collation"),
        time_zone: record.get("time_zone").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
