//! The OpenAPI 3.1 description, made from the table of operations.

use crate::admin::operation::{BASE, Body, Operation};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// RFC 9457 problem document: the body of every error of the admin API.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable code for scripts.
    pub code: String,
    /// One sentence: what is wrong and what to do.
    pub detail: String,
}

/// The description of all `operations`.
pub fn document(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let path = format!("{BASE}{}", operation.path);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            let method = operation.method.as_str().to_ascii_lowercase();
            item.insert(method, describe(operation, &mut schemas));
        }
    }
    let problem = schemas.subschema_for::<Problem>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Models, plugins, gates, evaluations and promotions. Errors are RFC 9457 problem documents.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "responses": {
                "Problem": {
                    "description": "What went wrong",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn describe(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = path_parameters(operation.path)
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    for (name, what) in operation.query {
        parameters.push(json!({
            "name": name, "in": "query", "required": false,
            "description": what, "schema": { "type": "string" },
        }));
    }
    if operation.keeps_answer() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "the same key and request get the same answer for a day",
            "schema": { "type": "string", "maxLength": super::idempotency::MAX_KEY },
        }));
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            operation.status.to_string(): success(operation, schemas),
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    if let Some(fields) = described.as_object_mut() {
        if let Some(content) = content(operation.request, schemas) {
            fields.insert(
                "requestBody".into(),
                json!({ "required": true, "content": content }),
            );
        }
        match operation.role {
            Some(role) => {
                fields.insert("security".into(), json!([{ "token": [] }]));
                fields.insert("x-role".into(), json!(role.as_str()));
            }
            None => {
                fields.insert("security".into(), json!([]));
            }
        }
    }
    described
}

fn success(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    match content(operation.response, schemas) {
        Some(content) => json!({ "description": operation.summary, "content": content }),
        None => json!({ "description": operation.summary }),
    }
}

fn content(body: Body, schemas: &mut SchemaGenerator) -> Option<Value> {
    match body {
        Body::None => None,
        Body::Json(schema) => Some(json!({ "application/json": { "schema": schema(schemas) } })),
        Body::Raw => Some(json!({
            "application/octet-stream": { "schema": { "type": "string", "format": "binary" } },
        })),
    }
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_operation_is_described_once_and_every_reference_resolves() {
        let operations = crate::admin::operations();
        let ids: HashSet<_> = operations.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), operations.len());
        let document = document(&operations);
        let described: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|item| item.as_object().unwrap().len())
            .sum();
        assert_eq!(described, operations.len());
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(
                document.pointer(pointer).is_some(),
                "{pointer} does not resolve"
            );
        }
    }
}
