//! The fixed texts of a dump: header, footer, and what stands around tables and programs. They are
//! those of the stock `mysqldump` where it has them, so that everything that reads its dumps reads
//! ours.

use crate::{
    document::manifest::CoordinatesRecord,
    position::GtidSet,
    server::{
        ServerVersion,
        quote::{self, Escaping},
    },
};

use super::definition::Context;

/// Candidates for the delimiter of programs, tried in this order.
const DELIMITERS: [&str; 4] = [";;", "$$", "//", "||"];

/// Session settings that rows and definitions are read back with, and how the old ones are kept.
const SETTINGS: &str = "\
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!50503 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
";

const SETTINGS_BACK: &str = "\
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;
";

/// The beginning of a dump; `program` is the engine's version.
#[must_use]
pub fn header(
    program: &str,
    version: &ServerVersion,
    coordinates: &CoordinatesRecord,
    consistent_at: &str,
) -> String {
    let mut header = format!(
        "-- dbbackup {program} SQL dump\n-- Server version\t{}\n-- Content of\t{consistent_at}\n\
         -- Load it with our own restore, or with the stock client, whose --comments keeps the comments\n\
         -- inside of routines\n",
        in_comment(&version.text),
    );
    if let Some(binlog) = &coordinates.binlog {
        header.push_str(&format!(
            "--\n-- Position of this content in the server's binlog\n--\n\
             -- CHANGE MASTER TO MASTER_LOG_FILE={}, MASTER_LOG_POS={};\n",
            quote::string(&binlog.file, Escaping::Backslash),
            binlog.position
        ));
    }
    match &coordinates.gtid {
        Some(GtidSet::Mysql(set)) => {
            header.push_str(&format!("-- SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '{set}';\n"));
        }
        Some(GtidSet::Mariadb(position)) => {
            header.push_str(&format!("-- SET GLOBAL gtid_slave_pos='{position}';\n"));
        }
        None => {}
    }
    header.push('\n');
    header.push_str(SETTINGS);
    header
}

/// The end of a dump: without it, a dump is cut off.
pub fn footer(ended: &str) -> String {
    format!("\n{SETTINGS_BACK}\n-- Dump completed on {ended}\n")
}

/// Makes the general tablespaces that tables lie in.
pub fn tablespaces(definitions: &[String]) -> String {
    definitions.iter().map(|definition| format!("\n{definition};\n")).collect()
}

/// Makes a schema the default one.
pub fn use_schema(schema: &str) -> String {
    format!("\nUSE {};\n", quote::identifier(schema))
}

/// A delimiter that is not in a program.
fn delimiter_for(definition: &[u8]) -> String {
    let numbered = (0_u64..).map(|number| format!("$dbbackup{number}$"));
    let mut candidates = DELIMITERS.iter().map(ToString::to_string).chain(numbered);
    let is_free = |one: &String| memchr::memmem::find(definition, one.as_bytes()).is_none();
    // A program of finite length does not hold every number.
    candidates.find(is_free).unwrap_or_else(|| ";;".to_owned())
}

/// Makes a schema, unless it is there.
pub fn schema(name: &str, definition: &[u8]) -> Vec<u8> {
    const CREATE: &[u8] = b"CREATE DATABASE ";
    let mut to = title("Current Database", name).into_bytes();
    to.extend_from_slice(CREATE);
    to.extend_from_slice(b"/*!32312 IF NOT EXISTS*/ ");
    to.extend_from_slice(definition.strip_prefix(CREATE).unwrap_or(definition));
    to.extend_from_slice(b";\n");
    to
}

/// Makes a sequence and sets its state.
pub fn sequence(name: &str, definition: &[u8], state: &str) -> Vec<u8> {
    let quoted = quote::identifier(name);
    let mut to = title("Sequence structure for", name).into_bytes();
    to.extend_from_slice(format!("DROP SEQUENCE IF EXISTS {quoted};\n").as_bytes());
    to.extend_from_slice(definition);
    to.extend_from_slice(format!(";\nINSERT INTO {quoted} VALUES ({state});\n").as_bytes());
    to
}

/// Makes a table.
pub fn table_structure(name: &str, definition: &[u8]) -> Vec<u8> {
    let mut to = title("Table structure for table", name).into_bytes();
    to.extend_from_slice(format!("DROP TABLE IF EXISTS {};\n", quote::identifier(name)).as_bytes());
    to.extend_from_slice(definition);
    to.extend_from_slice(b";\n");
    to
}

/// What stands before the rows of a table.
pub fn before_rows(name: &str, storage_engine: &str, history: bool) -> String {
    let mut text = title("Dumping data for table", name);
    if has_keys_to_disable(storage_engine) {
        let quoted = quote::identifier(name);
        text.push_str(&format!("/*!40000 ALTER TABLE {quoted} DISABLE KEYS */;\n"));
    }
    if history {
        text.push_str(
            "/*!101100 SET @OLD_INSERT_HISTORY=@@SESSION.system_versioning_insert_history, \
             @@SESSION.system_versioning_insert_history=1 */;\n",
        );
    }
    text
}

/// What stands behind the rows of a table.
pub fn after_rows(name: &str, storage_engine: &str, history: bool) -> String {
    let mut text = String::new();
    if history {
        text.push_str(
            "/*!101100 SET @@SESSION.system_versioning_insert_history=@OLD_INSERT_HISTORY */;\n",
        );
    }
    if has_keys_to_disable(storage_engine) {
        let quoted = quote::identifier(name);
        text.push_str(&format!("/*!40000 ALTER TABLE {quoted} ENABLE KEYS */;\n"));
    }
    text
}

/// Storage engines that build their indexes faster after the rows are there.
fn has_keys_to_disable(storage_engine: &str) -> bool {
    ["MyISAM", "Aria"].iter().any(|engine| engine.eq_ignore_ascii_case(storage_engine))
}

/// A view of the same columns without meaning, so that what uses the view can be made before it.
pub fn placeholder(name: &str, columns: &[String]) -> String {
    let quoted = quote::identifier(name);
    let columns: Vec<String> =
        columns.iter().map(|column| format!("\n 1 AS {}", quote::identifier(column))).collect();
    format!(
        "{}DROP TABLE IF EXISTS {quoted};\nDROP VIEW IF EXISTS {quoted};\nCREATE VIEW {quoted} AS SELECT{};\n",
        title("Temporary view structure for view", name),
        columns.join(",")
    )
}

/// Makes a view in place of its placeholder.
pub fn view(name: &str, definition: &[u8], context: &Context) -> Vec<u8> {
    let mut to = title("Final view structure for view", name).into_bytes();
    to.extend_from_slice(format!("DROP VIEW IF EXISTS {};\n", quote::identifier(name)).as_bytes());
    within(&mut to, context, |to| {
        to.extend_from_slice(definition);
        to.extend_from_slice(b";\n");
    });
    to
}

/// Makes a program; `kind` is as in `DROP`. The schema's collation is part of how a program reads
/// its parameters: where the schema has another one by now, it gets the old one for the moment.
pub fn program(
    kind: &str,
    name: &str,
    definition: &[u8],
    context: &Context,
    schema: Option<(&str, &str)>,
) -> Vec<u8> {
    let delimiter = delimiter_for(definition);
    let mut to = vec![b'\n'];
    let other_collation = schema.filter(|(_, collation)| {
        !context.database_collation.is_empty() && *collation != context.database_collation
    });
    let alter = |schema: &str, collation: &str| {
        format!("ALTER DATABASE {} COLLATE {collation};\n", quote::identifier(schema))
    };
    if let Some((schema, _)) = other_collation {
        to.extend_from_slice(alter(schema, &context.database_collation).as_bytes());
    }
    // Dropped within the settings too: MariaDB knows packages only in the mode that they are of.
    let drop = format!("DROP {kind} IF EXISTS {};\n", quote::identifier(name));
    within(&mut to, context, |to| {
        to.extend_from_slice(format!("{drop}DELIMITER {delimiter}\n").as_bytes());
        to.extend_from_slice(definition);
        to.extend_from_slice(format!(" {delimiter}\nDELIMITER ;\n").as_bytes());
    });
    if let Some((schema, collation)) = other_collation {
        to.extend_from_slice(alter(schema, collation).as_bytes());
    }
    to
}

/// Writes something between statements that give the session the settings of `context` and its own
/// ones back.
fn within(to: &mut Vec<u8>, context: &Context, body: impl FnOnce(&mut Vec<u8>)) {
    let mut set = Vec::new();
    let mut back = Vec::new();
    let mut put = |variable: &str, value: String| {
        back.push(format!("SET {variable} = @saved_{variable};\n"));
        set.push(format!("SET @saved_{variable} = @@{variable};\nSET {variable} = {value};\n"));
    };
    if !context.character_set_client.is_empty() {
        put("character_set_client", context.character_set_client.clone());
        put("collation_connection", context.collation_connection.clone());
    }
    if let Some(mode) = &context.sql_mode {
        put("sql_mode", quote::string(mode, Escaping::Backslash));
    }
    if let Some(zone) = &context.time_zone {
        put("time_zone", quote::string(zone, Escaping::Backslash));
    }
    to.extend_from_slice(set.concat().as_bytes());
    body(to);
    back.reverse();
    to.extend_from_slice(back.concat().as_bytes());
}

/// A title as a comment.
pub fn title(what: &str, name: &str) -> String {
    format!("\n--\n-- {what} {}\n--\n\n", in_comment(&quote::identifier(name)))
}

/// A text that cannot end the comment it stands in: a name may hold line ends, and what follows one
/// would be a statement.
fn in_comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests;
