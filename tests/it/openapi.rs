//! The description of the admin API is true: every operation in it is called,
//! what we send and what comes back fit their schemas, and nothing is left out.

use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::{
    example::{self, DATASET, FILES, GATE, MODEL},
    places,
};
use xtask::demo::example::gate_bundle;

/// Calls operations, checks both directions against the description, and keeps
/// account of what was called.
struct Caller<'a> {
    world: &'a World,
    document: Value,
    called: BTreeSet<(String, String)>,
    sent: usize,
}

impl Caller<'_> {
    /// Calls the operation at `template`; `fill` replaces its `{…}` in order.
    fn call(
        &mut self,
        method: &Method,
        template: &str,
        fill: &[&str],
        body: Option<&Value>,
    ) -> Value {
        let content = body.map(|body| (body.to_string().into_bytes(), "application/json"));
        self.send(method, template, fill, content, "")
    }

    fn get(&mut self, template: &str, fill: &[&str]) -> Value {
        self.call(&Method::GET, template, fill, None)
    }

    fn post(&mut self, template: &str, fill: &[&str], body: &Value) -> Value {
        self.call(&Method::POST, template, fill, Some(body))
    }

    fn send(
        &mut self,
        method: &Method,
        template: &str,
        fill: &[&str],
        content: Option<(Vec<u8>, &str)>,
        query: &str,
    ) -> Value {
        let full = format!("/admin/v1{template}");
        let verb = method.as_str().to_lowercase();
        let operation = self.document["paths"][&full][&verb].clone();
        assert!(operation.is_object(), "{method} {full} is not described");
        if let Some((bytes, "application/json")) = &content {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert!(
                schema.is_object() || schema.is_boolean(),
                "{method} {full} describes no JSON body"
            );
            self.check(
                schema,
                &serde_json::from_slice(bytes).unwrap(),
                &format!("{method} {full} request"),
            );
        }
        let path = filled(&full, fill) + query;
        let key = format!("{} {path}", self.sent);
        self.sent += 1;
        let send = |content| {
            let headers = [("idempotency-key", key.as_str())];
            self.world
                .admin
                .send_with(method.clone(), &path, content, &headers)
                .unwrap()
        };
        let reply = send(content.clone());
        let status = reply.status.to_string();
        let answer = operation["responses"][&status].clone();
        assert!(
            answer.is_object(),
            "{method} {path} answered {status}: {:?}",
            reply.json()
        );
        assert!(
            reply.status < 300,
            "{method} {path} answered {status}: {:?}",
            reply.json()
        );
        let json = content
            .as_ref()
            .is_none_or(|(_, media)| *media == "application/json");
        if *method != Method::GET && json && template != "/tokens" {
            // The answer kept in the change's own transaction is the one given.
            let again = send(content);
            assert_eq!(again.header("idempotency-replayed"), Some("true"), "{key}");
            assert_eq!((again.status, &again.body), (reply.status, &reply.body));
        }
        self.called.insert((verb, full.clone()));
        let schema = &answer["content"]["application/json"]["schema"];
        if schema.is_null() {
            assert!(
                reply.body.is_empty() || reply.status != 204,
                "{method} {path} has a body"
            );
            return reply.json().unwrap_or(Value::Null);
        }
        let value = reply.json().unwrap();
        self.check(schema, &value, &format!("{method} {full} response"));
        value
    }

    /// References resolve against the whole document.
    fn check(&self, schema: &Value, value: &Value, what: &str) {
        let whole = json!({"allOf": [schema], "components": self.document["components"]});
        let validator = jsonschema::draft202012::new(&whole)
            .unwrap_or_else(|error| panic!("{what}: the schema is not valid: {error}"));
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            errors.is_empty(),
            "{what} breaks its schema: {errors:#?}\n{value:#}"
        );
    }
}

fn filled(template: &str, fill: &[&str]) -> String {
    let mut fill = fill.iter();
    let parts = template.split('/').map(|part| match part.starts_with('{') {
        true => *fill.next().expect("a value for each parameter"),
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value:#}"))
        .to_owned()
}

#[test]
fn every_operation_does_what_its_description_says() {
    let world = World::start();
    let document = world.admin.with_token(None).get("/openapi.json").unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut api = Caller {
        world: &world,
        document,
        called: BTreeSet::new(),
        sent: 0,
    };
    api.get("/openapi.json", &[]);
    api.get("/whoami", &[]);
    let transform = plugins(&mut api);
    gates(&mut api);
    models_and_data(&mut api, &transform);
    evaluations(&mut api);
    endpoints_and_promotions(&mut api);
    records(&mut api);

    let mut described = BTreeSet::new();
    for (path, item) in api.document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert((method.clone(), path.clone()));
        }
    }
    let missed: Vec<_> = described.difference(&api.called).collect();
    assert!(
        missed.is_empty(),
        "described and never called here: {missed:#?}"
    );
}

fn upload(api: &mut Caller<'_>, bytes: Vec<u8>) -> String {
    let content = Some((bytes, "application/octet-stream"));
    text(
        &api.send(&Method::POST, "/artifacts", &[], content, ""),
        "digest",
    )
}

fn plugins(api: &mut Caller<'_>) -> String {
    let component = upload(api, std::fs::read(places::guest("tabular")).unwrap());
    let files = xtask::demo::example::Example::read(&places::root()).unwrap();
    let body = json!({"component": component, "settings": files.settings().unwrap()});
    let revision = api.post("/plugins/{plugin}/revisions", &["tabular"], &body);
    let digest = text(&revision, "digest");
    api.get("/plugins", &[]);
    api.get("/plugins/{plugin}/revisions", &["tabular"]);
    assert_eq!(api.get("/plugin-revisions/{digest}", &[&digest]), revision);
    digest
}

fn gates(api: &mut Caller<'_>) {
    let bundle = gate_bundle(&places::root().join("policies").join(GATE)).unwrap();
    let revision = api.call(&Method::PUT, "/gates/{gate}", &[GATE], Some(&bundle));
    api.get("/gates", &[]);
    assert_eq!(api.get("/gates/{gate}", &[GATE]), revision);
    let digest = text(&revision, "digest");
    assert_eq!(api.get("/gate-revisions/{digest}", &[&digest]), revision);
    let schema = api.get("/schemas/gate-input", &[]);
    jsonschema::draft202012::new(&schema).unwrap();
}

fn models_and_data(api: &mut Caller<'_>, transform: &str) {
    let folder = places::root().join("examples/breast-cancer");
    let rows = upload(api, std::fs::read(folder.join("heldout.csv")).unwrap());
    let data = json!({"name": DATASET, "artifact": rows, "label": "label", "task": "binary"});
    let made = api.post("/datasets", &[], &data);
    api.get("/datasets", &[]);
    assert_eq!(api.get("/datasets/{dataset}", &[DATASET]), made);

    let model = api.post(
        "/models",
        &[],
        &json!({"name": MODEL, "description": "of the test"}),
    );
    api.get("/models", &[]);
    assert_eq!(api.get("/models/{model}", &[MODEL]), model);
    for file in FILES {
        let artifact = upload(
            api,
            std::fs::read(folder.join("models").join(file)).unwrap(),
        );
        let body = json!({"artifact": artifact, "transform": transform, "lineage": {"file": file}});
        let version = api.post("/models/{model}/versions", &[MODEL], &body);
        let number = version["version"].to_string();
        assert_eq!(
            api.get("/models/{model}/versions/{version}", &[MODEL, &number]),
            version
        );
    }
    let all = api.get("/models/{model}/versions", &[MODEL]);
    assert_eq!(all["items"].as_array().unwrap().len(), FILES.len());
}

fn evaluations(api: &mut Caller<'_>) {
    let body = json!({"model": MODEL, "version": 1, "dataset": DATASET});
    api.post("/evaluations", &[], &body);
    let body = json!({"model": MODEL, "version": 3, "dataset": DATASET,
        "baseline": {"model": MODEL, "version": 1}});
    let sealed = api.post("/evaluations", &[], &body);
    let id = text(&sealed, "id");
    assert_eq!(api.get("/evaluations/{evaluation}", &[&id]), sealed);
    let of = api.get(
        "/models/{model}/versions/{version}/evaluations",
        &[MODEL, "3"],
    );
    assert_eq!(of["items"], json!([sealed]));

    let metric = json!({"value": 0.9, "ci_low": null, "ci_high": null, "level": 0.95, "n": 10,
        "method": "reported", "greater_is_better": true});
    let body = json!({"source": "notebook", "metrics": {"revenue": metric}});
    let logged = api.post(
        "/models/{model}/versions/{version}/metrics",
        &[MODEL, "3"],
        &body,
    );
    let read = api.get("/models/{model}/versions/{version}/metrics", &[MODEL, "3"]);
    assert_eq!(read["items"], logged["items"]);
}

fn endpoints_and_promotions(api: &mut Caller<'_>) {
    let settings = json!({"gates": [GATE], "dataset": DATASET, "access": "token"});
    api.post(
        "/endpoints",
        &[],
        &json!({"name": "tumour", "settings": settings}),
    );
    let settings = json!({"gates": [GATE], "dataset": DATASET, "access": "open"});
    let changed = api.call(
        &Method::PUT,
        "/endpoints/{endpoint}/settings",
        &["tumour"],
        Some(&settings),
    );
    assert_eq!(changed["settings"]["access"], "open");
    api.get("/endpoints", &[]);
    for (version, status) in [(1, "promoted"), (3, "promoted")] {
        let body =
            json!({"endpoint": "tumour", "model": MODEL, "version": version, "reason": "test"});
        let answer = api.post("/promotions", &[], &body);
        assert_eq!(answer["promotion"]["status"], status, "{answer:#}");
        let promotion = text(&answer["promotion"], "id");
        assert_eq!(
            api.get("/promotions/{promotion}", &[&promotion]),
            answer["promotion"]
        );
        let decision = text(&answer["decision"], "id");
        let kept = api.get("/decisions/{decision}", &[&decision]);
        assert_eq!(kept["decision"], answer["decision"]);
    }
    let endpoint = api.get("/endpoints/{endpoint}", &["tumour"]);
    assert_eq!(endpoint["route"]["generation"], 2);
    for template in ["/promotions", "/decisions"] {
        let all = api.send(&Method::GET, template, &[], None, "?endpoint=tumour");
        assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all:#}");
    }
}

fn records(api: &mut Caller<'_>) {
    let made = api.post("/tokens", &[], &json!({"name": "ci", "role": "viewer"}));
    assert!(text(&made, "secret").starts_with("tg_"));
    api.get("/tokens", &[]);
    api.call(&Method::DELETE, "/tokens/{token}", &["ci"], None);
    let ledger = api.get("/ledger", &[]);
    assert!(!ledger["items"].as_array().unwrap().is_empty());
}

#[test]
fn errors_are_problem_documents_of_the_described_shape() {
    let world = World::start();
    let api = Caller {
        world: &world,
        document: world.admin.get("/openapi.json").unwrap(),
        called: BTreeSet::new(),
        sent: 0,
    };
    let schema = &api.document["components"]["responses"]["Problem"]["content"]["application/problem+json"]
        ["schema"];
    let none = world.admin.with_token(None);
    let bad = || Some((b"{\"name\": 1}".to_vec(), "application/json"));
    let cases = [
        (none.send(Method::GET, "/admin/v1/models", None), 401),
        (
            world.admin.send(Method::GET, "/admin/v1/models/none", None),
            404,
        ),
        (
            world.admin.send(Method::GET, "/admin/v1/nowhere", None),
            404,
        ),
        (
            world.admin.send(Method::DELETE, "/admin/v1/models", None),
            405,
        ),
        (
            world.admin.send(Method::POST, "/admin/v1/models", bad()),
            400,
        ),
        (
            world
                .caller("onlooker", "viewer")
                .send(Method::POST, "/admin/v1/models", bad()),
            403,
        ),
    ];
    for (reply, status) in cases {
        let reply = reply.unwrap();
        assert_eq!(reply.status, status, "{}: {:?}", reply.asked, reply.json());
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json"),
            "{}",
            reply.asked
        );
        api.check(schema, &reply.json().unwrap(), &reply.asked);
    }
}

#[test]
fn the_same_idempotency_key_gives_the_same_answer_once() {
    let world = World::start();
    example::register(&world.admin, "warm").unwrap();
    let body = json!({"name": "again", "description": ""});
    let send = |body: &Value| {
        let content = Some((body.to_string().into_bytes(), "application/json"));
        let headers = [("idempotency-key", "k-1")];
        world
            .admin
            .send_with(Method::POST, "/admin/v1/models", content, &headers)
            .unwrap()
    };
    let (first, second) = (send(&body), send(&body));
    assert_eq!(
        (first.status, second.status),
        (201, 201),
        "{:?}",
        second.json()
    );
    assert_eq!(first.body, second.body);
    let other = send(&json!({"name": "other", "description": ""}));
    assert!(
        (400..500).contains(&other.status),
        "the key was taken for another request"
    );
}
