use super::{Note, concat, note_json_len};
use abi_stable::library::ROOT_MODULE_LOADER_NAME;

#[test]
fn the_root_symbol_has_the_name_that_the_loader_looks_for() {
    assert_eq!(ROOT_MODULE_LOADER_NAME, "_1as_0lib_1header_0root_bmodule_bloader");
}

#[test]
fn a_note_pads_its_json_to_four_bytes() {
    const PARTS: [&str; 2] = ["{\"a\":", "1}"];
    const LENGTH: usize = note_json_len(&PARTS);
    static NOTE: Note<LENGTH> = Note::new(concat(&PARTS));
    assert_eq!(LENGTH, 8);
    assert_eq!(NOTE.json(), "{\"a\":1}");
}
