//! `sslmode` is honoured: over a real PostgreSQL whose certificate comes from an
//! authority of our own (`tls/make.sh`).

#![allow(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the whole file is a test"
)]

#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "shared with tests that make databases")]
mod postgres;

use domain::{error::ErrorKind, ports::store::Endpoints as _};
use postgres::Postgres;
use std::net::TcpListener;
use store::SqlStore;

const FILES: [(&str, &[u8]); 2] = [
    ("server.crt", include_bytes!("tls/server.crt")),
    ("server.key", include_bytes!("tls/server.key")),
];

/// A server on loopback, and its address up to the options.
fn server(options: &str) -> (Postgres, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let listen =
        "-c listen_addresses=127.0.0.1 -c ssl_cert_file=@/server.crt -c ssl_key_file=@/server.key";
    let server = Postgres::start_with(&FILES, &format!("{listen} -c port={port} {options}"));
    (
        server,
        format!("postgres://tollgate@127.0.0.1:{port}/postgres"),
    )
}

fn authority(name: &str) -> String {
    format!("{}/tests/tls/{name}.crt", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn a_certificate_is_wanted_and_checked_as_far_as_sslmode_says() {
    let (server, url) = server("-c ssl=on");
    let (known, unknown) = (authority("authority"), authority("other"));
    for options in [
        "sslmode=prefer".to_owned(),
        "sslmode=require".to_owned(),
        format!("sslmode=verify-ca&sslrootcert={known}"),
        format!("sslmode=verify-full&sslrootcert={known}"),
    ] {
        let store = SqlStore::open(&format!("{url}?{options}")).await.unwrap();
        assert!(store.endpoints().await.unwrap().is_empty());
        store.close().await;
    }
    for options in [
        "sslmode=verify-full".to_owned(),
        format!("sslmode=verify-ca&sslrootcert={unknown}"),
        format!("sslmode=verify-full&sslrootcert={unknown}"),
        format!("sslmode=verify-full&sslrootcert={known}-not-there"),
    ] {
        let refused = SqlStore::open(&format!("{url}?{options}")).await;
        let error = refused.expect_err(&options);
        assert_eq!(error.kind, ErrorKind::Unavailable, "{options}: {error}");
        assert!(error.message.contains("sslrootcert"), "{options}: {error}");
    }
    server.stop();
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let (server, url) = server("-c ssl=off");
    let open = SqlStore::open(&format!("{url}?sslmode=disable")).await;
    open.unwrap().close().await;
    let refused = SqlStore::open(&format!("{url}?sslmode=require")).await;
    let error = refused.unwrap_err();
    assert!(error.message.contains("sslmode"), "{error}");
    server.stop();
}
