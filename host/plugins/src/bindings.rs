//! Host side of `wit/0.1`, one module per world. Generated types stay inside
//! this crate; [`crate::convert`] turns them into the domain's.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated code; documented in the WIT files"
)]

/// World `transform`. Arguments are borrowed, so that a batch is copied once:
/// into the guest.
pub mod transform {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "transform",
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { default: trappable },
    });
}

/// World `detector`; admitted here, run by the monitor later.
pub mod detector {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "detector",
        imports: { default: trappable },
        with: {
            "tollgate:plugin/log": super::transform::tollgate::plugin::log,
        },
    });
}

/// World `action`; admitted here, run on rollbacks later.
pub mod action {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "action",
        imports: { default: trappable },
        with: { "tollgate:plugin/log": super::transform::tollgate::plugin::log },
    });
}
