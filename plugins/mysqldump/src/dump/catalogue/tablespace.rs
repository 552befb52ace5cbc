//! General tablespaces of MySQL: tables may lie in one, and then need it before they can be made.

use std::collections::BTreeSet;

use dbbackup_sdk::server::{
    Session, SessionError,
    quote::{self, Escaping},
};

/// Tablespaces that every server has, and words that stand for none.
const BUILT_IN: [&str; 3] = ["innodb_file_per_table", "innodb_system", "innodb_temporary"];

/// Names of the general tablespaces in a table's definition: `` TABLESPACE `x` `` of the table,
/// `` TABLESPACE = `x` `` of a partition.
pub(super) fn named_in(definition: &[u8]) -> Vec<String> {
    const WORD: &[u8] = b" TABLESPACE ";
    let name_at = |at: usize| {
        let rest = definition.get(at + WORD.len()..)?;
        let rest = rest.strip_prefix(b"= ").unwrap_or(rest).strip_prefix(b"`")?;
        let end = memchr::memchr(b'`', rest)?;
        std::str::from_utf8(rest.get(..end)?).ok().map(str::to_owned)
    };
    memchr::memmem::find_iter(definition, WORD)
        .filter_map(name_at)
        .filter(|name| !BUILT_IN.contains(&name.as_str()))
        .collect()
}

/// The statements that make these tablespaces. A name that only a comment mentions is none.
///
/// # Errors
/// As [`Session::query`]; it takes `PROCESS`.
pub(super) fn definitions(
    meta: &mut Session,
    names: &BTreeSet<String>,
) -> Result<Vec<String>, SessionError> {
    let mut definitions = Vec::new();
    for name in names {
        let literal = quote::string(name, Escaping::Backslash);
        let table = meta.query(format!(
            "SELECT f.FILE_NAME, t.ZIP_PAGE_SIZE, t.ENCRYPTION FROM information_schema.FILES f \
             JOIN information_schema.INNODB_TABLESPACES t ON t.NAME = f.TABLESPACE_NAME \
             WHERE f.TABLESPACE_NAME = {literal} AND t.SPACE_TYPE = 'General'"
        ))?;
        let Some(record) = table.records().next() else { continue };
        let file = quote::string(record.text("FILE_NAME")?, Escaping::Backslash);
        let mut definition =
            format!("CREATE TABLESPACE {} ADD DATAFILE {file}", quote::identifier(name));
        let block = record.number("ZIP_PAGE_SIZE")?;
        if block > 0 {
            definition.push_str(&format!(" FILE_BLOCK_SIZE = {block}"));
        }
        if record.get("ENCRYPTION") == Some("Y") {
            definition.push_str(" ENCRYPTION = 'Y'");
        }
        definitions.push(format!("{definition} ENGINE = InnoDB"));
    }
    Ok(definitions)
}

#[cfg(test)]
mod tests;
