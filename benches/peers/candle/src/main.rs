//! candle's worker for `benches/peers`: answers each line on standard input with
//! one line on standard output, both JSON. `benches/peers/README.md` has the
//! protocol.
//!
//! Everything is done with candle's own operations. The number of threads comes
//! from the environment variables `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS`.

mod case;
mod data;
mod dropout;
mod network;
mod predicting;
mod training;

use std::{
    collections::HashMap,
    error::Error,
    io::{self, BufRead, Write},
    process::ExitCode,
    time::Duration,
};

use case::{Case, Request};
use serde_json::{Value, json};

/// What goes wrong is told as text.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Something that is ready to be timed.
trait Work {
    /// Does it `calls` times, one after the other.
    fn run(&mut self, calls: usize) -> Outcome<Duration>;

    /// The losses of the next `steps` steps.
    fn losses(&mut self, _steps: usize) -> Outcome<Vec<f32>> {
        Err("losses: not a training".into())
    }

    /// Of each layer: the largest norm of the weights into a unit, and the norm
    /// of all its weights.
    fn norms(&self) -> Outcome<Vec<[f64; 2]>> {
        Err("norms: not a training".into())
    }

    /// The class probabilities of the first batch.
    fn answer(&mut self) -> Outcome<Vec<f32>> {
        Err("answer: not a prediction".into())
    }
}

/// What is ready, by name.
type Slots = HashMap<String, Box<dyn Work>>;

fn find<'a>(slots: &'a mut Slots, slot: &str) -> Outcome<&'a mut Box<dyn Work>> {
    slots.get_mut(slot).ok_or_else(|| format!("no slot {slot}").into())
}

fn ready(case: &Case) -> Outcome<Box<dyn Work>> {
    Ok(match case {
        Case::Step(step) => Box::new(training::Training::new(step)?),
        Case::Predict(predict) => Box::new(predicting::Predicting::new(predict, None)?),
        Case::MonteCarlo { samples, predict } => {
            Box::new(predicting::Predicting::new(predict, Some(*samples))?)
        }
        Case::Dropout(dropout) => Box::new(dropout::Dropping::new(dropout)?),
    })
}

fn answer_to(request: Request, slots: &mut Slots) -> Outcome<Value> {
    Ok(match request {
        Request::Hello { threads } => json!({
            "engine": "candle",
            "version": env!("CANDLE_VERSION"),
            "isa": isa(),
            "threads": threads,
        }),
        Request::Setup { slot, case } => {
            slots.insert(slot, ready(&case)?);
            json!({ "about": {} })
        }
        Request::Run { slot, warm, calls } => {
            let work = find(slots, &slot)?;
            work.run(warm)?;
            json!({ "seconds": work.run(calls)?.as_secs_f64() })
        }
        Request::Losses { slot, steps } => json!({ "losses": find(slots, &slot)?.losses(steps)? }),
        Request::Norms { slot } => json!({ "norms": find(slots, &slot)?.norms()? }),
        Request::Answer { slot } => json!({ "answer": find(slots, &slot)?.answer()? }),
        Request::Drop => {
            slots.clear();
            json!({})
        }
    })
}

/// What this program was compiled for; the matrix products choose at run time.
fn isa() -> &'static str {
    if cfg!(target_feature = "avx512f") {
        "built for avx512f, products chosen at run time"
    } else if cfg!(target_feature = "avx2") {
        "built for avx2, products chosen at run time"
    } else {
        "generic build, products chosen at run time"
    }
}

fn serve() -> Outcome<()> {
    let mut slots = Slots::new();
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = serde_json::from_str(&line).map_err(Into::into);
        let answer = answer.and_then(|request| answer_to(request, &mut slots));
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
