//! MariaDB's GTID positions: the last transaction of each replication domain.
use super::PositionError;
use std::{collections::BTreeMap, fmt, str::FromStr};

const EXPECTED: &str = "MariaDB GTID position";

/// One transaction: who wrote it in its domain, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MariadbGtid {
    /// Server that wrote it first.
    pub server_id: u32,
    /// Number in the domain.
    pub sequence: u64,
}

/// Last transaction of each domain. Text form: `0-201-6,1-201-9`, by domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MariadbGtidPosition {
    domains: BTreeMap<u32, MariadbGtid>,
}

impl MariadbGtidPosition {
    /// True if no domain has a transaction.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    /// The domains in ascending order.
    pub fn domains(&self) -> impl Iterator<Item = (u32, MariadbGtid)> {
        self.domains.iter().map(|(domain, gtid)| (*domain, *gtid))
    }

    /// Sets the last transaction of a domain.
    pub fn set(&mut self, domain: u32, gtid: MariadbGtid) {
        self.domains.insert(domain, gtid);
    }

    /// True if `other` has come at least as far in every domain of `self`.
    pub fn is_reached_by(&self, other: &Self) -> bool {
        self.domains.iter().all(|(domain, gtid)| {
            other.domains.get(domain).is_some_and(|there| there.sequence >= gtid.sequence)
        })
    }
}

impl fmt::Display for MariadbGtidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (domain, gtid)) in self.domains.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{domain}-{}-{}", gtid.server_id, gtid.sequence)?;
        }
        Ok(())
    }
}

impl FromStr for MariadbGtidPosition {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut position = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (domain, gtid) =
                parse_gtid(part).ok_or_else(|| PositionError::new(text, EXPECTED))?;
            position.set(domain, gtid);
        }
        Ok(position)
    }
}

fn parse_gtid(part: &str) -> Option<(u32, MariadbGtid)> {
    let mut fields = part.split('-');
    let domain = fields.next()?.parse().ok()?;
    let server_id = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some((domain, MariadbGtid { server_id, sequence }))
}
