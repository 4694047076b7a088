//! Promotions under load: every request is answered, by a champion, and by no
//! older one after a newer one was acknowledged.

use crate::world::World;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{ScopedJoinHandle, scope, sleep},
    time::Duration,
};
use tests::example;

const CALLERS: usize = 4;

#[test]
fn a_swap_under_load_fails_no_request() {
    let world = World::start();
    let registered = world.serving("tumour");
    example::evaluate(&world.admin, registered.better, Some(registered.champion)).unwrap();
    let body = registered.files.predict_body(0..2).unwrap();
    let (stop, swapped) = (AtomicBool::new(false), AtomicBool::new(false));
    let (before, after) = (AtomicU64::new(0), AtomicU64::new(0));
    let call = || {
        let nobody = world.admin.with_token(None);
        while !stop.load(Ordering::SeqCst) {
            let already = swapped.load(Ordering::SeqCst);
            let reply = nobody.predict("/v1/models/tumour:predict", &body).unwrap();
            assert_eq!(reply.status, 200, "{:?}", reply.json());
            let version: u64 = reply.header("tollgate-version").unwrap().parse().unwrap();
            if version == registered.champion {
                assert!(
                    !already,
                    "the old champion answered after the swap was acknowledged"
                );
                before.fetch_add(1, Ordering::SeqCst);
            } else {
                assert_eq!(version, registered.better);
                after.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        let enough = |counter: &AtomicU64| {
            while counter.load(Ordering::SeqCst) < 200 {
                let failed = callers.iter().any(ScopedJoinHandle::is_finished);
                stop.fetch_or(failed, Ordering::SeqCst);
                assert!(!failed, "a caller failed");
                sleep(Duration::from_millis(1));
            }
        };
        enough(&before);
        let answer = example::promote(&world.admin, "tumour", registered.better).unwrap();
        assert_eq!(answer["promotion"]["status"], "promoted", "{answer:#}");
        swapped.store(true, Ordering::SeqCst);
        enough(&after);
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_route_survives_a_restart() {
    let mut world = World::start();
    let registered = world.serving("tumour");
    let body = registered.files.predict_body(0..3).unwrap();
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
}
