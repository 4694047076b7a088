//! The same product on PostgreSQL: a server of the test's own.

#[path = "../../host/store/tests/support/postgres.rs"]
mod server;

use crate::world::World;
use tests::example;

#[test]
fn a_gateway_on_postgresql_promotes_serves_and_comes_back() {
    let postgres = server::Postgres::start();
    let url = postgres.database("gateway");
    let mut world = World::start_with(&[("TOLLGATE_DATABASE", &url)]);
    let registered = world.serving("tumour");
    let body = registered.files.predict_body(0..2).unwrap();
    let before = world
        .admin
        .predict("/v1/models/tumour:predict", &body)
        .unwrap();
    assert_eq!(before.status, 200);
    world.crash();
    let after = world
        .admin
        .predict("/v1/models/tumour:predict", &body)
        .unwrap();
    assert_eq!(before.body, after.body);
    example::evaluate(&world.admin, registered.better, Some(registered.champion)).unwrap();
    let answer = example::promote(&world.admin, "tumour", registered.better).unwrap();
    assert_eq!(answer["promotion"]["status"], "promoted", "{answer:#}");
    let sqlite = std::fs::read_dir(world.data())
        .unwrap()
        .flatten()
        .any(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "db" || extension == "sqlite")
        });
    assert!(!sqlite, "a database file was made beside PostgreSQL");
    drop(world);
    postgres.stop();
}
