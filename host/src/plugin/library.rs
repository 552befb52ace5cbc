//! The dynamic linker: the only unsafe code of the host.
//!
//! A library is loaded from a sealed memory file that holds exactly the bytes that were hashed, so
//! that nobody can exchange the file between the check and the load. It is never unloaded.
#![allow(
    unsafe_code,
    reason = "dlopen, the reading of its root symbol, and one call into the C library"
)]
use super::Reason;
use dbbackup_plugin_api::{
    abi_stable::{
        StableAbi,
        library::{AbiHeaderRef, LibHeader, ROOT_MODULE_LOADER_NAME_WITH_NUL},
    },
    capability::check_layout,
    root::PluginRoot_Ref,
};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use semver::Version;
use std::{
    ffi::{CStr, c_char, c_int},
    fs::File,
    io::{self, Write},
    os::fd::{IntoRawFd, OwnedFd},
    path::PathBuf,
};

/// `RTLD_NODELETE` of glibc: the library stays, whoever closes it.
const RTLD_NODELETE: c_int = 0x1000;

/// A checked file and its content.
pub(super) struct Image<'a> {
    pub(super) file: &'a File,
    pub(super) bytes: &'a [u8],
    /// Version of plugin-api in its note.
    pub(super) api: &'a Version,
}

/// Loads a library and gives its root, after checking its layout and before calling into it.
///
/// # Errors
/// [`Reason::Link`] if the linker refuses it, [`Reason::Layout`] if its root is another one,
/// [`Reason::NoteContradicted`] if it was built with another plugin-api than its note says.
pub(super) fn load_root(image: &Image<'_>) -> Result<PluginRoot_Ref, Reason> {
    let header = header_of(&open(image)?)?;
    let built = header.version_strings().version;
    if built.as_str() != image.api.to_string() {
        let what = format!("built with plugin-api {built}, its note says {}", image.api);
        return Err(Reason::NoteContradicted { what });
    }
    let layout = |what: &str| Reason::Layout { what: what.to_owned() };
    let theirs = header.layout().ok_or_else(|| layout("it hides the layout of its root"))?;
    check_layout(PluginRoot_Ref::LAYOUT, theirs).map_err(|detail| {
        // abi_stable's account has up to 30 KB and names types that no operator knows.
        tracing::debug!(detail, "layout of the root module");
        layout("its root or a type behind it is not the one of this API version")
    })?;
    // SAFETY: the layouts were compared in both directions just now. The stock check would refuse
    // every plugin older than the host; fields that an older one lacks are read as missing.
    let root = unsafe { header.init_root_module_with_unchecked_layout::<PluginRoot_Ref>() };
    root.map_err(|error| {
        tracing::debug!(%error, "root module");
        layout("its root module cannot be made")
    })
}

/// Version of the C library of this process, such as `2.36`.
pub(super) fn glibc_version() -> String {
    unsafe extern "C" {
        fn gnu_get_libc_version() -> *const c_char;
    }
    // SAFETY: takes nothing, answers a static C string.
    let text = unsafe { CStr::from_ptr(gnu_get_libc_version()) };
    text.to_string_lossy().into_owned()
}

/// Opens the library from memory, or from the checked file where memory cannot be executed
/// (a security module forbids it). A failed `dlopen` ran no code, so that trying again is safe.
fn open(image: &Image<'_>) -> Result<Library, Reason> {
    let sealed = sealed_copy(image.bytes);
    if let Ok(sealed) = sealed {
        match dlopen(sealed) {
            Ok(library) => return Ok(library),
            Err(what) => tracing::debug!(what, "loading from memory"),
        }
    }
    let link = |what| Reason::Link { what };
    let file = image.file.try_clone().map_err(|error| link(error.to_string()))?;
    dlopen(file.into()).map_err(link)
}

/// A memory file with the bytes, which nobody can change any more.
fn sealed_copy(bytes: &[u8]) -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let memory = memfd_create("dbbackup-plugin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut memory = File::from(memory);
    memory.write_all(bytes)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    fcntl_add_seals(&memory, seals)?;
    Ok(memory.into())
}

fn dlopen(descriptor: OwnedFd) -> Result<Library, String> {
    // Open for ever: glibc knows libraries by name, and a reused number would answer with the
    // library that was loaded under it before.
    let number = descriptor.into_raw_fd();
    let path = PathBuf::from(format!("/proc/self/fd/{number}"));
    // SAFETY: runs the constructors of the library, which is trusted by now; the worker process
    // is there for the case that they misbehave.
    let opened = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) };
    opened.map_err(|error| {
        let text = super::discover::one_line(&error);
        text.replace(&format!("{}: ", path.display()), "")
    })
}

fn header_of(library: &Library) -> Result<&'static LibHeader, Reason> {
    let foreign = |error: &dyn std::fmt::Display| {
        tracing::debug!(%error, "header of the root module");
        Reason::Layout { what: "its root is not of abi_stable 0.11".to_owned() }
    };
    let name = ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes();
    // SAFETY: the pre-flight found this symbol to be abi_stable's header, by its magic text. The
    // symbol's value itself is the reference. The library is never unloaded (RTLD_NODELETE).
    let header = unsafe { library.get::<AbiHeaderRef>(name) };
    let header: AbiHeaderRef = *header.map_err(|error| foreign(&error))?;
    header.upgrade().map_err(|error| foreign(&error))
}
