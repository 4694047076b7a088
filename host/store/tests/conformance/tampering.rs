//! Somebody with a database shell.

use crate::{World, failures::intruder};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

const KEPT: [&str; 9] = [
    "ledger",
    "decisions",
    "evaluations",
    "promotions",
    "external_metrics",
    "versions",
    "plugin_revisions",
    "gate_revisions",
    "datasets",
];

async fn run(connection: &mut AnyConnection, sql: String) -> Result<(), String> {
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) async fn records_cannot_be_changed(world: &World) {
    let sqlite = world.url.starts_with("sqlite");
    let mut connection = intruder(&world.url).await;
    for table in KEPT {
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(rows > 0, "{table} is empty, so this would prove nothing");
        let mut attempts = vec![
            format!("UPDATE {table} SET body = '{{}}'"),
            format!("DELETE FROM {table}"),
        ];
        if !sqlite {
            attempts.push(format!("TRUNCATE {table} CASCADE"));
        }
        for attempt in attempts {
            let error = run(&mut connection, attempt.clone())
                .await
                .expect_err(&attempt);
            assert!(error.contains("append-only"), "{attempt}: {error}");
        }
    }
    if sqlite {
        let replace = "INSERT OR REPLACE INTO ledger SELECT seq, previous, 'x', subject, actor, at, body, hash FROM ledger WHERE seq = 3";
        let error = run(&mut connection, replace.to_owned())
            .await
            .expect_err(replace);
        assert!(error.contains("append-only"), "{error}");
    }
    for around_the_door in [
        "UPDATE endpoints SET route = '{\"generation\":1,\"variants\":[]}' WHERE name = 'a'",
        "UPDATE endpoints SET generation = generation + 1 WHERE name = 'a'",
        "UPDATE endpoints SET generation = generation - 1 WHERE name = 'b'",
        "INSERT INTO endpoints SELECT 'c', settings, route, generation, 0, 0, seq FROM endpoints WHERE name = 'b'",
    ] {
        let error = run(&mut connection, around_the_door.to_owned())
            .await
            .expect_err(around_the_door);
        assert!(error.contains("route"), "{around_the_door}: {error}");
    }
    assert_eq!(
        world.store.check().await.unwrap().problems,
        Vec::<String>::new()
    );
    connection.close().await.unwrap();
}

pub(crate) async fn the_doctor_finds_what_was_changed(world: &World) {
    let on = if world.url.starts_with("sqlite") {
        ""
    } else {
        " ON ledger"
    };
    let mut connection = intruder(&world.url).await;
    run(
        &mut connection,
        format!("DROP TRIGGER ledger_no_update{on}"),
    )
    .await
    .unwrap();
    run(
        &mut connection,
        "UPDATE ledger SET actor = 'token/eve' WHERE seq = 5".to_owned(),
    )
    .await
    .unwrap();
    let problems = world.store.check().await.unwrap().problems;
    assert!(
        problems.iter().any(|p| p.contains("triggers")),
        "{problems:?}"
    );
    assert!(
        problems.iter().any(|p| p.contains("entry 5")),
        "{problems:?}"
    );
    run(
        &mut connection,
        "UPDATE ledger SET actor = 'token/ada ☃' WHERE seq = 5;
         UPDATE ledger_head SET seq = seq - 1"
            .to_owned(),
    )
    .await
    .unwrap();
    let problems = world.store.check().await.unwrap().problems;
    assert!(problems.iter().any(|p| p.contains("head")), "{problems:?}");
    assert!(
        !problems.iter().any(|p| p.contains("broken")),
        "{problems:?}"
    );
    connection.close().await.unwrap();
}
