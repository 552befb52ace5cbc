//! Figures with their bounds, as a table and as JSON.
use super::contest::{Round, Turn};
use super::usage::load_average;
use anyhow::{Context, Result};
use serde::{Serialize, Serializer};
use std::fmt;
use std::thread::available_parallelism;

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    name: String,
    /// On which data.
    data: String,
    /// Beside what.
    peer: String,
    bound: Bound,
    #[serde(flatten)]
    measured: Measured,
    /// Load of the machine when the measurement began and when it ended.
    load: [f64; 2],
}

/// What the median has to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// No more than this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// More than this.
    Above(f64),
    /// Nothing: it is there to be read.
    Informative,
}

/// What came out.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Measured {
    /// Ours as a ratio of the peer's, of clock and of processors.
    Ratio { wall: Spread, cpu: Spread, rounds: Vec<Round> },
    /// Values by themselves.
    Value { unit: &'static str, value: Spread, values: Vec<f64> },
}

/// Middle and ends of several measurements.
#[derive(Debug, Clone, Copy, Serialize)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let (middle, last) = (sorted.len() / 2, sorted.len().saturating_sub(1));
        let median = match sorted.len() % 2 {
            0 if middle > 0 => f64::midpoint(at(middle - 1), at(middle)),
            _ => at(middle),
        };
        Self { median, least: at(0), most: at(last) }
    }
}

/// A figure whose measurement has begun.
pub(crate) struct Begun {
    name: String,
    data: String,
    load: f64,
}

impl Figure {
    /// Notes the load of the machine and announces what is measured.
    ///
    /// # Errors
    /// `/proc` is not readable.
    pub(crate) fn begin(name: impl Into<String>, data: impl Into<String>) -> Result<Begun> {
        let (name, data, load) = (name.into(), data.into(), load_average()?);
        println!("-- {name}, {data} (load {load:.1})");
        Ok(Begun { name, data, load })
    }
}

impl Begun {
    /// Another figure of the same measurement.
    pub(crate) fn another(&self, name: impl Into<String>) -> Begun {
        Begun { name: name.into(), data: self.data.clone(), load: self.load }
    }

    /// Ends with ratios to a peer.
    ///
    /// # Errors
    /// `/proc` is not readable.
    pub(crate) fn ratio(self, peer: &str, bound: Bound, rounds: Vec<Round>) -> Result<Figure> {
        let ratios = |part: fn(&Round) -> f64| Spread::of(rounds.iter().map(part));
        let wall = ratios(|round| round.ours.usage.wall / round.peer.usage.wall);
        let cpu = ratios(|round| round.ours.usage.cpu / round.peer.usage.cpu);
        self.end(peer, bound, Measured::Ratio { wall, cpu, rounds })
    }

    /// Ends with the size of our output as a ratio of the peer's.
    ///
    /// # Errors
    /// A side made no file.
    pub(crate) fn size(self, peer: &str, bound: Bound, rounds: &[Round]) -> Result<Figure> {
        #[allow(clippy::cast_precision_loss, reason = "sizes that a double counts exactly")]
        let bytes = |turn: &Turn| turn.output_bytes.map(|bytes| bytes as f64);
        let ratio = |round: &Round| {
            let (ours, peer) = bytes(&round.ours).zip(bytes(&round.peer)).context("no output")?;
            Ok(ours / peer)
        };
        let ratios = rounds.iter().map(ratio).collect::<Result<_>>()?;
        self.value(peer, bound, "of it", ratios)
    }

    /// Ends with values by themselves.
    ///
    /// # Errors
    /// `/proc` is not readable.
    pub(crate) fn value(
        self,
        peer: &str,
        bound: Bound,
        unit: &'static str,
        values: Vec<f64>,
    ) -> Result<Figure> {
        let value = Spread::of(values.iter().copied());
        self.end(peer, bound, Measured::Value { unit, value, values })
    }

    fn end(self, peer: &str, bound: Bound, measured: Measured) -> Result<Figure> {
        let (name, data, peer) = (self.name, self.data, peer.to_owned());
        let load = [self.load, load_average()?];
        Ok(Figure { name, data, peer, bound, measured, load })
    }
}

impl Figure {
    /// Whether the median keeps the bound, if it has one.
    fn verdict(&self) -> &'static str {
        let median = match &self.measured {
            Measured::Ratio { wall, .. } => wall.median,
            Measured::Value { value, .. } => value.median,
        };
        let is_kept = match self.bound {
            Bound::AtMost(most) => median <= most,
            Bound::Below(limit) => median < limit,
            Bound::Above(limit) => median > limit,
            Bound::Informative => return "",
        };
        if is_kept { "kept" } else { "MISSED" }
    }

    fn cells(&self) -> [String; 8] {
        let spread = |spread: &Spread, unit: &str| {
            let digits = if spread.median.abs() < 10.0 { 3 } else { 1 };
            let Spread { median, least, most } = spread;
            format!("{median:.digits$} ({least:.digits$}-{most:.digits$}){unit}")
        };
        let (main, cpu) = match &self.measured {
            Measured::Ratio { wall, cpu, .. } => (spread(wall, ""), spread(cpu, "")),
            Measured::Value { unit, value, .. } => {
                (spread(value, &format!(" {unit}")), String::new())
            }
        };
        [
            self.name.clone(),
            self.data.clone(),
            self.peer.clone(),
            main,
            cpu,
            self.bound.to_string(),
            self.verdict().to_owned(),
            format!("{:.1}-{:.1}", self.load[0], self.load[1]),
        ]
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::Below(limit) => write!(f, "< {limit}"),
            Self::Above(limit) => write!(f, "> {limit}"),
            Self::Informative => write!(f, "-"),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    rounds: u32,
    scale: f64,
    cores: usize,
    figures: Vec<Figure>,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(rounds: u32, scale: f64) -> Self {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Self { rounds, scale, cores, figures: Vec::new() }
    }

    /// Adds figures.
    pub(crate) fn add(&mut self, figures: Vec<Figure>) {
        self.figures.extend(figures);
    }
}

const HEAD: [&str; 8] = ["figure", "data", "peer", "wall or value", "cpu", "bound", "", "load"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "== {} rounds at scale {} on {} cores: median (least-most)",
            self.rounds, self.scale, self.cores
        )?;
        let head = HEAD.map(str::to_owned);
        let rows: Vec<[String; 8]> =
            std::iter::once(head).chain(self.figures.iter().map(Figure::cells)).collect();
        let mut widths = [0; 8];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.len().max(*width);
            }
        }
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}
