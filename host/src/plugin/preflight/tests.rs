use super::{GlibcVersion, inspect};
use crate::plugin::PluginCode;

#[test]
fn versions_of_glibc_are_compared_as_numbers() {
    let version = |text| GlibcVersion::parse(text).unwrap();
    assert!(version("2.9") < version("2.36"));
    assert!(version("2.36") < version("3.0"));
    assert_eq!(GlibcVersion::of_symbol("GLIBC_2.34"), Some(GlibcVersion(2, 34)));
    assert_eq!(GlibcVersion::of_symbol("GLIBC_2.3.4"), Some(GlibcVersion(2, 3)));
    assert_eq!(GlibcVersion::of_symbol("GLIBC_ABI_DT_RELR"), Some(GlibcVersion(2, 36)));
    assert_eq!(GlibcVersion::of_symbol("GLIBC_PRIVATE"), None);
    assert_eq!(GlibcVersion::of_symbol("GCC_3.0"), None);
}

#[test]
fn the_running_glibc_has_a_version() {
    assert!(GlibcVersion::parse(&super::library::glibc_version()).is_some());
}

#[test]
fn any_bytes_are_refused_and_none_panics() {
    let mut bytes = vec![0_u8; 4096];
    for seed in 0..2000_u32 {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        for byte in &mut bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        // A believable beginning, so that the tables behind it are read.
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[16..20].copy_from_slice(&[3, 0, 62, 0]);
        let code = inspect(bytes.as_slice()).err().map(|reason| reason.code());
        assert!(code.is_some_and(|code| code != PluginCode::Crashed), "seed {seed}");
    }
}
