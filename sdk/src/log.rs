//! `tracing` events of a plugin go to the host's log. Every cdylib has its own `tracing` statics,
//! so without this forwarder they would vanish.
use crate::host::Host;
use serde_json::{Map, Value};
use std::{
    fmt::{self, Write as _},
    sync::atomic::{AtomicU64, Ordering},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Installs the forwarder and a panic hook that logs through it. Later calls change nothing.
pub(crate) fn install(host: &Host) {
    let forwarder = Forwarder { host: host.clone(), next_span: AtomicU64::new(1) };
    if tracing::subscriber::set_global_default(forwarder).is_ok() {
        let host = host.clone();
        std::panic::set_hook(Box::new(move |panic| {
            host.log(1, "panic", &panic.to_string(), "{}");
        }));
    }
}

/// Number of a level at the boundary: 1 error … 5 trace.
fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Spans are numbered and otherwise left to the host, which wraps a whole run in its own.
struct Forwarder {
    host: Host,
    next_span: AtomicU64,
}

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.host.log_enabled(number(metadata.level()), metadata.target())
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.next_span.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line::default();
        event.record(&mut line);
        let fields = Value::Object(line.fields).to_string();
        self.host.log(number(metadata.level()), metadata.target(), &line.message, &fields);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Message and fields of one event.
#[derive(Default)]
struct Line {
    message: String,
    fields: Map<String, Value>,
}

impl Line {
    fn insert(&mut self, field: &Field, value: Value) {
        self.fields.insert(field.name().to_owned(), value);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            write!(self.message, "{value:?}").ok();
        } else {
            self.insert(field, Value::String(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.insert(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }
}
