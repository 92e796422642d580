//! Serves one network over HTTP until Ctrl-C or SIGTERM.

use std::{io::Write, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use thinnet::checkpoint::Model;
use thinnet_service::{
    api::{Service, router},
    gather::{Limits, Queue},
    metrics::Metrics,
};
use tokio::net::TcpListener;

/// Serves one network over HTTP; see README.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// The network, as `thinnet train --out`, `thinnet convert` or `thinnet quantize` wrote it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// How long a request waits for others to be predicted with, in microseconds
    #[arg(long, value_name = "N", default_value_t = 200)]
    gather_us: u64,
    /// Requests in a batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    batch: usize,
    /// Requests that wait; more are answered with 503
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one)]
    queue: usize,
    /// Bytes of a request's body
    #[arg(long, value_name = "N", default_value_t = 1 << 20, value_parser = at_least_one)]
    body: usize,
    /// How long Ctrl-C and SIGTERM wait for clients to send what they began and to
    /// take their answers, in seconds
    #[arg(long, value_name = "N", default_value_t = 10)]
    shutdown_s: u64,
    /// Samples that a request may ask for
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    samples: usize,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a whole number of at least 1".to_owned()),
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let model = Model::load(&arguments.model)?;
    let inputs = model.network().inputs();
    let metrics = Arc::new(Metrics::default());
    let limits = Limits {
        queue: arguments.queue,
        batch: arguments.batch,
        wait: Duration::from_micros(arguments.gather_us),
    };
    let (queue, predicting) = Queue::start(model, limits, metrics.clone())?;
    let service = Service { queue, metrics, inputs, max_samples: arguments.samples };
    // One thread talks HTTP, one predicts.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen)
            .await
            .with_context(|| format!("--listen {}", arguments.listen))?;
        say(&format!("listening on http://{}", listener.local_addr()?));
        let app = router(service, arguments.body);
        // Nothing new is taken; what was begun is answered.
        let (ends, ending) = tokio::sync::oneshot::channel();
        let serving = axum::serve(listener, app).with_graceful_shutdown(async {
            asked_to_end().await;
            let _ = ends.send(());
        });
        let patience = Duration::from_secs(arguments.shutdown_s);
        tokio::select! {
            served = serving.into_future() => served?,
            () = async { let _ = ending.await; tokio::time::sleep(patience).await } => {
                say(&format!("cut connections that did not end within {patience:?}"));
            }
        }
        anyhow::Ok(())
    })?;
    drop(runtime);
    if predicting.join().is_err() {
        anyhow::bail!("the predicting thread panicked");
    }
    Ok(())
}

/// A line to stderr. Where that is closed there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
