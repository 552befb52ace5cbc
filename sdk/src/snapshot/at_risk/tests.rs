use super::{AtRisk, tables};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A data directory, gone with the test.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let name = format!("dbbackup-sdk-at-risk-{name}-{}", std::process::id());
        let data = Self(std::env::temp_dir().join(name));
        for schema in ["mysql", "sys", "shop", "#innodb_temp"] {
            fs::create_dir_all(data.path().join(schema)).unwrap();
        }
        data
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn write(&self, file: &str, content: &str) {
        fs::write(self.path().join(file), content).unwrap();
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn tables_with_rows_are_found_in_every_schema_and_the_servers_logs_are_its_own() {
    let data = Data::new("all");
    data.write("mysql/general_log.CSV", "row");
    data.write("mysql/slow_log.CSV", "row");
    data.write("mysql/notes.MYD", "row");
    data.write("sys/copy.CSV", "row");
    data.write("shop/general_log.CSV", "row");
    data.write("shop/empty.MYD", "");
    data.write("shop/orders.ibd", "row");
    data.write("#innodb_temp/x.MYD", "row");
    let expected = ["mysql.notes (MyISAM)", "shop.general_log (CSV)", "sys.copy (CSV)"];
    assert_eq!(tables(data.path()).unwrap(), expected);
}

#[test]
fn a_table_that_gets_its_first_rows_during_the_snapshot_is_told() {
    let data = Data::new("since");
    data.write("shop/old.MYD", "row");
    data.write("shop/new.MYD", "");
    let at_risk = AtRisk::new(data.path(), tables(data.path()).unwrap());
    assert_eq!(at_risk.torn(), ["shop.old (MyISAM): may be torn"]);
    assert!(at_risk.torn_since().unwrap().is_empty());
    data.write("shop/old.MYD", "row, row");
    data.write("shop/new.MYD", "row");
    let told = "shop.new (MyISAM): got its first rows meanwhile, and may be torn";
    assert_eq!(at_risk.torn_since().unwrap(), [told]);
}
