use super::{Fault, FaultRule, Rules};
use crate::s3::http::Head;
use crate::s3::request::{S3Operation, Target};

fn target(line: &str) -> Target {
    Target::of(&Head::parse(format!("{line} HTTP/1.1").as_bytes()).unwrap())
}

fn rules<const N: usize>(list: [FaultRule; N]) -> Rules {
    let mut rules = Rules::default();
    list.into_iter().for_each(|rule| rules.add(rule));
    rules
}

#[test]
fn the_first_requests_after_the_skipped_ones_meet_the_fault() {
    let mut rules = rules([FaultRule::on(S3Operation::Part, Fault::Reset).skip(1).first(2)]);
    let part = target("PUT /b/k?partNumber=1&uploadId=u");
    let met: Vec<bool> = (0..5).map(|_| rules.decide(&part).is_some()).collect();
    assert_eq!(met, [false, true, true, false, false]);
}

#[test]
fn other_requests_pass_and_are_not_counted() {
    let manifest = FaultRule::on(S3Operation::Put, Fault::Deny).key_suffix(".manifest.json");
    let mut rules = rules([manifest.first(1)]);
    assert_eq!(rules.decide(&target("PUT /b/k.tar")), None);
    assert_eq!(rules.decide(&target("GET /b/k.manifest.json")), None);
    assert_eq!(rules.decide(&target("PUT /b/k.manifest.json")), Some(Fault::Deny));
    assert_eq!(rules.decide(&target("PUT /b/k.manifest.json")), None);
}

#[test]
fn a_rule_that_is_used_up_leaves_the_request_to_the_next() {
    let first = FaultRule::on_any(Fault::Status500).first(1);
    let mut rules = rules([first, FaultRule::on_any(Fault::SlowDown)]);
    assert_eq!(rules.decide(&target("GET /b/k")), Some(Fault::Status500));
    assert_eq!(rules.decide(&target("GET /b/k")), Some(Fault::SlowDown));
    rules.clear();
    assert_eq!(rules.decide(&target("GET /b/k")), None);
}

#[test]
fn a_percentage_is_met_about_as_often_as_it_says() {
    let mut rules = rules([FaultRule::on_any(Fault::Reset).percent(30)]);
    let met = (0..2000).filter(|_| rules.decide(&target("GET /b/k")).is_some()).count();
    assert!((450..750).contains(&met), "{met}");
}
