//! What no checksum of a page covers, the hash of the archived member does.
use super::coverage::PageKind;
use crate::aftermath::names;
use crate::shop::Shop;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
};

const MEMBER: &str = "data/sbtest/sbtest1.ibd";
const PAGE_BYTES: u64 = 16 << 10;
/// The page of the table whose bytes are flipped: its first, which is in its file from the start. Others
/// may come into a clone later, as changes.
const PAGE: u64 = 0;
/// First and last byte of what is written into a page without being counted into its checksum.
const UNCOVERED: [u64; 2] = [26, 33];
const TAR_BLOCK_BYTES: usize = 512;

#[test]
fn a_flip_that_no_checksum_covers_is_found_by_the_hash_of_its_member() -> Result<()> {
    let shop = Shop::open(500)?;
    for output in ["db.tar", "db/"] {
        let clone = ["physical-backup", "--engine", "clone", "--output", output];
        shop.rig.dbbackup_on(&shop.server, clone).run()?.expect_success()?;
        let before = names(&shop.rig.work_dir())?;
        let (file, start) = if output.ends_with('/') {
            (shop.rig.path(output).join(MEMBER), 0)
        } else {
            (shop.rig.path(output), start_of_member(&shop.rig.path(output))?)
        };
        let file = File::options().read(true).write(true).open(file)?;
        let page_start = start + PAGE * PAGE_BYTES;
        let mut page = vec![0; usize::try_from(PAGE_BYTES)?];
        file.read_exact_at(&mut page, page_start)?;
        ensure!(PageKind::Plain.is_kind_of(&page), "page {PAGE} of {MEMBER} is empty");

        for at in UNCOVERED {
            let at_in_page = usize::try_from(at)?;
            ensure!(!PageKind::Plain.covers(&page, at_in_page), "byte {at} is covered");
            file.write_all_at(&[page[at_in_page] ^ 1], page_start + at)?;
            for level in ["hash", "pages"] {
                let verified = shop.rig.dbbackup(["verify", output, "--level", level]).run()?;
                verified.expect_exit(20)?.expect_stdout(MEMBER)?.expect_stdout("sha256")?;
            }
            let restore = ["restore", output, "--target-dir", "restored"];
            shop.rig.dbbackup(restore).run()?.expect_exit(20)?.expect_stderr(MEMBER)?;
            ensure!(names(&shop.rig.work_dir())? == before, "the refused restore left something");
            file.write_all_at(&[page[at_in_page]], page_start + at)?;
        }
        shop.rig.dbbackup(["verify", output, "--level", "pages"]).run()?.expect_success()?;
    }
    shop.expect_clean()
}

/// Where the content of [`MEMBER`] starts in an uncompressed archive: behind the block that begins with
/// its name.
fn start_of_member(archive: &Path) -> Result<u64> {
    let content = fs::read(archive)?;
    let mut blocks = content.chunks_exact(TAR_BLOCK_BYTES);
    let header = blocks.position(|block| {
        block.strip_prefix(MEMBER.as_bytes()).is_some_and(|rest| rest.starts_with(&[0]))
    });
    let header = header.with_context(|| format!("{MEMBER} is not in {}", archive.display()))?;
    Ok(u64::try_from((header + 1) * TAR_BLOCK_BYTES)?)
}
