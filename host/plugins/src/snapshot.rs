//! A transform in fresh mode starts every call from the state right after
//! `configure`. This makes a component whose memory already is in that state,
//! so that a call pays for an instance and for `apply`, not for reading settings.
//!
//! The component's one core module that has a memory is run alone: `configure`
//! is called by the canonical ABI, then its memory becomes the data of a new
//! module, which takes the old one's place. Isolation stays the same: every
//! call has an instance of its own that never saw a row.
//!
//! Whatever is out of the ordinary (start functions, more than one mutable
//! global, instructions that change tables) gives no snapshot, and the
//! transform is then configured at every call.

use crate::sandbox::{Sandbox, begin_call};
use std::ops::Range;
use wasmparser::{ExternalKind, Operator, Parser, Payload};
use wasmtime::{Engine, Linker, Module, Store};

/// Export name of `configure` in a core module.
const CONFIGURE: &str = "tollgate:plugin/transformer@0.1.0#configure";
/// Export that frees what `configure` returned.
const POST_CONFIGURE: &str = "cabi_post_tollgate:plugin/transformer@0.1.0#configure";
/// Granularity of the new data segments, in bytes.
const PAGE: usize = 4096;
/// Largest content of a snapshot, in bytes.
const MAX_IMAGE: usize = 4 << 20;

const MEMORY_SECTION: u8 = 5;
const DATA_COUNT_SECTION: u8 = 12;
const DATA_SECTION: u8 = 11;

/// The core module of a component that a snapshot can be made of.
pub(crate) struct Candidate {
    /// Where the module lies in the component.
    range: Range<usize>,
}

impl Candidate {
    /// Finds the module; `None` if the component is out of the ordinary.
    pub(crate) fn find(component: &[u8]) -> Option<Self> {
        let mut depth = 0u32;
        let mut found = None;
        for payload in Parser::new(0).parse_all(component) {
            match payload.ok()? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ModuleSection {
                    unchecked_range, ..
                } if depth == 1 => {
                    let range = bounds(unchecked_range)?;
                    if ordinary(component.get(range.clone())?)? {
                        // Two of them would be one too many.
                        if found.replace(Self { range }).is_some() {
                            return None;
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// The module's bytes.
    pub(crate) fn module<'a>(&self, component: &'a [u8]) -> Option<&'a [u8]> {
        component.get(self.range.clone())
    }

    /// The component with `memory` as the module's initial memory.
    pub(crate) fn with_memory(&self, component: &[u8], memory: &[u8]) -> Option<Vec<u8>> {
        let module = rewrite_module(self.module(component)?, memory)?;
        let mut out = component.get(..8)?.to_vec();
        let mut depth = 0u32;
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload.ok()?;
            match payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                _ => {}
            }
            let Some((id, range)) = payload.as_section().filter(|_| depth == 1) else {
                continue;
            };
            let range = bounds(range)?;
            if range == self.range {
                section(&mut out, id, &module);
            } else {
                section(&mut out, id, component.get(range)?);
            }
        }
        Some(out)
    }
}

fn bounds(range: Range<u64>) -> Option<Range<usize>> {
    Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// Whether this is the module with the memory, and memory is all of its state.
/// `Some(false)` for the small modules that only wire imports.
fn ordinary(module: &[u8]) -> Option<bool> {
    let mut configure = false;
    let mut memories = 0;
    let mut mutable_globals = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::MemorySection(section) => memories += section.count(),
            Payload::GlobalSection(section) => {
                for global in section {
                    mutable_globals += u32::from(global.ok()?.ty.mutable);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    configure |= export.name == CONFIGURE && export.kind == ExternalKind::Func;
                    // Would run again, in the copy.
                    if export.name == "_initialize" {
                        return None;
                    }
                }
            }
            Payload::StartSection { .. } => return None,
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().ok()? {
                    if keeps_state_elsewhere(&operator.ok()?) {
                        return None;
                    }
                }
            }
            _ => {}
        }
    }
    if !configure {
        return Some(false);
    }
    // The one mutable global of a linked module is its stack pointer, which
    // every call leaves as it found it.
    (memories == 1 && mutable_globals <= 1).then_some(true)
}

/// Instructions that change tables, or that read data segments later.
const fn keeps_state_elsewhere(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::MemoryInit { .. }
            | Operator::DataDrop { .. }
    )
}

/// The memory of the module after `configure(settings)`; `None` if anything
/// goes wrong, the plugin's refusal of its settings included.
pub(crate) fn configured_memory(
    engine: &Engine,
    module: &Module,
    mut store: Store<Sandbox>,
    settings: &str,
) -> Option<Vec<u8>> {
    let mut linker: Linker<Sandbox> = Linker::new(engine);
    // A plugin that logs or the like while it is configured gets no snapshot.
    linker.define_unknown_imports_as_traps(module).ok()?;
    begin_call(&mut store);
    let instance = linker.instantiate(&mut store, module).ok()?;
    let memory = instance.get_memory(&mut store, "memory")?;
    let realloc = instance
        .get_typed_func::<(i32, i32, i32, i32), i32>(&mut store, "cabi_realloc")
        .ok()?;
    let configure = instance
        .get_typed_func::<(i32, i32), i32>(&mut store, CONFIGURE)
        .ok()?;
    let length = i32::try_from(settings.len()).ok()?;
    let at = realloc.call(&mut store, (0, 0, 1, length)).ok()?;
    memory
        .write(&mut store, at.cast_unsigned() as usize, settings.as_bytes())
        .ok()?;
    let result = configure.call(&mut store, (at, length)).ok()?;
    // A `result` starts with its discriminant: 0 is `ok`.
    let discriminant = *memory.data(&store).get(result.cast_unsigned() as usize)?;
    if let Ok(post) = instance.get_typed_func::<i32, ()>(&mut store, POST_CONFIGURE) {
        post.call(&mut store, result).ok()?;
    }
    (discriminant == 0).then(|| memory.data(&store).to_vec())
}

/// The module with `memory` as its initial memory, in active data segments.
fn rewrite_module(module: &[u8], memory: &[u8]) -> Option<Vec<u8>> {
    let segments = segments(memory);
    if segments.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > MAX_IMAGE {
        return None;
    }
    let mut out = module.get(..8)?.to_vec();
    let mut data_written = false;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.ok()?;
        if let Payload::MemorySection(reader) = &payload {
            let ty = reader.clone().into_iter().next()?.ok()?;
            section(
                &mut out,
                MEMORY_SECTION,
                &memory_type(memory.len(), ty.maximum)?,
            );
            continue;
        }
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        match id {
            DATA_COUNT_SECTION => {
                let mut count = Vec::new();
                unsigned(&mut count, segments.len());
                section(&mut out, id, &count);
            }
            DATA_SECTION => {
                section(&mut out, id, &data(&segments)?);
                data_written = true;
            }
            _ => section(&mut out, id, module.get(bounds(range)?)?),
        }
    }
    // A module without data has nowhere to put it; none of ours is like that.
    data_written.then_some(out)
}

/// Runs of pages that are not all zero, with their offsets.
fn segments(memory: &[u8]) -> Vec<(usize, &[u8])> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, page) in memory.chunks(PAGE).enumerate() {
        if page.iter().all(|&byte| byte == 0) {
            continue;
        }
        let (start, end) = (index * PAGE, index * PAGE + page.len());
        match runs.last_mut() {
            Some(run) if run.end == start => run.end = end,
            _ => runs.push(start..end),
        }
    }
    runs.into_iter()
        .filter_map(|run| Some((run.start, memory.get(run)?)))
        .collect()
}

/// A memory section with one memory of `bytes`.
fn memory_type(bytes: usize, maximum: Option<u64>) -> Option<Vec<u8>> {
    let mut out = vec![1, u8::from(maximum.is_some())];
    unsigned(&mut out, bytes.div_ceil(65_536));
    if let Some(maximum) = maximum {
        unsigned(&mut out, usize::try_from(maximum).ok()?);
    }
    Some(out)
}

/// A data section of active segments in memory 0.
fn data(segments: &[(usize, &[u8])]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    unsigned(&mut out, segments.len());
    for (offset, bytes) in segments {
        out.extend([0, 0x41]); // active; i32.const
        signed(&mut out, u32::try_from(*offset).ok()?.cast_signed());
        out.push(0x0b); // end
        unsigned(&mut out, bytes.len());
        out.extend_from_slice(bytes);
    }
    Some(out)
}

fn section(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    unsigned(out, contents.len());
    out.extend_from_slice(contents);
}

/// LEB128, unsigned.
fn unsigned(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// LEB128, signed.
fn signed(out: &mut Vec<u8>, mut value: i32) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        let sign = low & 0x40 != 0;
        if (value == 0 && !sign) || (value == -1 && sign) {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_encoded_as_the_specification_shows() {
        let mut out = Vec::new();
        unsigned(&mut out, 624_485);
        assert_eq!(out, [0xe5, 0x8e, 0x26]);
        for (value, bytes) in [
            (-123_456, &[0xc0, 0xbb, 0x78][..]),
            (64, &[0xc0, 0x00]),
            (-64, &[0x40]),
        ] {
            let mut out = Vec::new();
            signed(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn only_pages_with_content_become_data() {
        let mut memory = vec![0; 5 * PAGE];
        memory[PAGE] = 1;
        memory[3 * PAGE - 1] = 1;
        memory[5 * PAGE - 1] = 1;
        let found: Vec<(usize, usize)> = segments(&memory)
            .iter()
            .map(|(at, bytes)| (*at, bytes.len()))
            .collect();
        assert_eq!(found, [(PAGE, 2 * PAGE), (4 * PAGE, PAGE)]);
    }
}
