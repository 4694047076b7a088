//! Who may do what. Written as a table of its own, not with the code's rule, so
//! that a slip in the rule shows.

use crate::world::World;
use reqwest::Method;
use serde_json::json;
use tests::example::{self, MODEL};

const ROLES: [&str; 5] = ["client", "viewer", "developer", "approver", "admin"];

/// Method, path, and the roles that may. Bodies are empty: whoever may, gets
/// past the check and is told about the body instead.
const OPERATIONS: &[(&str, &str, &[&str])] = &[
    ("GET", "/models", READ),
    ("GET", "/plugins", READ),
    ("GET", "/gates", READ),
    ("GET", "/datasets", READ),
    ("GET", "/endpoints", READ),
    ("GET", "/promotions", READ),
    ("GET", "/decisions", READ),
    ("GET", "/ledger", READ),
    ("GET", "/schemas/gate-input", READ),
    ("POST", "/artifacts", DEVELOP),
    ("POST", "/models", DEVELOP),
    ("POST", "/models/m/versions", DEVELOP),
    ("POST", "/models/m/versions/1/metrics", DEVELOP),
    ("POST", "/plugins/p/revisions", DEVELOP),
    ("PUT", "/gates/g", DEVELOP),
    ("POST", "/datasets", DEVELOP),
    ("POST", "/evaluations", DEVELOP),
    ("POST", "/promotions", APPROVE),
    ("POST", "/endpoints", ADMIN),
    ("PUT", "/endpoints/e/settings", ADMIN),
    ("POST", "/tokens", ADMIN),
    ("DELETE", "/tokens/nobody", ADMIN),
];

const READ: &[&str] = &["viewer", "developer", "approver", "admin"];
const DEVELOP: &[&str] = &["developer", "admin"];
const APPROVE: &[&str] = &["approver", "admin"];
const ADMIN: &[&str] = &["admin"];

#[test]
fn each_role_may_do_exactly_what_the_table_says() {
    let world = World::start();
    let callers = ROLES.map(|role| (role, world.caller(&format!("the-{role}"), role)));
    let nobody = world.admin.with_token(None);
    let stranger = world.admin.with_token(Some(
        "tg_01ARZ3NDEKTSV4RRFFQ69G5FAV_0000000000000000000000000000000000000000000000000000000000000000",
    ));
    for (method, path, allowed) in OPERATIONS {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let path = format!("/admin/v1{path}");
        let body = || {
            (method != Method::GET && method != Method::DELETE)
                .then(|| (b"{}".to_vec(), "application/json"))
        };
        for caller in [&nobody, &stranger] {
            let reply = caller.send(method.clone(), &path, body()).unwrap();
            assert_eq!(reply.status, 401, "{method} {path} without a good token");
        }
        for (role, caller) in &callers {
            let reply = caller.send(method.clone(), &path, body()).unwrap();
            let refused = reply.status == 403;
            assert_eq!(
                refused,
                !allowed.contains(role),
                "{method} {path} as {role}: {}",
                reply.status
            );
            assert_ne!(reply.status, 401, "{method} {path} as {role}");
            assert!(
                reply.status < 500,
                "{method} {path} as {role}: {:?}",
                reply.json()
            );
        }
    }
}

#[test]
fn predictions_need_a_token_unless_the_endpoint_is_open() {
    let world = World::start();
    let registered = world.serving("open");
    example::endpoint(&world.admin, "closed", "token").unwrap();
    let answer = example::promote(&world.admin, "closed", registered.champion).unwrap();
    assert_eq!(answer["promotion"]["status"], "promoted", "{answer:#}");
    let body = registered.files.predict_body(0..1).unwrap();
    let nobody = world.admin.with_token(None);
    assert_eq!(
        nobody
            .predict("/v1/models/open:predict", &body)
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        nobody
            .predict("/v1/models/closed:predict", &body)
            .unwrap()
            .status,
        401
    );
    for role in ROLES {
        let caller = world.caller(&format!("a-{role}"), role);
        assert_eq!(
            caller
                .predict("/v1/models/closed:predict", &body)
                .unwrap()
                .status,
            200,
            "{role}"
        );
    }
}

#[test]
fn a_revoked_token_stops_working_at_once() {
    let world = World::start();
    let registered = world.example();
    example::endpoint(&world.admin, "closed", "token").unwrap();
    example::evaluate(&world.admin, registered.champion, None).unwrap();
    example::promote(&world.admin, "closed", registered.champion).unwrap();
    let caller = world.caller("short-lived", "client");
    let body = registered.files.predict_body(0..1).unwrap();
    assert_eq!(
        caller
            .predict("/v1/models/closed:predict", &body)
            .unwrap()
            .status,
        200
    );
    world
        .admin
        .admin(Method::DELETE, "/tokens/short-lived", None)
        .unwrap();
    assert_eq!(
        caller
            .predict("/v1/models/closed:predict", &body)
            .unwrap()
            .status,
        401
    );
}

#[test]
fn an_override_needs_an_admin() {
    let world = World::start();
    let registered = world.serving("tumour");
    example::evaluate(&world.admin, registered.worse, Some(registered.champion)).unwrap();
    let approver = world.caller("approver", "approver");
    let body = json!({"endpoint": "tumour", "model": MODEL, "version": registered.worse,
        "reason": "x", "override": {"reason": "because"}});
    let content = Some((body.to_string().into_bytes(), "application/json"));
    let reply = approver
        .send(Method::POST, "/admin/v1/promotions", content)
        .unwrap();
    let promoted = reply
        .json()
        .is_ok_and(|answer| answer["promotion"]["status"] == "promoted");
    assert!(
        reply.status == 403 || !promoted,
        "{} {:?}",
        reply.status,
        reply.json()
    );
    let endpoint = world.admin.get("/endpoints/tumour").unwrap();
    assert_eq!(
        endpoint["route"]["variants"][0]["version"],
        registered.champion
    );
}
