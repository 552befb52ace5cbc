//! A note, and the right symbol with something else behind it.
#![allow(unsafe_code, reason = "exports a symbol that lies")]
use dbbackup_sdk::export;

const NOTE: &str = dbbackup_rogue::note!("not-abi-stable");
const LENGTH: usize = export::note_json_len(&[NOTE]);

#[used]
#[unsafe(link_section = ".note.dbbackup")]
static NOTE_IN_FILE: export::Note<LENGTH> = export::Note::new(export::concat(&[NOTE]));

#[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
static HEADER: [u8; 64] = *b"some other plugin system, which also has a header of sixty-four!";
