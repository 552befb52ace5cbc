//! Typed reading of one mapping: every key that is asked for becomes known, and
//! [`Section::finish`] refuses the others.
use super::{
    error::{ConfigError, Problem},
    node::{Content, Node, Pair},
    units,
};
use crate::nearest::nearest;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

pub(super) struct Section<'a> {
    file: &'a Path,
    path: String,
    pairs: &'a [Pair],
    line: usize,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(file: &'a Path, node: &'a Node) -> Result<Self, ConfigError> {
        Self::of(file, String::new(), node)
    }

    /// A mapping somewhere in the file.
    fn of(file: &'a Path, path: String, node: &'a Node) -> Result<Self, ConfigError> {
        let pairs: &[Pair] = match &node.content {
            Content::Map(pairs) => pairs,
            _ if node.is_null() => &[],
            _ => {
                let path = if path.is_empty() { "the file".to_owned() } else { path };
                let kind = Problem::Kind { path, expected: "a mapping".into(), found: node.kind() };
                return Err(kind.at(file, node.line));
            }
        };
        Ok(Self { file, path, pairs, line: node.line, known: Vec::new() })
    }

    /// The mapping below `key`; an empty one if it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        let path = self.path_of(key);
        match self.get(key) {
            Some(node) => Self::of(self.file, path, node),
            None => {
                let known = Vec::new();
                Ok(Self { file: self.file, path, pairs: &[], line: self.line, known })
            }
        }
    }

    /// Every key with the mapping below it as JSON; what is inside is judged elsewhere.
    pub(super) fn objects(
        &self,
    ) -> Result<BTreeMap<String, serde_json::Map<String, serde_json::Value>>, ConfigError> {
        let object = |pair: &Pair| match pair.value.to_json() {
            serde_json::Value::Object(object) => Ok((pair.key.clone(), object)),
            serde_json::Value::Null => Ok((pair.key.clone(), serde_json::Map::new())),
            _ => Err(self.kind(&pair.key, "a mapping", &pair.value)),
        };
        self.pairs.iter().map(object).collect()
    }

    /// Text, of any form.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        match &node.content {
            Content::Scalar { text, .. } => Ok(Some(text.clone())),
            _ => Err(self.kind(key, "text", node)),
        }
    }

    /// Text that is not empty.
    pub(super) fn name(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()))
    }

    /// A path.
    pub(super) fn file_path(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        Ok(self.name(key)?.map(PathBuf::from))
    }

    /// A list of paths, or one path.
    pub(super) fn file_paths(&mut self, key: &'static str) -> Result<Vec<PathBuf>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let items = match &node.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let path = |item: &Node| match &item.content {
            Content::Scalar { text, .. } if !text.is_empty() => Ok(PathBuf::from(text)),
            _ => Err(self.kind(key, "a list of paths", item)),
        };
        items.iter().map(path).collect()
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        self.parsed(key, "true or false", |text| text.parse().ok())
    }

    /// A whole number between two bounds, both included.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, ConfigError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let parse = |text: &str| text.parse().ok().filter(|number| bounds.contains(number));
        self.parsed(key, &expected, parse)
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of {}", names.join(", "));
        let find = |text: &str| {
            words.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
        };
        self.parsed(key, &expected, find)
    }

    /// A duration.
    pub(super) fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, ConfigError> {
        self.unit(key, units::parse_duration)
    }

    /// A size in bytes.
    pub(super) fn size(&mut self, key: &'static str) -> Result<Option<u64>, ConfigError> {
        self.unit(key, units::parse_size)
    }

    /// A size in bytes between two bounds, both included.
    pub(super) fn size_within(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, ConfigError> {
        let size = self.size(key)?;
        match (size, self.get(key)) {
            (Some(bytes), Some(node)) if !bounds.contains(&bytes) => {
                let expected = format!("from {} to {} bytes", bounds.start(), bounds.end());
                Err(self.kind(key, &expected, node))
            }
            _ => Ok(size),
        }
    }

    /// A list of mappings, each read by `read`.
    pub(super) fn sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(Section<'a>) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let Content::List(items) = &node.content else {
            return Err(self.kind(key, "a list", node));
        };
        let path = self.path_of(key);
        let numbered = items.iter().enumerate();
        numbered
            .map(|(at, item)| read(Self::of(self.file, format!("{path}[{at}]"), item)?))
            .collect()
    }

    /// A key that has to be there.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, ConfigError> {
        value.ok_or_else(|| Problem::Missing(self.path_of(key)).at(self.file, self.line))
    }

    /// Refuses every key that was not asked for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.pairs.iter().find(|pair| !self.known.contains(&pair.key.as_str())) {
            None => Ok(()),
            Some(pair) => {
                let nearest = nearest(&pair.key, self.known.iter().copied());
                let nearest = nearest.map(|key| self.path_of(key));
                let unknown = Problem::UnknownKey { path: self.path_of(&pair.key), nearest };
                Err(unknown.at(self.file, pair.line))
            }
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let pair = self.pairs.iter().find(|pair| pair.key == key)?;
        (!pair.value.is_null()).then_some(&pair.value)
    }

    fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let value = match &node.content {
            Content::Scalar { text, .. } => parse(text),
            _ => None,
        };
        value.map(Some).ok_or_else(|| self.kind(key, expected, node))
    }

    fn unit<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, units::UnitError>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let Content::Scalar { text, .. } = &node.content else {
            return Err(self.kind(key, "a number and its unit", node));
        };
        parse(text).map(Some).map_err(|source| {
            Problem::Unit { path: self.path_of(key), source }.at(self.file, node.line)
        })
    }

    fn kind(&self, key: &str, expected: &str, node: &Node) -> ConfigError {
        let expected = expected.to_owned();
        Problem::Kind { path: self.path_of(key), expected, found: node.kind() }
            .at(self.file, node.line)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
