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

/// World `detector`. Shares its data types with the transform's, so that
/// batches are made by the same code.
pub mod detector {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "detector",
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { default: trappable },
        with: {
            "tollgate:plugin/tensors": super::transform::tollgate::plugin::tensors,
            "tollgate:plugin/failures": super::transform::tollgate::plugin::failures,
            "tollgate:plugin/log": super::transform::tollgate::plugin::log,
        },
    });
}

/// World `action`.
pub mod action {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "action",
        imports: { default: trappable },
        with: {
            "tollgate:plugin/failures": super::transform::tollgate::plugin::failures,
            "tollgate:plugin/log": super::transform::tollgate::plugin::log,
        },
    });
}
