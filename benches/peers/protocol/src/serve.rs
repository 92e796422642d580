//! The conversation with the driver.

use std::{
    collections::HashMap,
    io::{self, BufRead, Write},
};

use serde_json::{Value, json};

use crate::{
    Outcome, Work,
    case::{Case, Request},
};

/// What is ready, by name.
type Slots = HashMap<String, Box<dyn Work>>;

/// Answers until standard input ends. `hello(threads)` says who is there,
/// `ready(case)` makes a case's work.
pub fn serve(
    hello: impl Fn(usize) -> Value,
    ready: impl Fn(&Case) -> Outcome<Box<dyn Work>>,
) -> Outcome<()> {
    let mut slots = Slots::new();
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let request = serde_json::from_str(&line).map_err(Into::into);
        let answer = request.and_then(|request| answer_to(request, &mut slots, &hello, &ready));
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn find<'a>(slots: &'a mut Slots, slot: &str) -> Outcome<&'a mut Box<dyn Work>> {
    slots.get_mut(slot).ok_or_else(|| format!("no slot {slot}").into())
}

fn answer_to(
    request: Request,
    slots: &mut Slots,
    hello: &impl Fn(usize) -> Value,
    ready: &impl Fn(&Case) -> Outcome<Box<dyn Work>>,
) -> Outcome<Value> {
    Ok(match request {
        Request::Hello { threads } => hello(threads),
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
        Request::Answers { slot } => json!({ "answers": find(slots, &slot)?.answers()? }),
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
