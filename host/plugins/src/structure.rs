//! Admission, part one: the shape of the bytes, before anything is compiled.

use std::ops::Range;
use wasmparser::{Encoding, Parser, Payload};

/// Most functions in all modules of a component.
const MAX_FUNCTIONS: u32 = 20_000;
/// Largest body of one function, in bytes.
const MAX_BODY: u64 = 512 << 10;
/// Most data segments: the snapshots of scripted guests have up to 10,000.
const MAX_DATA: u32 = 10_000;
/// Most core modules; Python's parts are 38.
const MAX_MODULES: u32 = 48;
/// Most nested components.
const MAX_COMPONENTS: u32 = 8;
/// Most parameters or results of a core function type.
const MAX_PARAMS: usize = 100;
/// Most items of any other kind, each kind counted alone.
const MAX_ITEMS: u32 = 10_000;

/// Names on the outside of a component.
#[derive(Debug, Default)]
pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Checks the bytes against every limit of structure and returns the names on
/// the outside. Validity is checked later, by the compiler.
pub(crate) fn inspect(bytes: &[u8], max_bytes: usize) -> Result<Surface, String> {
    if bytes.len() > max_bytes {
        return Err(format!(
            "it has {} bytes, at most {max_bytes} are accepted",
            bytes.len()
        ));
    }
    not_something_else(bytes)?;
    let mut counted = Counted::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| format!("it cannot be parsed: {error}"))?;
        counted
            .take(payload)
            .map_err(|error| format!("it cannot be parsed: {error}"))??;
    }
    Ok(counted.surface)
}

fn not_something_else(bytes: &[u8]) -> Result<(), String> {
    if bytes.starts_with(b"\x7fELF") {
        return Err(
            "it is native code (ELF), perhaps a precompiled artifact: upload the component itself"
                .into(),
        );
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(
            "it does not start with the magic number of WebAssembly: upload a binary component, not text or an archive"
                .into(),
        );
    }
    if Parser::is_core_wasm(bytes) {
        return Err(
            "it is a core module: make a component of it with `wasm-tools component new` (or `cargo xtask component`)"
                .into(),
        );
    }
    if !Parser::is_component(bytes) {
        return Err("its version is neither that of a module nor of a component".into());
    }
    Ok(())
}

#[derive(Default)]
struct Counted {
    depth: u32,
    functions: u32,
    data: u32,
    modules: u32,
    components: u32,
    items: u32,
    surface: Surface,
}

fn within(what: &str, count: &mut u32, more: u32, limit: u32) -> Result<(), String> {
    *count = count.saturating_add(more);
    if *count > limit {
        return Err(format!("it has more than {limit} {what}"));
    }
    Ok(())
}

impl Counted {
    /// One payload: the outer result is a parse error, the inner one a limit.
    fn take(&mut self, payload: Payload<'_>) -> wasmparser::Result<Result<(), String>> {
        Ok(match payload {
            Payload::Version { encoding, .. } => {
                self.depth += 1;
                match encoding {
                    Encoding::Module => within("modules", &mut self.modules, 1, MAX_MODULES),
                    Encoding::Component => {
                        // The outermost one is not nested.
                        within(
                            "nested components",
                            &mut self.components,
                            1,
                            MAX_COMPONENTS + 1,
                        )
                    }
                }
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::FunctionSection(section) => within(
                "functions",
                &mut self.functions,
                section.count(),
                MAX_FUNCTIONS,
            ),
            Payload::DataSection(section) => {
                within("data segments", &mut self.data, section.count(), MAX_DATA)
            }
            Payload::CodeSectionEntry(body) => small("a function body", body.range(), MAX_BODY),
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.types() {
                        if let wasmparser::CompositeInnerType::Func(func) = &ty.composite_type.inner
                            && func.params().len().max(func.results().len()) > MAX_PARAMS
                        {
                            return Ok(Err(format!(
                                "it has a function of more than {MAX_PARAMS} parameters"
                            )));
                        }
                    }
                }
                Ok(())
            }
            Payload::ComponentImportSection(section) if self.depth == 1 => {
                for import in section {
                    self.surface.imports.push(import?.name.name.to_owned());
                }
                self.items(self.surface.imports.len())
            }
            Payload::ComponentExportSection(section) if self.depth == 1 => {
                for export in section {
                    self.surface.exports.push(export?.name.name.to_owned());
                }
                self.items(self.surface.exports.len())
            }
            Payload::ComponentTypeSection(section) => self.items(section.count() as usize),
            Payload::ComponentInstanceSection(section) => self.items(section.count() as usize),
            Payload::ComponentAliasSection(section) => self.items(section.count() as usize),
            Payload::ComponentCanonicalSection(section) => self.items(section.count() as usize),
            Payload::InstanceSection(section) => self.items(section.count() as usize),
            Payload::CoreTypeSection(section) => self.items(section.count() as usize),
            Payload::ComponentStartSection { .. } => {
                Err("it has a component start section, which is not supported".into())
            }
            _ => Ok(()),
        })
    }

    fn items(&mut self, more: usize) -> Result<(), String> {
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        within(
            "types, aliases, instances and names",
            &mut self.items,
            more,
            MAX_ITEMS,
        )
    }
}

fn small(what: &str, range: Range<u64>, limit: u64) -> Result<(), String> {
    let bytes = range.end.saturating_sub(range.start);
    if bytes > limit {
        return Err(format!(
            "{what} has {bytes} bytes, at most {limit} are accepted"
        ));
    }
    Ok(())
}
