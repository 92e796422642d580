//! Times thinnet's dropout operation; prints one JSON line a setting, of the
//! form that `benches/peers/dropout.py` prints for PyTorch.
//!
//!     cargo run --release --example peer_dropout -- [--threads 2] [--seconds 1]
//!
//! Each call is timed on its own, after a warm-up, for about `--seconds` a
//! setting, draws bits of its own, and writes into memory that the caller made
//! before. `benches/peers/dropout.sh` runs both and prints one table.

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use thinnet::{
    Dropout, Isa, Keep,
    mask::{Domain, Streams},
};

/// The time of each of `call(0)`, `call(1)`, ... in nanoseconds, sorted.
fn nanoseconds_per_call(seconds: f64, mut call: impl FnMut(u64)) -> Vec<f64> {
    let mut times = Vec::new();
    let warm = Instant::now() + Duration::from_secs_f64(seconds / 5.0);
    let end = warm + Duration::from_secs_f64(seconds);
    for number in 0.. {
        let before = Instant::now();
        if before >= end && times.len() >= 5 {
            break;
        }
        call(number);
        if before >= warm {
            times.push(before.elapsed().as_nanos() as f64);
        }
    }
    times.sort_by(f64::total_cmp);
    times
}

fn measure(threads: usize, seconds: f64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let isa = Isa::detect();
    for elements in [1 << 18, 1 << 24] {
        for rate in [0.5, 0.8] {
            let op = Dropout::new(Keep::new(rate)?).with_isa(isa)?;
            let streams = |call| Streams::new(1, Domain::Training, 0, call);
            for in_place in [false, true] {
                let mut x = vec![1.0; elements];
                let mut y = vec![0.0; elements];
                let mut outcome = Ok(());
                let times = nanoseconds_per_call(seconds, |call| {
                    let done = if in_place {
                        op.forward_in_place(streams(call), black_box(&mut x))
                    } else {
                        op.forward(streams(call), black_box(&x), black_box(&mut y))
                    };
                    if done.is_err() {
                        outcome = done;
                    }
                });
                outcome?;
                let per_element = |time: f64| time / elements as f64;
                let line = serde_json::json!({
                    "engine": "thinnet",
                    "version": env!("CARGO_PKG_VERSION"),
                    "op": "dropout",
                    "isa": isa.name(),
                    "in_place": in_place,
                    "elements": elements,
                    "keep": rate,
                    "threads": threads,
                    "ns_per_element_median": per_element(times[times.len() / 2]),
                    "ns_per_element_min": per_element(times[0]),
                });
                println!("{line}");
            }
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut threads, mut seconds) = (2, 1.0);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--threads" => threads = value.parse()?,
            "--seconds" => seconds = value.parse()?,
            _ => return Err(format!("{name}: expected --threads or --seconds").into()),
        }
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| measure(threads, seconds))
}
