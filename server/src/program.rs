//! The program: settings in, a server or a one-time task out.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use everfold::sync::Rules;
use tracing_subscriber::EnvFilter;

use crate::access::TokenWish;
use crate::settings::{Flags, LogFormat, Settings};
use crate::{Server, sqlite};

/// The sync server of everfold: one log per space, over HTTP, in one SQLite file.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Settings: flags win over the environment, that over the file of --config."
)]
struct Line {
    #[command(flatten)]
    flags: Flags,

    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serve; what is done without a command
    Serve,
    /// Copy the file, while the server runs, to one that is not there yet
    Backup {
        /// Where the backup goes
        file: PathBuf,
    },
    /// Put a backup in the place of the file, under a new epoch; the server must not run
    Restore {
        /// The backup
        file: PathBuf,
    },
    /// Compute every digest and hash anew
    Verify,
    /// Sign a token, with the secret of the settings or that of --dev
    Token(TokenArgs),
}

#[derive(Debug, Args)]
struct TokenArgs {
    /// Who it names
    #[arg(long)]
    subject: String,
    /// The space that it is for, `*` for every one
    #[arg(long)]
    space: String,
    /// A role of the settings; without one it may write everything
    #[arg(long)]
    role: Option<String>,
    /// Seconds until it expires
    #[arg(long, default_value_t = 3_600)]
    ttl: u64,
}

type Failure = Box<dyn std::error::Error>;

/// Does what the command line says, serving with these rules.
pub fn run(rules: Arc<dyn Rules>) -> ExitCode {
    let line = Line::parse();
    let done = Settings::read(&line.flags)
        .map_err(Failure::from)
        .and_then(|settings| match line.task {
            None | Some(Task::Serve) => serve(settings, rules),
            Some(Task::Backup { file }) => backup(&settings, &file),
            Some(Task::Restore { file }) => restore(&settings, &file),
            Some(Task::Verify) => verify(&settings),
            Some(Task::Token(wish)) => token(&settings, wish),
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("everfold-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: Settings, rules: Arc<dyn Rules>) -> Result<(), Failure> {
    log(&settings)?;
    if settings.dev {
        tracing::warn!("DEVELOPMENT: the secret is known to everybody, and whoever asks gets a token for any space");
    }
    // Each tail is an open connection, and the usual limit is 1,024.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    // What blocks is short, and more of it at once would not be faster. While the disk stands still all pushes wait that one
    // space may have, and others are to be told, or read, meanwhile.
    let waiting = settings.limits.queue_pushes.min(512);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(64 + waiting)
        .build()?;
    let served = runtime.block_on(async {
        let server = Server::bind(settings, rules).await?;
        for address in server.addresses() {
            // Whoever started it may not listen any more.
            drop(writeln!(
                std::io::stdout(),
                "everfold-server listens on http://{address}"
            ));
        }
        server.run(stop_signal()).await;
        Ok(())
    });
    // What waits for the disk now has had its time. It was not answered, and is asked again.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

fn log(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.log)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // It would tell them where it could not write, and panic.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    drop(tokio::signal::ctrl_c().await);
}

fn backup(settings: &Settings, file: &std::path::Path) -> Result<(), Failure> {
    sqlite::backup(&settings.data, file)?;
    println!("{} holds what {} held", file.display(), settings.data.display());
    Ok(())
}

fn restore(settings: &Settings, file: &std::path::Path) -> Result<(), Failure> {
    let restored = sqlite::restore(file, &settings.data)?;
    for (space, epoch, head) in &restored.spaces {
        println!("space {space}: {} commits, new epoch {epoch}", head.number);
    }
    if let Some(replaced) = &restored.replaced {
        println!("what was there before is now {}", replaced.display());
    }
    if let Some(reason) = &restored.unread {
        println!("it could not be read, so epochs that began after the backup are not known: {reason}");
    }
    Ok(())
}

fn verify(settings: &Settings) -> Result<(), Failure> {
    let verified = sqlite::verify(&settings.data)?;
    println!(
        "{} spaces, {} commits: as they were confirmed",
        verified.spaces, verified.commits
    );
    Ok(())
}

fn token(settings: &Settings, wish: TokenArgs) -> Result<(), Failure> {
    let TokenArgs {
        subject,
        space,
        role,
        ttl,
    } = wish;
    println!(
        "{}",
        TokenWish {
            subject,
            space,
            role,
            ttl
        }
        .sign(&settings.tokens)?
    );
    Ok(())
}
