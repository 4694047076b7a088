//! `cargo xtask contract`: writes `docs/plugin-contract.md` from the comments in
//! `wit/`, so that the page cannot say anything else than the contract does.
//! `tidy` compares the two.

use anyhow::{Context as _, Result};
use std::{collections::BTreeSet, fmt::Write as _, path::Path};
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeId,
    WorldItem,
};

/// The page, below the root.
pub const PAGE: &str = "docs/plugin-contract.md";
/// The newest released contract.
const RELEASED: &str = "wit/0.1";
/// Worlds in the order of the page.
const WORLDS: [&str; 3] = ["transform", "detector", "action"];

/// Writes the page.
pub fn run(root: &Path) -> Result<()> {
    let path = root.join(PAGE);
    std::fs::write(&path, page(root)?).with_context(|| format!("writing {}", path.display()))?;
    crate::shell::say(&format!("wrote {PAGE}"));
    Ok(())
}

/// The page as it should be.
pub fn page(root: &Path) -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join(RELEASED))?;
    let mut out = format!(
        "# The contract of plugins\n\n\
         Made from the comments in [`{RELEASED}`](../{RELEASED}) by `cargo xtask contract`; do not \
         edit. [plugin-authors.md](plugin-authors.md) explains how to work with it.\n\n\
         Names are those of WIT; each SDK spells them as its language does (`p-value` is `p_value` \
         in Rust and Python, `pValue` in JavaScript).\n"
    );
    let mut shared = BTreeSet::new();
    for name in WORLDS {
        let id = resolve.select_world(&[package], Some(name))?;
        let world = resolve
            .worlds
            .get(id)
            .context("a world that is not there")?;
        write!(out, "\n## Kind {name}\n\n{}\n", text(&world.docs))?;
        for item in world.exports.values() {
            if let WorldItem::Interface { id, .. } = item
                && let Some(interface) = resolve.interfaces.get(*id)
            {
                describe(&mut out, &resolve, interface, "A plugin exports")?;
            }
        }
        for item in world.imports.values() {
            if let WorldItem::Interface { id, .. } = item
                && let Some(interface) = resolve.interfaces.get(*id)
            {
                let name = interface.name.clone().unwrap_or_default();
                if interface.functions.is_empty() || name == "log" {
                    shared.insert(name);
                } else {
                    describe(&mut out, &resolve, interface, "A plugin may import")?;
                }
            }
        }
    }
    out += "\n## For all kinds\n";
    for name in ["log", "failures", "tensors"] {
        let found = resolve.interfaces.iter().map(|(_, interface)| interface);
        let interface = found
            .into_iter()
            .find(|interface| interface.name.as_deref() == Some(name) && shared.contains(name));
        if let Some(interface) = interface {
            describe(&mut out, &resolve, interface, "Interface")?;
        }
    }
    Ok(out)
}

fn describe(out: &mut String, resolve: &Resolve, of: &Interface, how: &str) -> Result<()> {
    let name = of.name.as_deref().unwrap_or_default();
    write!(out, "\n### {how} `{name}`\n\n{}\n", text(&of.docs))?;
    let named: Vec<&TypeDef> = of
        .types
        .values()
        .filter_map(|id| resolve.types.get(*id))
        // Names that the interface only borrows are described where they live.
        .filter(|def| !matches!(def.kind, TypeDefKind::Type(_)))
        .collect();
    let functions: Vec<&Function> = of.functions.values().collect();
    if !functions.is_empty() {
        *out += "\n| function | what it is for |\n|---|---|\n";
        for function in functions {
            let signature = signature(resolve, function);
            writeln!(out, "| `{signature}` | {} |", cell(&function.docs))?;
        }
    }
    for def in named {
        type_(out, resolve, def)?;
    }
    Ok(())
}

fn type_(out: &mut String, resolve: &Resolve, def: &TypeDef) -> Result<()> {
    let name = def.name.as_deref().unwrap_or_default();
    let rows: Vec<(String, &Docs)> = match &def.kind {
        TypeDefKind::Record(record) => record
            .fields
            .iter()
            .map(|field| {
                (
                    format!("{}: {}", field.name, type_name(resolve, field.ty)),
                    &field.docs,
                )
            })
            .collect(),
        TypeDefKind::Enum(it) => it
            .cases
            .iter()
            .map(|case| (case.name.clone(), &case.docs))
            .collect(),
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .map(|case| {
                let of = case.ty.map(|ty| format!("({})", type_name(resolve, ty)));
                (
                    format!("{}{}", case.name, of.unwrap_or_default()),
                    &case.docs,
                )
            })
            .collect(),
        _ => Vec::new(),
    };
    let what = def.kind.as_str();
    write!(out, "\n**`{name}`** ({what}). {}\n", text(&def.docs))?;
    if !rows.is_empty() {
        *out += "\n| | |\n|---|---|\n";
        for (left, docs) in rows {
            writeln!(out, "| `{left}` | {} |", cell(docs))?;
        }
    }
    Ok(())
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<String> = function
        .params
        .iter()
        // The receiver of a method goes without saying.
        .filter(|parameter| parameter.name != "self")
        .map(|parameter| format!("{}: {}", parameter.name, type_name(resolve, parameter.ty)))
        .collect();
    let name = match &function.kind {
        FunctionKind::Constructor(_) => "constructor".to_owned(),
        FunctionKind::Static(_) => format!("static {}", function.item_name()),
        _ => function.item_name().to_owned(),
    };
    // What a constructor gives is its resource.
    let gives = function
        .result
        .filter(|_| !matches!(function.kind, FunctionKind::Constructor(_)))
        .map(|ty| format!(" -> {}", type_name(resolve, ty)));
    let gives = gives.unwrap_or_default();
    // A bar would end the cell of the table.
    format!("{name}({}){gives}", parameters.join(", ")).replace('|', "\\|")
}

fn type_name(resolve: &Resolve, ty: Type) -> String {
    let simple = match ty {
        Type::Id(id) => return id_name(resolve, id),
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
    };
    simple.to_owned()
}

fn id_name(resolve: &Resolve, id: TypeId) -> String {
    let Some(def) = resolve.types.get(id) else {
        return "?".to_owned();
    };
    if let Some(name) = &def.name {
        return name.clone();
    }
    let or_none = |ty: Option<Type>| ty.map_or_else(|| "_".to_owned(), |ty| type_name(resolve, ty));
    match &def.kind {
        TypeDefKind::List(ty) => format!("list<{}>", type_name(resolve, *ty)),
        TypeDefKind::Option(ty) => format!("option<{}>", type_name(resolve, *ty)),
        TypeDefKind::Result(result) => {
            format!("result<{}, {}>", or_none(result.ok), or_none(result.err))
        }
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => id_name(resolve, *id),
        TypeDefKind::Type(ty) => type_name(resolve, *ty),
        other => other.as_str().to_owned(),
    }
}

/// A comment as a paragraph.
fn text(docs: &Docs) -> String {
    let text = docs.contents.as_deref().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A comment as the cell of a table.
fn cell(docs: &Docs) -> String {
    text(docs).replace('|', "\\|")
}
