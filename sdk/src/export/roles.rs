//! The function tables of the roles, one for each engine type.
use super::{
    guard::guard,
    instance::{RoleList, engine},
    targets::OpenTarget,
};
use crate::{
    engine::{
        BackupEngine, DoctorEngine, ReplayEngine, RestoreEngine, Run, StreamEngine, TargetEngine,
        UndoEngine, VerifyEngine,
    },
    host::Host,
    sink::{EntryReader, Sink},
    stream::StreamSink,
};
use abi_stable::{prefix_type::WithMetadata, sabi_trait::TD_Opaque, staticref};
use dbbackup_plugin_api::{
    capability::RawCapability,
    document::{Doc, undo::UndoRequest},
    engine::EngineBox,
    error::AbiResult,
    host::HostBox,
    role::{
        BackupRole, BackupRole_Ref, DoctorRole, DoctorRole_Ref, ReplayRole, ReplayRole_Ref,
        RestoreRole, RestoreRole_Ref, StreamRole, StreamRole_Ref, StreamSinkBox, Target_TO,
        TargetBox, TargetRole, TargetRole_Ref, UndoRole, UndoRole_Ref, VerifyRole, VerifyRole_Ref,
    },
    sink::{ReaderBox, SinkBox},
};
use std::marker::PhantomData;

/// Holds the static tables of an engine type.
struct Table<E>(PhantomData<E>);

/// Declares the static table of a role and the function that answers it.
macro_rules! role {
    ($(#[$doc:meta])* $name:ident: $bound:path, $table:ident, $table_ref:ident, $($field:ident),+) => {
        impl<E: $bound + RoleList> Table<E> {
            staticref! {
                #[allow(non_upper_case_globals, reason = "named after its type by the macro")]
                const $table: WithMetadata<$table> =
                    WithMetadata::new($table { $($field: $name::$field::<E>),+ })
            }
        }

        $(#[$doc])*
        pub fn $name<E: $bound + RoleList>() -> RawCapability {
            RawCapability::new::<$table_ref>(&const { $table_ref(Table::<E>::$table.as_prefix()) })
        }
    };
}

role!(
    /// Role `backup` of an engine.
    backup: BackupEngine, BackupRole, BackupRole_Ref, run
);
role!(
    /// Role `restore` of an engine.
    restore: RestoreEngine, RestoreRole, RestoreRole_Ref, check, run, finish
);
role!(
    /// Role `verify` of an engine.
    verify: VerifyEngine, VerifyRole, VerifyRole_Ref, run
);
role!(
    /// Role `doctor` of an engine.
    doctor: DoctorEngine, DoctorRole, DoctorRole_Ref, run
);
role!(
    /// Role `undo` of an engine.
    undo: UndoEngine, UndoRole, UndoRole_Ref, run
);
role!(
    /// Role `target` of an engine.
    target: TargetEngine, TargetRole, TargetRole_Ref, open
);
role!(
    /// Role `stream` of an engine.
    stream: StreamEngine, StreamRole, StreamRole_Ref, run
);
role!(
    /// Role `replay` of an engine.
    replay: ReplayEngine, ReplayRole, ReplayRole_Ref, run
);

mod backup {
    use super::*;

    pub(super) extern "C" fn run<E: BackupEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        sink: SinkBox,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let run = Run { request: request.decode()?, host: Host::new(host) };
            Ok(Doc::encode(&engine::<E>(instance)?.backup(&run, &Sink::new(sink))?)?)
        })
    }
}

mod restore {
    use super::*;

    pub(super) extern "C" fn check<E: RestoreEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let run = Run { request: request.decode()?, host: Host::new(host) };
            Ok(Doc::encode(&engine::<E>(instance)?.check(&run)?)?)
        })
    }

    pub(super) extern "C" fn run<E: RestoreEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        entries: ReaderBox,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let run = Run { request: request.decode()?, host: Host::new(host) };
            let mut entries = EntryReader::new(entries);
            Ok(Doc::encode(&engine::<E>(instance)?.restore(&run, &mut entries)?)?)
        })
    }

    pub(super) extern "C" fn finish<E: RestoreEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let run = Run { request: request.decode()?, host: Host::new(host) };
            Ok(Doc::encode(&engine::<E>(instance)?.finish(&run)?)?)
        })
    }
}

mod verify {
    use super::*;

    pub(super) extern "C" fn run<E: VerifyEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        entries: ReaderBox,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let run = Run { request: request.decode()?, host: Host::new(host) };
            let mut entries = EntryReader::new(entries);
            Ok(Doc::encode(&engine::<E>(instance)?.verify(&run, &mut entries)?)?)
        })
    }
}

mod replay {
    use super::*;

    pub(super) extern "C" fn run<E: ReplayEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        segments: ReaderBox,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let run = Run { request: request.decode()?, host: Host::new(host) };
            let mut segments = EntryReader::new(segments);
            Ok(Doc::encode(&engine::<E>(instance)?.replay(&run, &mut segments)?)?)
        })
    }
}

mod stream {
    use super::*;

    pub(super) extern "C" fn run<E: StreamEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        sink: StreamSinkBox,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let run = Run { request: request.decode()?, host: Host::new(host) };
            let mut sink = StreamSink::new(sink);
            Ok(Doc::encode(&engine::<E>(instance)?.stream(&run, &mut sink)?)?)
        })
    }
}

mod doctor {
    use super::*;

    pub(super) extern "C" fn run<E: DoctorEngine + RoleList>(
        instance: &EngineBox,
        environment: Doc,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let environment = environment.decode()?;
            Ok(Doc::encode(&engine::<E>(instance)?.doctor(&environment, &Host::new(host))?)?)
        })
    }
}

mod undo {
    use super::*;

    pub(super) extern "C" fn run<E: UndoEngine + RoleList>(
        instance: &EngineBox,
        request: Doc,
        host: HostBox,
    ) -> AbiResult<Doc> {
        guard(|| {
            let request: UndoRequest = request.decode()?;
            let host = Host::new(host);
            let engine = engine::<E>(instance)?;
            Ok(Doc::encode(&engine.undo(&request.record, request.dry_run, &host)?)?)
        })
    }
}

mod target {
    use super::*;

    pub(super) extern "C" fn open<E: TargetEngine + RoleList>(
        instance: &EngineBox,
        location: Doc,
        host: HostBox,
    ) -> AbiResult<TargetBox> {
        guard(|| {
            let target = engine::<E>(instance)?.open(&location.decode()?, &Host::new(host))?;
            Ok(Target_TO::from_value(OpenTarget(target), TD_Opaque))
        })
    }
}
