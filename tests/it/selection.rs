//! The selector: right, with its reason, on a table of environments, with the formula and the
//! engines of the product, and on the servers of the test bed as they are.
//!
//! Engines that look at volumes of their own (LVM, ZFS, Btrfs) cannot find on this machine what a
//! row invents: where a row says that such an engine fits, its answer is given for it; where a row
//! says that it does not, it is asked like all others. The same holds for engines that the product
//! does not have yet. The run prints which answers were given.
mod facts;
mod family;
mod real;
mod table;

use anyhow::{Result, ensure};
use dbbackup::{
    Connection, Registry, Runtime, Selector, SelectorConfig, StateDir, WorkerCommand,
    plugin::PluginSettings,
    selector::{Candidate, Ranking, Rules, Verdict, rank::shown},
    supervisor::{CancelFlag, Silent},
};
use dbbackup_plugin_api::document::{
    assessment::{Assessment, Consistency, Estimate},
    environment::Environment,
};
use dbbackup_testkit::Rig;
use std::collections::BTreeSet;
use table::{ROWS, Row};

/// Every engine that makes backups: id, family, and whether it looks at a volume.
const ENGINES: [(&str, &str, bool); 5] = [
    ("clone", "clone", false),
    ("lvm-snapshot", "snapshot", true),
    ("zfs-snapshot", "snapshot", true),
    ("btrfs-snapshot", "snapshot", true),
    ("mysqldump", "mysqldump", false),
];

/// Fewest rows of the table.
const LEAST_ROWS: usize = 40;

#[test]
#[allow(clippy::print_stdout, reason = "what was not asked must be seen")]
fn the_choice_is_right_on_a_table_of_environments() -> Result<()> {
    let rig = Rig::new()?;
    let registry = Registry::discover(&PluginSettings::only([rig.plugins_dir()]));
    let installed: BTreeSet<&str> =
        registry.engines().map(|found| found.engine.id.as_str()).collect();
    let missing: Vec<_> = ENGINES.iter().filter(|(id, _, _)| !installed.contains(id)).collect();
    println!("engines of this run: {installed:?}; answers are given for {missing:?}");
    ensure!(installed.contains("mysqldump"), "the product has no mysqldump");
    ensure!(ROWS.len() >= LEAST_ROWS, "only {} rows", ROWS.len());
    let names: BTreeSet<&str> = ROWS.iter().map(|row| row.name).collect();
    ensure!(names.len() == ROWS.len(), "two rows have one name");

    let worker = WorkerCommand::program(rig.binary());
    let runtime = Runtime { worker, ..Runtime::new(&registry, StateDir::new(rig.state_dir())) };
    let cancel = CancelFlag::new();
    let mut wrong = Vec::new();
    for row in ROWS {
        let environment = row.environment();
        let config = SelectorConfig {
            prefer_physical: row.prefer_physical,
            accept_degraded: row.accepted(),
            ..SelectorConfig::default()
        };
        let selector = Selector::new(&runtime, &Silent, &cancel, config);
        let asked = selector.rank("auto", &Connection::default(), &environment);
        let asked =
            asked.map_err(|failure| anyhow::anyhow!("{}: {}", row.name, failure.chain()))?;
        let problems = check(row, &environment, asked);
        wrong.extend(problems.into_iter().map(|problem| format!("{}: {problem}", row.name)));
    }
    ensure!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} environments", ROWS.len());
    Ok(())
}

/// What is wrong with the answers for a row.
fn check(row: &Row, environment: &Environment, asked: Ranking) -> Vec<String> {
    let mut problems = Vec::new();
    let mut candidates = Vec::new();
    for (id, family, looks) in ENGINES {
        let found = asked.candidates.iter().find(|candidate| candidate.engine == id);
        let fits = row.order.contains(&id);
        match found {
            Some(found) if !(looks && fits) => candidates.push(found.clone()),
            _ => candidates.push(given(id, family, fits)),
        }
        if let (Some(found), false) = (found, fits) {
            problems.extend(wrong_refusal(row, found));
        }
    }
    let rules = Rules {
        prefer_physical: row.prefer_physical,
        accepted: row.accepted(),
        ..Rules::default()
    };
    let ranking = Ranking::of(candidates.clone(), environment, &rules);
    candidates.reverse();
    let other = Ranking::of(candidates, environment, &rules);
    let order = |ranking: &Ranking| -> Vec<String> {
        let eligible = ranking.candidates.iter().filter(|c| c.verdict == Verdict::Eligible);
        eligible.map(|candidate| candidate.engine.clone()).collect()
    };
    if order(&ranking) != row.order {
        problems.push(format!("the order is {:?}, not {:?}", order(&ranking), row.order));
    }
    if order(&ranking) != order(&other) {
        problems.push("the order depends on the order of the engines".to_owned());
    }
    let reason = ranking.reason("auto", environment);
    if !reason.contains(row.reason) || reason.is_empty() != row.order.is_empty() {
        problems.push(format!("the reason is {reason:?}, without {:?}", row.reason));
    }
    problems.extend(wrong_cloud(&ranking, environment));
    problems
}

/// Each engine that is out says why, and what would bring it in where the table knows it.
fn wrong_refusal(row: &Row, found: &Candidate) -> Option<String> {
    let remedies = found.assessment.iter().flat_map(|answer| &answer.blockers);
    let remedies: Vec<String> =
        remedies.filter_map(|blocker| blocker.remedy.as_ref()).map(shown).collect();
    let said = format!("{}; {}", found.obstacle(), remedies.join(" "));
    if found.obstacle().is_empty() {
        return Some(format!("{} says nothing of what stands in its way", found.engine));
    }
    let word = row.out.iter().find(|(engine, _)| *engine == found.engine).map(|(_, word)| *word);
    let word = word.filter(|word| !said.contains(word))?;
    Some(format!("{} says {said:?}, without {word:?}", found.engine))
}

/// A cloud destination counts for every engine that may be chosen.
fn wrong_cloud(ranking: &Ranking, environment: &Environment) -> Option<String> {
    let counts = |candidate: &&Candidate| {
        let mut facts = candidate.account.iter().map(|entry| entry.fact.as_str());
        facts.any(|fact| fact.starts_with("cloud destination")) == environment.destination.cloud
    };
    let eligible = ranking.candidates.iter().filter(|c| c.verdict == Verdict::Eligible);
    let wrong = eligible.clone().find(|candidate| !counts(candidate))?;
    Some(format!("the destination does not count for {}", wrong.engine))
}

/// The agreed answer of an engine that cannot be asked here.
fn given(engine: &str, family: &str, applicable: bool) -> Candidate {
    let reason = match engine {
        "clone" => "MySQL 8.0.17+ with clone plugin active",
        "lvm-snapshot" => "LVM snapshot of vg_mysql/lv_data",
        "zfs-snapshot" => "ZFS snapshot of tank/mysql",
        "btrfs-snapshot" => "Btrfs snapshot of /var/lib/mysql",
        _ => "",
    };
    let assessment = Assessment {
        applicable,
        reason: reason.to_owned(),
        consistency: Consistency::Physical,
        estimate: Estimate { extra_disk_bytes: Some(0), ..Estimate::default() },
        ..Assessment::default()
    };
    Candidate {
        engine: engine.to_owned(),
        family: family.to_owned(),
        plugin: engine.to_owned(),
        first_party: true,
        verdict: if applicable { Verdict::Eligible } else { Verdict::NotApplicable },
        assessment: Some(assessment),
        points: 0,
        account: Vec::new(),
    }
}
