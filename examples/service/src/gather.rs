//! The queue, and the thread that predicts what waits in it.
//!
//! One thread is the only one that predicts: it takes a request, waits for more up
//! to a stated time, and asks the network for all of them at once. A request's
//! answer does not depend on those that it is gathered with.

use std::{
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use thinnet::{
    Error,
    data::Batch,
    nn::Mlp,
    predict::{Estimate, MonteCarlo, Predictor, Seeds, Workspace},
    tensor::MatrixView,
};
use tokio::sync::oneshot;

use crate::metrics::Metrics;

/// How to predict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// Weight scaling.
    Scale,
    /// Monte-Carlo.
    MonteCarlo(MonteCarlo),
    /// Moment propagation.
    Moments,
}

/// What one request asks.
#[derive(Debug)]
pub struct Question {
    /// As many finite numbers as the network has inputs.
    pub inputs: Vec<f32>,
    /// In which way.
    pub way: Way,
    /// Of the thinned networks.
    pub seed: u64,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The output with the largest mean.
    pub class: usize,
    /// Mean of each output.
    pub mean: Vec<f64>,
    /// Variance of each output; unknown to weight scaling.
    pub variance: Option<Vec<f64>>,
    /// Entropy of the mean, in nats.
    pub entropy: Option<f64>,
    /// What the thinned networks disagree by, in nats.
    pub mutual_information: Option<f64>,
    /// Thinned networks that were asked.
    pub samples: Option<usize>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Refused {
    /// As many requests wait as there is room for.
    Full,
    /// The service ends.
    Closing,
    /// The network refused it.
    Predictor(Error),
}

/// Limits of the queue and of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that wait.
    pub queue: usize,
    /// Requests in a batch.
    pub batch: usize,
    /// How long the first request of a batch waits for others.
    pub wait: Duration,
}

struct Job {
    question: Question,
    answer: oneshot::Sender<Result<Answer, Error>>,
}

/// The way into the queue. When the last one is dropped, what waits is answered,
/// and the thread ends.
#[derive(Clone, Debug)]
pub struct Queue {
    jobs: mpsc::SyncSender<Job>,
}

impl Queue {
    /// Starts the thread.
    pub fn start(
        mlp: Mlp,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, JoinHandle<()>), Error> {
        let predictor = Predictor::new(mlp);
        let workspace = predictor.workspace(limits.batch)?;
        let (jobs, waiting) = mpsc::sync_channel(limits.queue);
        let thread = Predicting { predictor, workspace, limits, metrics, waiting };
        let thread = std::thread::spawn(move || thread.run());
        Ok((Self { jobs }, thread))
    }

    /// Waits for the answer to a question.
    pub async fn ask(&self, question: Question) -> Result<Answer, Refused> {
        let (sender, answer) = oneshot::channel();
        self.jobs.try_send(Job { question, answer: sender }).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => Refused::Full,
            mpsc::TrySendError::Disconnected(_) => Refused::Closing,
        })?;
        answer.await.map_err(|_| Refused::Closing)?.map_err(Refused::Predictor)
    }
}

struct Predicting {
    predictor: Predictor,
    workspace: Workspace,
    limits: Limits,
    metrics: Arc<Metrics>,
    waiting: mpsc::Receiver<Job>,
}

impl Predicting {
    fn run(mut self) {
        let mut jobs = Vec::with_capacity(self.limits.batch);
        while let Ok(first) = self.waiting.recv() {
            jobs.push(first);
            self.gather(&mut jobs);
            self.metrics.predicted(jobs.len());
            // Those that ask alike are one batch.
            while let Some(way) = jobs.first().map(|job| job.question.way) {
                let (alike, others): (Vec<_>, Vec<_>) =
                    jobs.drain(..).partition(|job| job.question.way == way);
                jobs.extend(others);
                self.answer(way, alike);
            }
        }
    }

    /// Takes what waits, and what comes until the time is over. The system's clock
    /// ends the wait: tokio's goes in whole milliseconds.
    fn gather(&self, jobs: &mut Vec<Job>) {
        let end = Instant::now() + self.limits.wait;
        while jobs.len() < self.limits.batch {
            let left = end.saturating_duration_since(Instant::now());
            // What waits is taken even where no time is left.
            match self.waiting.recv_timeout(left) {
                Ok(job) => jobs.push(job),
                Err(_) => return,
            }
        }
    }

    fn answer(&mut self, way: Way, jobs: Vec<Job>) {
        let x: Vec<f32> = jobs.iter().flat_map(|job| job.question.inputs.iter().copied()).collect();
        let seeds: Vec<u64> = jobs.iter().map(|job| job.question.seed).collect();
        match self.predict(way, &x, &seeds) {
            // Whoever does not wait any more needs no answer.
            Ok(answers) => jobs.into_iter().zip(answers).for_each(|(job, answer)| {
                let _ = job.answer.send(Ok(answer));
            }),
            Err(error) => jobs.into_iter().for_each(|job| {
                let error = Error::Setting {
                    name: "request",
                    value: error.to_string(),
                    expected: "inputs that the network takes",
                };
                let _ = job.answer.send(Err(error));
            }),
        }
    }

    fn predict(&mut self, way: Way, x: &[f32], seeds: &[u64]) -> Result<Vec<Answer>, Error> {
        let Self { predictor, workspace, metrics, .. } = self;
        let inputs = predictor.network().inputs();
        let batch = Batch::dense(MatrixView::new(x, seeds.len(), inputs)?);
        let found = match way {
            Way::Scale => predictor.weight_scaling(&batch, workspace)?,
            Way::MonteCarlo(settings) => {
                predictor.monte_carlo(&batch, &settings, Seeds::Each(seeds), workspace)?
            }
            Way::Moments => predictor.moments(&batch, workspace)?,
        };
        let answers: Vec<_> = found.iter().map(Answer::of).collect();
        answers.iter().filter_map(|answer| answer.samples).for_each(|n| metrics.sampled(n));
        Ok(answers)
    }
}

impl Answer {
    fn of(estimate: Estimate<'_>) -> Self {
        Self {
            class: estimate.class(),
            mean: estimate.mean().to_vec(),
            variance: estimate.variance().map(<[f64]>::to_vec),
            entropy: estimate.entropy(),
            mutual_information: estimate.mutual_information(),
            samples: (estimate.samples() > 0).then_some(estimate.samples()),
        }
    }
}
