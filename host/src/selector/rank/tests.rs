//! The formula on a table of environments, and its determinism.
use super::*;
use crate::{exit::Classified, selector::SelectError};
use dbbackup_plugin_api::document::{
    assessment::Estimate,
    environment::{Destination, PathFacts},
};

const GB: u64 = 1 << 30;

fn environment(flavor: ServerFlavor, version: [u16; 3], data_bytes: u64) -> Environment {
    let server = ServerFacts {
        flavor,
        version_text: String::new(),
        version,
        edition: String::new(),
        uuid: None,
        hostname: String::new(),
        port: 3306,
        platform: String::new(),
        data_bytes,
        storage_engines: Default::default(),
        plugins: vec!["clone".to_owned()],
        binlog: true,
        gtid: true,
        privileges: Vec::new(),
        account: String::new(),
        replica: false,
        encrypted: false,
        variables: Default::default(),
        extra: Default::default(),
    };
    Environment { server: Some(server), ..Environment::default() }
}

fn candidate(engine: &str, family: &str, assessment: Assessment) -> Candidate {
    let verdict = if assessment.applicable { Verdict::Eligible } else { Verdict::NotApplicable };
    Candidate {
        engine: engine.to_owned(),
        family: family.to_owned(),
        plugin: engine.to_owned(),
        first_party: !engine.starts_with("acme"),
        assessment: Some(assessment),
        points: 0,
        account: Vec::new(),
        verdict,
    }
}

fn answer(consistency: Consistency) -> Assessment {
    Assessment { applicable: true, consistency, ..Assessment::default() }
}

fn no() -> Assessment {
    let remedy = Some(Remedy::Sql("INSTALL PLUGIN clone SONAME 'mysql_clone.so'".to_owned()));
    let blockers = vec![Blocker { what: "the clone plugin is not active".to_owned(), remedy }];
    Assessment { blockers, ..Assessment::default() }
}

fn dump() -> Candidate {
    candidate("mysqldump", "mysqldump", answer(Consistency::Logical))
}

fn clone() -> Candidate {
    let reason = "MySQL 8.0.17+ with clone plugin active".to_owned();
    candidate("clone", "clone", Assessment { reason, ..answer(Consistency::Physical) })
}

fn zfs() -> Candidate {
    candidate("zfs-snapshot", "snapshot", answer(Consistency::Physical))
}

fn acme() -> Candidate {
    candidate("acme", "acme", Assessment { score: 100, ..answer(Consistency::Physical) })
}

fn best(candidates: Vec<Candidate>, environment: &Environment, rules: &Rules) -> String {
    let ranking = Ranking::of(candidates, environment, rules);
    ranking.chosen().map(|chosen| chosen.engine.clone()).unwrap_or_default()
}

#[test]
fn the_rules_of_the_handbook() {
    let mysql = |bytes| environment(ServerFlavor::MySQL, [8, 0, 35], bytes);
    let rules = Rules::default();
    let all = || vec![dump(), clone(), zfs(), acme()];
    assert_eq!(best(all(), &mysql(250 * GB), &rules), "clone");
    assert_eq!(best(vec![dump(), zfs()], &mysql(250 * GB), &rules), "zfs-snapshot");
    assert_eq!(best(vec![dump()], &mysql(250 * GB), &rules), "mysqldump");
    assert_eq!(best(all(), &mysql(GB), &rules), "mysqldump");
    assert_eq!(best(all(), &mysql(10 * GB), &rules), "mysqldump");
    assert_eq!(best(all(), &mysql(10 * GB + 1), &rules), "clone");
    let physical = Rules { prefer_physical: true, ..Rules::default() };
    assert_eq!(best(all(), &mysql(GB), &physical), "clone");
    let maria = environment(ServerFlavor::MariaDB, [10, 11, 6], 250 * GB);
    let without_clone = vec![dump(), candidate("clone", "clone", no()), zfs()];
    assert_eq!(best(without_clone, &maria, &rules), "zfs-snapshot");
}

#[test]
fn third_parties_only_if_allowed() {
    let environment = environment(ServerFlavor::MySQL, [8, 0, 35], 250 * GB);
    assert_eq!(best(vec![acme()], &environment, &Rules::default()), "");
    assert_eq!(best(vec![acme(), dump()], &environment, &Rules::default()), "mysqldump");
    let allowed = Rules { third_parties: true, ..Rules::default() };
    assert_eq!(best(vec![acme(), dump()], &environment, &allowed), "acme");
    // A vendor's score of 100 does not beat facts.
    assert_eq!(best(vec![acme(), dump(), zfs()], &environment, &allowed), "zfs-snapshot");
}

#[test]
fn equal_points_are_decided_by_score_and_never_by_order() {
    let environment = environment(ServerFlavor::MySQL, [8, 0, 35], 250 * GB);
    let lvm = |score| {
        candidate("lvm-snapshot", "snapshot", Assessment { score, ..answer(Consistency::Physical) })
    };
    let rules = Rules::default();
    for candidates in [vec![zfs(), lvm(0)], vec![lvm(0), zfs()]] {
        assert_eq!(best(candidates, &environment, &rules), "lvm-snapshot");
    }
    assert_eq!(best(vec![lvm(1), zfs()], &environment, &rules), "lvm-snapshot");
    let better = candidate(
        "zfs-snapshot",
        "snapshot",
        Assessment { score: 9, ..answer(Consistency::Physical) },
    );
    assert_eq!(best(vec![lvm(1), better], &environment, &rules), "zfs-snapshot");
}

#[test]
fn the_cloud_and_disk_space_count() {
    let mut environment = environment(ServerFlavor::MySQL, [8, 0, 35], 250 * GB);
    environment.destination = Destination { cloud: true, ..Destination::default() };
    let copying = |engine: &str, extra| {
        let estimate = Estimate { extra_disk_bytes: Some(extra), ..Estimate::default() };
        candidate(engine, "copy", Assessment { estimate, ..answer(Consistency::Physical) })
    };
    let candidates = || vec![copying("a-full", 100 * GB), copying("b-cow", 0)];
    assert_eq!(best(candidates(), &environment, &Rules::default()), "b-cow");
    environment.destination.cloud = false;
    assert_eq!(best(candidates(), &environment, &Rules::default()), "a-full");
    environment.paths.push(PathFacts {
        role: "data".to_owned(),
        path: "/var/lib/mysql".into(),
        mount: "/".into(),
        device: String::new(),
        filesystem: "zfs".to_owned(),
        free_bytes: GB,
        proven_local: true,
    });
    let ranking = Ranking::of(candidates(), &environment, &Rules::default());
    assert_eq!(ranking.chosen().unwrap().engine, "b-cow");
    assert_eq!(ranking.candidates[1].obstacle(), "needs 100.00 GB of extra disk, 1.00 GB are free");
}

#[test]
fn an_output_of_sql_text_takes_no_files() {
    let environment = environment(ServerFlavor::MySQL, [8, 0, 35], 250 * GB);
    let rules = Rules { into_sql: true, prefer_physical: true, ..Rules::default() };
    let ranking = Ranking::of(vec![clone(), dump()], &environment, &rules);
    assert_eq!(ranking.chosen().unwrap().engine, "mysqldump");
    assert!(ranking.reason("auto", &environment).ends_with("; the output holds SQL text"));
    assert_eq!(ranking.candidates[1].obstacle(), "copies files, and the output holds SQL text");
    for named in [vec![clone()], vec![clone(), clone()]] {
        let named = Ranking::of(named, &environment, &rules);
        let error = SelectError::none_fits("clone", &named);
        assert_eq!((error.exit(), error.code()), (Exit::Usage, "E-SELECT-OUTPUT".to_owned()));
    }
    let named = Ranking::of(vec![clone()], &environment, &rules);
    let error = SelectError::none_fits("clone", &named);
    assert!(error.hint().unwrap().starts_with("end the output in .tar.gz"), "{:?}", error.hint());
}

#[test]
fn the_reason_is_that_of_the_handbook() {
    let environment = environment(ServerFlavor::MySQL, [8, 0, 35], 250 * GB);
    let ranking = Ranking::of(vec![clone(), dump()], &environment, &Rules::default());
    assert_eq!(
        ranking.reason("auto", &environment),
        "MySQL 8.0.17+ with clone plugin active, optimal for 250GB database"
    );
    assert_eq!(
        ranking.reason("clone", &environment),
        "named; MySQL 8.0.17+ with clone plugin active"
    );
}

#[test]
fn what_stands_in_the_way_is_said_with_its_remedy() {
    let blocked = candidate("clone", "clone", no());
    assert_eq!(blocked.obstacle(), "the clone plugin is not active");
    assert_eq!(blocked.remedy().as_deref(), Some("INSTALL PLUGIN clone SONAME 'mysql_clone.so';"));
}

#[test]
fn an_accepted_weakness_is_no_obstacle() {
    let environment = environment(ServerFlavor::MySQL, [8, 0, 35], GB);
    let weak = || {
        let remedy = Some(Remedy::Option("--accept-degraded non-transactional".to_owned()));
        let blockers = vec![Blocker { what: "tables in MyISAM".to_owned(), remedy }];
        candidate("mysqldump", "mysqldump", Assessment { blockers, ..Assessment::default() })
    };
    assert_eq!(best(vec![weak()], &environment, &Rules::default()), "");
    let other = Rules { accepted: vec!["ddl".to_owned()], ..Rules::default() };
    assert_eq!(best(vec![weak()], &environment, &other), "");
    let rules = Rules { accepted: vec!["non-transactional".to_owned()], ..Rules::default() };
    assert_eq!(best(vec![weak()], &environment, &rules), "mysqldump");
}
