//! Tables in every page format that the servers write.

use super::coverage::PageKind;
use anyhow::{Context as _, Result};
use dbbackup::pipeline::pages::Layout;
use dbbackup_testkit::{Flavor, Server, Session, wait_until};
use std::time::Duration;

/// A table, and the format that its file must come out in.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// Run before and after the table is made and filled.
    before: &'static str,
    columns: &'static str,
    options: String,
    rows: &'static str,
    pub(super) layout: Layout,
    pub(super) zip_kib: Option<u32>,
    /// What at least one of its pages is.
    pub(super) page_kind: PageKind,
}

/// Run before a table in the server's own checksum algorithm.
const USUAL: &str = "DO 0";
const COLUMNS: &str = "(id INT PRIMARY KEY, a VARCHAR(250), b LONGTEXT, KEY (a(40)))";
const ROWS: &str =
    "SELECT n, CONCAT(SHA2(n, 512), SHA2(n + 1, 256)), REPEAT(SHA2(n, 256), IF(n % 37 = 0, 700, 5))
     FROM formats.numbers";
const POINTS: &str = "(p GEOMETRY NOT NULL, SPATIAL INDEX (p))";
const POINT_ROWS: &str =
    "SELECT ST_GeomFromText(CONCAT('POINT(', n, ' ', n * 7 % 100, ')')) FROM formats.numbers";

impl Table {
    pub(super) fn plain(name: &str, layout: Layout) -> Self {
        Self {
            name: name.to_owned(),
            before: USUAL,
            columns: COLUMNS,
            options: String::new(),
            rows: ROWS,
            layout,
            zip_kib: None,
            page_kind: PageKind::Plain,
        }
    }

    fn compressed_rows(kib: u32) -> Self {
        let mut table = Self::plain(&format!("zip{kib}"), Layout::Legacy);
        table.options = format!("ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE={kib}");
        table.zip_kib = Some(kib);
        table
    }

    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    fn options(mut self, options: &str, page_kind: PageKind) -> Self {
        self.options = format!("{} {options}", self.options);
        self.page_kind = page_kind;
        self
    }

    fn points(mut self) -> Self {
        self.columns = POINTS;
        self.rows = POINT_ROWS;
        self
    }

    fn under(mut self, before: &'static str) -> Self {
        self.before = before;
        self
    }
}

pub(super) fn mysql_16k() -> Vec<Table> {
    let plain = |name| Table::plain(name, Layout::Legacy);
    let zip = Table::compressed_rows;
    let innodb = "SET GLOBAL innodb_checksum_algorithm = innodb";
    let none = "SET GLOBAL innodb_checksum_algorithm = none";
    let zlib_encrypted = "COMPRESSION = 'zlib' ENCRYPTION = 'Y'";
    vec![
        plain("crc32"),
        plain("redundant").options("ROW_FORMAT=REDUNDANT", PageKind::Plain),
        plain("points").points(),
        zip(1),
        zip(2),
        zip(4),
        zip(8),
        zip(16),
        plain("zlib").options("COMPRESSION = 'zlib'", PageKind::MysqlCompressed),
        plain("lz4").options("COMPRESSION = 'lz4'", PageKind::MysqlCompressed),
        plain("enc").options("ENCRYPTION = 'Y'", PageKind::MysqlEncrypted),
        plain("encpoints").points().options("ENCRYPTION = 'Y'", PageKind::MysqlEncrypted),
        zip(8).named("enczip8").options("ENCRYPTION = 'Y'", PageKind::MysqlEncrypted),
        plain("enczlib").options(zlib_encrypted, PageKind::MysqlCompressedEncrypted),
        plain("innodb").under(innodb),
        zip(8).named("innodbzip8").under(innodb),
        plain("innodbzlib")
            .under(innodb)
            .options("COMPRESSION = 'zlib'", PageKind::MysqlCompressed),
        plain("none").under(none).options("", PageKind::NoChecksum),
        zip(4).named("nonezip4").under(none).options("", PageKind::NoChecksum),
    ]
}

pub(super) fn mariadb_16k() -> Vec<Table> {
    let legacy = "SET GLOBAL innodb_checksum_algorithm = strict_crc32";
    let full = |name| Table::plain(name, Layout::FullCrc32);
    let old = |name| Table::plain(name, Layout::Legacy).under(legacy);
    let zip = Table::compressed_rows;
    let both = "PAGE_COMPRESSED = 1 ENCRYPTED = YES";
    vec![
        full("full"),
        full("redundant").options("ROW_FORMAT=REDUNDANT", PageKind::Plain),
        full("points").points(),
        zip(1),
        zip(2),
        zip(4),
        zip(8),
        zip(16),
        full("pc").options("PAGE_COMPRESSED = 1", PageKind::FullCrc32Compressed),
        full("enc").options("ENCRYPTED = YES", PageKind::FullCrc32Encrypted),
        full("encpc").options(both, PageKind::FullCrc32Compressed),
        zip(8).named("enczip8").options("ENCRYPTED = YES", PageKind::MariadbEncrypted),
        old("old"),
        old("oldpoints").points(),
        old("oldpc").options("PAGE_COMPRESSED = 1", PageKind::MariadbCompressed),
        old("oldenc").options("ENCRYPTED = YES", PageKind::MariadbEncrypted),
        old("oldencpc").options(both, PageKind::MariadbCompressedEncrypted),
        zip(8)
            .named("oldenczip8")
            .under(legacy)
            .options("ENCRYPTED = YES", PageKind::MariadbEncrypted),
    ]
}

pub(super) fn mysql_56() -> Vec<Table> {
    vec![Table::plain("plain", Layout::Legacy)]
}

/// What a server writes in other page sizes. There are no compressed rows beyond 16 KiB.
pub(super) fn of_page_size(flavor: Flavor, kib: u32) -> Vec<Table> {
    let layout = if flavor.is_mariadb() { Layout::FullCrc32 } else { Layout::Legacy };
    let mut tables = vec![Table::plain("plain", layout)];
    match kib {
        4 => tables.extend([1, 4].map(Table::compressed_rows)),
        8 => tables.extend([2, 8].map(Table::compressed_rows)),
        _ => {}
    }
    tables
}

/// Makes the tables in the database `formats`, changes some of their rows, and has the server
/// write every page of them.
pub(super) fn create(server: &Server, tables: &[Table]) -> Result<()> {
    server.sql(
        "CREATE DATABASE formats;
         CREATE TABLE formats.numbers (n INT PRIMARY KEY);
         INSERT INTO formats.numbers VALUES (0)",
    )?;
    for doubled in (0..9).map(|power| 1 << power) {
        let more = format!("INSERT INTO formats.numbers SELECT n + {doubled} FROM formats.numbers");
        server.sql(&more)?;
    }
    let mut session = server.session()?;
    let usual: String = session.row("SELECT @@GLOBAL.innodb_checksum_algorithm")?;
    for alike in tables.chunk_by(|one, other| one.before == other.before) {
        create_alike(&mut session, alike)?;
        session.run(&format!("SET GLOBAL innodb_checksum_algorithm = {usual}"))?;
    }
    Ok(())
}

/// Makes tables that are written by one checksum algorithm. It is that of the moment of the write, so
/// every page is written before the algorithm changes.
fn create_alike(session: &mut Session, tables: &[Table]) -> Result<()> {
    for Table { name, before, columns, options, rows, .. } in tables {
        session.run(before)?;
        session.run(&format!("CREATE TABLE formats.{name} {columns} {options}"))?;
        session.run(&format!("INSERT INTO formats.{name} {rows}"))?;
        if *columns == COLUMNS {
            session.run(&format!("DELETE FROM formats.{name} WHERE id % 3 = 0"))?;
            session
                .run(&format!("UPDATE formats.{name} SET a = CONCAT('z', a) WHERE id % 5 = 0"))?;
        }
    }
    wait_for_purge(session)?;
    let names: Vec<_> = tables.iter().map(|table| format!("formats.{}", table.name)).collect();
    session.run(&format!("FLUSH TABLES {} FOR EXPORT", names.join(", ")))?;
    session.run("UNLOCK TABLES")
}

/// Waits until the server has purged what was deleted: later it would write these pages once more, by
/// the algorithm of another table. A transaction is purged after all that were committed before it.
fn wait_for_purge(session: &mut Session) -> Result<()> {
    const LABEL: &str = "Purge done for trx's n:o < ";
    session.run("START TRANSACTION")?;
    session.run("UPDATE formats.numbers SET n = -n - 1 WHERE n = 0")?;
    session.run("UPDATE formats.numbers SET n = -n - 1 WHERE n = -1")?;
    let last: u64 = session.row(
        "SELECT CAST(trx_id AS UNSIGNED) FROM information_schema.innodb_trx \
         WHERE trx_mysql_thread_id = CONNECTION_ID()",
    )?;
    session.run("COMMIT")?;
    wait_until("the server has purged what was deleted", Duration::from_secs(60), || {
        let (_, _, status): (String, String, String) = session.row("SHOW ENGINE INNODB STATUS")?;
        let purged = status.lines().find_map(|line| line.strip_prefix(LABEL)?.split(' ').next());
        Ok(purged.context("the status names no purge")?.parse::<u64>()? > last)
    })
}
