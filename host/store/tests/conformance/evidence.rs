//! Evaluations and metrics logged from outside.

use crate::{World, refused, samples::*};
use domain::{
    error::ErrorKind,
    id::EvaluationId,
    ports::store::{Evaluations as _, Records as _},
};

pub(crate) async fn evaluations(world: &World) {
    let store = &world.store;
    let version = version_ref("churn", 1);
    // Descending ids: order comes from when they were written.
    let (first, second) = (
        evaluation(9, version.clone()),
        evaluation(8, version.clone()),
    );
    for evaluation in [&first, &second] {
        store
            .insert_evaluation(evaluation, entry("evaluation.sealed", "churn/1"))
            .await
            .unwrap();
    }
    assert_eq!(
        store.evaluation(&first.id).await.unwrap(),
        Some(first.clone())
    );
    let unknown = EvaluationId::from_ulid(&ulid(0));
    assert_eq!(store.evaluation(&unknown).await.unwrap(), None);
    let all = world.other.evaluations(&version).await.unwrap();
    assert_eq!(all, [second, first.clone()]);
    assert!(
        store
            .evaluations(&version_ref("churn", 2))
            .await
            .unwrap()
            .is_empty()
    );

    let insert = async |evaluation| {
        refused(
            store
                .insert_evaluation(&evaluation, entry("evaluation.sealed", "x"))
                .await,
        )
    };
    let (kind, message) = insert(first.clone()).await;
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains(first.id.as_str()), "{message}");
    let (kind, message) = insert(evaluation(10, version_ref("churn", 99))).await;
    assert_eq!(kind, ErrorKind::Missing);
    assert!(message.contains("churn/99"), "{message}");
    // A NaN has no JSON, and would read back as something else.
    let mut broken = evaluation(11, version.clone());
    broken.latency.p99_ms = f64::NAN;
    assert_eq!(insert(broken).await.0, ErrorKind::Invalid);
    let mut broken = evaluation(11, version);
    broken
        .metrics
        .insert("f1".to_owned(), metric(f64::INFINITY));
    assert_eq!(insert(broken).await.0, ErrorKind::Invalid);
}

pub(crate) async fn external_metrics(world: &World) {
    let store = &world.store;
    let version = version_ref("churn", 1);
    let log = async |metrics: &[_]| {
        store
            .insert_external(metrics, entry("metrics.logged", "x"))
            .await
    };
    log(&[
        external(&version, "cost", 1.0),
        external(&version, "lift", 2.0),
    ])
    .await
    .unwrap();
    log(&[
        external(&version, "cost", 3.0),
        external(&version_ref("churn", 2), "cost", 9.0),
        external(&version, "cost", 4.0),
    ])
    .await
    .unwrap();
    let latest = store.external(&version).await.unwrap();
    assert_eq!(
        latest,
        [
            external(&version, "cost", 4.0),
            external(&version, "lift", 2.0)
        ]
    );
    assert_eq!(
        store
            .external(&version_ref("churn", 2))
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        store
            .external(&version_ref("churn", 3))
            .await
            .unwrap()
            .is_empty()
    );

    // One bad metric, and none of its call is kept, the ledger entry included.
    let before = store.ledger(1, 10_000).await.unwrap().len();
    let missing = version_ref("churn", 99);
    let calls = [
        (external(&missing, "lift", 1.0), ErrorKind::Missing),
        (external(&version, "", 1.0), ErrorKind::Invalid),
        (
            external(&version, &"x".repeat(257), 1.0),
            ErrorKind::Invalid,
        ),
    ];
    for (bad, expected) in calls {
        let (kind, _) = refused(log(&[external(&version, "lift", 5.0), bad]).await);
        assert_eq!(kind, expected);
    }
    assert_eq!(store.external(&version).await.unwrap(), latest);
    assert_eq!(store.ledger(1, 10_000).await.unwrap().len(), before);
}
