//! The listener: accepts, serves HTTP/1.1 and cleartext HTTP/2, and drains.

use crate::edge::{config::EdgeConfig, layer::Edge};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because they did not finish in time.
    pub cut: usize,
}

/// Serves `edge` on `listener` until `shutdown` completes; then stops
/// accepting, lets requests in flight finish within the drain limit, and cuts
/// what is left.
pub async fn serve(
    listener: TcpListener,
    edge: Edge,
    config: &EdgeConfig,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let builder = Arc::new(builder(config));
    let places = Arc::new(Semaphore::new(config.max_connections));
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let stream = accept(&listener).await;
            let connection = connection(Arc::clone(&builder), stream, edge.clone(), stop.clone());
            tasks.spawn(async move {
                connection.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = shutdown => {}
        () = accept => {}
    }
    drop(listener);
    tasks.close();
    // Connections that are idle close at once, the others after their answer.
    stop.cancel();
    let waited = tokio::time::timeout(config.drain_timeout, tasks.wait()).await;
    let cut = if waited.is_ok() { 0 } else { tasks.len() };
    if cut > 0 {
        tracing::warn!(
            connections = cut,
            "cut connections that did not finish in time"
        );
    }
    Drained { cut }
}

fn builder(config: &EdgeConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout)
        // Hyper refuses buffers under 8 KiB. It takes at most 100 headers; a
        // number set by hand would cost an allocation per request.
        .max_buf_size(config.max_head_bytes.max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(config.max_head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(256)
        .keep_alive_interval(config.head_timeout)
        .keep_alive_timeout(config.head_timeout);
    builder
}

/// The next connection. Errors of a single connection are passed over; running
/// out of descriptors is waited out.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn connection(
    builder: Arc<Builder<TokioExecutor>>,
    stream: TcpStream,
    edge: Edge,
    stop: CancellationToken,
) {
    // Answers are small and complete: waiting for more to send only delays them.
    let _set = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let answer = edge.clone().answer(request.map(axum::body::Body::new));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
