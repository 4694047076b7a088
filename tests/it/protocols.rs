//! The same rows through every protocol give the numbers of the libraries that
//! trained the models.

use crate::world::World;
use serde_json::{Value, json};
use tests::example::{self, FILES, Registered};
use xtask::{
    admin::{Reply, list},
    demo::example::probabilities,
};

const ROWS: usize = 8;
const TOLERANCE: f64 = 1e-5;

/// One endpoint for each of the example's models. The worse one is served by an
/// endpoint of its own, where there is no champion to be worse than.
fn served(world: &World) -> (Registered, Vec<(&'static str, String)>) {
    let registered = world.example();
    let versions = [registered.champion, registered.worse, registered.better];
    let mut endpoints = Vec::new();
    for (file, version) in FILES.into_iter().zip(versions) {
        let name = format!("tumour-{version}");
        example::endpoint(&world.admin, &name, "open").unwrap();
        example::evaluate(&world.admin, version, None).unwrap();
        let answer = example::promote(&world.admin, &name, version).unwrap();
        if answer["promotion"]["status"] == "promoted" {
            endpoints.push((file, name));
        } else {
            // A gate may have an absolute floor; the worse model may be below it.
            assert_eq!(version, registered.worse, "{answer:#}");
        }
    }
    (registered, endpoints)
}

fn assert_close(given: &[f64], file: &str, registered: &Registered, how: &str) {
    let expected = registered.files.expected(file).unwrap();
    assert_eq!(given.len(), expected.len(), "{how} {file}");
    for (row, (given, expected)) in given.iter().zip(&expected).enumerate() {
        assert!(
            (given - expected).abs() <= TOLERANCE,
            "{how} {file} row {row}: {given} is not {expected}"
        );
    }
}

fn json_of(reply: &Reply, how: &str) -> Value {
    assert_eq!(
        reply.status,
        200,
        "{how}: {}",
        String::from_utf8_lossy(&reply.body)
    );
    for header in [
        "tollgate-variant",
        "tollgate-model",
        "tollgate-version",
        "tollgate-transform",
    ] {
        assert!(
            reply.header(header).is_some(),
            "{how} answers without {header}"
        );
    }
    reply.json().unwrap()
}

#[test]
fn kserve_v1_gives_the_librarys_numbers() {
    let world = World::start();
    let (registered, endpoints) = served(&world);
    let body = registered.files.predict_body(0..ROWS).unwrap();
    for (file, endpoint) in endpoints {
        let reply = world
            .admin
            .predict(&format!("/v1/models/{endpoint}:predict"), &body)
            .unwrap();
        assert_close(
            &probabilities(&json_of(&reply, "v1")).unwrap(),
            file,
            &registered,
            "v1",
        );
    }
}

#[test]
fn mlflow_invocations_give_the_librarys_numbers_in_every_form() {
    let world = World::start();
    let (registered, endpoints) = served(&world);
    let columns = &registered.files.columns;
    let rows = &registered.files.rows[..ROWS];
    let records: Vec<Value> = (0..ROWS)
        .map(|row| registered.files.instance(row).unwrap())
        .collect();
    let by_column: serde_json::Map<String, Value> = columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            (
                name.clone(),
                rows.iter().map(|row| json!(row[at])).collect(),
            )
        })
        .collect();
    let mut csv = columns.join(",") + "\n";
    for row in rows {
        csv += &(row
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
            + "\n");
    }
    let split = json!({"columns": columns, "data": rows});
    let forms = [
        ("dataframe_split", split),
        ("dataframe_records", json!(records)),
        ("instances", json!(records)),
        ("inputs", json!(by_column)),
    ];
    for (file, endpoint) in endpoints {
        let path = format!("/endpoints/{endpoint}/invocations");
        let (output, is_first) = probability_output(&world, &endpoint);
        for (form, data) in &forms {
            let body = json!({*form: data, "params": {"output": output}});
            let reply = world.admin.predict(&path, &body.to_string()).unwrap();
            let given = probabilities(&json_of(&reply, form)).unwrap();
            assert_close(&given, file, &registered, form);
        }
        let content = Some((csv.clone().into_bytes(), "text/csv"));
        let reply = world
            .admin
            .send(reqwest::Method::POST, &path, content)
            .unwrap();
        let given = probabilities(&json_of(&reply, "csv")).unwrap();
        if is_first {
            assert_close(&given, file, &registered, "csv");
        } else {
            // CSV has no place for parameters: the first output is the class.
            let expected = registered.files.expected(file).unwrap();
            let classes: Vec<f64> = expected
                .iter()
                .map(|p| f64::from(u8::from(*p > 0.5)))
                .collect();
            assert_eq!(given, classes, "csv {file}");
        }
    }
}

/// Name of the output that holds probabilities, and whether it is the first.
fn probability_output(world: &World, endpoint: &str) -> (String, bool) {
    let path = format!("/v2/models/{endpoint}");
    let metadata = world
        .admin
        .send(reqwest::Method::GET, &path, None)
        .unwrap()
        .good()
        .unwrap();
    let outputs = list(&metadata, "/outputs");
    let names: Vec<&str> = outputs
        .iter()
        .map(|output| output["name"].as_str().unwrap())
        .collect();
    let at = names
        .iter()
        .position(|name| name.contains("prob"))
        .unwrap_or(names.len() - 1);
    (names[at].to_owned(), at == 0)
}

#[test]
fn open_inference_protocol_gives_the_librarys_numbers() {
    let world = World::start();
    let (registered, endpoints) = served(&world);
    for (file, endpoint) in endpoints {
        let metadata = world
            .admin
            .send(
                reqwest::Method::GET,
                &format!("/v2/models/{endpoint}"),
                None,
            )
            .unwrap()
            .good()
            .unwrap();
        let inputs = oip_inputs(&registered, &metadata);
        let body = json!({"id": "r-1", "inputs": inputs});
        let path = format!("/v2/models/{endpoint}/infer");
        let reply = world.admin.predict(&path, &body.to_string()).unwrap();
        let answer = json_of(&reply, "v2");
        assert_eq!(answer["id"], "r-1");
        assert_close(&oip_probabilities(&answer), file, &registered, "v2");
    }
}

/// The rows as the tensors that the endpoint's metadata asks for.
fn oip_inputs(registered: &Registered, metadata: &Value) -> Vec<Value> {
    let asked = list(metadata, "/inputs");
    let rows = &registered.files.rows[..ROWS];
    let tensor = |input: &Value| {
        let name = input["name"].as_str().unwrap();
        let at = registered
            .files
            .columns
            .iter()
            .position(|column| column == name);
        let data: Vec<f64> = match at {
            Some(at) => rows.iter().map(|row| row[at]).collect(),
            None => rows.concat(),
        };
        let mut shape: Vec<i64> = input["shape"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d.as_i64().unwrap())
            .collect();
        shape[0] = ROWS as i64;
        json!({"name": name, "datatype": input["datatype"], "shape": shape, "data": data})
    };
    asked.iter().map(tensor).collect()
}

/// The last value of each row of the output of probabilities.
fn oip_probabilities(answer: &Value) -> Vec<f64> {
    let outputs = list(answer, "/outputs");
    let named = outputs
        .iter()
        .find(|output| output["name"].as_str().unwrap().contains("prob"));
    let output = named.or_else(|| outputs.last()).unwrap();
    let data: Vec<f64> = output["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect();
    data.chunks(data.len() / ROWS)
        .map(|row| *row.last().unwrap())
        .collect()
}

#[test]
fn what_does_not_fit_is_refused_with_the_protocols_error() {
    let world = World::start();
    let registered = world.serving("tumour");
    let mut instance = registered.files.instance(0).unwrap();
    instance.as_object_mut().unwrap().remove("mean_radius");
    let missing = json!({"instances": [instance]}).to_string();
    for (path, body) in [
        ("/v1/models/tumour:predict", missing.as_str()),
        ("/v1/models/tumour:predict", "{"),
        ("/v2/models/tumour/infer", "{\"inputs\": []}"),
        ("/v2/models/tumour/infer", "[[[[[[[["),
        ("/endpoints/tumour/invocations", "{\"dataframe_split\": 7}"),
    ] {
        let reply = world.admin.predict(path, body).unwrap();
        assert!(
            (400..500).contains(&reply.status),
            "{path} {body}: {}",
            reply.status
        );
    }
    let reply = world.admin.predict("/v2/models/none/infer", "{}").unwrap();
    assert_eq!(reply.status, 404);
    assert!(reply.json().unwrap()["error"].is_string());
    assert!(
        world
            .admin
            .predict(
                "/v1/models/tumour:predict",
                &registered.files.predict_body(0..1).unwrap()
            )
            .unwrap()
            .status
            == 200
    );
}

#[test]
fn fresh_and_warm_transforms_answer_the_same() {
    let world = World::start();
    let warm = world.serving("warm");
    let fresh = example::transform(&world.admin, &warm.files, "fresh").unwrap();
    assert_ne!(fresh, warm.transform);
    let artifact = world.admin.upload(&warm.files.model(FILES[0])).unwrap();
    let body = json!({"artifact": artifact, "transform": fresh, "lineage": {"file": FILES[0]}});
    let path = format!("/models/{}/versions", example::MODEL);
    let version = world.admin.post(&path, &body).unwrap()["version"]
        .as_u64()
        .unwrap();
    example::endpoint(&world.admin, "fresh", "open").unwrap();
    example::evaluate(&world.admin, version, None).unwrap();
    let answer = example::promote(&world.admin, "fresh", version).unwrap();
    assert_eq!(answer["promotion"]["status"], "promoted", "{answer:#}");
    let body = warm.files.predict_body(0..ROWS).unwrap();
    let ask = |endpoint| {
        world
            .admin
            .predict(&format!("/v1/models/{endpoint}:predict"), &body)
            .unwrap()
    };
    let (from_warm, from_fresh) = (ask("warm"), ask("fresh"));
    assert_eq!(from_warm.body, from_fresh.body);
    assert_eq!(
        from_fresh.header("tollgate-transform"),
        Some(fresh.as_str())
    );
}
