//! Models, versions, plugins, gates, data sets.

use crate::{World, refused, samples::*};
use domain::{
    digest::Digest,
    error::ErrorKind,
    name::VersionNumber,
    ports::store::{Datasets as _, Gates as _, Models as _, Page, Plugins as _, Records as _},
};
use serde_json::json;

pub(crate) async fn models_and_versions(world: &World) {
    let store = &world.store;
    // Byte order, not a language's: upper case comes first.
    for name in ["b.model", "churn", "B-model", "a_model"] {
        store
            .insert_model(&model(name), entry("model.registered", name))
            .await
            .unwrap();
    }
    let (kind, message) = refused(
        world
            .other
            .insert_model(&model("churn"), entry("model.registered", "churn"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("\"churn\""), "{message}");

    let found = world.other.model(&"churn".parse().unwrap()).await.unwrap();
    assert_eq!(found, Some(model("churn")));
    assert_eq!(store.model(&"none".parse().unwrap()).await.unwrap(), None);

    let page = |after: Option<&str>, limit| Page {
        after: after.map(str::to_owned),
        limit,
    };
    let names = async |page: Page| {
        let models = store.models(&page).await.unwrap();
        models
            .into_iter()
            .map(|m| m.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(page(None, 2)).await, ["B-model", "a_model"]);
    assert_eq!(names(page(Some("a_model"), 2)).await, ["b.model", "churn"]);
    assert_eq!(names(page(Some("churn"), 2)).await, Vec::<String>::new());
    assert_eq!(names(page(None, 0)).await, Vec::<String>::new());

    versions(world).await;
}

async fn versions(world: &World) {
    let (kind, message) = refused(
        world
            .store
            .insert_version(&version("none", None), entry("version.registered", "none"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Missing);
    assert!(message.contains("\"none\""), "{message}");

    // Two gateways register at once: every number is given once, none is left out.
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..24 {
        let store = if index % 2 == 0 {
            &world.store
        } else {
            &world.other
        }
        .clone();
        tasks.spawn(async move {
            store
                .insert_version(
                    &version("churn", None),
                    entry("version.registered", "churn"),
                )
                .await
                .unwrap()
        });
    }
    let mut given: Vec<u32> = tasks.join_all().await.iter().map(|v| v.version.0).collect();
    given.sort_unstable();
    assert_eq!(given, (1..=24).collect::<Vec<_>>());

    // A version that is refused uses no number up.
    let unknown = Digest::of(b"unknown");
    let (kind, message) = refused(
        world
            .store
            .insert_version(
                &version("churn", Some(unknown)),
                entry("version.registered", "churn"),
            )
            .await,
    );
    assert_eq!(kind, ErrorKind::Missing);
    assert!(message.contains(&unknown.to_string()), "{message}");
    // So does one that could not be read back.
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let mut unreadable = version("churn", None);
    unreadable.architecture = Some(deep);
    let (kind, _) = refused(
        world
            .store
            .insert_version(&unreadable, entry("version.registered", "churn"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Invalid);

    let mut expected = version("churn", None);
    expected.version = VersionNumber(25);
    let written = world
        .store
        .insert_version(
            &version("churn", None),
            entry("version.registered", "churn"),
        )
        .await
        .unwrap();
    assert_eq!(written, expected);
    let read = async |number| {
        let version = version_ref("churn", number);
        world.other.version(&version).await.unwrap()
    };
    assert_eq!(read(25).await, Some(expected));
    assert_eq!(read(26).await, None);
    let all = world
        .store
        .versions(&"churn".parse().unwrap())
        .await
        .unwrap();
    let numbers: Vec<u32> = all.iter().map(|v| v.version.0).collect();
    assert_eq!(numbers, (1..=25).rev().collect::<Vec<_>>());
    assert!(
        world
            .store
            .versions(&"none".parse().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn plugins(world: &World) {
    let store = &world.store;
    let (one, two) = (revision("tabular", b"one"), revision("tabular", b"two"));
    let other = revision("other", b"other");
    for revision in [&one, &two, &other] {
        store
            .insert_revision(revision, entry("plugin.admitted", "tabular"))
            .await
            .unwrap();
    }
    // The same again changes nothing, the ledger included.
    let before = store.ledger(1, 10_000).await.unwrap().len();
    let mut again = one.clone();
    again.created_by = "token/eve".to_owned();
    store
        .insert_revision(&again, entry("plugin.admitted", "tabular"))
        .await
        .unwrap();
    assert_eq!(store.ledger(1, 10_000).await.unwrap().len(), before);
    assert_eq!(
        store.revision(&one.digest).await.unwrap(),
        Some(one.clone())
    );
    // Under another name it would be hidden: refused.
    let mut renamed = one.clone();
    renamed.plugin = "renamed".parse().unwrap();
    let (kind, message) = refused(
        store
            .insert_revision(&renamed, entry("plugin.admitted", "renamed"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("\"tabular\""), "{message}");

    assert_eq!(store.revision(&Digest::of(b"none")).await.unwrap(), None);
    let of = store
        .revisions(Some(&"tabular".parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(of, [two, one.clone()]);
    assert_eq!(store.revisions(None).await.unwrap().len(), 3);
    assert!(
        store
            .revisions(Some(&"none".parse().unwrap()))
            .await
            .unwrap()
            .is_empty()
    );

    let with = store
        .insert_version(
            &version("a_model", Some(one.digest)),
            entry("version.registered", "a_model"),
        )
        .await
        .unwrap();
    assert_eq!((with.version.0, with.transform), (1, Some(one.digest)));
}

pub(crate) async fn gates_and_datasets(world: &World) {
    let store = &world.store;
    let (first, second) = (gate("quality", "# one"), gate("quality", "# two"));
    let twin = gate("audit", "# one");
    assert_eq!(first.digest, twin.digest);
    let current = async || store.gate(&"quality".parse().unwrap()).await.unwrap();
    assert_eq!(current().await, None);
    for revision in [&first, &second, &twin] {
        store
            .insert_gate(revision, entry("gate.admitted", "quality"))
            .await
            .unwrap();
    }
    assert_eq!(current().await, Some(second.clone()));
    let old = store.gate_revision(&first.digest).await.unwrap().unwrap();
    assert_eq!(old.bundle, first.bundle);
    assert_eq!(
        store.gate_revision(&Digest::of(b"none")).await.unwrap(),
        None
    );
    assert_eq!(store.gates().await.unwrap(), [twin.clone(), second]);
    // Back to the first.
    store
        .insert_gate(&first, entry("gate.admitted", "quality"))
        .await
        .unwrap();
    assert_eq!(current().await, Some(first.clone()));
    assert_eq!(store.gates().await.unwrap(), [twin, first]);

    let (a, b) = (dataset("held-out", "a", "y"), dataset("held-out", "b", "y"));
    let relabelled = dataset("held-out", "a", "z");
    let other = dataset("another", "a", "y");
    assert_eq!(store.dataset(&a.name).await.unwrap(), None);
    for dataset in [&a, &b, &other, &relabelled] {
        store
            .insert_dataset(dataset, entry("dataset.registered", "x"))
            .await
            .unwrap();
    }
    assert_eq!(
        world.other.dataset(&a.name).await.unwrap(),
        Some(relabelled.clone())
    );
    assert_eq!(store.datasets().await.unwrap(), [other, relabelled]);
}
