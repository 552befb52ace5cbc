//! Names of pieces.
use super::piece_path;
use dbbackup_plugin_api::document::path::EntryPath;

#[test]
fn the_number_stands_before_the_extension() {
    for (stream, number, piece) in [
        ("dump/shop/orders.sql", 1, "dump/shop/orders.00001.sql"),
        ("dump/shop.v2/orders", 7, "dump/shop.v2/orders.00007"),
        ("dump/.hidden", 2, "dump/.hidden.00002"),
        ("a.b.sql", 123_456, "a.b.123456.sql"),
    ] {
        assert_eq!(piece_path(&EntryPath::from(stream), number), EntryPath::from(piece));
    }
}
