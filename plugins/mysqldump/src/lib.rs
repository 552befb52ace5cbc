//! Engine `mysqldump`.
