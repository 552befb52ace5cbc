//! The ABI gate: the layouts of the released contract against today's, seen as the host sees a
//! plugin that was built with the released one. Prints what does not fit.
use today::abi_stable::{
    StableAbi, abi_stability::abi_checking::check_layout_compatibility, type_layout::TypeLayout,
};

fn main() {
    let mut is_broken = false;
    let mut check = |name: &str, released: &'static TypeLayout, today: &'static TypeLayout| {
        if let Err(errors) = check_layout_compatibility(released, today) {
            is_broken = true;
            println!("{name}: {errors}");
        }
    };
    macro_rules! gate {
        ($($($path:ident)::+),+ $(,)?) => {
            $(check(
                stringify!($($path)::+),
                <released::$($path)::+ as StableAbi>::LAYOUT,
                <today::$($path)::+ as StableAbi>::LAYOUT,
            );)+
        };
    }
    gate!(
        root::PluginRoot_Ref,
        engine::EngineBox,
        host::HostBox,
        sink::SinkBox,
        sink::EntryWriterBox,
        sink::ReaderBox,
        role::BackupRole_Ref,
        role::RestoreRole_Ref,
        role::TargetRole_Ref,
        role::StreamRole_Ref,
        role::ReplayRole_Ref,
        role::VerifyRole_Ref,
        role::DoctorRole_Ref,
        role::UndoRole_Ref,
    );
    std::process::exit(i32::from(is_broken));
}
