//! Endpoints and the door to their routes.

use crate::{World, refused, samples::*};
use domain::{
    decision::{Outcome, PromotionStatus},
    error::ErrorKind,
    id::{DecisionId, PromotionId},
    ports::store::{Endpoints as _, Page, Records as _},
    route::Route,
    time::Timestamp,
};

pub(crate) async fn endpoints(world: &World) {
    let store = &world.store;
    for name in ["b", "a"] {
        store
            .insert_endpoint(&endpoint(name), entry("endpoint.made", name))
            .await
            .unwrap();
    }
    let (kind, message) = refused(
        store
            .insert_endpoint(&endpoint("a"), entry("endpoint.made", "a"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("\"a\""), "{message}");
    let mut loaded = endpoint("loaded");
    loaded.route.generation = 1;
    let (kind, _) = refused(
        store
            .insert_endpoint(&loaded, entry("endpoint.made", "x"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Invalid);

    let later = Timestamp(NOW.0 + 5);
    let change = async |name: &str| {
        let (name, changed) = (name.parse().unwrap(), entry("endpoint.changed", name));
        store
            .update_settings(&name, &settings(2000), later, changed)
            .await
            .unwrap()
    };
    let told = change("b").await;
    let before = store.ledger(1, 10_000).await.unwrap().len();
    assert_eq!(change("none").await, None);
    assert_eq!(store.ledger(1, 10_000).await.unwrap().len(), before);

    let mut changed = endpoint("b");
    changed.settings = settings(2000);
    changed.updated_at = later;
    assert_eq!(told, Some(changed.clone()));
    assert_eq!(
        world.other.endpoint(&"b".parse().unwrap()).await.unwrap(),
        Some(changed.clone())
    );
    assert_eq!(
        store.endpoint(&"none".parse().unwrap()).await.unwrap(),
        None
    );
    assert_eq!(store.endpoints().await.unwrap(), [endpoint("a"), changed]);
}

pub(crate) async fn promoting(world: &World) {
    let store = &world.store;
    let route = async || {
        store
            .endpoint(&"a".parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .route
    };
    let before = store.ledger(1, 10_000).await.unwrap().len();

    // Refused: on the record, and the route stays.
    let denied = commit(1, "a", Outcome::Deny, &Route::default());
    store.commit_promotion(denied.clone()).await.unwrap();
    assert_eq!(route().await, Route::default());
    assert_eq!(
        store.promotion(&denied.promotion.id).await.unwrap(),
        Some(denied.promotion)
    );
    assert_eq!(
        store.decision(&denied.decision.id).await.unwrap(),
        Some(denied.decision)
    );

    let allowed = commit(2, "a", Outcome::Allow, &Route::default());
    store.commit_promotion(allowed.clone()).await.unwrap();
    let found = world
        .other
        .endpoint(&"a".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(Some(&found.route), allowed.route.as_ref());
    assert_eq!(found.updated_at, allowed.promotion.at);
    assert_eq!(
        world.other.decision(&allowed.decision.id).await.unwrap(),
        Some(allowed.decision.clone())
    );
    assert_eq!(store.ledger(1, 10_000).await.unwrap().len(), before + 4);

    // At a generation that has passed, or has not come yet: nothing is written.
    let mut ahead = found.route.clone();
    ahead.generation += 1;
    for (number, at) in [(3, Route::default()), (4, ahead)] {
        let stale = commit(number, "a", Outcome::Allow, &at);
        let (kind, message) = refused(store.commit_promotion(stale.clone()).await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("generation 1"), "{message}");
        assert_eq!(store.promotion(&stale.promotion.id).await.unwrap(), None);
        assert_eq!(store.decision(&stale.decision.id).await.unwrap(), None);
    }
    // The same promotion twice.
    let (kind, message) = refused(
        store
            .commit_promotion(commit(1, "a", Outcome::Deny, &Route::default()))
            .await,
    );
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("dec_"), "{message}");
    let (kind, _) = refused(
        store
            .commit_promotion(commit(5, "none", Outcome::Deny, &Route::default()))
            .await,
    );
    assert_eq!(kind, ErrorKind::Missing);
    let mut unknown = commit(5, "a", Outcome::Deny, &Route::default());
    unknown.promotion.candidate = version_ref("churn", 99);
    unknown.decision.candidate = version_ref("churn", 99);
    assert_eq!(
        refused(store.commit_promotion(unknown).await).0,
        ErrorKind::Missing
    );
    assert_eq!(route().await, found.route);
    assert_eq!(store.ledger(1, 10_000).await.unwrap().len(), before + 4);
}

/// The door stays shut even when a use case above it is wrong.
pub(crate) async fn contradictions_are_refused(world: &World) {
    let route = Route {
        generation: 1,
        variants: Vec::new(),
    };
    let good = || commit(6, "a", Outcome::Allow, &route);
    let mut flawed = Vec::new();
    let mut bad = good();
    bad.decision.effective = Outcome::Deny;
    flawed.push(bad);
    let mut bad = good();
    bad.promotion.status = PromotionStatus::Denied;
    flawed.push(bad);
    let mut bad = good();
    bad.route = None;
    flawed.push(bad);
    let mut bad = good();
    bad.promotion.generation = None;
    flawed.push(bad);
    let mut bad = good();
    bad.decision.candidate = version_ref("churn", 2);
    flawed.push(bad);
    let mut bad = good();
    bad.decision.endpoint = "b".parse().unwrap();
    flawed.push(bad);
    let mut bad = good();
    bad.promotion.decision = DecisionId::from_ulid(&ulid(77));
    flawed.push(bad);
    let mut bad = good();
    bad.entries.clear();
    flawed.push(bad);
    for bad in flawed {
        let (kind, _) = refused(world.store.commit_promotion(bad).await);
        assert_eq!(kind, ErrorKind::Internal);
    }
    let unwritten = PromotionId::from_ulid(&ulid(6));
    assert_eq!(world.store.promotion(&unwritten).await.unwrap(), None);
}

pub(crate) async fn one_of_many_wins(world: &World) {
    let store = &world.store;
    for round in 0..4u32 {
        let route = store
            .endpoint(&"b".parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .route;
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..8 {
            let store = if index % 2 == 0 {
                &world.store
            } else {
                &world.other
            }
            .clone();
            let attempt = commit(100 + round * 8 + index, "b", Outcome::Allow, &route);
            tasks.spawn(async move { store.commit_promotion(attempt).await });
        }
        let results = tasks.join_all().await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(won, 1, "{results:?}");
        for lost in results.into_iter().filter(Result::is_err) {
            assert_eq!(refused(lost).0, ErrorKind::Conflict);
        }
        let after = store
            .endpoint(&"b".parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .route;
        assert_eq!(after.generation, route.generation + 1);
    }
}

pub(crate) async fn pages(world: &World) {
    let store = &world.store;
    let page = |after: Option<&str>, limit| Page {
        after: after.map(str::to_owned),
        limit,
    };
    let everything = store.promotions(None, &page(None, 100)).await.unwrap();
    assert_eq!(everything.len(), 2 + 4);
    let of_b = store
        .promotions(Some(&"b".parse().unwrap()), &page(None, 100))
        .await
        .unwrap();
    let generations: Vec<_> = of_b.iter().map(|promotion| promotion.generation).collect();
    assert_eq!(generations, [Some(4), Some(3), Some(2), Some(1)]);
    // Page by page gives the same as all at once.
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let next = store
            .promotions(None, &page(after.as_deref(), 4))
            .await
            .unwrap();
        let Some(last) = next.last() else { break };
        after = Some(last.id.to_string());
        paged.extend(next);
    }
    assert_eq!(paged, everything);

    let decisions = store.decisions(None, &page(None, 100)).await.unwrap();
    let order = |ids: Vec<&DecisionId>| ids.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        order(decisions.iter().map(|decision| &decision.id).collect()),
        order(
            everything
                .iter()
                .map(|promotion| &promotion.decision)
                .collect()
        )
    );
    let of_a = store
        .decisions(Some(&"a".parse().unwrap()), &page(None, 1))
        .await
        .unwrap();
    assert_eq!(of_a[0].effective, Outcome::Allow);
    let rest = page(Some(of_a[0].id.as_str()), 9);
    let of_a = store
        .decisions(Some(&"a".parse().unwrap()), &rest)
        .await
        .unwrap();
    assert_eq!(of_a.len(), 1);
    assert_eq!(of_a[0].effective, Outcome::Deny);

    let (kind, _) = refused(store.promotions(None, &page(Some("prom_none"), 9)).await);
    assert_eq!(kind, ErrorKind::Invalid);
}
