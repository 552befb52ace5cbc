//! Keeps the C symbols of libraries (those of `crc-fast` among them) out of the plugin's own.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
}
