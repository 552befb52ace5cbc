//! What mends a refusal: an exact command where there is one.
use super::{ApiMismatch, Reason, Refusal};
use std::path::Path;

/// The command or sentence that mends `refusal`.
pub(super) fn mend(refusal: &Refusal) -> String {
    let name = refusal.plugin.as_ref().map_or("the plugin", |label| label.id.as_str());
    let file = shell_quoted(&refusal.path);
    match &refusal.reason {
        Reason::Unreadable { .. } => format!("chmod a+r {file}"),
        Reason::Format { .. } | Reason::NoNote { .. } => {
            format!("remove {file} from the plugin directory, it is no plugin")
        }
        Reason::Truncated { .. } => {
            format!("copy the file again: dbbackup engine add {}", file_name(&refusal.path))
        }
        Reason::OtherMachine { wanted, .. } => format!("install the build of {name} for {wanted}"),
        Reason::NewerGlibc { present, .. } => {
            format!("install a build of {name} against glibc {present} or older")
        }
        Reason::OtherLibc { .. } => format!("install the glibc build of {name}"),
        Reason::BadNote { .. } | Reason::NoteContradicted { .. } | Reason::Layout { .. } => {
            format!("ask the vendor of {name} for a build with the current dbbackup sdk")
        }
        Reason::Api(mismatch) | Reason::Major(mismatch) => mend_api(name, mismatch),
        Reason::Permission(problem) => problem.mend.clone(),
        Reason::Hash { .. } => format!(
            "if you changed {file} yourself: dbbackup engine lock {name}; otherwise install it anew"
        ),
        Reason::NotLocked { .. } => format!("dbbackup engine lock {name}"),
        Reason::LockFileUnusable { lock_file, .. } => {
            format!("restore or remove {}, then dbbackup engine lock", shell_quoted(lock_file))
        }
        Reason::Duplicate { .. } | Reason::Shadowed { .. } | Reason::DuplicateEngine { .. } => {
            format!("rm {file}, or remove the other one")
        }
        Reason::FirstPartyId { .. } => {
            "set plugins.allow_shadowing: true in the configuration if this is wanted".to_owned()
        }
        Reason::Disabled { .. } => format!("dbbackup engine enable {name}"),
        Reason::SafeMode => "run without --safe-mode".to_owned(),
        Reason::Link { .. } => format!("ldd {file} shows what is missing"),
        Reason::Init { error } if !error.hint.is_empty() => error.hint.to_string(),
        Reason::Probe { .. } => format!("report it to the vendor of {name}; nothing was installed"),
        Reason::Init { .. } | Reason::Crashed { .. } => {
            format!("dbbackup engine disable {name}, and report it to its vendor")
        }
    }
}

fn mend_api(name: &str, mismatch: &ApiMismatch) -> String {
    let ApiMismatch { requires, built, host, oldest, .. } = mismatch;
    let series = format!("{}.{}", host.major, host.minor);
    if built < oldest || built.major < host.major {
        format!("install {} built for host API {series}", with_article(name))
    } else {
        format!(
            "upgrade dbbackup to a version that offers host API {requires}, \
             or install {} built for host API {series}",
            with_article(name)
        )
    }
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// A path as a shell takes it.
pub(super) fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into())
}
