//! Training steps: SGD with momentum, then max-norm.

use std::time::{Duration, Instant};

use candle_core::{Tensor, Var, backprop::GradStore};
use candle_nn::loss::cross_entropy;
use peer_protocol::{
    Outcome, Work,
    case::{Optimiser, Step},
};

use crate::{data, network::Network};

/// A network in training and the batches that it takes in turn.
pub struct Training {
    network: Network,
    /// Velocities of weights and biases.
    velocities: Vec<(Tensor, Tensor)>,
    /// Bounds on the norm of the weights into a unit.
    bounds: Vec<Option<f64>>,
    learning_rate: f64,
    momentum: f64,
    batches: Vec<(Tensor, Tensor)>,
    next: usize,
}

impl Training {
    pub fn new(step: &Step) -> Outcome<Self> {
        if step.optimiser != Optimiser::Sgd {
            return Err(format!("{:?}: candle's worker has SGD only", step.optimiser).into());
        }
        let network = Network::load(&step.network)?;
        let velocities = network
            .parameters
            .iter()
            .map(|(w, b)| Ok((w.zeros_like()?, b.zeros_like()?)))
            .collect::<Outcome<_>>()?;
        let bounds = (0..network.parameters.len())
            .map(|layer| Some(step.max_norm? * step.network.keep_below(layer)))
            .collect();
        Ok(Self {
            network,
            velocities,
            bounds,
            learning_rate: step.learning_rate,
            momentum: step.momentum,
            batches: data::batches(&step.data, step.network.widths[0], step.batch)?,
            next: 0,
        })
    }

    /// One step; its loss.
    fn step(&mut self) -> candle_core::Result<Tensor> {
        let (x, y) = &self.batches[self.next % self.batches.len()];
        self.next += 1;
        let loss = cross_entropy(&self.network.forward(x, true)?, y)?;
        let gradients = loss.backward()?;
        let layers = self.network.parameters.iter().zip(&mut self.velocities).zip(&self.bounds);
        for (((w, b), (velocity_w, velocity_b)), &bound) in layers {
            let moved = update(w, velocity_w, &gradients, self.momentum, self.learning_rate)?;
            w.set(&bound.map_or(Ok(moved.clone()), |bound| project(&moved, bound))?)?;
            b.set(&update(b, velocity_b, &gradients, self.momentum, self.learning_rate)?)?;
        }
        Ok(loss)
    }
}

/// v <- μ v + g; returns w - η v.
fn update(
    w: &Var,
    velocity: &mut Tensor,
    gradients: &GradStore,
    momentum: f64,
    learning_rate: f64,
) -> candle_core::Result<Tensor> {
    let Some(gradient) = gradients.get(w.as_tensor()) else {
        return Err(candle_core::Error::Msg("a parameter without gradient".into()));
    };
    *velocity = ((&*velocity * momentum)? + gradient)?;
    w.as_tensor().detach() - (&*velocity * learning_rate)?
}

/// Scales each row whose norm is above `bound` down to it.
fn project(w: &Tensor, bound: f64) -> candle_core::Result<Tensor> {
    let norms = w.sqr()?.sum_keepdim(1)?.sqrt()?;
    w.broadcast_mul(&(norms.recip()? * bound)?.minimum(1.0)?)
}

impl Work for Training {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let started = Instant::now();
        for _ in 0..calls {
            self.step()?;
        }
        Ok(started.elapsed())
    }

    fn losses(&mut self, steps: usize) -> Outcome<Vec<f32>> {
        (0..steps).map(|_| Ok(self.step()?.to_scalar()?)).collect()
    }

    fn norms(&self) -> Outcome<Vec<[f64; 2]>> {
        let layers = self.network.parameters.iter();
        layers
            .map(|(w, _)| {
                let squares = w.as_tensor().sqr()?.sum(1)?;
                let largest: f32 = squares.max(0)?.to_scalar()?;
                let sum: f32 = squares.sum_all()?.to_scalar()?;
                Ok([f64::from(largest).sqrt(), f64::from(sum).sqrt()])
            })
            .collect()
    }
}
