//! A lock that had to be ended is the reason that counts, whatever else has failed because of it.
use super::*;

fn report() -> LockReport {
    let (waited, held) = (Duration::from_millis(3), Duration::from_millis(40));
    LockReport { statement: INSTANCE.take, waited, held, blocks_commits: false }
}

fn exceeded() -> SessionError {
    SessionError::LockBudgetExceeded {
        statement: INSTANCE.take,
        phase: LockPhase::Holding,
        budget: Duration::from_millis(250),
        took: Duration::from_millis(900),
    }
}

fn other(what: &str) -> SessionError {
    SessionError::Answer { statement: "SHOW MASTER STATUS".to_owned(), what: what.to_owned() }
}

fn is_exceeded(outcome: &Result<(u8, LockReport), SessionError>) -> bool {
    matches!(outcome, Err(SessionError::LockBudgetExceeded { phase: LockPhase::Holding, .. }))
}

#[test]
fn a_lock_has_exceeded_its_budget_however_late_its_watchdog_is() {
    let ms = Duration::from_millis;
    let budget = LockBudget { wait: ms(2000), hold: ms(250) };
    assert_eq!(verdict(None, ms(250), budget), None);
    assert_eq!(verdict(None, ms(251), budget), Some(LockPhase::Holding));
    for phase in [LockPhase::Waiting, LockPhase::Holding] {
        assert_eq!(verdict(Some(phase), ms(1), budget), Some(phase));
    }
}

#[test]
fn work_under_a_lock_that_had_to_be_ended_is_worth_nothing() {
    assert!(is_exceeded(&after(Ok(7), Err(exceeded()))));
    assert!(is_exceeded(&after(Err(other("its session is gone")), Err(exceeded()))));
}

#[test]
fn work_that_fails_by_itself_says_why_and_one_that_does_not_is_reported_with_its_lock() {
    for unlocked in [Ok(report()), Err(other("its release"))] {
        let failed = after::<u8, _>(Err(other("its work")), unlocked);
        assert!(failed.expect_err("a failure").to_string().contains("its work"));
    }
    let failed = after::<u8, SessionError>(Ok(7), Err(other("its release")));
    let failed = failed.expect_err("a failure");
    assert!(failed.to_string().contains("its release"), "{failed}");
    let (value, cost) = after::<_, SessionError>(Ok(7), Ok(report())).expect("both are good");
    assert_eq!((value, cost), (7, report()));
}
