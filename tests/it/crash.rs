//! `kill -9` in the middle of things: after a restart nothing is half done, and
//! what was acknowledged is there.

use crate::{
    moment::{MOMENTS, Moment, again, send, wait_until},
    world::World,
};
use domain::digest::Digest;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
};
use tests::example::{self, DATASET, MODEL};
use xtask::admin::list;

#[test]
fn an_upload_cut_off_by_a_kill_leaves_nothing() {
    let mut world = World::start();
    let acknowledged = b"all of it arrived".to_vec();
    let content = Some((acknowledged.clone(), "application/octet-stream"));
    assert_eq!(
        world
            .admin
            .send(Method::POST, "/admin/v1/artifacts", content)
            .unwrap()
            .status,
        201
    );

    let bytes = vec![7_u8; 4 << 20];
    let digest = Digest::of(&bytes);
    let mut connection = half_upload(&world, &bytes);
    // The gateway works on it: it has taken in what was sent and wants more.
    wait_until(|| {
        files_below(world.data())
            .iter()
            .any(|file| size(file) >= 1 << 20)
    });
    world.gateway.kill().unwrap();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).ok();
    assert!(
        !String::from_utf8_lossy(&rest).contains("201"),
        "half an upload was acknowledged"
    );

    world.again();
    let body = json!({"name": "m"});
    world.admin.post("/models", &body).unwrap();
    let reply = version(&world, &digest.to_string());
    assert!(
        (400..500).contains(&reply.0),
        "half an upload can be used: {reply:?}"
    );
    for file in files_below(world.data()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(
            !bytes
                .windows(1 << 16)
                .any(|window| window == [7_u8; 1 << 16]),
            "{} is left over",
            file.display()
        );
    }
    // Known: refused for what it is, not for being absent.
    let refused = version(&world, &Digest::of(&acknowledged).to_string());
    assert_ne!(refused.1, reply.1, "an acknowledged upload is lost");
    // The whole upload works now.
    let content = Some((bytes, "application/octet-stream"));
    assert_eq!(
        world
            .admin
            .send(Method::POST, "/admin/v1/artifacts", content)
            .unwrap()
            .status,
        201
    );
}

fn half_upload(world: &World, bytes: &[u8]) -> TcpStream {
    let address = world.gateway.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /admin/v1/artifacts HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        world.gateway.admin_token().unwrap(),
        bytes.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&bytes[..bytes.len() / 2]).unwrap();
    connection.flush().unwrap();
    connection
}

fn version(world: &World, artifact: &str) -> (u16, Value) {
    let body = json!({"artifact": artifact});
    let content = Some((body.to_string().into_bytes(), "application/json"));
    let reply = world
        .admin
        .send(Method::POST, "/admin/v1/models/m/versions", content)
        .unwrap();
    let code = reply.json().unwrap()["code"].clone();
    (reply.status, code)
}

#[test]
fn an_evaluation_cut_off_by_a_kill_is_sealed_or_not_there_and_can_be_asked_for_again() {
    let mut world = World::start();
    let registered = world.example();
    big_dataset(&world, &registered.files.heldout());
    let body = json!({"model": MODEL, "version": registered.champion, "dataset": "big"});
    for (index, moment) in MOMENTS.into_iter().enumerate() {
        let key = format!("{moment:?}");
        let caller = send(&world.admin, "/evaluations", &key, &body);
        let first = moment.kill(&mut world, caller, |world| {
            evaluations(world, registered.champion).len() > index
        });
        world.again();
        let kept = evaluations(&world, registered.champion);
        let done = kept.len() > index;
        assert!(done || moment != Moment::Written);
        let sealed = again(&world, first.as_ref(), done, "/evaluations", &key, &body);
        let kept = evaluations(&world, registered.champion);
        assert_eq!(kept.len(), index + 1, "{moment:?}: done once");
        assert!(kept.contains(&sealed), "{moment:?}");
        for sealed in &kept {
            assert!(
                sealed["seal"].is_string() && sealed["finished_at"].is_i64(),
                "{sealed:#}"
            );
        }
    }
}

fn evaluations(world: &World, version: u64) -> Vec<Value> {
    let path = format!("/models/{MODEL}/versions/{version}/evaluations");
    list(&world.admin.get(&path).unwrap(), "/items")
}

/// The held-out rows a hundred times over, so that a kill falls into the work.
fn big_dataset(world: &World, heldout: &Path) {
    let text = std::fs::read_to_string(heldout).unwrap();
    let (head, rows) = text.split_once('\n').unwrap();
    let big = format!("{head}\n{}", rows.repeat(100));
    let content = Some((big.into_bytes(), "application/octet-stream"));
    let reply = world
        .admin
        .send(Method::POST, "/admin/v1/artifacts", content)
        .unwrap();
    let artifact = reply.good().unwrap()["digest"].clone();
    let body = json!({"name": "big", "artifact": artifact, "label": "label", "task": "binary"});
    world.admin.post("/datasets", &body).unwrap();
}

#[test]
fn a_promotion_cut_off_by_a_kill_is_done_or_not_done_and_can_be_asked_for_again() {
    let mut world = World::start();
    let registered = world.serving("tumour");
    for moment in MOMENTS {
        let endpoint = format!("killed-{moment:?}").to_lowercase();
        example::endpoint(&world.admin, &endpoint, "open").unwrap();
        let body = json!({"endpoint": endpoint, "model": MODEL, "version": registered.champion,
            "reason": "test"});
        let caller = send(&world.admin, "/promotions", &endpoint, &body);
        let first = moment.kill(&mut world, caller, |world| {
            let path = format!("/promotions?endpoint={endpoint}");
            !list(&world.admin.get(&path).unwrap(), "/items").is_empty()
        });
        world.again();
        let done = is_done(&world, &endpoint);
        assert!(done || moment != Moment::Written);
        let answer = again(
            &world,
            first.as_ref(),
            done,
            "/promotions",
            &endpoint,
            &body,
        );
        assert_eq!(answer["promotion"]["status"], "promoted", "{answer:#}");
        assert!(is_done(&world, &endpoint), "{moment:?}: done once");
        let body = registered.files.predict_body(0..1).unwrap();
        let reply = world
            .admin
            .predict(&format!("/v1/models/{endpoint}:predict"), &body)
            .unwrap();
        assert_eq!(reply.status, 200, "{:?}", reply.json());
        assert_eq!(
            reply.header("tollgate-version"),
            Some(registered.champion.to_string().as_str())
        );
    }
    assert_eq!(
        world.admin.get(&format!("/datasets/{DATASET}")).unwrap()["name"],
        DATASET
    );
}

/// Route, promotion, decision and ledger agree: all of it happened or none.
fn is_done(world: &World, endpoint: &str) -> bool {
    let route = world.admin.get(&format!("/endpoints/{endpoint}")).unwrap()["route"].clone();
    let of = |path: &str| {
        list(
            &world
                .admin
                .get(&format!("{path}?endpoint={endpoint}"))
                .unwrap(),
            "/items",
        )
    };
    let (promotions, decisions) = (of("/promotions"), of("/decisions"));
    let entries = list(&world.admin.get("/ledger?limit=1000").unwrap(), "/items");
    let entries: Vec<domain::ledger::LedgerEntry> = entries
        .into_iter()
        .map(|entry| serde_json::from_value(entry).unwrap())
        .collect();
    assert_eq!(
        domain::ledger::first_break(&entries),
        None,
        "the ledger is broken"
    );
    let logged = entries
        .iter()
        .filter(|entry| {
            entry.event.starts_with("promotion") && entry.subject.ends_with(&format!("/{endpoint}"))
        })
        .count();
    let generation = route["generation"].as_u64().unwrap();
    let counts = [
        promotions.len(),
        decisions.len(),
        logged,
        generation as usize,
    ];
    assert!(
        counts == [0; 4] || counts == [1; 4],
        "{endpoint}: {counts:?} {route:#}"
    );
    assert_eq!(
        route["variants"].as_array().unwrap().len() as u64,
        generation
    );
    generation == 1
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}
