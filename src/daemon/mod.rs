//! The wiring of `run`: threads, channels, signals, reload, stop.
//!
//! One pipeline (`pipeline`): a tailer reads and sweeps, workers decode and rate, one committer
//! writes and publishes. The main thread serves HTTP and waits for signals. Only this module
//! spawns (but for a thread of `alert` that writes to standard output), and only [`clock`] reads the wall clock. It must never count or compute an amount.

mod charges;
pub mod clock;
mod committer;
mod evaluator;
mod mailbox;
mod open;
mod pipeline;
mod private;
mod progress;
mod published;
mod quiet;
mod signals;
mod tailer;
mod wake;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

pub use committer::CommitError;
pub use open::{
    BookFileError, LimitsError, OpenError, limits_told, load_book, load_limits, open_ledger,
    read_text,
};
pub use progress::LogLines;

use self::committer::Books;
use self::pipeline::Pipeline;
use self::published::Published;
use self::signals::{Event, Signals};
use crate::alert::{self, Route, RouteErrors};
use crate::charge::{Item, NoHourPrice};
use crate::config::{Config, QuotaConfig};
use crate::ledger::meter::Rules;
use crate::price::Book;
use crate::quota::limits::Limits;
use crate::secret::ReadEnvironment;
use crate::serve::{self, Doors, Lock, LockError};

/// How long the pipeline may take to drain and commit before we give up. What is not committed by
/// then is read again at the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// What a reload reads again.
struct Outside<'o> {
    reload: &'o Reload,
    environment: ReadEnvironment,
}

/// Reads the config again; the error is for a person.
pub type Reload = Box<dyn Fn() -> Result<Config, String>>;

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The ledger does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A price file is wrong.
    #[error(transparent)]
    Prices(#[from] BookFileError),
    /// A price of provisioned throughput is not known.
    #[error(transparent)]
    HourPrice(#[from] NoHourPrice),
    /// A quota file is wrong.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A route of alerts is wrong.
    #[error(transparent)]
    Routes(#[from] RouteErrors),
    /// The doors can't be locked as the config says.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The address is not free.
    #[error("can't listen on `{address}`; choose another with `listen` or `--listen`")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Something that the system must give was refused.
    #[error("can't {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The ledger refused a commit.
    #[error("the ledger does not go on; what was committed is safe, restart to resume from there")]
    Commit(#[from] CommitError),
    /// A thread ended although nobody asked it to.
    #[error("a thread of the daemon ended unexpectedly; restart, and report what the log says")]
    ThreadEnded,
    /// The pipeline did not stop in time.
    #[error("the daemon did not stop within {} s; what was not committed is read again", .0.as_secs())]
    StopTimeout(Duration),
}

/// Runs the daemon under `config` until a signal ends it.
///
/// # Errors
/// Whatever keeps it from starting or going on.
pub fn run(
    config: Config,
    reload: &Reload,
    environment: ReadEnvironment,
) -> Result<(), DaemonError> {
    private::close_to_others();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| DaemonError::System { what: "start the event loop", source })?;
    let result = runtime.block_on(run_in(config, reload, environment));
    // A name that the system still looks up for a receiver of alerts must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn run_in(
    config: Config,
    reload: &Reload,
    environment: ReadEnvironment,
) -> Result<(), DaemonError> {
    let lock = Arc::new(Lock::new(&config.web, environment)?);
    let address = config.listen;
    let listen = |source| DaemonError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let (reloads, asked) = mpsc::channel(1);
    let signals = Signals::new(asked)
        .map_err(|source| DaemonError::System { what: "watch for signals", source })?;
    let book = Arc::new(load_book(&config.price_files)?);
    let items: Arc<[Item]> = config.items(&book)?.into();
    let limits = limits(&config.quota)?;

    let routes = alert::prepare(&config.delivery, environment)?;
    let published = Published::new(Arc::clone(&lock));
    published.plan(&config, &items);
    let doors = Doors {
        lock: published.locks.subscribe(),
        snapshot: published.snapshots.subscribe(),
        evaluation: published.evaluations.subscribe(),
        history: published.histories.subscribe(),
        streams: serve::Streams::default(),
        reload: reloads,
        now: clock::now,
    };
    let (stop_serving, serving_stops) = oneshot::channel::<()>();
    let server = tokio::spawn(serve::serve(listener, doors, async {
        // A dropped sender means stop as well.
        drop(serving_stops.await);
    }));
    tracing::info!("{}", lock.listening_text(address));
    if let Some(warning) = lock.warning(address) {
        tracing::warn!("{warning}");
    }

    if let Some(warning) = private::warning(&config.ledger_dir) {
        tracing::warn!("{warning}");
    }
    let books = open_ledger(&config.ledger_dir, config.ledger, clock::now())?;
    let books = Books { store: books.0, ledger: books.1 };
    tracing::info!(
        ledger = %config.ledger_dir.display(),
        calls = books.ledger.grand().requests,
        cost_usd = %books.ledger.grand().cost,
        "the ledger is open"
    );
    let rules = rules(&config, book, &books);
    let pipeline = Pipeline::start(&config, rules, items, limits, books, routes, &published)?;
    let outside = Outside { reload, environment };
    let result = supervise(config, pipeline, signals, &published, &outside).await;
    drop(stop_serving);
    drop(tokio::time::timeout(Duration::from_millis(100), server).await);
    result
}

/// Waits for what happens, until the end.
async fn supervise(
    mut config: Config,
    mut pipeline: Pipeline,
    mut signals: Signals,
    published: &Published,
    outside: &Outside<'_>,
) -> Result<(), DaemonError> {
    loop {
        let event = tokio::select! {
            ended = &mut pipeline.ended => {
                published.histories.send_replace(None);
                return Err(unasked(ended));
            }
            event = signals.next() => event,
        };
        let reply = match event {
            Event::Stop(signal) => {
                tracing::info!(signal, "stopping: reading no more, committing what was read");
                // Whoever reads the ledger keeps it open.
                published.histories.send_replace(None);
                stop(pipeline).await?;
                tracing::info!("stopped");
                return Ok(());
            }
            Event::Reload(reply) => reply,
        };
        let answer = match prepare(outside) {
            Err(why) => {
                tracing::error!("the new config is wrong, the old one stays in force:\n{why}");
                Err(why)
            }
            Ok(Prepared { config: new, book, items, limits, routes, lock }) => {
                let books = stop(pipeline).await?;
                let text = describe_reload(&config, &new);
                let rules = rules(&new, book, &books);
                published.plan(&new, &items);
                published.locks.send_replace(lock);
                pipeline = Pipeline::start(&new, rules, items, limits, books, routes, published)?;
                config = new;
                tracing::info!("{text}");
                Ok(text)
            }
        };
        if let Some(reply) = reply {
            // Whoever asked may have gone away meanwhile.
            drop(reply.send(answer));
        }
    }
}

/// What a new config needs, all of it found right.
struct Prepared {
    config: Config,
    book: Arc<Book>,
    items: Arc<[Item]>,
    limits: Arc<Limits>,
    routes: Vec<Route>,
    lock: Arc<Lock>,
}

/// Makes everything ready that may be wrong about a new config.
fn prepare(outside: &Outside<'_>) -> Result<Prepared, String> {
    let config = (outside.reload)()?;
    let book = load_book(&config.price_files).map_err(|error| chain_text(&error))?;
    let limits = limits(&config.quota).map_err(|error| chain_text(&error))?;
    let routes = alert::prepare(&config.delivery, outside.environment)
        .map_err(|error| chain_text(&error))?;
    let items = config.items(&book).map_err(|error| chain_text(&error))?.into();
    let lock = Lock::new(&config.web, outside.environment).map_err(|error| chain_text(&error))?;
    Ok(Prepared { config, book: Arc::new(book), items, limits, routes, lock: Arc::new(lock) })
}

/// Returns an error and why, a line each.
fn chain_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("\n  caused by: {cause}"));
        source = cause.source();
    }
    text
}

/// Reads the limits, and logs what the files hold and what they lack.
fn limits(config: &QuotaConfig) -> Result<Arc<Limits>, LimitsError> {
    let (limits, exports) = load_limits(config)?;
    for line in limits_told(&limits, &exports) {
        tracing::info!("{line}");
    }
    Ok(Arc::new(limits))
}

fn describe_reload(old: &Config, new: &Config) -> String {
    let mut text = "config, price, quota and web files reloaded".to_owned();
    let later = [
        ("listen", old.listen != new.listen),
        ("[ledger] dir", old.ledger_dir != new.ledger_dir),
        ("the limits of the ledger", old.ledger != new.ledger),
    ];
    for (what, changed) in later {
        if changed {
            text.push_str("; ");
            text.push_str(what);
            text.push_str(" changes with the next start");
        }
    }
    text
}

fn rules(config: &Config, book: Arc<Book>, books: &Books) -> Rules {
    Rules {
        book,
        models: Arc::new(config.models.clone()),
        provisioned: Arc::new(config.paid_by_hour()),
        attributes: config.labels.attributes.clone().into(),
        formats: config.formats.clone().into(),
        seed: books.store.identity().seed,
        ids: true,
        plain: false,
    }
}

async fn stop(pipeline: Pipeline) -> Result<Books, DaemonError> {
    match tokio::time::timeout(STOP_DEADLINE, pipeline.stop()).await {
        Ok(books) => books,
        Err(_) => Err(DaemonError::StopTimeout(STOP_DEADLINE)),
    }
}

fn unasked(ended: Result<Result<Books, CommitError>, oneshot::error::RecvError>) -> DaemonError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(_)) | Err(_) => DaemonError::ThreadEnded,
    }
}
