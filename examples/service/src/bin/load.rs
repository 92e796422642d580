//! Measures the service on the same machine: its capacity, then the latency at fractions of it.
//!
//! The capacity is measured by connections that each send the next request as soon as they have an
//! answer (closed loop). The latency is measured with requests sent at random times, independent of
//! earlier answers (open loop, Poisson). A request's latency counts from the time at which it was
//! due, so that queueing is not hidden.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use thinnet::{
    data::{Dataset, Split},
    mask::{Domain, Streams},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, mpsc},
};

/// Measures a running service that has a network for 28 x 28 digits.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the service listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    address: SocketAddr,
    /// scale, mc or moments
    #[arg(long, value_name = "NAME", default_value = "scale")]
    mode: String,
    /// Connections that measure the capacity, and the most that arrivals take
    #[arg(long, value_name = "N", default_value_t = 32)]
    connections: usize,
    /// Seconds of each measurement
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,
    /// Requests of each measurement, at most
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    requests: usize,
    /// Parts of the capacity, in percent
    #[arg(long, value_name = "P,P,..", value_delimiter = ',', default_value = "30,50,70")]
    percent: Vec<f64>,
}

/// A connection that is kept.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// The status of the answer.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the service hung up");
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
        let status = text.split(' ').nth(1).context("no status")?.parse()?;
        let (_, rest) = text.split_once("content-length:").context("no content-length")?;
        let length: usize = rest.lines().next().unwrap_or_default().trim().parse()?;
        while self.buffer.len() < head + length {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the service hung up");
        }
        Ok(status)
    }
}

/// The requests that are sent in turn.
fn requests(mode: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let digits = Dataset::digits(Split::Test)?;
    let request = |row: usize| {
        let inputs = digits.dense_inputs()?.row(row)?;
        let body = serde_json::json!({ "inputs": inputs, "mode": mode, "seed": row }).to_string();
        let head = "POST /predict HTTP/1.1\r\nhost: load\r\ncontent-length:";
        anyhow::Ok(format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes())
    };
    (0..digits.rows().min(500)).map(request).collect()
}

/// Answers a second of connections that never rest, and how many more were answered with
/// 503: then the connection waits a moment and asks again.
async fn capacity(
    arguments: &Arguments,
    requests: Arc<Vec<Vec<u8>>>,
) -> anyhow::Result<(f64, usize)> {
    let started = Instant::now();
    let end = started + Duration::from_secs_f64(arguments.seconds);
    let (address, each) = (arguments.address, arguments.requests / arguments.connections);
    let asking: Vec<_> = (0..arguments.connections)
        .map(|first| {
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                let (mut answers, mut refused) = (0, 0);
                while answers < each && Instant::now() < end {
                    let request = &requests[(first * 31 + answers) % requests.len()];
                    match connection.ask(request).await? {
                        200 => answers += 1,
                        503 => {
                            refused += 1;
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                        status => bail!("status {status}"),
                    }
                }
                Ok((answers, refused))
            })
        })
        .collect();
    let (mut answers, mut refused) = (0, 0);
    for one in asking {
        let of_one: (usize, usize) = one.await??;
        (answers, refused) = (answers + of_one.0, refused + of_one.1);
    }
    let seconds = started.elapsed().as_secs_f64();
    ensure!(answers > 0, "no answers within {seconds:.1} s, and {refused} of status 503");
    Ok((answers as f64 / seconds, refused))
}

/// Latencies in seconds, ascending, and the answers that were no 200.
async fn arrivals(
    arguments: &Arguments,
    requests: Arc<Vec<Vec<u8>>>,
    rate: f64,
) -> anyhow::Result<(Vec<f64>, usize)> {
    let count = ((rate * arguments.seconds) as usize).clamp(1, arguments.requests);
    let idle = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..arguments.connections {
        idle.lock().await.push(Connection::open(arguments.address).await?);
    }
    let random = Streams::new(1, Domain::Other, 0, 0);
    let (sender, mut arriving) = mpsc::unbounded_channel();
    // On a thread of its own, by the system's clock: tokio's goes in whole
    // milliseconds.
    std::thread::spawn(move || {
        let mut due = Instant::now() + Duration::from_millis(10);
        for number in 0..count {
            // Exponential gaps, from 53 random bits above 0.
            let uniform = ((random.hash(number as u64) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            due += Duration::from_secs_f64(-uniform.ln() / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send((number, due)).is_err() {
                return;
            }
        }
    });
    let mut asking = Vec::with_capacity(count);
    while let Some((number, due)) = arriving.recv().await {
        let (requests, idle, address) = (requests.clone(), idle.clone(), arguments.address);
        asking.push(tokio::spawn(async move {
            let waiting = idle.lock().await.pop();
            let mut connection = match waiting {
                Some(connection) => connection,
                None => Connection::open(address).await?,
            };
            let status = connection.ask(&requests[number % requests.len()]).await?;
            let seconds = due.elapsed().as_secs_f64();
            idle.lock().await.push(connection);
            anyhow::Ok((status, seconds))
        }));
    }
    let (mut latencies, mut refused) = (Vec::with_capacity(count), 0);
    for one in asking {
        match one.await?? {
            (200, seconds) => latencies.push(seconds),
            (503, _) => refused += 1,
            (status, _) => bail!("status {status}"),
        }
    }
    latencies.sort_by(f64::total_cmp);
    Ok((latencies, refused))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.connections > 0, "--connections 0: expected at least one");
    ensure!(arguments.seconds > 0.0, "--seconds {}: expected more than 0", arguments.seconds);
    let requests = Arc::new(requests(&arguments.mode)?);
    let (most, refused) = capacity(&arguments, requests.clone()).await?;
    println!(
        "mode {}: {most:.0} answers a second at {} connections, {refused} of status 503",
        arguments.mode, arguments.connections
    );
    println!(
        "| of that, % | requests a second | answers | 503 | median, ms | 90 % | 99 % | longest |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for &percent in &arguments.percent {
        let rate = most * percent / 100.0;
        let (latencies, refused) = arrivals(&arguments, requests.clone(), rate).await?;
        let at = |part: f64| {
            let last = latencies.len().saturating_sub(1) as f64;
            latencies.get((part * last) as usize).map_or(f64::NAN, |seconds| 1e3 * seconds)
        };
        println!(
            "| {percent:.0} | {rate:.0} | {} | {refused} | {:.2} | {:.2} | {:.2} | {:.2} |",
            latencies.len(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
    Ok(())
}
