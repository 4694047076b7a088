//! Nothing reaches traffic but through a gate, and what a gate said replays.

use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::Output;
use tests::{
    example::{self, GATE, MODEL},
    places,
};
use xtask::{admin::list, gateway::program};

fn replay(world: &World, id: &str) -> Output {
    program(&places::tollgate())
        .args([
            "gate",
            "replay",
            id,
            "--server",
            &world.gateway.url,
            "--token-file",
        ])
        .arg(world.data().join("admin.token"))
        .output()
        .unwrap()
}

fn champion(world: &World, endpoint: &str) -> Value {
    let endpoint = world.admin.get(&format!("/endpoints/{endpoint}")).unwrap();
    endpoint["route"]["variants"][0]["version"].clone()
}

#[test]
fn a_worse_version_is_refused_check_by_check_and_the_decision_replays() {
    let world = World::start();
    let registered = world.serving("tumour");
    example::evaluate(&world.admin, registered.worse, Some(registered.champion)).unwrap();
    let answer = example::promote(&world.admin, "tumour", registered.worse).unwrap();
    assert_eq!(answer["promotion"]["status"], "denied", "{answer:#}");
    let failed: Vec<Value> = list(&answer, "/decision/results/0/verdict/checks")
        .into_iter()
        .filter(|check| check["status"] == "fail")
        .collect();
    assert!(!failed.is_empty(), "{answer:#}");
    for field in ["observed", "bound", "n", "ci_low", "ci_high"] {
        assert!(
            failed.iter().any(|check| check[field].is_number()),
            "no {field} in {failed:#?}"
        );
    }
    assert_eq!(champion(&world, "tumour"), registered.champion);

    let id = answer["decision"]["id"].as_str().unwrap();
    let kept = world.admin.get(&format!("/decisions/{id}")).unwrap();
    assert_eq!(kept["decision"], answer["decision"]);
    assert_eq!(kept["gates"][0]["name"], GATE);
    let output = replay(&world, id);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn replay_of_an_unknown_decision_fails() {
    let world = World::start();
    let output = replay(&world, "dec_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn a_version_without_evidence_is_not_promoted() {
    let world = World::start();
    let registered = world.serving("tumour");
    let answer = example::promote(&world.admin, "tumour", registered.better).unwrap();
    assert_ne!(answer["promotion"]["status"], "promoted", "{answer:#}");
    assert_eq!(champion(&world, "tumour"), registered.champion);
}

#[test]
fn metrics_logged_from_outside_do_not_replace_an_evaluation() {
    let world = World::start();
    let registered = world.serving("tumour");
    let perfect = json!({"value": 1.0, "ci_low": 1.0, "ci_high": 1.0, "level": 0.95, "n": 100_000,
        "method": "trust me", "greater_is_better": true});
    let body = json!({"source": "notebook", "metrics": {"roc_auc": perfect}});
    let path = format!("/models/{MODEL}/versions/{}/metrics", registered.better);
    world.admin.post(&path, &body).unwrap();
    let answer = example::promote(&world.admin, "tumour", registered.better).unwrap();
    assert_ne!(answer["promotion"]["status"], "promoted", "{answer:#}");
}

#[test]
fn an_endpoint_without_gates_serves_nothing() {
    let world = World::start();
    let registered = world.example();
    example::evaluate(&world.admin, registered.better, None).unwrap();
    let settings = json!({"gates": []});
    let made = json!({"name": "open-door", "settings": settings});
    let content = Some((made.to_string().into_bytes(), "application/json"));
    let reply = world
        .admin
        .send(Method::POST, "/admin/v1/endpoints", content)
        .unwrap();
    if reply.status == 201 {
        let body = json!({"endpoint": "open-door", "model": MODEL, "version": registered.better, "reason": "x"});
        let content = Some((body.to_string().into_bytes(), "application/json"));
        let reply = world
            .admin
            .send(Method::POST, "/admin/v1/promotions", content)
            .unwrap();
        let answer = reply.json().unwrap();
        assert!(
            reply.status >= 400 || answer["promotion"]["status"] == "denied",
            "promoted without a gate: {answer:#}"
        );
        let endpoint = world.admin.get("/endpoints/open-door").unwrap();
        assert_eq!(endpoint["route"]["variants"], json!([]));
    }
}

#[test]
fn a_route_cannot_be_written_through_settings() {
    let world = World::start();
    let registered = world.serving("tumour");
    let route = json!({"generation": 9, "variants": [{"name": "champion", "role": "champion",
        "model": MODEL, "version": registered.worse, "weight": 10_000}]});
    for body in [
        json!({"gates": [GATE], "route": route}),
        json!({"settings": {"gates": [GATE]}, "route": route}),
    ] {
        let content = Some((body.to_string().into_bytes(), "application/json"));
        let path = "/admin/v1/endpoints/tumour/settings";
        let reply = world.admin.send(Method::PUT, path, content).unwrap();
        assert!(
            (400..500).contains(&reply.status),
            "{} {:?}",
            reply.status,
            reply.json()
        );
    }
    assert_eq!(champion(&world, "tumour"), registered.champion);
}

#[test]
fn every_change_stands_in_an_unbroken_ledger() {
    let world = World::start();
    let registered = world.serving("tumour");
    example::evaluate(&world.admin, registered.better, Some(registered.champion)).unwrap();
    let answer = example::promote(&world.admin, "tumour", registered.better).unwrap();
    assert_eq!(answer["promotion"]["status"], "promoted", "{answer:#}");
    let items = list(&world.admin.get("/ledger?limit=1000").unwrap(), "/items");
    let entries: Vec<domain::ledger::LedgerEntry> = items
        .into_iter()
        .map(|item| serde_json::from_value(item).unwrap())
        .collect();
    assert!(entries.len() > 5, "{entries:#?}");
    assert_eq!(domain::ledger::first_break(&entries), None);
    let promoted = entries
        .iter()
        .filter(|entry| entry.event.starts_with("promotion"))
        .count();
    assert_eq!(promoted, 2, "{entries:#?}");
}
