//! The engine object: made by `create_engine`, asked for its roles.
use crate::{capability::RawCapability, document::Doc, error::AbiResult, host::HostBox};
use abi_stable::{
    sabi_trait,
    std_types::{RBox, ROption, RStr},
};

/// One engine with its options. `[any thread]`
#[sabi_trait]
pub trait Engine: Send + Sync + 'static {
    /// [`Environment`](crate::document::environment::Environment) in,
    /// [`Assessment`](crate::document::assessment::Assessment) out. Read-only, within
    /// [`ASSESS_LIMIT`](crate::document::assessment::ASSESS_LIMIT).
    fn assess(&self, environment: Doc, host: HostBox) -> AbiResult<Doc>;
    /// A role of this engine by its id, or none.
    #[sabi(last_prefix_field)]
    fn role(&self, id: RStr<'_>) -> ROption<RawCapability>;
}

/// An engine as it crosses the boundary.
pub type EngineBox = Engine_TO<RBox<()>>;
