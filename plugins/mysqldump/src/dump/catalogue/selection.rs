//! Which schemas and tables are dumped, and what is said of those that are not.

use dbbackup_sdk::document::manifest::ExcludedRecord;

use crate::{error::EngineError, options::Options, pattern::Pattern};

/// Schemas that a server makes itself, in every flavour and version.
const SYSTEM_SCHEMAS: [&str; 5] =
    ["information_schema", "mysql", "ndbinfo", "performance_schema", "sys"];
/// How old servers show directories that are no schemas, such as `lost+found`.
const FOREIGN_DIRECTORY: &str = "#mysql50#";

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

    /// The schemas to dump out of all that there are; the rest goes to `excluded`.
    ///
    /// # Errors
    /// [`EngineError::NoSchema`]: a pattern fits none, which is more likely a mistake than a wish.
    pub(crate) fn schemas(
        &self,
        all: Vec<String>,
        excluded: &mut Vec<ExcludedRecord>,
    ) -> Result<Vec<String>, EngineError> {
        if let Some(pattern) = self
            .databases
            .iter()
            .find(|pattern| !all.iter().any(|name| pattern.matches_schema(name)))
        {
            return Err(EngineError::NoSchema { pattern: pattern.to_string() });
        }
        let mut chosen = Vec::new();
        for name in all {
            match self.refusal(&name) {
                Some(why) => excluded.push(ExcludedRecord { what: name, why: why.to_owned() }),
                None => chosen.push(name),
            }
        }
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
            Some("excluded by option")
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
