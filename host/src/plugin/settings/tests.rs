use super::PluginSettings;
use crate::plugin::Origin;
use std::path::PathBuf;

fn settings() -> PluginSettings {
    PluginSettings {
        command_line: vec![PathBuf::from("/nowhere/flag")],
        environment: vec![PathBuf::from("/nowhere/environment")],
        config: vec![PathBuf::from("/nowhere/config"), PathBuf::from("/nowhere/flag")],
        user: Some(PathBuf::from("/nowhere/user")),
        executable: Some(PathBuf::from("/nowhere/bin/dbbackup")),
        system: vec![PathBuf::from("/nowhere/system")],
        ..PluginSettings::default()
    }
}

fn origins(settings: &PluginSettings, is_root: bool) -> Vec<Origin> {
    settings.search_order(is_root).into_iter().map(|directory| directory.origin).collect()
}

#[test]
fn directories_are_searched_in_order_each_once() {
    let order = settings().search_order(false);
    let paths: Vec<_> = order.iter().map(|directory| directory.path.to_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "/nowhere/flag",
            "/nowhere/environment",
            "/nowhere/config",
            "/nowhere/user",
            "/nowhere/lib/dbbackup/plugins",
            "/nowhere/system"
        ]
    );
}

#[test]
fn root_takes_nothing_from_environment_and_home() {
    use Origin::{Bundled, CommandLine, Config, Environment, System};
    assert_eq!(origins(&settings(), true), [CommandLine, Config, Bundled, System]);
    let allowed = PluginSettings { environment_for_root: true, ..settings() };
    assert_eq!(origins(&allowed, true), [CommandLine, Environment, Config, Bundled, System]);
}
