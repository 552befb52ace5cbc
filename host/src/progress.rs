//! Progress of a run: a bar with rate and remaining time on a terminal, NDJSON on request, and the
//! log lines of plugins put into our log.
use crate::{
    cli::{GlobalArgs, ProgressMode},
    config::units::format_size,
    logging,
    supervisor::{
        Observer, RunEvent,
        event::{LogEvent, LogLevel, ProgressEvent},
    },
};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use std::{
    cell::Cell,
    io::{self, IsTerminal},
    time::Duration,
};

/// Time between two turns of the bar's spinner.
const TICK: Duration = Duration::from_millis(120);

/// A target that takes nothing for so long is told.
const WORTH_A_WARNING: Duration = Duration::from_secs(5);

/// Shows the events of a run.
pub(crate) struct ProgressView {
    form: Form,
    /// The stall of the target that was told last.
    warned: Cell<Duration>,
}

enum Form {
    Bar(ProgressBar),
    Json,
    Log,
}

impl ProgressView {
    /// A view as the flags say; nothing is shown before the first event.
    pub(crate) fn new(global: &GlobalArgs, bars: &MultiProgress) -> Self {
        let form = match global.progress {
            ProgressMode::Json => Form::Json,
            ProgressMode::Bar => Form::bar(bars),
            ProgressMode::Auto if io::stderr().is_terminal() && !global.quiet => Form::bar(bars),
            ProgressMode::Auto | ProgressMode::None => Form::Log,
        };
        Self { form, warned: Cell::new(Duration::ZERO) }
    }

    /// Every disk takes a moment for a large sync; a stall that goes on is told from time to time.
    fn target_stalled(&self, since: Duration) {
        let next = if since < self.warned.get() { Duration::ZERO } else { self.warned.get() };
        if since >= next.saturating_mul(2).max(WORTH_A_WARNING) {
            self.warned.set(since);
            tracing::warn!("the target has taken no bytes for {} s", since.as_secs());
        } else {
            self.warned.set(next);
        }
    }

    fn advance(&self, bar: &ProgressBar, progress: &ProgressEvent) {
        bar.set_message(progress.phase.clone());
        if progress.total > 0 {
            bar.set_style(style(&progress.unit, true));
            bar.set_length(progress.total);
        } else {
            bar.set_style(style(&progress.unit, false));
        }
        bar.set_position(progress.done);
    }
}

impl Form {
    fn bar(bars: &MultiProgress) -> Self {
        let bar = ProgressBar::no_length().with_style(style("bytes", false));
        bars.set_draw_target(ProgressDrawTarget::stderr());
        let bar = bars.add(bar);
        bar.enable_steady_tick(TICK);
        Self::Bar(bar)
    }
}

impl Drop for ProgressView {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

impl Observer for ProgressView {
    fn event(&self, event: &RunEvent) {
        match (&self.form, event) {
            (Form::Json, RunEvent::Log(log)) => write_log(log),
            (Form::Json, event) => write_event(event),
            (_, RunEvent::Log(log)) => write_log(log),
            (_, RunEvent::Step { what }) => tracing::info!("{what}"),
            // Every disk takes a moment for a large sync.
            (_, RunEvent::TargetStalled { since }) => self.target_stalled(*since),
            (Form::Bar(bar), RunEvent::Progress(progress)) => self.advance(bar, progress),
            (Form::Bar(bar), RunEvent::Flow(flow)) => {
                bar.set_prefix(format!(
                    "{} -> {}",
                    format_size(flow.bytes_in),
                    format_size(flow.bytes_out)
                ));
            }
            (Form::Log, RunEvent::Progress(_) | RunEvent::Flow(_)) => {}
        }
    }
}

fn style(unit: &str, bounded: bool) -> ProgressStyle {
    let counts = match (unit, bounded) {
        ("bytes", true) => "{bar:24} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}",
        ("bytes", false) => "{bytes} {bytes_per_sec}",
        (_, true) => "{bar:24} {pos}/{len} {per_sec} eta {eta}",
        (_, false) => "{pos} {per_sec}",
    };
    let template = format!("{{spinner}} {{msg}} {counts} {{prefix}}");
    // The templates are constants above; a wrong one would show the default bar.
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn write_event(event: &RunEvent) {
    if let Ok(Value::Object(mut line)) = serde_json::to_value(event) {
        line.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
        logging::write_line(&Value::Object(line));
    }
}

/// Puts a plugin's log event into our log, under its own name.
fn write_log(log: &LogEvent) {
    let fields = match log.fields.is_empty() {
        true => String::new(),
        false => {
            let fields: Vec<String> =
                log.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            fields.concat()
        }
    };
    let (source, message) = (log.target.as_str(), log.message.as_str());
    match log.level {
        LogLevel::Error => tracing::error!(target: "engine", "{source}: {message}{fields}"),
        LogLevel::Warn => tracing::warn!(target: "engine", "{source}: {message}{fields}"),
        LogLevel::Info => tracing::info!(target: "engine", "{source}: {message}{fields}"),
        LogLevel::Debug => tracing::debug!(target: "engine", "{source}: {message}{fields}"),
        LogLevel::Trace => tracing::trace!(target: "engine", "{source}: {message}{fields}"),
    }
}
