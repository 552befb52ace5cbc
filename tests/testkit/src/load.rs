//! Load that runs beside a backup: writes with an invariant, and changing definitions.
mod ddl;
mod worker;
mod write;

pub use ddl::DdlLoad;
pub use worker::LoadReport;
pub use write::WriteLoad;
