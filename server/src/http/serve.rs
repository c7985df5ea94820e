//! Listening, and stopping without leaving anything undone.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use everfold::sync::{Authority, Limits, Rules};
use futures_util::future::select_all;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;
use tracing::{info, warn};

use super::pages::Pages;
use super::queue::Queue;
use super::rates::Rates;
use super::tail::Tails;
use super::{App, cors, router};
use crate::access::{Access, KeyError};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::sqlite::{Database, GroupCount, OpenError};

/// How long the head of a request may take, and how long a connection may be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(75);

/// A server that listens, and serves once it [runs](Self::run).
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    router: Router,
    patience: Duration,
    stop_within: Duration,
    stopping: watch::Sender<bool>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Server")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Nobody could be let in, or anybody.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The file cannot be opened.
    #[error("{}: {source}", .file.display())]
    Open {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        source: OpenError,
    },
    /// It cannot listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Whoever reaches it could do everything.
    #[error("--dev lets everybody in, and {0} can be reached by others: listen on localhost, or say --dev-anywhere")]
    DevelopmentReachable(SocketAddr),
    /// An origin of the settings is none.
    #[error("{0:?} is not an origin, such as https://app.example.org")]
    Origin(String),
    /// A limit of 0 with which requests would fail, not be refused.
    #[error("the limit {0} is 0 and must be at least 1")]
    NoLimit(&'static str),
    /// There is no such folder.
    #[error("there is no folder {}", .0.display())]
    Site(std::path::PathBuf),
}

impl Server {
    /// Opens the file and listens.
    pub async fn bind(settings: Settings, rules: Arc<dyn Rules>) -> Result<Self, ServeError> {
        let access = Arc::new(Access::new(&settings)?);
        let cors = cors(&settings)?;
        check_limits(&settings)?;
        if let Some(site) = settings.site.as_ref().filter(|site| !site.is_dir()) {
            return Err(ServeError::Site(site.clone()));
        }
        let listeners = listen(&settings).await?;
        let count = GroupCount::default();
        let database = Database::open(&settings.data, count.clone()).map_err(|source| ServeError::Open {
            file: settings.data.clone(),
            source,
        })?;
        let metrics = Metrics::new(&count);
        let limits = announced(&settings);
        let (stopping, stops) = watch::channel(false);
        let stop_within = Duration::from_secs(settings.limits.stop_seconds);
        // Longer than for a body: the system keeps much of an answer, and tells only when half of that has been taken.
        let patience = Duration::from_secs(settings.limits.body_seconds.saturating_mul(4));
        let app = Arc::new(App {
            authority: Authority::new(database.log(), limits),
            limits,
            access,
            database,
            rules,
            queue: Queue::new(&settings.limits),
            rates: Rates::new(&settings.limits),
            tails: Tails::new(settings.limits.tails, metrics.tails.clone()),
            pages: Pages::default(),
            metrics,
            stopping: stops,
            settings,
        });
        let addresses = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        Ok(Self {
            listeners,
            addresses,
            router: router(app, cors),
            patience,
            stop_within,
            stopping,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `stop` is ready: then tails end, requests under way are answered, and new ones are not taken.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let connections = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = select_all(self.listeners.iter().map(|listener| Box::pin(listener.accept())));
            let (stream, peer) = tokio::select! {
                () = &mut stop => break,
                (accepted, _, _) = accepted => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file descriptors, most often: others must end first.
                        warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            tokio::spawn(connections.watch(serve(stream, peer, self.router.clone(), self.patience)));
        }
        info!("stopping");
        drop(self.listeners);
        self.stopping.send_replace(true);
        if tokio::time::timeout(self.stop_within, connections.shutdown())
            .await
            .is_err()
        {
            warn!("some requests did not end in time");
        }
    }
}

/// One connection, with who is at its other end known to the handlers.
fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Duration,
) -> impl GracefulConnection<Error = hyper::Error> {
    // Answers are small and waited for. Fails only on a connection that is gone.
    drop(stream.set_nodelay(true));
    // A tail does not end while it cannot be written to, neither with its token nor for the next one of its device.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    let service = router.map_request(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(service))
}

/// All addresses of the host, on one port.
async fn listen(settings: &Settings) -> Result<Vec<TcpListener>, ServeError> {
    let failed = |source| ServeError::Listen {
        address: settings.listen.clone(),
        source,
    };
    let addresses: Vec<SocketAddr> = settings.listen.to_socket_addrs().map_err(failed)?.collect();
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut failure = None;
    for mut address in addresses {
        if settings.dev && !settings.dev_anywhere && !address.ip().is_loopback() {
            return Err(ServeError::DevelopmentReachable(address));
        }
        if let (0, Some(first)) = (address.port(), listeners.first()) {
            address.set_port(first.local_addr().map_err(failed)?.port());
        }
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            // A machine may have a name for an address of a kind that it does not have.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => failure = Some(error),
            Err(error) => return Err(failed(error)),
        }
    }
    match failure {
        Some(error) if listeners.is_empty() => Err(failed(error)),
        _ => Ok(listeners),
    }
}

/// Those that are divided by, or waited for; a 0 in another one does what it says.
fn check_limits(settings: &Settings) -> Result<(), ServeError> {
    let limits = &settings.limits;
    let missing = [
        ("page-commits", limits.page_commits == 0),
        ("inflation", limits.inflation == 0),
        ("heartbeat", limits.heartbeat == 0),
        ("body-seconds", limits.body_seconds == 0),
    ];
    match missing.into_iter().find(|(_, is_missing)| *is_missing) {
        Some((name, _)) => Err(ServeError::NoLimit(name)),
        None => Ok(()),
    }
}

fn announced(settings: &Settings) -> Limits {
    let limits = &settings.limits;
    Limits {
        commit_bytes: limits.commit_bytes,
        commit_events: limits.commit_events,
        push_bytes: limits.push_bytes,
        push_commits: limits.push_commits,
        page_commits: limits.page_commits,
        page_bytes: limits.page_bytes,
    }
}
