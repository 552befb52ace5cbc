//! The ELF pre-flight: what can be known of a library without running a byte of it.
//!
//! A truncated library raises SIGBUS inside `dlopen`, one that needs a newer glibc fails with
//! obscure text, and a foreign one would be read as something that it is not. All of that is found
//! here from the file's own tables, in a fraction of a millisecond.
use super::{Reason, library, note};
use dbbackup_plugin_api::{
    NOTE_NAME, NOTE_SECTION, NOTE_TYPE,
    abi_stable::library::{AbiHeader, ROOT_MODULE_LOADER_NAME},
    document::plugin::PluginNote,
};
use object::{
    Endianness, ReadRef, elf,
    read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym},
};

type Header = elf::FileHeader64<Endianness>;

/// What the file says of itself.
#[derive(Clone, Debug)]
pub(super) struct Preflight {
    /// The note, parsed and checked.
    pub(super) note: PluginNote,
    /// Its JSON text, to be compared with what the running code says.
    pub(super) note_json: String,
}

/// Inspects a library of which `data` is the content.
///
/// # Errors
/// A [`Reason`]: no shared library, truncated, other machine, newer glibc, no plugin, bad note,
/// other abi_stable.
pub(super) fn inspect<'d, R: ReadRef<'d>>(data: R) -> Result<Preflight, Reason> {
    let image = Image::parse(data)?;
    image.check_segments()?;
    let sections = image.check_sections()?;
    let note_json = image.note(&sections)?;
    let note = note::parse(&note_json)?;
    Ok(Preflight { note, note_json })
}

/// Checks what `dlopen` would stumble over: the C library, and the root symbol.
///
/// Apart from [`inspect`], so that a refusal can already name the plugin.
///
/// # Errors
/// As for [`inspect`].
pub(super) fn check_linkage<'d, R: ReadRef<'d>>(data: R) -> Result<(), Reason> {
    let image = Image::parse(data)?;
    let sections = image.check_sections()?;
    image.check_glibc(&sections)?;
    image.check_root_symbol(&sections)
}

#[derive(Clone, Copy)]
struct Image<'d, R: ReadRef<'d>> {
    data: R,
    size_bytes: u64,
    header: &'d Header,
    endian: Endianness,
    segments: &'d [elf::ProgramHeader64<Endianness>],
}

impl<'d, R: ReadRef<'d>> Image<'d, R> {
    fn parse(data: R) -> Result<Self, Reason> {
        let size_bytes = data.len().map_err(|()| format_error("its length is unknown"))?;
        check_identity(data, size_bytes)?;
        let header = Header::parse(data).map_err(format_error)?;
        let endian = header.endian().map_err(format_error)?;
        let found = header.e_machine(endian);
        if found != MACHINE {
            let found = machine_name(found);
            return Err(Reason::OtherMachine { found, wanted: std::env::consts::ARCH });
        }
        if header.e_type(endian) != elf::ET_DYN {
            return Err(format_error("it is an ELF file of another type"));
        }
        let table = u64::from(header.e_phnum(endian)) * 56;
        inside("program header table", header.e_phoff(endian), table, size_bytes)?;
        let segments = header.program_headers(endian, data).map_err(format_error)?;
        Ok(Self { data, size_bytes, header, endian, segments })
    }

    fn check_segments(&self) -> Result<(), Reason> {
        let loaded = || self.segments.iter().filter(|s| s.p_type(self.endian) == elf::PT_LOAD);
        if loaded().next().is_none() {
            return Err(format_error("no segment is loaded"));
        }
        loaded().enumerate().try_for_each(|(index, segment)| {
            let (start, length) = segment.file_range(self.endian);
            inside(&format!("segment {index}"), start, length, self.size_bytes)
        })
    }

    fn check_sections(&self) -> Result<SectionTable<'d, Header, R>, Reason> {
        let start = self.header.e_shoff(self.endian);
        if start == 0 {
            return Err(format_error("it has no section table"));
        }
        let length = u64::from(self.header.e_shnum(self.endian)) * 64;
        inside("section table", start, length, self.size_bytes)?;
        let sections = self.header.sections(self.endian, self.data).map_err(format_error)?;
        for section in sections.iter() {
            if let Some((start, length)) = section.file_range(self.endian) {
                inside("a section", start, length, self.size_bytes)?;
            }
        }
        Ok(sections)
    }

    fn note(&self, sections: &SectionTable<'d, Header, R>) -> Result<String, Reason> {
        let bad = |what: &str| Reason::BadNote { what: what.to_owned() };
        let missing = Reason::NoNote { section: NOTE_SECTION };
        let (_, section) = sections
            .section_by_name(self.endian, NOTE_SECTION.as_bytes())
            .ok_or_else(|| missing.clone())?;
        if section.sh_size(self.endian) > note::LONGEST_NOTE_BYTES {
            return Err(bad("it is longer than 1 MiB"));
        }
        let notes = section.notes(self.endian, self.data).map_err(format_error)?;
        for entry in notes.ok_or(missing)? {
            let entry = entry.map_err(|error| bad(&error.to_string()))?;
            if entry.name() == NOTE_NAME.as_bytes()
                && entry.n_type(self.endian) == elf::NoteType(NOTE_TYPE)
            {
                let text = std::str::from_utf8(entry.desc()).map_err(|_| bad("it is not UTF-8"))?;
                return Ok(note::without_padding(text).to_owned());
            }
        }
        Err(bad("its section holds no note of dbbackup"))
    }

    fn check_glibc(&self, sections: &SectionTable<'d, Header, R>) -> Result<(), Reason> {
        if let Some(library) = self.other_libc(sections)? {
            return Err(Reason::OtherLibc { library });
        }
        let Some(needed) = self.newest_glibc_symbol(sections)? else { return Ok(()) };
        let present = library::glibc_version();
        if GlibcVersion::parse(&present).is_some_and(|present| present < needed) {
            return Err(Reason::NewerGlibc { needed: needed.to_string(), present });
        }
        Ok(())
    }

    /// The name of a C library that is not glibc, among the libraries needed.
    fn other_libc(&self, sections: &SectionTable<'d, Header, R>) -> Result<Option<String>, Reason> {
        let Some((entries, strings)) =
            sections.dynamic(self.endian, self.data).map_err(format_error)?
        else {
            return Err(format_error("it has no dynamic section"));
        };
        let strings = sections.strings(self.endian, self.data, strings).map_err(format_error)?;
        for entry in entries {
            if entry.d_tag(self.endian) != elf::DT_NEEDED {
                continue;
            }
            let offset = u32::try_from(entry.d_val(self.endian)).unwrap_or(u32::MAX);
            let name = strings.get(offset).map_err(|()| format_error("a name is out of range"))?;
            if name == b"libc.so" || name.starts_with(b"libc.musl") {
                return Ok(Some(String::from_utf8_lossy(name).into_owned()));
            }
        }
        Ok(None)
    }

    fn newest_glibc_symbol(
        &self,
        sections: &SectionTable<'d, Header, R>,
    ) -> Result<Option<GlibcVersion>, Reason> {
        let Some((mut needs, link)) =
            sections.gnu_verneed(self.endian, self.data).map_err(format_error)?
        else {
            return Ok(None);
        };
        let strings = sections.strings(self.endian, self.data, link).map_err(format_error)?;
        let mut newest = None;
        while let Some((_, mut versions)) = needs.next().map_err(format_error)? {
            while let Some(version) = versions.next().map_err(format_error)? {
                let name = version.name(self.endian, strings).map_err(format_error)?;
                let version = std::str::from_utf8(name).ok().and_then(GlibcVersion::of_symbol);
                newest = newest.max(version);
            }
        }
        Ok(newest)
    }

    /// The exported root symbol must be there and be abi_stable's header: its first bytes are
    /// plain text, readable from the file.
    fn check_root_symbol(&self, sections: &SectionTable<'d, Header, R>) -> Result<(), Reason> {
        let symbols =
            sections.symbols(self.endian, self.data, elf::SHT_DYNSYM).map_err(format_error)?;
        let root = symbols.iter().find(|symbol| {
            symbol.is_definition(self.endian, symbols.strings())
                && symbol
                    .name(self.endian, symbols.strings())
                    .is_ok_and(|name| name == ROOT_MODULE_LOADER_NAME.as_bytes())
        });
        let Some(root) = root else {
            return Err(Reason::Layout { what: "it exports no root module".to_owned() });
        };
        let address = root.st_value(self.endian);
        let foreign = || Reason::Layout { what: "its root is not of abi_stable 0.11".to_owned() };
        let bytes = self.bytes_at_address(address, HEADER_BYTES).ok_or_else(foreign)?;
        let ours = AbiHeader::VALUE;
        let expected = [
            ours.magic_string.as_slice(),
            &ours.abi_major.to_ne_bytes(),
            &ours.abi_minor.to_ne_bytes(),
        ]
        .concat();
        if bytes == expected { Ok(()) } else { Err(foreign()) }
    }

    fn bytes_at_address(&self, address: u64, length: u64) -> Option<&'d [u8]> {
        self.segments
            .iter()
            .filter(|segment| segment.p_type(self.endian) == elf::PT_LOAD)
            .find_map(|segment| segment.data_range(self.endian, self.data, address, length).ok()?)
    }
}

/// Magic text, major and minor number of abi_stable's header.
const HEADER_BYTES: u64 = 40;

/// Class, byte order and machine are looked at first: their errors say more than the parser's.
fn check_identity<'d, R: ReadRef<'d>>(data: R, size_bytes: u64) -> Result<(), Reason> {
    let start = data
        .read_bytes_at(0, size_bytes.min(16))
        .map_err(|()| format_error("its start cannot be read"))?;
    if !start.starts_with(b"\x7fELF") {
        return Err(format_error("it does not start as an ELF file does"));
    }
    inside("file header", 0, 64, size_bytes)?;
    let is_64_bit = start.get(4) == Some(&2);
    let is_little_endian = start.get(5) == Some(&1);
    if !is_64_bit || is_little_endian != cfg!(target_endian = "little") {
        let found = if is_64_bit { "another byte order" } else { "32 bit" }.to_owned();
        return Err(Reason::OtherMachine { found, wanted: std::env::consts::ARCH });
    }
    Ok(())
}

fn inside(part: &str, start: u64, length: u64, size_bytes: u64) -> Result<(), Reason> {
    let end = start.saturating_add(length);
    if end > size_bytes {
        return Err(Reason::Truncated { part: part.to_owned(), end, size_bytes });
    }
    Ok(())
}

fn format_error(what: impl ToString) -> Reason {
    Reason::Format { what: what.to_string() }
}

#[cfg(target_arch = "x86_64")]
const MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: elf::Machine = elf::EM_AARCH64;

fn machine_name(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => "x86_64".to_owned(),
        elf::EM_AARCH64 => "aarch64".to_owned(),
        elf::EM_RISCV => "riscv64".to_owned(),
        elf::EM_S390 => "s390x".to_owned(),
        elf::EM_PPC64 => "powerpc64".to_owned(),
        other => format!("ELF machine {}", other.0),
    }
}

/// Version of glibc, such as 2.36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct GlibcVersion(u32, u32);

impl GlibcVersion {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        Some(Self(numbers.next()?.ok()?, numbers.next()?.ok()?))
    }

    fn of_symbol(name: &str) -> Option<Self> {
        match name {
            // Not a number: the mark of relative relocations, known since 2.36.
            "GLIBC_ABI_DT_RELR" => Some(Self(2, 36)),
            _ => Self::parse(name.strip_prefix("GLIBC_")?),
        }
    }
}

impl std::fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests;
