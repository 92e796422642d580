//! The conversation with the driver.

use std::{
    collections::HashMap,
    io::{self, BufRead, Write},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};
use thinnet::Isa;

use crate::{
    Outcome,
    case::{Case, Request},
    copying::Copying,
    dropout::Dropping,
    peak::Peak,
    predicting::Predicting,
    training::{Rule, Training},
};

/// Something that is ready to be timed.
pub trait Work {
    /// Does it `calls` times, one after the other.
    fn run(&mut self, calls: usize) -> Outcome<Duration>;

    /// What the driver should know of it.
    fn about(&self) -> Value {
        json!({})
    }

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

    /// Writes the network's parameters.
    fn save(&self, _path: &Path) -> Outcome<()> {
        Err("save: not a training".into())
    }
}

/// Answers until standard input ends.
pub fn serve() -> Outcome<()> {
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

/// What is ready, by name.
type Slots = HashMap<String, Box<dyn Work>>;

fn find<'a>(slots: &'a mut Slots, slot: &str) -> Outcome<&'a mut Box<dyn Work>> {
    slots.get_mut(slot).ok_or_else(|| format!("no slot {slot}").into())
}

fn answer_to(request: Request, slots: &mut Slots) -> Outcome<Value> {
    Ok(match request {
        Request::Hello { threads } => json!({
            "engine": "thinnet",
            "isa": Isa::detect().name(),
            "available": Isa::available().map(|isa| isa.name()).collect::<Vec<_>>(),
            "threads": threads,
        }),
        Request::Setup { slot, case } => {
            let work = ready(&case)?;
            let about = work.about();
            slots.insert(slot, work);
            json!({ "about": about })
        }
        Request::Run { slot, warm, calls } => {
            let work = find(slots, &slot)?;
            work.run(warm)?;
            let seconds = work.run(calls)?.as_secs_f64();
            json!({ "seconds": seconds, "about": work.about() })
        }
        Request::Losses { slot, steps } => json!({ "losses": find(slots, &slot)?.losses(steps)? }),
        Request::Norms { slot } => json!({ "norms": find(slots, &slot)?.norms()? }),
        Request::Answer { slot } => json!({ "answer": find(slots, &slot)?.answer()? }),
        Request::Save { slot, path } => {
            find(slots, &slot)?.save(&path)?;
            json!({})
        }
        Request::Drop => {
            slots.clear();
            json!({})
        }
    })
}

fn ready(case: &Case) -> Outcome<Box<dyn Work>> {
    Ok(match *case {
        Case::Step {
            ref network,
            ref data,
            batch,
            learning_rate,
            momentum,
            max_norm,
            ref isa,
            threads,
        } => {
            let rule = Rule { learning_rate, momentum, max_norm };
            Box::new(Training::new(network, data, batch, &rule, isa.as_deref(), threads)?)
        }
        Case::Predict { ref network, ref data, batch, threads } => {
            Box::new(Predicting::new(network, data, batch, threads)?)
        }
        Case::MonteCarlo { .. } => {
            return Err("thinnet has no Monte-Carlo prediction yet".into());
        }
        Case::Dropout { elements, keep, in_place, threads } => {
            Box::new(Dropping::new(elements, keep, in_place, threads)?)
        }
        Case::Copy { elements, streaming, threads } => {
            Box::new(Copying::new(elements, streaming, threads)?)
        }
        Case::Peak { threads } => Box::new(Peak::new(threads)?),
    })
}
