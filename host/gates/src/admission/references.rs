//! Checks of what is called and referred to, over the whole syntax tree.
//!
//! Calls are checked against the list of allowed builtins and the functions of
//! the bundle: regorus finds an unknown function only when it reaches the call.

use super::{
    finding, input_paths,
    rules::{dotted, file, head, is_test, package_of},
};
use crate::functions;
use domain::{gate::GateManifest, ports::engine::Finding};
use regorus::{
    Value,
    unstable::{Expr, Literal, Module, Query, Ref, Rule, RuleAssign, RuleHead, Span},
};
use std::collections::BTreeMap;

/// Deepest expression, operators included: the interpreter recurses over it.
const MAX_DEPTH: usize = 64;

/// Most conditions of one body: the interpreter recurses over those that loop.
const MAX_STATEMENTS: usize = 256;

/// Functions of the bundle: full path and number of arguments.
type Defined = BTreeMap<String, usize>;

pub(super) fn check(manifest: &GateManifest, modules: &[Ref<Module>]) -> Vec<Finding> {
    let defined = defined(modules);
    let mut findings = Vec::new();
    for module in modules {
        let mut walk = Walk {
            manifest,
            module,
            defined: &defined,
            todo: Vec::new(),
            findings: &mut findings,
        };
        walk.module();
    }
    findings
}

fn defined(modules: &[Ref<Module>]) -> Defined {
    let mut defined = Defined::new();
    for module in modules {
        for rule in &module.policy {
            let arguments = match &**rule {
                Rule::Spec {
                    head: RuleHead::Func { args, .. },
                    ..
                } => args.len(),
                Rule::Default { args, .. } if !args.is_empty() => args.len(),
                _ => continue,
            };
            if let Some(path) = dotted(head(rule)) {
                defined.insert(
                    format!("data.{}.{}", package_of(module), path.join(".")),
                    arguments,
                );
            }
        }
    }
    defined
}

enum Node<'t> {
    Expr(&'t Expr),
    Query(&'t Query),
}

/// An iterative walk: a hostile tree may be too deep to recurse over.
struct Walk<'t, 'f> {
    manifest: &'t GateManifest,
    module: &'t Module,
    defined: &'t Defined,
    todo: Vec<(Node<'t>, usize)>,
    findings: &'f mut Vec<Finding>,
}

impl<'t> Walk<'t, '_> {
    fn add(&mut self, code: &str, span: &Span, message: impl Into<String>) {
        self.findings
            .push(finding(code, file(span), Some(span.line), message));
    }

    fn module(&mut self) {
        for rule in &self.module.policy {
            self.rule(rule);
            while let Some((node, depth)) = self.todo.pop() {
                match node {
                    Node::Query(query) => self.query(query, depth),
                    Node::Expr(expr) if depth > MAX_DEPTH => {
                        let message = format!(
                            "an expression deeper than {MAX_DEPTH} levels, operators included: give parts of it rules of their own"
                        );
                        self.add("too_deep", expr.span(), message);
                        self.todo.clear();
                    }
                    Node::Expr(expr) => self.expr(expr, depth + 1),
                }
            }
        }
    }

    fn push(&mut self, expr: &'t Expr, depth: usize) {
        self.todo.push((Node::Expr(expr), depth));
    }

    fn rule(&mut self, rule: &'t Rule) {
        match rule {
            Rule::Default { args, value, .. } => {
                args.iter().for_each(|arg| self.push(arg, 0));
                self.push(value, 0);
            }
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        self.head(refr);
                        self.assign(assign.as_ref());
                    }
                    RuleHead::Set { refr, key, .. } => {
                        self.head(refr);
                        key.iter().for_each(|key| self.push(key, 0));
                    }
                    RuleHead::Func {
                        refr, args, assign, ..
                    } => {
                        self.head(refr);
                        args.iter().for_each(|arg| self.push(arg, 0));
                        self.assign(assign.as_ref());
                    }
                }
                for body in bodies {
                    self.assign(body.assign.as_ref());
                    self.todo.push((Node::Query(&body.query), 0));
                }
            }
        }
    }

    fn assign(&mut self, assign: Option<&'t RuleAssign>) {
        assign
            .into_iter()
            .for_each(|assign| self.push(&assign.value, 0));
    }

    /// Keys in a head, as `id` in `bounds[id] := …`.
    fn head(&mut self, head: &'t Expr) {
        let mut rest = head;
        loop {
            match rest {
                Expr::RefBrack { refr, index, .. } => {
                    self.push(index, 0);
                    rest = refr;
                }
                Expr::RefDot { refr, .. } => rest = refr,
                _ => return,
            }
        }
    }

    fn query(&mut self, query: &'t Query, depth: usize) {
        if query.stmts.len() > MAX_STATEMENTS {
            let message = format!("more than {MAX_STATEMENTS} conditions in one body: split it");
            self.add("too_large", &query.span, message);
        }
        for statement in &query.stmts {
            for with in &statement.with_mods {
                self.with(&with.refr);
                self.push(&with.r#as, depth);
            }
            match &statement.literal {
                Literal::SomeVars { .. } => {}
                Literal::SomeIn {
                    key,
                    value,
                    collection,
                    ..
                } => {
                    key.iter().for_each(|key| self.push(key, depth));
                    self.push(value, depth);
                    self.push(collection, depth);
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                    self.push(expr, depth)
                }
                Literal::Every { domain, query, .. } => {
                    self.push(domain, depth);
                    self.todo.push((Node::Query(query), depth + 1));
                }
            }
        }
    }

    /// `with` changes what is evaluated; only tests may, and only input and
    /// parameters: a function swapped for another would escape the list.
    fn with(&mut self, target: &Expr) {
        let path = dotted(target).unwrap_or_default();
        let allowed = match path.as_slice() {
            ["input", ..] | ["data", "params", ..] => is_test(self.module),
            _ => false,
        };
        if !allowed {
            self.add(
                "forbidden_with",
                target.span(),
                "`with` is for tests, and for input and data.params only",
            );
        }
    }

    fn expr(&mut self, expr: &'t Expr, depth: usize) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().for_each(|item| self.push(item, depth));
            }
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.push(key, depth);
                    self.push(value, depth);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.push(term, depth);
                self.todo.push((Node::Query(query), depth));
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => {
                self.push(key, depth);
                self.push(value, depth);
                self.todo.push((Node::Query(query), depth));
            }
            Expr::Call {
                span, fcn, params, ..
            } => {
                self.call(span, fcn, params.len());
                params.iter().for_each(|param| self.push(param, depth));
            }
            Expr::UnaryExpr { expr, .. } => self.push(expr, depth),
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.reference(expr, depth);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.push(lhs, depth);
                self.push(rhs, depth);
            }
            Expr::Membership {
                key,
                value,
                collection,
                ..
            } => {
                key.iter().for_each(|key| self.push(key, depth));
                self.push(value, depth);
                self.push(collection, depth);
            }
        }
    }

    fn call(&mut self, span: &Span, function: &Expr, arguments: usize) {
        let Some(path) = dotted(function) else {
            self.add(
                "forbidden_call",
                span,
                "a function is called by its plain name",
            );
            return;
        };
        let name = path.join(".");
        let builtin = functions::ALLOWED
            .iter()
            .find(|(allowed, _)| *allowed == name);
        let expected = self.own(&path).or(builtin.map(|(_, arguments)| *arguments));
        match expected {
            Some(expected) if expected == arguments => {}
            Some(expected) => {
                self.add(
                    "wrong_arguments",
                    span,
                    format!("{name} takes {expected} arguments, not {arguments}"),
                );
            }
            None => {
                let message = format!(
                    "{name} is not a function of this bundle and not one that gates may call: {}",
                    functions::advice(&name)
                );
                self.add("forbidden_call", span, message);
            }
        }
    }

    /// Arguments of a function of the bundle, by the ways it can be named.
    fn own(&self, path: &[&str]) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let package = package_of(self.module);
        let mut full = if *first == "data" {
            "data".to_owned()
        } else {
            self.imported(first)
                .unwrap_or_else(|| format!("data.{package}.{first}"))
        };
        for word in rest {
            full.push('.');
            full.push_str(word);
        }
        self.defined.get(&full).copied()
    }

    fn imported(&self, name: &str) -> Option<String> {
        self.module.imports.iter().find_map(|import| {
            let path = dotted(&import.refr)?;
            let alias = import.r#as.as_ref().map(Span::text);
            let called = alias.or_else(|| path.last().copied())?;
            (called == name).then(|| path.join("."))
        })
    }

    fn reference(&mut self, expr: &'t Expr, depth: usize) {
        let mut words: Vec<Option<&str>> = Vec::new();
        let mut rest = expr;
        let root = loop {
            match rest {
                Expr::RefDot { refr, field, .. } => {
                    words.push(Some(field.0.text()));
                    rest = refr;
                }
                Expr::RefBrack { refr, index, .. } => {
                    words.push(match &**index {
                        Expr::String {
                            value: Value::String(text),
                            ..
                        } => Some(text),
                        _ => None,
                    });
                    self.push(index, depth);
                    rest = refr;
                }
                Expr::Var { span, .. } => break span,
                other => {
                    self.push(other, depth);
                    return;
                }
            }
        };
        words.reverse();
        if words.len() > MAX_DEPTH {
            self.add(
                "too_deep",
                root,
                format!("a path of more than {MAX_DEPTH} words"),
            );
            return;
        }
        match root.text() {
            "data" => {
                let known: Vec<&str> = words.into_iter().map_while(|word| word).collect();
                self.data(root, &known);
            }
            "input" if !is_test(self.module) => {
                if let Some(word) = input_paths::unknown(&words) {
                    let message = format!(
                        "the input has no {word:?} here; policies/schema/input.json says what it holds"
                    );
                    self.add("unknown_reference", root, message);
                }
            }
            _ => {}
        }
    }

    fn data(&mut self, span: &Span, path: &[&str]) {
        let package: Vec<&str> = self.manifest.package.split('.').collect();
        match path {
            ["params", name, ..] if !self.manifest.parameters.contains_key(*name) => {
                self.add("unknown_parameter", span, format!("the manifest has no parameter {name:?}; an optional one is read with object.get(data.params, …)"));
            }
            ["params", ..] => {}
            path if path.starts_with(&package) => {}
            path => {
                let message = format!(
                    "data.{} does not exist: there are data.params and data.{}",
                    path.join("."),
                    self.manifest.package
                );
                self.add("unknown_reference", span, message);
            }
        }
    }
}
