//! Checks of the contract that need no data: loading, assessing, bad input, panics.
use super::{Verdict, child::Order, load, open_registry, services::CheckServices};
use crate::plugin::PluginError;
use dbbackup_plugin_api::{
    PANIC_PROBE_ENGINE,
    abi_stable::std_types::{RResult, RStr},
    document::{Doc, Document, assessment::ASSESS_LIMIT, plugin::EngineConfig},
    engine::EngineBox,
    error::{AbiResult, ErrorCode},
    role::BackupRole_Ref,
};
use serde_json::json;
use std::time::Instant;

/// The loader checks note, layouts and roles; what is left is a role that nobody plays.
pub(super) fn loads(order: &Order) -> Result<Verdict, String> {
    let services = CheckServices::new(order.secrets.clone())?;
    let engine = load(order, &services).map_err(|error| text(&error))?;
    let unknown = engine.engine().role(RStr::from_str("org.example.unknown/1"));
    if unknown.is_some() {
        return Err("plays a role that nobody knows, org.example.unknown/1".to_owned());
    }
    Ok(Verdict::Passed)
}

pub(super) fn assesses(order: &Order) -> Result<Verdict, String> {
    let services = CheckServices::new(order.secrets.clone())?;
    let engine = load(order, &services).map_err(|error| text(&error))?;
    let started = Instant::now();
    let assessment = engine.assess(&order.environment).map_err(|error| text(&error))?;
    let took = started.elapsed();
    if took > ASSESS_LIMIT {
        return Err(format!("took {:.1} s", took.as_secs_f64()));
    }
    if services.records() > 0 {
        return Err("wrote to the journal: an assessment has no side effects".to_owned());
    }
    if !assessment.applicable && assessment.blockers.is_empty() {
        return Err("is not applicable and names no blocker".to_owned());
    }
    Ok(Verdict::Passed)
}

pub(super) fn tolerates_unknown_fields(order: &Order) -> Result<Verdict, String> {
    let services = CheckServices::new(order.secrets.clone())?;
    let engine = load(order, &services).map_err(|error| text(&error))?;
    let mut environment = order.environment.clone();
    environment.extra.insert("of_a_later_version".to_owned(), json!({"deep": [1, null]}));
    environment.connection.extra.insert("of_a_later_version".to_owned(), json!(true));
    engine.assess(&environment).map_err(|error| text(&error))?;
    Ok(Verdict::Passed)
}

pub(super) fn refuses_bad_input(order: &Order) -> Result<Verdict, String> {
    let services = CheckServices::new(order.secrets.clone())?;
    let engine = load(order, &services).map_err(|error| text(&error))?;
    let wrong = Doc { schema: "org.example.other/9".into(), json: "{".into() };
    let answer = engine.engine().assess(wrong.clone(), services.host());
    refused("assess with another document", answer)?;
    let unknown = create(order, &services, "no-such-engine", json!({}))?;
    refused("an engine that the plugin does not have", unknown)?;
    let text_for_object = create(order, &services, &order.engine, json!("text"))?;
    refused("options that are a text", text_for_object)?;
    if let Ok(role) = engine.role::<BackupRole_Ref>() {
        let archive = super::archive::CheckArchive::new(&services);
        let answer = role.run()(engine.engine(), wrong, archive.sink(), services.host());
        refused("backup with another document", answer)?;
    }
    Ok(Verdict::Passed)
}

/// The sdk makes every plugin panic when it is asked for this engine; its guard has to catch it.
pub(super) fn turns_panic_into_error(order: &Order) -> Result<Verdict, String> {
    let services = CheckServices::new(order.secrets.clone())?;
    match create(order, &services, PANIC_PROBE_ENGINE, json!({}))? {
        RResult::RErr(error) if error.code == ErrorCode::PANIC => Ok(Verdict::Passed),
        RResult::RErr(_) => Ok(Verdict::NotRun {
            why: "the plugin has no panic probe, as the sdk makes one".to_owned(),
        }),
        RResult::ROk(_) => Err(format!("made an engine '{PANIC_PROBE_ENGINE}'")),
    }
}

fn create(
    order: &Order,
    services: &CheckServices,
    engine: &str,
    options: serde_json::Value,
) -> Result<AbiResult<EngineBox>, String> {
    let mut registry = open_registry();
    registry.register(&order.file).map_err(|error| text(&error))?;
    let config = EngineConfig { options, ..EngineConfig::default() };
    let config =
        Doc::encode(&config).map_err(|error| format!("write {}: {error}", EngineConfig::SCHEMA))?;
    let answer = registry.create_unchecked(&order.engine, engine, config, services.host());
    answer.map_err(|error| text(&error))
}

fn refused<T>(what: &str, answer: AbiResult<T>) -> Result<(), String> {
    match answer {
        RResult::ROk(_) => Err(format!("{what} is taken as good")),
        RResult::RErr(error) if error.code == ErrorCode::PANIC => Err(format!("{what}: {error}")),
        RResult::RErr(_) => Ok(()),
    }
}

/// A plugin's error on one line.
pub(super) fn text(error: &PluginError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let whole = match error {
        PluginError::Refused(refusal) => format!("{}: {refusal}", refusal.plugin_code()),
        _ => causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")),
    };
    whole.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}
