use super::*;

fn ended(cancel: &CancelFlag) -> Exit {
    let cause = CancelCause::Interrupted;
    with_cause(cancel, SupervisorError::Cancelled { cause }.into()).exit()
}

#[test]
fn a_failure_that_says_it_was_interrupted_gets_the_true_cause() {
    let flag = CancelFlag::new();
    assert_eq!(ended(&flag), Exit::Interrupted);
    flag.cancel(CancelCause::Terminated);
    assert_eq!(ended(&flag), Exit::Terminated);
    // A limit that runs out afterwards has cancelled nothing.
    flag.cancel_after(Duration::ZERO);
    assert_eq!(ended(&flag), Exit::Terminated);

    let flag = CancelFlag::new();
    flag.cancel_after(Duration::ZERO);
    assert_eq!(ended(&flag), Exit::Timeout);
    let other = SupervisorError::OtherReceipt { task: "backup" };
    let exit = other.exit();
    assert_eq!(with_cause(&flag, other.into()).exit(), exit);
}
