//! The dbbackup host.
