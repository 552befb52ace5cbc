//! Which bytes of files have come, where they come over several connections in any order.

use std::collections::BTreeMap;

use crate::{error::CloneError, protocol::files::FileTable};

/// Ranges of bytes, by file. What comes again after a cut counts once.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    /// Ends by beginnings; no two ranges of a file touch, so there are about as many as connections.
    files: BTreeMap<u32, BTreeMap<u64, u64>>,
}

impl Coverage {
    /// The bytes from `start` up to `end` have come.
    pub(crate) fn add(&mut self, index: u32, start: u64, end: u64) {
        let ranges = self.files.entry(index).or_default();
        let (mut start, mut end) = (start, end);
        while let Some((&from, &to)) = ranges.range(..=end).next_back()
            && to >= start
        {
            ranges.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        ranges.insert(start, end);
    }

    /// Refuses a file of which bytes are missing: they would come back as pages of zeros, which count
    /// as empty ones. Files that are gone on the donor may be short, and are so once the page copy has
    /// told of them; files that were made meanwhile have no bytes yet.
    ///
    /// # Errors
    /// [`CloneError::CutShort`].
    pub(crate) fn check(&self, files: &FileTable) -> Result<(), CloneError> {
        let mut copied = files.iter().filter(|file| !file.created && files.exists(file.index));
        match copied.find(|file| self.bytes(file.index) < file.size_bytes) {
            None => Ok(()),
            Some(file) => Err(CloneError::CutShort {
                name: file.name.clone(),
                bytes: self.bytes(file.index),
                size_bytes: file.size_bytes,
            }),
        }
    }

    fn bytes(&self, index: u32) -> u64 {
        self.files.get(&index).into_iter().flatten().map(|(start, end)| end - start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::files::tests::meta, rpc::State};

    const DELETED: u16 = 16;

    /// Files 1 and 2, each of 1000 bytes.
    fn table() -> FileTable {
        let mut table = FileTable::default();
        for (index, name) in [(1, "./shop/a.ibd"), (2, "./shop/b.ibd")] {
            table.notice(&meta(2, index, name, 0), State::FileCopy).expect("a file");
        }
        table
    }

    #[test]
    fn bytes_count_once_in_whatever_order_they_come() {
        let mut came = Coverage::default();
        for (start, end) in [(600, 800), (0, 100), (100, 300), (50, 120), (800, 1000), (290, 610)] {
            came.add(1, start, end);
        }
        assert_eq!(came.bytes(1), 1000);
        assert_eq!(came.files.get(&1).map(BTreeMap::len), Some(1));
        came.add(2, 10, 20);
        came.add(2, 30, 40);
        assert_eq!(came.bytes(2), 20);
    }

    #[test]
    fn a_file_that_lacks_a_block_is_refused_by_name() {
        let mut came = Coverage::default();
        came.add(1, 0, 1000);
        came.add(2, 0, 400);
        came.add(2, 500, 1000);
        let error = came.check(&table()).expect_err("a hole");
        assert_eq!(error.to_string(), "the donor sent 900 of the 1000 bytes of ./shop/b.ibd");
        came.add(2, 400, 500);
        came.check(&table()).expect("whole files");
    }

    #[test]
    fn files_that_are_gone_or_new_may_lack_bytes() {
        let mut came = Coverage::default();
        came.add(1, 0, 1000);
        for (state, current) in [(2, State::FileCopy), (3, State::FileCopy), (3, State::PageCopy)] {
            let mut table = table();
            table.notice(&meta(state, 2, "./shop/b.ibd", DELETED), current).expect("a drop");
            table.notice(&meta(3, 3, "./shop/c.ibd", 0), State::FileCopy).expect("a new file");
            came.check(&table).expect("what is there is whole");
        }
    }
}
