//! Secrets survive the way to the worker and never show in a debug print.
use super::Secrets;

#[test]
fn bytes_of_every_value_come_back() {
    let mut secrets = Secrets::new();
    secrets.insert("connection.password", (0..=255).collect::<Vec<u8>>());
    let text = serde_json::to_string(&secrets).unwrap();
    let back: Secrets = serde_json::from_str(&text).unwrap();
    assert_eq!(back.get("connection.password"), secrets.get("connection.password"));
    assert_eq!(back.get("other"), None);
}

#[test]
fn debug_prints_names_alone() {
    let mut secrets = Secrets::new();
    secrets.insert("connection.password", "hunter2");
    assert_eq!(format!("{secrets:?}"), r#"{"connection.password"}"#);
}

#[test]
fn odd_or_foreign_digits_are_refused() {
    for text in [r#"{"a":"123"}"#, r#"{"a":"zz"}"#] {
        assert!(serde_json::from_str::<Secrets>(text).is_err(), "{text}");
    }
}
