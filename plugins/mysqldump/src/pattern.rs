//! Patterns that choose schemas and tables: `shop`, `shop.*`, `shop/order_*`.

/// A pattern: a schema part and perhaps an object part, with `*` and `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    schema: String,
    object: Option<String>,
}

impl Pattern {
    /// Reads a pattern. The first `/`, or else the first `.`, parts schema and object.
    pub(crate) fn parse(text: &str) -> Self {
        let parts = text.split_once('/').or_else(|| text.split_once('.'));
        match parts {
            Some((schema, object)) if object != "*" && !object.is_empty() => {
                Self { schema: schema.to_owned(), object: Some(object.to_owned()) }
            }
            Some((schema, _)) => Self { schema: schema.to_owned(), object: None },
            None => Self { schema: text.to_owned(), object: None },
        }
    }

    /// Whether the schema as a whole is meant.
    pub(crate) fn is_whole_schema(&self) -> bool {
        self.object.is_none()
    }

    /// Whether the schema part is a name, without `*` and `?`.
    pub(crate) fn is_schema_name(&self) -> bool {
        !self.schema.contains(['*', '?'])
    }

    /// Whether the schema is meant, as a whole or in part.
    pub(crate) fn matches_schema(&self, schema: &str) -> bool {
        matches(&self.schema, schema)
    }

    /// Whether an object is meant, by itself or with its schema.
    pub(crate) fn matches_object(&self, schema: &str, object: &str) -> bool {
        self.matches_schema(schema)
            && self.object.as_ref().is_none_or(|pattern| matches(pattern, object))
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.object {
            Some(object) => write!(f, "{}.{object}", self.schema),
            None => f.write_str(&self.schema),
        }
    }
}

/// Whether `text` fits a pattern with `*` for any characters and `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut in_text) = (0, 0);
    // Where the last `*` was, and how far the text had come then: the place to go back to.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = text.get(in_text) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == character => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                in_text = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests;
