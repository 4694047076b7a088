//! Tokens, kept replies, the ledger.

use crate::{World, refused, samples::*};
use domain::{
    digest::Digest,
    error::ErrorKind,
    id::TokenId,
    ledger::{RequestKey, first_break},
    ports::store::{KeptReply, Models as _, Records as _},
    time::Timestamp,
};

pub(crate) async fn tokens(world: &World) {
    let store = &world.store;
    let (lasting, ending) = (token(1, "pipeline"), token(2, "ada"));
    for token in [&lasting, &ending] {
        store
            .insert_token(token, entry("token.made", "x"))
            .await
            .unwrap();
    }
    let (kind, message) = refused(
        store
            .insert_token(&token(3, "ada"), entry("token.made", "x"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("\"ada\""), "{message}");
    // Secret and end of life come back as they were.
    let found = world.other.token(&ending.id).await.unwrap().unwrap();
    assert_eq!(found, ending);
    assert_eq!(found.expires_at, Some(Timestamp(NOW.0 + 1000)));
    assert_eq!(
        store.token(&TokenId::from_ulid(&ulid(9))).await.unwrap(),
        None
    );
    assert_eq!(
        store.tokens().await.unwrap(),
        [ending.clone(), lasting.clone()]
    );

    let revoke = async |name: &str| {
        let name = name.parse().unwrap();
        store
            .revoke_token(&name, entry("token.revoked", "x"))
            .await
            .unwrap()
    };
    assert!(revoke("ada").await);
    assert!(!revoke("ada").await, "a revoked token is gone");
    assert!(!revoke("none").await);
    assert_eq!(world.other.token(&ending.id).await.unwrap(), None);
    assert_eq!(store.tokens().await.unwrap(), [lasting]);
    // The name is free again, the id is not.
    store
        .insert_token(&token(4, "ada"), entry("token.made", "x"))
        .await
        .unwrap();
    let (kind, _) = refused(
        store
            .insert_token(&token(2, "eve"), entry("token.made", "x"))
            .await,
    );
    assert_eq!(kind, ErrorKind::Conflict);
}

pub(crate) async fn replies(world: &World) {
    let store = &world.store;
    let reply = |status, body: &[u8]| KeptReply {
        request: Digest::of(b"POST /admin/v1/models"),
        status,
        body: body.to_vec(),
    };
    let kept = reply(201, &[0, 159, 146, 150]); // not UTF-8
    let day = 86_400_000;
    let since = Timestamp(NOW.0 - day);
    assert_eq!(store.kept_reply("ada", "k", since).await.unwrap(), None);
    store.keep_reply("ada", "k", &kept, NOW).await.unwrap();
    assert_eq!(
        world.other.kept_reply("ada", "k", since).await.unwrap(),
        Some(kept.clone())
    );
    // A key belongs to who used it.
    assert_eq!(store.kept_reply("eve", "k", since).await.unwrap(), None);
    store
        .keep_reply("eve", "k", &reply(409, b""), NOW)
        .await
        .unwrap();
    let (kind, _) = refused(store.keep_reply("ada", "k", &reply(200, b"x"), NOW).await);
    assert_eq!(kind, ErrorKind::Conflict);
    assert_eq!(store.kept_reply("ada", "k", NOW).await.unwrap(), Some(kept));
    // Too old: not given, and the key is free again.
    let later = Timestamp(NOW.0 + 1);
    assert_eq!(store.kept_reply("ada", "k", later).await.unwrap(), None);
    store
        .keep_reply("ada", "k", &reply(200, b"new"), later)
        .await
        .unwrap();
    let found = store.kept_reply("ada", "k", since).await.unwrap().unwrap();
    assert_eq!((found.status, found.body), (200, b"new".to_vec()));

    // Two gateways answer the same request at once: one reply is kept.
    let (one, two) = (reply(200, b"one"), reply(200, b"two"));
    let (a, b) = tokio::join!(
        world.store.keep_reply("ada", "race", &one, NOW),
        world.other.keep_reply("ada", "race", &two, NOW),
    );
    assert!(a.is_ok() != b.is_ok());
}

/// A change that came with a key keeps its answer, and both or neither happen.
pub(crate) async fn answers(world: &World) {
    let store = &world.store;
    let keyed = |key: &str| {
        let mut entry = entry("model.registered", "x");
        entry.actor.key = Some(RequestKey {
            key: key.to_owned(),
            request: Digest::of(b"POST /admin/v1/models"),
            status: 201,
        });
        entry
    };
    let actor = entry("x", "x").actor.name;
    let made = model("keyed");
    store.insert_model(&made, keyed("one")).await.unwrap();
    let kept = world.other.kept_reply(&actor, "one", NOW).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!(kept.status, 201);
    assert_eq!(kept.body, serde_json::to_vec(&made).unwrap());
    // Refused: no answer.
    refused(store.insert_model(&made, keyed("two")).await);
    assert_eq!(store.kept_reply(&actor, "two", NOW).await.unwrap(), None);
    // Another gateway answered the same key meanwhile: nothing is done twice.
    let before = store.ledger(1, 10_000).await.unwrap().len();
    let twice = model("keyed-twice");
    let (kind, _) = refused(world.other.insert_model(&twice, keyed("one")).await);
    assert_eq!(kind, ErrorKind::Conflict);
    assert_eq!(store.model(&twice.name).await.unwrap(), None);
    assert_eq!(store.ledger(1, 10_000).await.unwrap().len(), before);
}

pub(crate) async fn ledger(world: &World) {
    let store = &world.store;
    let all = store.ledger(1, 10_000).await.unwrap();
    assert!(all.len() > 50, "{}", all.len());
    assert_eq!(first_break(&all), None);
    assert_eq!(all[0].event, "model.registered");
    assert_eq!(all[0].actor, "token/ada ☃");
    assert_eq!(all[0].at, NOW);
    let part = world.other.ledger(7, 3).await.unwrap();
    assert_eq!(part, all[6..9]);
    assert!(
        store
            .ledger(all.len() as u64 + 1, 5)
            .await
            .unwrap()
            .is_empty()
    );
    let report = store.check().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.ledger_entries, all.len() as u64);
    assert_eq!(report.ledger_head, all[all.len() - 1].hash);
}
