//! Which schemas and tables are dumped, and what is said of those that are not.

use dbbackup_sdk::document::manifest::ExcludedRecord;

use crate::{error::EngineError, options::Options, pattern::Pattern};

/// Schemas that a server makes itself, in every flavour and version.
const SYSTEM_SCHEMAS: [&str; 5] =
    ["information_schema", "mysql", "ndbinfo", "performance_schema", "sys"];
/// How old servers show directories that are no schemas, such as `lost+found`.
const FOREIGN_DIRECTORY: &str = "#mysql50#";
/// Why something is left out that the operator has excluded.
const EXCLUDED_BY_OPTION: &str = "excluded by option";

/// The choice that the options make.
#[derive(Debug)]
pub(crate) struct Selection {
    databases: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Selection {
    /// The choice of `options`.
    pub(crate) fn new(options: &Options) -> Self {
        Self { databases: options.database_patterns(), exclude: options.exclude_patterns() }
    }

    /// Whether `databases` gives each schema by its name: then no other matters, seen or unseen.
    pub(crate) fn names_every_schema(&self) -> bool {
        !self.databases.is_empty() && self.databases.iter().all(Pattern::is_schema_name)
    }

    /// The schemas to dump out of all that there are; the rest goes to `excluded`.
    ///
    /// # Errors
    /// [`EngineError::NoSchema`] and [`EngineError::SchemaLeftOut`]: nothing of what a pattern fits is
    /// dumped, which is more likely a mistake than a wish.
    pub(crate) fn schemas(
        &self,
        all: Vec<String>,
        excluded: &mut Vec<ExcludedRecord>,
    ) -> Result<Vec<String>, EngineError> {
        let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
        for name in all {
            match self.refusal(&name) {
                Some(why) => left_out.push(ExcludedRecord { what: name, why: why.to_owned() }),
                None => chosen.push(name),
            }
        }
        let in_vain = |pattern: &&Pattern| !chosen.iter().any(|name| pattern.matches_schema(name));
        if let Some(pattern) = self.databases.iter().find(in_vain) {
            return Err(vain(pattern, left_out));
        }
        excluded.extend(left_out);
        Ok(chosen)
    }

    /// Why a schema is left out, if it is.
    fn refusal(&self, schema: &str) -> Option<&'static str> {
        let is_system = SYSTEM_SCHEMAS.iter().any(|name| name.eq_ignore_ascii_case(schema));
        let whole =
            |pattern: &&Pattern| pattern.is_whole_schema() && pattern.matches_schema(schema);
        if is_system {
            Some("system schema: the server makes it itself; accounts and grants are in `mysql`")
        } else if schema.starts_with(FOREIGN_DIRECTORY) {
            Some("directory in the data directory that is no schema")
        } else if self.exclude.iter().find(whole).is_some() {
            Some(EXCLUDED_BY_OPTION)
        } else if !self.databases.is_empty()
            && !self.databases.iter().any(|pattern| pattern.matches_schema(schema))
        {
            Some("not chosen by option")
        } else {
            None
        }
    }

    /// Whether a table or view is excluded by itself.
    pub(crate) fn excludes(&self, schema: &str, object: &str) -> bool {
        self.exclude
            .iter()
            .any(|pattern| !pattern.is_whole_schema() && pattern.matches_object(schema, object))
    }
}

/// Why a pattern gives nothing: it fits no schema, or none that is dumped. What the operator has
/// excluded says more than what is never dumped.
fn vain(pattern: &Pattern, left_out: Vec<ExcludedRecord>) -> EngineError {
    let fitting = left_out.into_iter().filter(|record| pattern.matches_schema(&record.what));
    let pattern = pattern.to_string();
    match fitting.min_by_key(|record| record.why != EXCLUDED_BY_OPTION) {
        Some(ExcludedRecord { what: schema, why }) => {
            EngineError::SchemaLeftOut { pattern, schema, why }
        }
        None => EngineError::NoSchema { pattern },
    }
}

#[cfg(test)]
mod tests;
