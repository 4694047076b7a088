//! Tokens, limits, compression, ids, counters, draining.

use crate::{
    client::{get, post, send, server},
    parts::Fixture,
};
use api::EdgeConfig;
use domain::token::Role;
use reqwest::Method;
use serde_json::json;
use std::{io::Read as _, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const ROW: &str = r#"{"inputs":[{"name":"IN","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#;

fn touch(x: f64) -> String {
    json!({"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [x]}]}).to_string()
}

#[tokio::test]
async fn closed_endpoints_need_a_valid_token_in_every_protocol() {
    let fixture = server().await;
    let good = format!("Bearer {}", fixture.token("good", Role::Client, None).await);
    let brief = format!(
        "Bearer {}",
        fixture.token("brief", Role::Admin, Some(2_000_000)).await
    );
    let mut changed = good.clone();
    let last = changed.pop();
    changed.push(if last == Some('0') { '1' } else { '0' });
    let ask = async |token: Option<&str>| {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(token.map(|token| ("authorization", token)));
        let frame = r#"{"instances":[[1,2]]}"#;
        [
            post(&fixture, "/v2/models/closed/infer", &headers, ROW)
                .await
                .0,
            post(&fixture, "/v1/models/closed:predict", &headers, frame)
                .await
                .0,
            post(&fixture, "/endpoints/closed/invocations", &headers, frame)
                .await
                .0,
            get(&fixture, "/v2/models/closed", &headers).await.0,
            get(&fixture, "/v2/models/closed/ready", &headers).await.0,
            get(&fixture, "/v1/models/closed", &headers).await.0,
        ]
    };
    assert_eq!(ask(None).await, [401; 6]);
    assert_eq!(ask(Some("Bearer x")).await, [401; 6]);
    assert_eq!(ask(Some(&changed)).await, [401; 6]);
    assert_eq!(ask(Some(&good)).await, [200; 6]);
    assert_eq!(ask(Some(&brief)).await, [200; 6]);
    fixture.clock.0.store(2_000_000, Relaxed);
    assert_eq!(ask(Some(&brief)).await, [401; 6], "expired");
    fixture.memory.tokens.lock().unwrap().clear();
    fixture.state.refresh_tokens().await.unwrap();
    assert_eq!(ask(Some(&good)).await, [401; 6], "revoked");
}

#[tokio::test]
async fn a_refusal_says_how_to_come_in() {
    let fixture = server().await;
    let response = send(&fixture, Method::POST, "/v2/models/closed/infer", &[], ROW).await;
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.headers()["www-authenticate"],
        "Bearer realm=\"tollgate\""
    );
    assert_eq!(
        response.json::<serde_json::Value>().await.unwrap(),
        json!({"error": "a token is needed: send it as \"Authorization: Bearer <token>\""})
    );
}

#[tokio::test]
async fn lists_show_closed_endpoints_to_holders_only() {
    let fixture = server().await;
    let token = format!("Bearer {}", fixture.token("t", Role::Viewer, None).await);
    for path in ["/v1/models", "/v2/models"] {
        let (_, anyone) = get(&fixture, path, &[]).await;
        let (_, holder) = get(&fixture, path, &[("authorization", &token)]).await;
        let closed = json!("closed");
        assert!(!anyone["models"].as_array().unwrap().contains(&closed));
        assert!(holder["models"].as_array().unwrap().contains(&closed));
    }
}

#[tokio::test]
async fn bodies_are_bounded_as_sent_and_as_unpacked() {
    let config = EdgeConfig {
        max_body_bytes: 2_000,
        ..EdgeConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let path = "/v2/models/m/infer";
    let error = json!({"error": "the body is larger than the limit of 2000 bytes"});
    let plain = post(&fixture, path, &[], " ".repeat(2_001)).await;
    assert_eq!(plain, (413, error.clone()));
    let pieces = (0..5).map(|_| Ok::<_, std::io::Error>(" ".repeat(500)));
    let stream = futures_util::stream::iter(pieces);
    let chunked = post(&fixture, path, &[], reqwest::Body::wrap_stream(stream)).await;
    assert_eq!(chunked, (413, error.clone()));
    let bomb = pack(&" ".repeat(200_000));
    assert!(bomb.len() < 2_000);
    let unpacked = post(&fixture, path, &[("content-encoding", "gzip")], bomb).await;
    assert_eq!(unpacked, (413, error));
}

fn pack(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast())
        .read_to_end(&mut out)
        .unwrap();
    out
}

#[tokio::test]
async fn encodings_are_read_and_others_refused() {
    let fixture = server().await;
    let path = "/v2/models/m/infer";
    let read = |mut reader: Box<dyn std::io::Read>| {
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        out
    };
    let fast = flate2::Compression::fast;
    let zlib = read(Box::new(flate2::read::ZlibEncoder::new(
        ROW.as_bytes(),
        fast(),
    )));
    let bare = read(Box::new(flate2::read::DeflateEncoder::new(
        ROW.as_bytes(),
        fast(),
    )));
    for (encoding, body, status) in [
        ("gzip", pack(ROW), 200),
        ("deflate", zlib, 200),
        ("deflate", bare, 200),
        ("identity", ROW.into(), 200),
        ("gzip", ROW.into(), 400),
        ("br", ROW.into(), 415),
    ] {
        let headers = [("content-encoding", encoding)];
        let answer = post(&fixture, path, &headers, body).await;
        assert_eq!(answer.0, status, "{encoding}: {answer:?}");
    }
}

#[tokio::test]
async fn large_answers_are_packed_when_asked() {
    let fixture = server().await;
    let rows = 500;
    let data = vec![0.125; rows * 2];
    let body = json!({"inputs": [
        {"name": "IN", "shape": [rows, 2], "datatype": "FP32", "data": data}
    ]})
    .to_string();
    let path = "/v2/models/m/infer";
    let plain = send(&fixture, Method::POST, path, &[], body.clone()).await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.bytes().await.unwrap();
    let gzip = [("accept-encoding", "gzip")];
    let packed = send(&fixture, Method::POST, path, &gzip, body).await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.len() < plain.len() / 4);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
    let small = send(&fixture, Method::POST, path, &gzip, ROW).await;
    assert!(!small.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn a_full_server_turns_requests_away_but_stays_observable() {
    let config = EdgeConfig {
        max_in_flight: 1,
        ..EdgeConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let path = "/v2/models/m/infer";
    let mut held = TcpStream::connect(fixture.address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{");
    held.write_all(head.as_bytes()).await.unwrap();
    while fixture.state.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = send(&fixture, Method::POST, path, &[], ROW).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(refused.headers().contains_key("x-request-id"));
    for path in ["/metrics", "/v2/health/live", "/v2/health/ready", "/ping"] {
        assert_eq!(get(&fixture, path, &[]).await.0, 200, "{path}");
    }
    // The client goes away; its place is free again.
    drop(held);
    while fixture.state.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(post(&fixture, path, &[], ROW).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_beyond_its_deadline_is_not_waited_for() {
    let fixture = server().await;
    let touchy = fixture.state.serving.endpoint("touchy").unwrap();
    // One overrun puts the model on the pool, where a deadline can cut it.
    touchy.variants[0]
        .model_guard
        .record(serving::lane::OVERRUN_NS + 1);
    let (status, answer) = post(&fixture, "/v2/models/touchy/infer", &[], touch(500.0)).await;
    assert_eq!(
        (status, answer),
        (504, json!({"error": "no answer within 100 ms"}))
    );
    let gate = std::sync::Arc::clone(&fixture.gate);
    let let_go = move || {
        gate.wait();
        gate.wait();
    };
    tokio::task::spawn_blocking(let_go).await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let config = EdgeConfig {
        body_timeout: Duration::from_millis(50),
        ..EdgeConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let answer = raw(
        &fixture,
        "POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("the body did not arrive within 50 ms"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_that_does_not_arrive_closes_the_connection() {
    let config = EdgeConfig {
        head_timeout: Duration::from_millis(50),
        ..EdgeConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let answer = raw(&fixture, "GET /v2 HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
}

#[tokio::test]
async fn heads_are_bounded() {
    let fixture = server().await;
    let long = format!(
        "GET /v2 HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n",
        "a".repeat(80_000)
    );
    assert!(raw(&fixture, &long).await.starts_with("HTTP/1.1 431 "));
    let many: String = (0..200).map(|i| format!("x-{i}: 1\r\n")).collect();
    let many = format!("GET /v2 HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    assert!(raw(&fixture, &many).await.starts_with("HTTP/1.1 431 "));
}

/// Sends these bytes and reads until the server closes.
async fn raw(fixture: &Fixture, request: &str) -> String {
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let done = tokio::time::timeout(Duration::from_secs(20), read).await;
    drop(done.unwrap());
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn request_ids_are_taken_over_or_made() {
    let fixture = server().await;
    let given = send(
        &fixture,
        Method::GET,
        "/v2",
        &[("x-request-id", "abc-1")],
        "",
    )
    .await;
    assert_eq!(given.headers()["x-request-id"], "abc-1");
    let bad = send(
        &fixture,
        Method::GET,
        "/nothing",
        &[("x-request-id", "a b")],
        "",
    )
    .await;
    assert_eq!(bad.headers()["x-request-id"].len(), 32);
}

#[tokio::test]
async fn http2_without_encryption_is_spoken() {
    let fixture = server().await;
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    let path = b"/v2/health/live";
    // HPACK: indexed ":method GET" and ":scheme http", then ":path" in full.
    let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
    block.extend(path);
    let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    hello.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    hello.extend([0, 0, block.len() as u8, 1, 0b101, 0, 0, 0, 1]);
    hello.extend(block);
    stream.write_all(&hello).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        // The HEADERS frame of the answer begins with indexed ":status 200".
        if head[3] == 1 {
            assert_eq!(payload[0], 0x88);
            return;
        }
    }
}

#[tokio::test]
async fn the_metrics_page_counts_what_happened() {
    let fixture = server().await;
    for _ in 0..3 {
        assert_eq!(post(&fixture, "/v2/models/m/infer", &[], ROW).await.0, 200);
    }
    post(&fixture, "/v2/models/m/infer", &[], "{").await;
    post(&fixture, "/v2/models/made-up/infer", &[], ROW).await;
    let page = send(&fixture, Method::GET, "/metrics", &[], "").await;
    assert_eq!(
        page.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let page = page.text().await.unwrap();
    let variant = r#"endpoint="m",variant="champion",model="m",version="1""#;
    for line in [
        r#"tollgate_prediction_requests_total{protocol="oip",endpoint="m",class="2xx"} 3"#
            .to_owned(),
        r#"tollgate_prediction_requests_total{protocol="oip",endpoint="m",class="4xx"} 1"#
            .to_owned(),
        r#"tollgate_prediction_requests_total{protocol="oip",endpoint="",class="4xx"} 1"#
            .to_owned(),
        r#"tollgate_prediction_duration_seconds_count{protocol="oip",endpoint="m"} 4"#.to_owned(),
        r#"tollgate_http_requests_total{protocol="oip",class="2xx"} 3"#.to_owned(),
        format!("tollgate_variant_answered_total{{{variant}}} 3"),
        format!("tollgate_variant_rows_total{{{variant}}} 3"),
        "tollgate_requests_in_flight 1".to_owned(),
    ] {
        assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("made-up"), "callers do not make labels");
    assert!(page.ends_with('\n'));
}

#[tokio::test]
async fn metrics_can_need_a_token() {
    let config = EdgeConfig {
        metrics_access: domain::route::Access::Token,
        ..EdgeConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let client = format!("Bearer {}", fixture.token("c", Role::Client, None).await);
    let viewer = format!("Bearer {}", fixture.token("v", Role::Viewer, None).await);
    assert_eq!(get(&fixture, "/metrics", &[]).await.0, 401);
    assert_eq!(
        get(&fixture, "/metrics", &[("authorization", &client)])
            .await
            .0,
        403
    );
    assert_eq!(
        get(&fixture, "/metrics", &[("authorization", &viewer)])
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_takes_no_more() {
    let fixture = server().await;
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    let head = format!(
        "POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        ROW.len()
    );
    // The head is in, the body is not: the request is in flight.
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&ROW.as_bytes()[..10]).await.unwrap();
    while !send(&fixture, Method::GET, "/metrics", &[], "")
        .await
        .text()
        .await
        .unwrap()
        .contains("tollgate_requests_in_flight 2")
    {
        tokio::task::yield_now().await;
    }
    fixture.stop.cancel();
    while TcpStream::connect(fixture.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(&ROW.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(fixture.server.await.unwrap().cut, 0);
}

#[tokio::test]
async fn draining_cuts_what_does_not_finish() {
    let config = EdgeConfig {
        drain_timeout: Duration::from_millis(50),
        ..EdgeConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    let head = "POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    while fixture.state.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    fixture.stop.cancel();
    assert_eq!(fixture.server.await.unwrap().cut, 1);
}
