//! Checks of packages, imports, rule heads and defaults.

use super::{TEST_SUFFIX, finding};
use domain::{gate::GateManifest, ports::engine::Finding};
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};
use std::collections::BTreeMap;

type Modules = [Ref<Module>];

/// Most tests of a bundle.
const MAX_TESTS: usize = 1000;

pub(super) fn check(manifest: &GateManifest, modules: &Modules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in modules {
        package(manifest, module, &mut findings);
        imports(manifest, module, &mut findings);
        heads(module, &mut findings);
    }
    defaults(manifest, modules, &mut findings);
    conflicts(modules, &mut findings);
    named_twice(modules, &mut findings);
    findings
}

/// Paths of the tests, `data.` first, in order of file and line.
pub(super) fn tests(modules: &Modules) -> Vec<String> {
    let test_modules = modules.iter().filter(|module| is_test(module));
    test_modules
        .flat_map(|module| {
            let rules = module.policy.iter().filter_map(|rule| name(rule));
            let tests = rules.filter(|name| name.starts_with("test_"));
            tests.map(|name| format!("data.{}.{name}", package_of(module)))
        })
        .collect()
}

/// The package as written, `a.b.c`; empty if it is not plain words.
pub(super) fn package_of(module: &Module) -> String {
    dotted(&module.package.refr).map_or_else(String::new, |path| path.join("."))
}

pub(super) fn is_test(module: &Module) -> bool {
    file(&module.package.span).ends_with(TEST_SUFFIX)
}

pub(super) fn file(span: &Span) -> &str {
    span.source.file()
}

/// `a.b.c` as its words; `None` if it is anything else.
pub(super) fn dotted(expr: &Expr) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut rest = expr;
    loop {
        match rest {
            Expr::Var { span, .. } => {
                words.push(span.text());
                words.reverse();
                return Some(words);
            }
            Expr::RefDot { refr, field, .. } => {
                words.push(field.0.text());
                rest = refr;
            }
            _ => return None,
        }
    }
}

/// The rule's head reference.
pub(super) fn head(rule: &Rule) -> &Expr {
    match rule {
        Rule::Default { refr, .. }
        | Rule::Spec {
            head:
                RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. },
            ..
        } => refr,
    }
}

/// Name of a rule whose head is one plain word.
fn name(rule: &Rule) -> Option<&str> {
    match head(rule) {
        Expr::Var { span, .. } => Some(span.text()),
        _ => None,
    }
}

/// First word of the rule's head, as in `checks` of `checks contains c`.
fn first_word(rule: &Rule) -> &str {
    let mut rest = head(rule);
    loop {
        match rest {
            Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => rest = refr,
            other => return other.span().text(),
        }
    }
}

/// One bundle owns one package and what is under it; tests live beside it, so
/// that they see the very rules that will be evaluated.
fn package(manifest: &GateManifest, module: &Module, findings: &mut Vec<Finding>) {
    let found = package_of(module);
    let (own, test) = (&manifest.package, format!("{}_test", manifest.package));
    let owned = if is_test(module) {
        found == test
    } else {
        found == *own
            || found
                .strip_prefix(own)
                .is_some_and(|rest| rest.starts_with('.'))
    };
    if owned {
        return;
    }
    let span = &module.package.span;
    let message = if is_test(module) {
        format!("a test module must say `package {test}`")
    } else {
        format!(
            "the bundle owns package {own} and packages under it only: no other may be added to"
        )
    };
    findings.push(finding(
        "foreign_package",
        file(span),
        Some(span.line),
        message,
    ));
}

fn imports(manifest: &GateManifest, module: &Module, findings: &mut Vec<Finding>) {
    for import in &module.imports {
        let path = dotted(&import.refr).unwrap_or_default().join(".");
        let under = |root: &str| {
            path == root
                || path
                    .strip_prefix(root)
                    .is_some_and(|rest| rest.starts_with('.'))
        };
        let own = format!("data.{}", manifest.package);
        let known = ["rego.v1", "future.keywords", "input", "data.params"];
        if known.into_iter().any(under) || under(&own) {
            continue;
        }
        let message = format!("only rego.v1, input, data.params and {own} can be imported");
        findings.push(finding(
            "unknown_reference",
            file(&import.span),
            Some(import.span.line),
            message,
        ));
    }
}

fn heads(module: &Module, findings: &mut Vec<Finding>) {
    let mut add = |code: &str, span: &Span, message: &str| {
        findings.push(finding(code, file(span), Some(span.line), message));
    };
    for rule in &module.policy {
        let (word, span) = (first_word(rule), rule.span());
        if matches!(word, "data" | "input") {
            add(
                "foreign_package",
                span,
                "a rule cannot be defined under data or input",
            );
        }
        let tested = word.starts_with("test_") || word.starts_with("todo_test_");
        if !tested {
            continue;
        }
        if !is_test(module) {
            add(
                "misplaced_test",
                span,
                "tests belong into a file that ends in _test.rego",
            );
        }
        let plain = matches!(
            &**rule,
            Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } if matches!(&**refr, Expr::Var { .. })
        );
        if !plain {
            add(
                "data_driven_test",
                span,
                "a test is a plain rule `test_x if { … }`: with arguments, keys or a default, failing cases would vanish; write one test per case or use `every`",
            );
        }
    }
}

/// regorus accepts two defaults for one rule and takes the first it loaded.
fn defaults(manifest: &GateManifest, modules: &Modules, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<(String, &str), u32> = BTreeMap::new();
    for module in modules {
        for rule in &module.policy {
            let Rule::Default { refr, span, .. } = &**rule else {
                continue;
            };
            let key = (package_of(module), refr.span().text());
            if let Some(line) = seen.insert(key, span.line) {
                let message = format!(
                    "a second default for {} (the other is in line {line})",
                    refr.span().text()
                );
                findings.push(finding(
                    "duplicate_default",
                    file(span),
                    Some(span.line),
                    message,
                ));
            }
        }
    }
    if !seen.contains_key(&(manifest.package.clone(), "decision")) {
        let message = format!(
            "package {} needs `default decision := …`, a denial, for when no rule applies",
            manifest.package
        );
        findings.push(finding("no_default", "bundle", None, message));
    }
}

/// A rule `p.q` and a package `p.q` would shadow each other.
fn conflicts(modules: &Modules, findings: &mut Vec<Finding>) {
    let packages: Vec<String> = modules.iter().map(|module| package_of(module)).collect();
    for module in modules {
        for rule in &module.policy {
            let path = format!("{}.{}", package_of(module), first_word(rule));
            let under = format!("{path}.");
            if packages.iter().any(|p| *p == path || p.starts_with(&under)) {
                let message = format!("there is a package {path} too: one would hide the other");
                findings.push(finding(
                    "rule_conflict",
                    file(rule.span()),
                    Some(rule.span().line),
                    message,
                ));
            }
        }
    }
}

/// Two rules of one name are alternatives in Rego, so a test named twice passes
/// when one of them does.
fn named_twice(modules: &Modules, findings: &mut Vec<Finding>) {
    let mut seen = BTreeMap::new();
    for module in modules.iter().filter(|module| is_test(module)) {
        for rule in &module.policy {
            let Some(name) = name(rule).filter(|name| name.starts_with("test_")) else {
                continue;
            };
            let span = rule.span();
            if seen.insert((package_of(module), name), span.line).is_some() {
                let message = format!(
                    "{name} is there twice: the two are alternatives, and one that fails would not show"
                );
                findings.push(finding(
                    "duplicate_test",
                    file(span),
                    Some(span.line),
                    message,
                ));
            }
        }
    }
    if seen.len() > MAX_TESTS {
        findings.push(finding(
            "too_large",
            "bundle",
            None,
            format!("more than {MAX_TESTS} tests"),
        ));
    }
}
