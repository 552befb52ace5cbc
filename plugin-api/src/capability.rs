//! Capabilities: roles and services found by a versioned id, each with its own checked layout.
use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
    std_types::RStr,
    type_layout::TypeLayout,
};

/// A capability as it crosses the boundary: an id, the layout of what `ptr` points to, and `ptr`.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawCapability {
    id: RStr<'static>,
    layout: &'static TypeLayout,
    ptr: *const (),
}

// SAFETY: `ptr` points to an immutable static of a type that is `Sync` (see `new`).
unsafe impl Send for RawCapability {}
// SAFETY: as above.
unsafe impl Sync for RawCapability {}

/// A type that is found under one versioned id.
///
/// Implemented by the prefix references of the role structs, which are pointers to statics.
pub trait Capability: StableAbi + Copy + Send + Sync + 'static {
    /// Versioned id, such as `dbbackup.role.backup/1`.
    const ID: &'static str;
}

/// Why a capability that was found cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CapabilityError {
    /// The peer answered another id than it was asked for.
    #[error("asked for capability {wanted}, got {got}")]
    OtherId {
        /// The id asked for.
        wanted: &'static str,
        /// The id in the answer.
        got: String,
    },
    /// The layouts are not compatible in either direction; the text is for the debug log.
    #[error("the layout of capability {id} is not the one that this version knows")]
    Layout {
        /// The capability.
        id: &'static str,
        /// abi_stable's own account, long.
        detail: String,
    },
}

impl RawCapability {
    /// Wraps a role for the other side.
    pub fn new<C: Capability>(role: &'static C) -> Self {
        Self { id: RStr::from_str(C::ID), layout: C::LAYOUT, ptr: std::ptr::from_ref(role).cast() }
    }

    /// The id under which it was made.
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The role, if it is one that this side understands: layouts equal, or one an extension of
    /// the other by fields or methods added at the end.
    ///
    /// # Errors
    /// [`CapabilityError`] if the id or the layout is another one; nothing was read through `ptr`.
    pub fn get<C: Capability>(&self) -> Result<C, CapabilityError> {
        if self.id.as_str() != C::ID {
            return Err(CapabilityError::OtherId { wanted: C::ID, got: self.id.to_string() });
        }
        check_layout(C::LAYOUT, self.layout)
            .map_err(|detail| CapabilityError::Layout { id: C::ID, detail })?;
        // SAFETY: the layouts agree, and `ptr` points to a static `C` of the other side.
        Ok(unsafe { *self.ptr.cast::<C>() })
    }
}

impl std::fmt::Debug for RawCapability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawCapability").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Checks two layouts as seen from the older side, which is what a grown prefix type allows.
///
/// The stock check refuses an older peer on a newer side as soon as a prefix type grew, although
/// missing fields read as `None` there. It also remembers all that it has compared, across
/// libraries that never meet, and refuses one for what another lacks: each pair is compared alone.
///
/// # Errors
/// abi_stable's account of the differences.
pub fn check_layout(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), String> {
    let (older, newer) =
        if api_version(theirs) < api_version(ours) { (theirs, ours) } else { (ours, theirs) };
    check_layout_compatibility_with_globals(older, newer, &CheckingGlobals::new())
        .map_err(|errors| errors.to_string())
}

/// Version of plugin-api behind a layout. A reference to a prefix type is of `abi_stable` itself,
/// whatever its version; what it refers to is among its phantom fields.
fn api_version(layout: &'static TypeLayout) -> Option<semver::Version> {
    const CONTRACT: &str = env!("CARGO_PKG_NAME");
    let mut types =
        std::iter::once(layout).chain(layout.phantom_fields().iter().map(|field| field.layout()));
    let found = types.find(|layout| layout.package().as_str() == CONTRACT)?;
    semver::Version::parse(found.package_version().version.as_str()).ok()
}
