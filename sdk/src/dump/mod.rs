//! SQL text out of tables, for every engine that writes some: what columns become, rows as `INSERT`,
//! definitions with the session settings that belong to them, and the texts around all of it.
//!
//! An engine decides which tables are read, in which order and under which snapshot or lock; what is
//! written for a table is the same everywhere, so that everything that loads one engine's dump loads
//! another's.

mod collation;
mod column;
mod definition;
mod insert;
mod literal;
mod output;
mod rows;
pub mod text;

pub use column::{Column, ColumnReader, Columns, Literal, Period};
pub use definition::{Context, Program, Trigger, definition, program, table_definition, triggers};
pub use insert::InsertWriter;
pub use output::{Output, path_component};
pub use rows::{Copied, CopyError, copy_rows};

/// Settings of a session under which every value and definition comes out unchanged.
///
/// - Results are not converted: texts and definitions arrive in the bytes that are stored.
/// - No SQL mode: `PAD_CHAR_TO_FULL_LENGTH` and `ANSI_QUOTES` would change what is printed.
/// - No limits: `sql_select_limit` or a time-out set for all sessions would cut tables off.
/// - A session that only holds a lock is idle for as long as the dump takes.
///
/// What a version does not know stands in comments that it does not read.
pub const SESSION_SETTINGS: [&str; 4] = [
    "SET NAMES utf8mb4",
    "SET SESSION character_set_results = NULL, SESSION sql_mode = '', SESSION time_zone = '+00:00'",
    "SET SESSION sql_select_limit = DEFAULT, SESSION sql_big_selects = 1, \
     SESSION sql_quote_show_create = 1, SESSION lock_wait_timeout = 60",
    "SET SESSION net_write_timeout = 3600 \
     /*!50708 , SESSION max_execution_time = 0 */ \
     /*M!100101 , SESSION max_statement_time = 0 */ \
     /*!80000 , SESSION information_schema_stats_expiry = 0 */ \
     /*!80030 , SESSION show_gipk_in_create_table_and_information_schema = 1 */",
];
