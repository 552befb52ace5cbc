//! Reading artefacts.
