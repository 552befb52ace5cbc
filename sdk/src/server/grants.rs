//! What the account may do, and the statement that would give it what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use crate::server::{Account, Session, SessionError, quote};

/// A privilege that an engine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Name as in `GRANT`, upper case, such as `REPLICATION CLIENT`.
    pub privilege: String,
    /// Schema that it is needed on; nothing for the whole server.
    pub schema: Option<String>,
}

impl Requirement {
    /// A privilege on the whole server.
    #[must_use]
    pub fn global(privilege: &str) -> Self {
        Self { privilege: privilege.to_ascii_uppercase(), schema: None }
    }

    /// A privilege on one schema.
    #[must_use]
    pub fn on_schema(privilege: &str, schema: &str) -> Self {
        Self { schema: Some(schema.to_owned()), ..Self::global(privilege) }
    }
}

/// A privilege that the account lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPrivilege {
    /// What is lacking.
    pub requirement: Requirement,
    /// The statement that an administrator runs to give it.
    pub statement: String,
}

/// Everything granted to an account, its active roles included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    account: Account,
    global: BTreeSet<String>,
    /// By schema pattern, in which `%` and `_` stand for other characters.
    schemas: BTreeMap<String, BTreeSet<String>>,
    /// By schema: MySQL's partial revokes.
    revoked: BTreeMap<String, BTreeSet<String>>,
}

impl Session {
    /// Asks for everything that this session may do.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub fn grants(&mut self) -> Result<Grants, SessionError> {
        let account = self.account()?;
        // Without FOR, both families include what the session's active roles give.
        let mut lines = lines_of(&self.query("SHOW GRANTS")?);
        if !self.version().is_mariadb() {
            lines.extend(self.role_grants()?);
        }
        Ok(Grants::parse(account, lines.iter().map(String::as_str)))
    }

    /// What the active roles of a MySQL 8 session give, where `SHOW GRANTS` only names the roles.
    fn role_grants(&mut self) -> Result<Vec<String>, SessionError> {
        let roles = match self.value("SELECT CURRENT_ROLE()") {
            Ok(roles) => roles.unwrap_or_default(),
            // `ER_SP_DOES_NOT_EXIST`: no roles before MySQL 8.
            Err(error) if error.server_code() == Some(1305) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        if roles.is_empty() || roles == "NONE" {
            return Ok(Vec::new());
        }
        // The server gives the roles quoted.
        Ok(lines_of(&self.query(format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"))?))
    }
}

fn lines_of(table: &crate::server::Table) -> Vec<String> {
    table
        .records()
        .filter_map(|record| record.at(0).map(|line| String::from_utf8_lossy(line).into_owned()))
        .collect()
}

impl Grants {
    /// Reads the lines of `SHOW GRANTS`. What is granted on single tables, columns or routines is
    /// left out: a backup needs more than that.
    pub fn parse<'a>(account: Account, lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self {
            account,
            global: BTreeSet::new(),
            schemas: BTreeMap::new(),
            revoked: BTreeMap::new(),
        };
        for line in lines {
            grants.add_line(line);
        }
        grants
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Names of the privileges on the whole server; `ALL PRIVILEGES` stands for itself.
    pub fn global(&self) -> impl Iterator<Item = &str> {
        self.global.iter().map(String::as_str)
    }

    /// Whether the account has what is required.
    #[must_use]
    pub fn allows(&self, requirement: &Requirement) -> bool {
        let privilege = canonical(&requirement.privilege);
        let has = |set: &BTreeSet<String>| includes(set, &privilege);
        let Some(schema) = &requirement.schema else {
            return has(&self.global) && !self.revoked.values().any(has);
        };
        let revoked = self.revoked.get(schema).is_some_and(has);
        let granted = self.most_specific(schema);
        (!granted.is_empty() && granted.into_iter().all(has)) || (has(&self.global) && !revoked)
    }

    /// What is granted on the patterns that fit a schema best. The server takes one of them alone, that
    /// with the most letters before its first wildcard; of those with as many, nobody here knows which.
    fn most_specific(&self, schema: &str) -> Vec<&BTreeSet<String>> {
        let fitting = self.schemas.iter().filter(|(pattern, _)| {
            *pattern == schema || like(pattern.as_bytes(), schema.as_bytes())
        });
        let fitting: Vec<_> =
            fitting.map(|(pattern, set)| (letters_before_wildcard(pattern), set)).collect();
        let most = fitting.iter().map(|(letters, _)| *letters).max();
        let best = fitting.into_iter().filter(|(letters, _)| Some(*letters) == most);
        best.map(|(_, set)| set).collect()
    }

    /// What of `requirements` the account lacks, each with the statement that gives it.
    pub fn missing<'r>(
        &self,
        requirements: impl IntoIterator<Item = &'r Requirement>,
    ) -> Vec<MissingPrivilege> {
        requirements
            .into_iter()
            .filter(|requirement| !self.allows(requirement))
            .map(|requirement| MissingPrivilege {
                requirement: requirement.clone(),
                statement: self.statement([requirement]),
            })
            .collect()
    }

    /// One `GRANT` for each schema, and one for the server, that gives all of `requirements`.
    pub fn statement<'r>(&self, requirements: impl IntoIterator<Item = &'r Requirement>) -> String {
        let mut by_scope: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
        for requirement in requirements {
            let privileges = by_scope.entry(requirement.schema.as_deref()).or_default();
            if !privileges.contains(&requirement.privilege.as_str()) {
                privileges.push(&requirement.privilege);
            }
        }
        let account = self.account.to_sql(quote::Escaping::Backslash);
        let statements: Vec<String> = by_scope
            .into_iter()
            .map(|(schema, privileges)| {
                let scope = schema.map_or_else(|| String::from("*"), quote::identifier);
                format!("GRANT {} ON {scope}.* TO {account};", privileges.join(", "))
            })
            .collect();
        statements.join(" ")
    }

    /// Takes over `GRANT a, b (c) ON scope TO …` or `REVOKE a ON scope FROM …`; other lines, such as
    /// those that grant roles, give no privilege by themselves.
    fn add_line(&mut self, line: &str) {
        let (revoke, rest) = match (line.strip_prefix("GRANT "), line.strip_prefix("REVOKE ")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return,
        };
        let Some((privileges, rest)) = rest.split_once(" ON ") else {
            return;
        };
        let privileges = names(privileges);
        let Some(scope) = Scope::parse(rest) else {
            return;
        };
        let set = match (scope, revoke) {
            (Scope::Server, false) => &mut self.global,
            (Scope::Schema(schema), false) => self.schemas.entry(schema).or_default(),
            (Scope::Schema(schema), true) => self.revoked.entry(schema).or_default(),
            (Scope::Server, true) => return,
        };
        set.extend(privileges);
    }
}

enum Scope {
    Server,
    Schema(String),
}

impl Scope {
    /// Reads `*.*`, or a schema in backticks before `.*`.
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with("*.*") {
            return Some(Self::Server);
        }
        let mut schema = String::new();
        let mut rest = text.strip_prefix('`')?;
        loop {
            let (part, after) = rest.split_once('`')?;
            schema.push_str(part);
            match after.strip_prefix('`') {
                Some(after) => {
                    schema.push('`');
                    rest = after;
                }
                None if after.starts_with(".*") => return Some(Self::Schema(schema)),
                None => return None,
            }
        }
    }
}

/// The privileges of a list that are granted whole, not on single columns.
fn names(list: &str) -> impl Iterator<Item = String> + '_ {
    let mut depth = 0_usize;
    list.split(move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|name| !name.contains('('))
    .map(canonical)
}

/// One name for what the two families call differently.
fn canonical(name: &str) -> String {
    match name.trim().to_ascii_uppercase().as_str() {
        "BINLOG MONITOR" => String::from("REPLICATION CLIENT"),
        "REPLICA MONITOR" => String::from("SLAVE MONITOR"),
        "ALL" => String::from("ALL PRIVILEGES"),
        other => other.to_owned(),
    }
}

/// Whether a set of privileges includes one, by name or by `ALL PRIVILEGES`.
fn includes(set: &BTreeSet<String>, privilege: &str) -> bool {
    set.contains(privilege) || set.contains("ALL PRIVILEGES")
}

/// Letters of a pattern that stand for themselves until its first wildcard; no end of them without one.
fn letters_before_wildcard(pattern: &str) -> usize {
    let mut letters = pattern.bytes();
    let mut count = 0;
    while let Some(letter) = letters.next() {
        match letter {
            b'%' | b'_' => return count,
            b'\\' => count += usize::from(letters.next().is_some()),
            _ => count += 1,
        }
    }
    usize::MAX
}

/// SQL's `LIKE`: `%` for any run, `_` for any one character, `\` before either for itself.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'%', rest)) => {
            (0..=text.len()).any(|skip| text.get(skip..).is_some_and(|text| like(rest, text)))
        }
        Some((b'\\', [escaped, rest @ ..])) => {
            text.split_first().is_some_and(|(first, text)| first == escaped && like(rest, text))
        }
        Some((b'_', rest)) => text.split_first().is_some_and(|(_, text)| like(rest, text)),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == byte && like(rest, text))
        }
    }
}

#[cfg(test)]
mod tests;
