//! The HTTP server: one thread, few connections, short deadlines.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// Most connections at a time. One more takes the place of the oldest, so that clients who only hold connections keep
/// nobody out.
pub const MAX_CONNECTIONS: usize = 16;

/// Time for a request's head to come in.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// Time for a connection from its begin to its end: a connection is one request.
const CONNECTION_TIME: Duration = Duration::from_secs(15);

/// Most octets of a request's head.
const MAX_HEAD: usize = 8192;

/// Most header fields of a request.
const MAX_FIELDS: usize = 64;

/// Pause after the system refused a connection, for one because the process has no more files.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The running server. It stops when this is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What requests are answered from.
struct State {
    registry: Registry,
    health: Box<dyn Fn() -> Result<(), Vec<String>> + Send + Sync>,
}

impl Server {
    /// Listens on `address` and answers in a thread named `metrics`. `health` is asked at each request for `/healthz`: all
    /// well, or the reasons why not, a line each. Neither it nor the collectors of `registry` may wait: while they do,
    /// nobody else is answered.
    ///
    /// A program that gives up privileges starts this afterwards, so that the thread has none.
    ///
    /// # Errors
    /// If the address cannot be listened on, or the thread cannot be started.
    pub fn start(
        address: SocketAddr,
        registry: Registry,
        health: impl Fn() -> Result<(), Vec<String>> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let in_context = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        };
        let listener = StdListener::bind(address).map_err(in_context)?;
        listener.set_nonblocking(true).map_err(in_context)?;
        let address = listener.local_addr().map_err(in_context)?;
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(in_context)?
        };
        let state = Arc::new(State { registry, health: Box::new(health) });
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::spawn(accept(listener, state));
                // An error means that the sender is gone, which is the same wish.
                let _ = stopped.await;
            });
            // Ends the listener and every connection with it.
            drop(runtime);
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; with the port that the system chose, if it was to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The thread may have ended already; then nobody takes the wish, and nobody need.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the thread that serves metrics had panicked");
        }
    }
}

/// Takes in connections for ever.
async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = Connections::default();
    let mut refused = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                refused = false;
                connections.make_room();
                let task = tokio::spawn(serve(stream, peer, Arc::clone(&state)));
                connections.add(task.abort_handle());
                // Without this a burst of connections would push each other out before one of them is looked at.
                tokio::task::yield_now().await;
            }
            // The client gave up in the queue.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !refused {
                    warn!(%error, "cannot take in a connection for metrics");
                }
                refused = true;
                sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

/// The connections that are open, the oldest first.
#[derive(Default)]
struct Connections(std::collections::VecDeque<AbortHandle>);

impl Connections {
    fn make_room(&mut self) {
        self.0.retain(|connection| !connection.is_finished());
        while self.0.len() >= MAX_CONNECTIONS {
            if let Some(oldest) = self.0.pop_front() {
                oldest.abort();
            }
        }
    }

    fn add(&mut self, connection: AbortHandle) {
        self.0.push_back(connection);
    }
}

/// Answers the one request of a connection.
async fn serve(stream: TcpStream, peer: SocketAddr, state: Arc<State>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&state, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(MAX_FIELDS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(2 * MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%peer, %error, "a client of the metrics failed"),
        Err(_) => debug!(%peer, "a client of the metrics was too slow"),
    }
}

fn answer(state: &State, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if !matches!(path, "/metrics" | "/healthz" | "/livez") {
        return plain(StatusCode::NOT_FOUND, "not found\n");
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        "/metrics" => {
            let mut page = String::new();
            match text::encode(&mut page, &state.registry) {
                Ok(()) => respond(StatusCode::OK, OPEN_METRICS, page),
                Err(fmt::Error) => {
                    warn!("a collector could not write its metrics");
                    plain(StatusCode::INTERNAL_SERVER_ERROR, "a collector failed\n")
                }
            }
        }
        "/healthz" => match (state.health)() {
            Ok(()) => plain(StatusCode::OK, "ok\n"),
            Err(reasons) => plain(StatusCode::SERVICE_UNAVAILABLE, lines(&reasons)),
        },
        _ => plain(StatusCode::OK, "ok\n"),
    }
}

/// A line for each reason, whatever is in it.
fn lines(reasons: &[String]) -> String {
    if reasons.is_empty() {
        return "not well, for no reason given\n".to_owned();
    }
    let mut text = String::new();
    for reason in reasons {
        text.extend(reason.chars().map(|c| if c.is_control() { ' ' } else { c }));
        text.push('\n');
    }
    text
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, PLAIN, text)
}

fn respond(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    // Whoever stands between must not answer for us.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[test]
    fn the_oldest_connection_gives_way() {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut connections = Connections::default();
            let mut tasks = Vec::new();
            let mut open = |connections: &mut Connections, ends: bool| {
                connections.make_room();
                let task = tokio::spawn(async move {
                    if !ends {
                        pending::<()>().await;
                    }
                });
                connections.add(task.abort_handle());
                tasks.push(task);
            };
            // One that has ended makes room before any that has not.
            open(&mut connections, false);
            open(&mut connections, true);
            tokio::task::yield_now().await;
            for _ in 1..MAX_CONNECTIONS {
                open(&mut connections, false);
            }
            tokio::task::yield_now().await;
            assert!(connections.0.iter().all(|connection| !connection.is_finished()));
            for _ in 0..100 {
                open(&mut connections, false);
                assert!(connections.0.len() <= MAX_CONNECTIONS);
            }
            let youngest = tasks.split_off(tasks.len() - MAX_CONNECTIONS);
            for task in tasks {
                // Waits for ever if one of them was left.
                let _ = task.await;
            }
            assert!(youngest.iter().all(|task| !task.is_finished()));
        });
    }

    #[test]
    fn reasons_are_lines() {
        for (reasons, expected) in [
            (&[][..], "not well, for no reason given\n"),
            (&["eth0: down"], "eth0: down\n"),
            (&["a\nb", "c\u{7}"], "a b\nc \n"),
        ] {
            let reasons: Vec<String> = reasons.iter().map(|&reason| reason.to_owned()).collect();
            assert_eq!(lines(&reasons), expected);
        }
    }
}
