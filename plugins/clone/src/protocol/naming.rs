//! Whether the donor has named every file that it is going to copy.

use crate::rpc::State;

/// What the master has said of the number of files, and which of them it has named.
#[derive(Debug, Default)]
pub(crate) struct Naming {
    expected: u32,
    is_complete: bool,
}

impl Naming {
    /// The file copy begins with so many files, or begins again: what was named before a cut stays so.
    pub(crate) fn expect(&mut self, files: u32) {
        self.expected = files;
    }

    /// A file of the file copy is named. Donors go by number, so the last number is the last file.
    pub(crate) fn named(&mut self, index: u32) {
        self.is_complete |= index.checked_add(1) == Some(self.expected);
    }

    /// Whether a donor that goes on after a cut need not name the files again.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether workers may join in this stage. Before the file copy the donor would keep them waiting;
    /// while the master still names files, they would bring bytes of files that are not known yet. What
    /// comes after the file copy says that it was whole, whatever was named.
    pub(crate) fn lets_workers_join(&self, state: State) -> bool {
        match state {
            State::FileCopy => self.is_complete || self.expected == 0,
            _ => state > State::FileCopy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_join_once_the_last_file_is_named() {
        let mut naming = Naming::default();
        assert!(!naming.lets_workers_join(State::Init));
        naming.expect(3);
        for index in 0..2 {
            naming.named(index);
            assert!(!naming.lets_workers_join(State::FileCopy), "after file {index}");
        }
        naming.named(2);
        assert!(naming.lets_workers_join(State::FileCopy) && naming.is_complete());
        // The donor goes on after a cut, and names nothing again.
        naming.expect(3);
        assert!(naming.lets_workers_join(State::FileCopy));
    }

    #[test]
    fn workers_never_wait_for_files_that_do_not_come() {
        let mut naming = Naming::default();
        naming.expect(0);
        assert!(naming.lets_workers_join(State::FileCopy) && !naming.is_complete());
        naming.expect(2);
        naming.named(0);
        assert!(!naming.lets_workers_join(State::FileCopy));
        assert!(naming.lets_workers_join(State::PageCopy));
    }
}
