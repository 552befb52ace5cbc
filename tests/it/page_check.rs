//! The page check against files that real servers have just written: every page of every format
//! is good, and every flipped bit that a format covers is found with its page.

mod coverage;
mod files;
mod flips;
mod tables;
mod uncovered;

use anyhow::{Result, ensure};
use dbbackup::pipeline::pages::{FileKind, UncheckedReason};
use dbbackup_testkit::{Flavor, Random, Server, ServerOptions};
use files::DataFile;
use tables::Table;

#[test]
fn mysql_pages_of_every_format_are_good_and_every_covered_flip_is_found() -> Result<()> {
    let mut server = Server::start(Flavor::Mysql97, ServerOptions::default().keyring())?;
    let formats = tables::mysql_16k();
    tables::create(&server, &formats)?;
    server.stop()?;
    let files = files::in_data_directory(server.datadir())?;
    expect_good(&files)?;
    expect_kind(&files, FileKind::Undo)?;
    expect_kind(&files, FileKind::Doublewrite)?;
    expect_formats(&files, &formats)?;
    flips::expect_found(&files, &formats, &mut Random::announced("mysql page flips"))
}

#[test]
fn mariadb_pages_of_every_format_are_good_and_every_covered_flip_is_found() -> Result<()> {
    let mut server = Server::start(Flavor::Mariadb1011, ServerOptions::default().keyring())?;
    let formats = tables::mariadb_16k();
    tables::create(&server, &formats)?;
    server.stop()?;
    let files = files::in_data_directory(server.datadir())?;
    expect_good(&files)?;
    expect_formats(&files, &formats)?;
    let system = expect_kind(&files, FileKind::System)?;
    ensure!(system.format()?.doublewrite_blocks.is_some(), "no doublewrite blocks in ibdata1");
    flips::expect_found(&files, &formats, &mut Random::announced("mariadb page flips"))
}

#[test]
fn mysql_pages_of_other_sizes_are_good_and_every_covered_flip_is_found() -> Result<()> {
    other_page_sizes(Flavor::Mysql97)
}

#[test]
fn mariadb_pages_of_other_sizes_are_good_and_every_covered_flip_is_found() -> Result<()> {
    other_page_sizes(Flavor::Mariadb1011)
}

fn other_page_sizes(flavor: Flavor) -> Result<()> {
    let mut random = Random::announced("page flips");
    for kib in [4, 8, 64] {
        let options = ServerOptions::default().page_size_kib(kib);
        let mut server = Server::start(flavor, options)?;
        let formats = tables::of_page_size(flavor, kib);
        tables::create(&server, &formats)?;
        server.stop()?;
        let files = files::in_data_directory(server.datadir())?;
        expect_good(&files)?;
        expect_formats(&files, &formats)?;
        let system = expect_kind(&files, FileKind::System)?;
        ensure!(system.format()?.page_size_bytes == kib * 1024, "{kib}: {:?}", system.format()?);
        flips::expect_found(&files, &formats, &mut random)?;
    }
    Ok(())
}

/// A crash-consistent copy: the server is killed while it writes, and whatever is torn then is
/// repairable.
#[test]
fn a_killed_server_leaves_nothing_that_is_bad_in_mode_doublewrite() -> Result<()> {
    for flavor in Flavor::COVERED {
        let mut server = Server::start(flavor, ServerOptions::default())?;
        tables::create(&server, &tables::of_page_size(flavor, 16))?;
        server.sql("UPDATE formats.plain SET a = REVERSE(a)")?;
        server.kill9()?;
        files::expect_crash_consistent(server.datadir())?;
    }
    Ok(())
}

/// The algorithm `innodb` is the default of MySQL 5.6, and its doublewrite area lies in ibdata1.
#[test]
fn mysql_56_pages_are_good_and_every_covered_flip_is_found() -> Result<()> {
    let mut server = Server::start(Flavor::Mysql56, ServerOptions::default())?;
    let formats = tables::mysql_56();
    tables::create(&server, &formats)?;
    server.stop()?;
    let files = files::in_data_directory(server.datadir())?;
    expect_good(&files)?;
    expect_formats(&files, &formats)?;
    let system = expect_kind(&files, FileKind::System)?;
    ensure!(system.format()?.doublewrite_blocks.is_some(), "no doublewrite blocks in ibdata1");
    flips::expect_found(&files, &formats, &mut Random::announced("mysql 5.6 page flips"))
}

fn expect_good(files: &[DataFile]) -> Result<()> {
    for file in files {
        let report = file.check();
        ensure!(report.is_good(), "{}: {:?}", file.name, report.counts.bad);
        ensure!(report.kind != FileKind::NotInnodb, "{} is not recognised", file.name);
        for (&reason, pages) in &report.counts.pages_unchecked {
            let documented = match reason {
                UncheckedReason::Encrypted => file.name.contains("enc"),
                // The server's own pages are also written while the algorithm is `none`.
                UncheckedReason::NoChecksum => {
                    file.name.contains("none")
                        || file.name.starts_with("undo_")
                        || ["mysql.ibd", "ibdata1"].contains(&file.name.as_str())
                        || file.is_scratch()
                }
                UncheckedReason::DoublewriteSlot => file.is_scratch(),
                _ => false,
            };
            ensure!(documented, "{}: {pages} pages unchecked: {reason:?}", file.name);
        }
    }
    Ok(())
}

fn expect_kind(files: &[DataFile], kind: FileKind) -> Result<&DataFile> {
    let found = files.iter().find(|file| file.check().kind == kind);
    found.ok_or_else(|| anyhow::anyhow!("no file is of kind {kind:?}"))
}

/// Each table came out in the format that it was made for, so that no format goes untested.
fn expect_formats(files: &[DataFile], tables: &[Table]) -> Result<()> {
    for table in tables {
        let file = files::of_table(files, table)?;
        let format = file.format()?;
        ensure!(format.layout == table.layout, "{}: {format:?}", table.name);
        let zip_size_bytes = table.zip_kib.map(|kib| kib * 1024);
        ensure!(format.zip_size_bytes == zip_size_bytes, "{}: {format:?}", table.name);
        ensure!(
            file.pages()?.any(|page| table.page_kind.is_kind_of(page)),
            "no page of {} is {:?}",
            table.name,
            table.page_kind
        );
    }
    Ok(())
}
