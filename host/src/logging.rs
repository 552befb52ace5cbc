//! The log: on standard error, as lines for people or, with `--progress json`, as one JSON document
//! a line. It never carries a result.
use crate::{
    cli::{GlobalArgs, ProgressMode},
    env,
};
use indicatif::MultiProgress;
use serde_json::{Map, Value, json};
use std::{
    fmt,
    io::{self, IsTerminal, Write},
};
use tracing::{Event, Level, Subscriber, field::Visit, span};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::LevelFilter,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Starts the log of this process. A second call changes nothing.
pub(crate) fn start(global: &GlobalArgs, bars: &MultiProgress) {
    let registry = tracing_subscriber::registry().with(filter(global));
    let started = if global.progress == ProgressMode::Json {
        registry.with(JsonLines).try_init()
    } else {
        let color = env::wants_color() && io::stderr().is_terminal();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(AboveBars(bars.clone()))
            .with_ansi(color)
            .with_target(false);
        registry.with(lines).try_init()
    };
    // An embedding program may have its own subscriber: then that one stays.
    drop(started);
}

/// The log level of the flags, as the worker is told it.
pub(crate) fn level(global: &GlobalArgs) -> Level {
    match (global.quiet, global.verbose, global.log_level.as_deref()) {
        (_, _, Some("error")) | (true, _, None) => Level::ERROR,
        (_, _, Some("warn")) => Level::WARN,
        (_, _, Some("debug")) | (_, 1, None) => Level::DEBUG,
        (_, _, Some("trace")) | (_, 2.., None) => Level::TRACE,
        _ => Level::INFO,
    }
}

/// Flag over environment over default: our own steps, and warnings of others.
fn filter(global: &GlobalArgs) -> EnvFilter {
    let explicit = global.log_level.is_some() || global.quiet || global.verbose > 0;
    let text = match (&global.log_level, env::log_filter()) {
        (Some(level), _) => level.clone(),
        (None, Some(filter)) if !explicit => filter,
        _ => level(global).to_string().to_lowercase(),
    };
    let is_level = text.parse::<LevelFilter>().is_ok();
    let text = if is_level { format!("warn,dbbackup={text},engine={text}") } else { text };
    let text = if global.quiet { "error".to_owned() } else { text };
    EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(text)
}

/// Writes log lines above the progress bars instead of through them.
#[derive(Clone)]
struct AboveBars(MultiProgress);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Each event as a JSON document of one line, in the form of the progress events.
struct JsonLines;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, of: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        of.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.clone());
            }
        }
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let line = json!({
            "event": "log",
            "time": jiff::Timestamp::now().to_string(),
            "level": event.metadata().level().as_str().to_lowercase(),
            "message": message,
            "fields": fields.0,
        });
        write_line(&line);
    }
}

/// Writes one NDJSON line to standard error.
pub(crate) fn write_line(line: &Value) {
    // Nobody is left to be told if standard error is gone.
    drop(writeln!(io::stderr().lock(), "{line}"));
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
