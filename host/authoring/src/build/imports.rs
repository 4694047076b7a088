//! What a component may import, and what to do about the rest: told at build
//! time, where the author can still change the flags.

use super::BuildError;
use crate::Language;
use wasmparser::{Parser, Payload};

/// Refuses a component that imports anything but our own interfaces.
pub(super) fn check(language: Language, component: &[u8]) -> Result<(), BuildError> {
    let unwanted: Vec<String> = imports(component)
        .into_iter()
        .filter(|name| !name.starts_with("tollgate:plugin/"))
        .collect();
    if unwanted.is_empty() {
        return Ok(());
    }
    Err(BuildError::Imports {
        imports: unwanted.join(", "),
        remedy: remedy(language),
    })
}

/// Names of a component's imports; none of what cannot be parsed.
fn imports(component: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth -= 1,
            Ok(Payload::ComponentImportSection(section)) if depth == 1 => {
                let found = section.into_iter().flatten();
                names.extend(found.map(|import| import.name.name.to_owned()));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    names
}

/// How a language gets rid of imports that a sandbox does not grant.
pub(super) const fn remedy(language: Language) -> &'static str {
    match language {
        Language::Rust => {
            "build for wasm32-unknown-unknown and leave out crates, or features of crates, that \
             ask for a clock, randomness, threads or a browser (getrandom, wasm-bindgen, \
             std::time); `cargo tree -i CRATE` tells who brings one in"
        }
        Language::Js => {
            "disable every feature of componentize-js (disableFeatures: stdio, random, clocks, \
             http, fetch-event) and import nothing but the SDK"
        }
        Language::Python => "pass --stub-wasi to componentize-py",
        Language::C => {
            "compile freestanding (--target=wasm32 -nostdlib) and declare no import of your own: \
             there is no libc beyond tollgate.h"
        }
    }
}
