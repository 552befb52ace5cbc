//! Which statements are run, and under which names: `--only` and `--map`.

use std::{collections::BTreeMap, ops::Range};

use dbbackup_sdk::{document::restore::RestoreRequest, server::quote};

use super::{
    edit,
    head::{self, Action, Head, Kind, Name},
};
use crate::pattern::Pattern;

/// What becomes of a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is left out.
    Skip,
    /// It is run, with these edits.
    Run(Run),
}

/// How a statement is run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// Replacements in the statement, in ascending order.
    pub(super) edits: Vec<(Range<usize>, String)>,
    /// What it is about, under the names on the target.
    pub(super) object: Option<Affected>,
    /// Its schema is wanted as a whole.
    pub(super) whole_schema: bool,
    /// What it makes may be there already.
    pub(super) may_exist: bool,
    /// It adds rows to a table.
    pub(super) writes_rows: bool,
    /// It names a schema that has another name now in code of the user's own.
    pub(super) names_old_schema: Option<String>,
}

/// A schema, or an object in it, that a statement makes, changes or removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Affected {
    /// Schema on the target.
    pub(super) schema: String,
    /// Object; none for the schema as a whole.
    pub(super) object: Option<String>,
}

/// The choice, and the schema that unqualified names are in.
#[derive(Debug)]
pub(super) struct Choice {
    only: Vec<Pattern>,
    map: BTreeMap<String, String>,
    current: String,
}

impl Choice {
    /// The choice of a request.
    pub(super) fn new(request: &RestoreRequest) -> Self {
        Self {
            only: request.only.iter().map(|text| Pattern::parse(text)).collect(),
            map: request.map.iter().map(|one| (one.old.clone(), one.new.clone())).collect(),
            current: String::new(),
        }
    }

    /// The schema for a dump that names none (`--map =shop`).
    pub(super) fn default_schema(&self) -> Option<&str> {
        self.map.get("").map(String::as_str)
    }

    /// Name of a schema on the target.
    pub(super) fn target_schema<'a>(&'a self, schema: &'a str) -> &'a str {
        self.map.get(schema).map_or(schema, String::as_str)
    }

    /// Whether anything in a schema is wanted.
    pub(super) fn wants_schema(&self, schema: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| pattern.matches_schema(schema))
    }

    /// Whether a schema is wanted as a whole.
    pub(super) fn wants_whole_schema(&self, schema: &str) -> bool {
        let whole = |pattern: &Pattern| pattern.is_whole_schema() && pattern.matches_schema(schema);
        self.only.is_empty() || self.only.iter().any(whole)
    }

    /// Whether an object is wanted.
    pub(super) fn wants(&self, schema: &str, object: &str) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|pattern| pattern.matches_object(schema, object))
    }

    /// Decides about a statement; `statement` is all of it, or its first part.
    pub(super) fn decide(&mut self, head: Head, statement: &[u8]) -> Decision {
        match head {
            Head::Other => Decision::Run(Run::default()),
            // Part of a dump goes where it can without making files elsewhere.
            Head::Tablespace if !self.only.is_empty() => Decision::Skip,
            Head::Tablespace => Decision::Run(Run { may_exist: true, ..Run::default() }),
            // A transaction of ours releases such locks at once.
            Head::Unlock => Decision::Skip,
            Head::Use(name) => {
                self.current.clone_from(&name.text);
                if !self.wants_schema(&name.text) {
                    return Decision::Skip;
                }
                Decision::Run(Run { edits: self.renamed(&name), ..Run::default() })
            }
            Head::Schema(_, name) => {
                if !self.wants_schema(&name.text) {
                    return Decision::Skip;
                }
                let schema = self.target_schema(&name.text).to_owned();
                let object = Some(Affected { schema, object: None });
                let whole_schema = self.wants_whole_schema(&name.text);
                Decision::Run(Run {
                    edits: self.renamed(&name),
                    object,
                    whole_schema,
                    ..Run::default()
                })
            }
            Head::Object(Kind::Table, Action::Write, ..) if is_lock(statement) => Decision::Skip,
            Head::Object(kind, action, schema, name) => {
                self.object(kind, action, schema, &name, statement)
            }
        }
    }

    fn object(
        &self,
        kind: Kind,
        action: Action,
        qualifier: Option<Name>,
        name: &Name,
        statement: &[u8],
    ) -> Decision {
        let schema = qualifier.as_ref().map_or(self.current.as_str(), |name| name.text.as_str());
        // A trigger that is dropped is not known to belong to a wanted table; it is gone with the
        // table anyway.
        let wanted = if kind == Kind::Trigger && action == Action::Drop {
            self.wants_whole_schema(schema)
        } else {
            self.wants(schema, &name.text)
        };
        if !wanted {
            return Decision::Skip;
        }
        let mut edits = qualifier.as_ref().map(|name| self.renamed(name)).unwrap_or_default();
        let mut names_old_schema = None;
        if action == Action::Create && !self.map.is_empty() {
            match kind {
                // Definitions that the server wrote itself: every name is in backticks.
                Kind::Table | Kind::View => edits = edit::qualifiers(statement, &self.map),
                Kind::Trigger | Kind::Program => {
                    if kind == Kind::Trigger {
                        let named = head::schemas_of_trigger(statement);
                        edits = named.iter().flat_map(|name| self.renamed(name)).collect();
                    }
                    let body = statement.get(edits.last().map_or(0, |edit| edit.0.end)..);
                    let mentions = |old: &&String| edit::mentions(body.unwrap_or_default(), old);
                    names_old_schema = self.map.keys().find(mentions).cloned();
                }
            }
        }
        Decision::Run(Run {
            edits,
            object: Some(Affected {
                schema: self.target_schema(schema).to_owned(),
                object: Some(name.text.clone()),
            }),
            whole_schema: self.wants_whole_schema(schema),
            may_exist: false,
            writes_rows: kind == Kind::Table && action == Action::Write,
            names_old_schema,
        })
    }

    fn renamed(&self, name: &Name) -> Vec<(Range<usize>, String)> {
        let new = self.map.get(&name.text).map(|new| quote::identifier(new));
        new.map(|new| (name.range.clone(), new)).into_iter().collect()
    }
}

fn is_lock(statement: &[u8]) -> bool {
    statement.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"LOCK"))
}

#[cfg(test)]
mod tests;
