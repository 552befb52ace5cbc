//! MySQL's GTID sets, with the tags of 8.3+. Grammar: the MySQL Reference Manual, "GTID Sets".
use super::PositionError;
use std::{collections::BTreeMap, fmt, str::FromStr};

const EXPECTED: &str = "MySQL GTID set";

/// Who numbered a transaction: a server's UUID and, since 8.3, an optional tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GtidSource {
    /// UUID in lower case with hyphens.
    pub uuid: String,
    /// Tag in lower case; empty for none.
    pub tag: String,
}

/// A set of transactions: for each source, disjoint intervals in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlGtidSet {
    /// Half-open intervals `[start, end)`, sorted, with gaps between them.
    sources: BTreeMap<GtidSource, Vec<(u64, u64)>>,
}

impl MysqlGtidSet {
    /// True if no transaction is in it.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Number of transactions.
    pub fn count(&self) -> u64 {
        self.sources.values().flatten().map(|(start, end)| end - start).sum()
    }

    /// The sources and their half-open intervals.
    pub fn intervals(&self) -> impl Iterator<Item = (&GtidSource, &[(u64, u64)])> {
        self.sources.iter().map(|(source, intervals)| (source, intervals.as_slice()))
    }

    /// Adds the transactions `start..end` of a source.
    pub fn insert(&mut self, source: GtidSource, start: u64, end: u64) {
        if start < end {
            let intervals = self.sources.entry(source).or_default();
            intervals.push((start, end));
            normalise(intervals);
        }
    }

    /// Everything that is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (source, intervals) in &other.sources {
            let own = sum.sources.entry(source.clone()).or_default();
            own.extend(intervals);
            normalise(own);
        }
        sum
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (source, intervals) in &self.sources {
            let taken = other.sources.get(source).map_or(&[][..], Vec::as_slice);
            let left: Vec<_> =
                intervals.iter().flat_map(|interval| cut(*interval, taken)).collect();
            if !left.is_empty() {
                rest.sources.insert(source.clone(), left);
            }
        }
        rest
    }

    /// True if everything in `self` is in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.subtract(other).is_empty()
    }
}

/// Sorts, and joins intervals that touch or overlap.
fn normalise(intervals: &mut Vec<(u64, u64)>) {
    intervals.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
    for &(start, end) in intervals.iter() {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    *intervals = joined;
}

/// What is left of one interval after the sorted intervals `taken` are taken out.
fn cut((mut start, end): (u64, u64), taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    for &(from, to) in taken {
        if to <= start || from >= end {
            continue;
        }
        if from > start {
            left.push((start, from));
        }
        start = start.max(to);
    }
    if start < end {
        left.push((start, end));
    }
    left
}

impl fmt::Display for MysqlGtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut uuid = "";
        for (source, intervals) in &self.sources {
            if source.uuid != uuid {
                let comma = if uuid.is_empty() { "" } else { "," };
                write!(f, "{comma}{}", source.uuid)?;
                uuid = &source.uuid;
            }
            if !source.tag.is_empty() {
                write!(f, ":{}", source.tag)?;
            }
            for (start, end) in intervals {
                match end - start {
                    1 => write!(f, ":{start}")?,
                    _ => write!(f, ":{start}-{}", end - 1)?,
                }
            }
        }
        Ok(())
    }
}

impl FromStr for MysqlGtidSet {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            parse_uuid_set(part, &mut set).ok_or_else(|| PositionError::new(text, EXPECTED))?;
        }
        Ok(set)
    }
}

/// `uuid[:tag]:interval[:interval]…[:tag:interval…]`
fn parse_uuid_set(part: &str, set: &mut MysqlGtidSet) -> Option<()> {
    let mut fields = part.split(':').map(str::trim);
    let uuid = fields.next().filter(|uuid| is_uuid(uuid))?.to_ascii_lowercase();
    let mut source = GtidSource { uuid, tag: String::new() };
    let mut intervals = 0_u32;
    for field in fields {
        if field.starts_with(|c: char| c.is_ascii_digit()) {
            let (start, end) = parse_interval(field)?;
            set.insert(source.clone(), start, end);
            intervals += 1;
        } else {
            source.tag = parse_tag(field)?;
        }
    }
    (intervals > 0).then_some(())
}

fn parse_interval(field: &str) -> Option<(u64, u64)> {
    let (start, last) = field.split_once('-').unwrap_or((field, field));
    let (start, last): (u64, u64) = (start.trim().parse().ok()?, last.trim().parse().ok()?);
    (start > 0 && start <= last).then_some((start, last.checked_add(1)?))
}

fn parse_tag(field: &str) -> Option<String> {
    let fits = (1..=32).contains(&field.len())
        && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then(|| field.to_ascii_lowercase())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
