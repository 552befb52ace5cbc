//! YAML as a tree that knows its lines, with `${NAME}` expanded in values.
//!
//! Expansion happens after parsing, in scalars alone, so that a value can never become structure.
//! Anchors, aliases and tags are refused: a configuration needs none, and they allow small files
//! that expand without bound.
use super::error::{ConfigError, Problem};
use crate::env;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use std::path::Path;

/// A value and the line that it starts in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// A scalar and how it was written.
    Scalar { text: String, form: Form },
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order of the file.
    Map(Vec<Pair>),
}

/// How a scalar was written: decides what it may become, and whether a message may quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without quotes.
    Plain,
    /// In quotes or as a block.
    Quoted,
    /// With the value of a variable in it, which may be a secret.
    Expanded,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Node,
}

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 32;

/// Looks up an environment variable; the tests give their own.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of this process; one that is not UTF-8 counts as unset.
pub(super) fn environment(name: &str) -> Option<String> {
    env::named(name).ok().flatten()
}

/// Parses a file of one document.
///
/// # Errors
/// [`ConfigError::At`] with the line.
pub(super) fn parse(file: &Path, text: &str, lookup: Lookup<'_>) -> Result<Node, ConfigError> {
    let mut builder = Builder { file, lookup, parser: Parser::new_from_str(text) };
    builder.document()
}

struct Builder<'a> {
    file: &'a Path,
    lookup: Lookup<'a>,
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, ConfigError> {
        let mut document = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::Nothing => {}
                _ if document.is_some() => {
                    return Err(self.fail(&span, Problem::Unsupported("several documents")));
                }
                event => document = Some(self.node(event, span, 0)?),
            }
        }
        Ok(document.unwrap_or(Node { line: 1, content: Content::Map(Vec::new()) }))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, ConfigError> {
        let line = span.start.line();
        if depth > MAX_DEPTH {
            return Err(self.fail(&span, Problem::Unsupported("more than 32 levels")));
        }
        let content = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor != 0, "anchors", &span)?;
                self.refuse(tag.is_some(), "tags", &span)?;
                self.scalar(&text, style, &span)?
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor != 0, "anchors", &span)?;
                self.refuse(tag.is_some(), "tags", &span)?;
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor != 0, "anchors", &span)?;
                self.refuse(tag.is_some(), "tags", &span)?;
                self.map(depth)?
            }
            Event::Alias(_) => return Err(self.fail(&span, Problem::Unsupported("aliases"))),
            _ => return Err(self.fail(&span, Problem::Syntax("a value is missing".to_owned()))),
        };
        Ok(Node { line, content })
    }

    fn list(&mut self, depth: usize) -> Result<Content, ConfigError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Content::List(items));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, ConfigError> {
        let mut pairs: Vec<Pair> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Content::Map(pairs)),
                Event::Scalar(key, _, 0, None) => key.into_owned(),
                _ => return Err(self.fail(&span, Problem::Unsupported("keys that are no text"))),
            };
            let line = span.start.line();
            if pairs.iter().any(|pair| pair.key == key) {
                return Err(self.fail(&span, Problem::Duplicate(key)));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            pairs.push(Pair { key, line, value });
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, at: &Span) -> Result<Content, ConfigError> {
        let expanded = expand(text, self.lookup).map_err(|problem| self.fail(at, problem))?;
        let form = match style {
            _ if expanded != text => Form::Expanded,
            ScalarStyle::Plain => Form::Plain,
            _ => Form::Quoted,
        };
        Ok(Content::Scalar { text: expanded, form })
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ConfigError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let line = error.marker().line();
                Err(Problem::Syntax(error.info().to_owned()).at(self.file, line))
            }
            None => Err(Problem::Syntax("the document ends early".to_owned()).at(self.file, 1)),
        }
    }

    fn refuse(&self, found: bool, what: &'static str, at: &Span) -> Result<(), ConfigError> {
        if found { Err(self.fail(at, Problem::Unsupported(what))) } else { Ok(()) }
    }

    fn fail(&self, at: &Span, problem: Problem) -> ConfigError {
        problem.at(self.file, at.start.line())
    }
}

/// Replaces each `${NAME}` by the variable's value; `$${` stands for `${`.
fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, Problem> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        let reference = reference.strip_prefix("${").unwrap_or_default();
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = reference;
            continue;
        }
        expanded.push_str(before);
        let (name, after) = reference
            .split_once('}')
            .filter(|(name, _)| is_variable_name(name))
            .ok_or_else(|| Problem::Reference(format!("${{{reference}")))?;
        let value = lookup(name).ok_or_else(|| Problem::Unset(name.to_owned()))?;
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Node {
    /// What kind of value it is, for a message.
    pub(super) fn kind(&self) -> String {
        match &self.content {
            Content::Scalar { form: Form::Expanded, .. } => "the value of a variable".to_owned(),
            Content::Scalar { text, .. } => format!("{text:?}"),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a mapping".to_owned(),
        }
    }

    /// A key without a value: as good as absent.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, form: Form::Plain }
            if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The value as JSON: plain scalars by YAML's core schema, all others as text.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.content {
            Content::Scalar { text, form: Form::Plain } => plain_to_json(text),
            Content::Scalar { text, .. } => text.clone().into(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(pairs) => {
                pairs.iter().map(|pair| (pair.key.clone(), pair.value.to_json())).collect()
            }
        }
    }
}

fn plain_to_json(text: &str) -> serde_json::Value {
    match text {
        "" | "~" | "null" => serde_json::Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            let whole = text.parse::<i64>().map(serde_json::Value::from);
            whole.or_else(|_| text.parse::<f64>().map(Into::into)).unwrap_or_else(|_| text.into())
        }
        _ => text.into(),
    }
}
