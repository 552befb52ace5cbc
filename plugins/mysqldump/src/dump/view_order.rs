//! The order in which views can be made: a view after those that it reads.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Schema, View};

/// All views with their schemas, each after the views that it names. Views that name each other
/// through functions come in any order; their placeholders let them be made.
pub(crate) fn ordered(schemas: &[Schema]) -> Vec<(&Schema, &View)> {
    let all: Vec<(&Schema, &View)> = schemas
        .iter()
        .flat_map(|schema| schema.views.iter().map(move |view| (schema, view)))
        .collect();
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (_, view)) in all.iter().enumerate() {
        by_name.entry(&view.name).or_default().push(at);
    }
    let mut walk = Walk { all: &all, by_name, seen: BTreeSet::new(), order: Vec::new() };
    for at in 0..all.len() {
        walk.visit(at);
    }
    walk.order.into_iter().filter_map(|at| all.get(at).copied()).collect()
}

struct Walk<'a> {
    all: &'a [(&'a Schema, &'a View)],
    by_name: BTreeMap<&'a str, Vec<usize>>,
    seen: BTreeSet<usize>,
    order: Vec<usize>,
}

impl Walk<'_> {
    /// Depth first without recursion: chains of views may be long.
    fn visit(&mut self, root: usize) {
        let mut stack = vec![(root, false)];
        while let Some((at, done)) = stack.pop() {
            if done {
                self.order.push(at);
            } else if self.seen.insert(at) {
                stack.push((at, true));
                let named = self.named_in(at);
                stack.extend(
                    named.into_iter().filter(|other| *other != at).map(|other| (other, false)),
                );
            }
        }
    }

    /// Views whose names stand in backticks in a definition. A column of the same name adds an edge
    /// that does no harm.
    fn named_in(&self, at: usize) -> Vec<usize> {
        let definition =
            self.all.get(at).map(|(_, view)| view.definition.as_slice()).unwrap_or_default();
        let parts = definition.split(|byte| *byte == b'`').skip(1).step_by(2);
        let names = parts.filter_map(|part| std::str::from_utf8(part).ok());
        names.filter_map(|name| self.by_name.get(name)).flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests;
