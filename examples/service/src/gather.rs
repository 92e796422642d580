//! The queue, and the thread that predicts for the requests in it.
//!
//! Only this thread predicts: it takes a request, waits for more up to a stated time, and runs all
//! of them as one batch. A request's answer does not depend on the others in its batch. If a client
//! hangs up, its request is dropped.

use std::{
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use thinnet::{
    Error,
    checkpoint::Model,
    data::{Batch, CsrMatrix, CsrView},
    predict::{Method, Prediction, Predictor, Seeds, Workspace},
    tensor::MatrixView,
};
use tokio::sync::oneshot;

use crate::metrics::Metrics;

/// Samples of Monte-Carlo that are computed at once: so much work may be done for a
/// client that hangs up meanwhile, and the samples of one request where it wants more.
const SAMPLES_AT_ONCE: usize = 1024;

/// A row of as many columns as the network has inputs.
#[derive(Debug)]
pub enum Row {
    /// A finite number for each.
    Dense(Vec<f32>),
    /// One row, whose entries are finite.
    Sparse(CsrMatrix),
}

/// What one request asks.
#[derive(Debug)]
pub struct Question {
    /// The inputs.
    pub row: Row,
    /// In which way.
    pub method: Method,
    /// Of the thinned networks.
    pub seed: u64,
}

impl Question {
    /// What requests have in common that are one batch: the method, and whether rows are sparse.
    fn kind(&self) -> (Method, bool) {
        (self.method, matches!(self.row, Row::Sparse(_)))
    }
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
    answer: oneshot::Sender<Result<Prediction, Error>>,
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
        model: Model,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, JoinHandle<()>), Error> {
        let predictor = Predictor::from_model(model)?;
        let workspace = predictor.workspace(limits.batch)?;
        let (jobs, waiting) = mpsc::sync_channel(limits.queue);
        let thread = Predicting { predictor, workspace, limits, metrics, waiting };
        let thread = std::thread::spawn(move || thread.run());
        Ok((Self { jobs }, thread))
    }

    /// Waits for the answer to a question.
    pub async fn ask(&self, question: Question) -> Result<Prediction, Refused> {
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
            // Those that ask alike are one batch.
            while let Some(kind) = jobs.first().map(|job| job.question.kind()) {
                let (alike, others): (Vec<_>, Vec<_>) =
                    jobs.drain(..).partition(|job| job.question.kind() == kind);
                jobs.extend(others);
                self.answer(&kind.0, alike);
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

    /// Answers requests that ask alike, in parts; whoever hung up before the part's turn
    /// is not computed for.
    fn answer(&mut self, method: &Method, mut jobs: Vec<Job>) {
        let at_once = match method {
            Method::MonteCarlo(settings) => SAMPLES_AT_ONCE.div_ceil(settings.samples()),
            _ => self.limits.batch,
        };
        loop {
            jobs.retain(|job| !job.answer.is_closed());
            if jobs.is_empty() {
                return;
            }
            let later = jobs.split_off(at_once.min(jobs.len()));
            self.answer_together(method, jobs);
            jobs = later;
        }
    }

    /// Where the network refuses a row, the others are answered all the same.
    fn answer_together(&mut self, method: &Method, jobs: Vec<Job>) {
        match self.predict(method, &jobs) {
            // Whoever does not wait any more needs no answer.
            Ok(answers) => jobs.into_iter().zip(answers).for_each(|(job, answer)| {
                let _ = job.answer.send(Ok(answer));
            }),
            Err(_) if jobs.len() > 1 => jobs.into_iter().for_each(|job| {
                if !job.answer.is_closed() {
                    self.answer_together(method, vec![job]);
                }
            }),
            Err(error) => {
                if let Some(job) = jobs.into_iter().next() {
                    let _ = job.answer.send(Err(error));
                }
            }
        }
    }

    fn predict(&mut self, method: &Method, jobs: &[Job]) -> Result<Vec<Prediction>, Error> {
        let Self { predictor, workspace, metrics, .. } = self;
        let seeds: Vec<u64> = jobs.iter().map(|job| job.question.seed).collect();
        let inputs = predictor.network().inputs();
        // The rows are either all dense or all sparse.
        let (mut dense, mut indices, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut starts = vec![0];
        for job in jobs {
            match &job.question.row {
                Row::Dense(row) => dense.extend_from_slice(row),
                Row::Sparse(row) => {
                    let row = row.view().row(0)?;
                    indices.extend_from_slice(row.0);
                    values.extend_from_slice(row.1);
                    starts.push(indices.len());
                }
            }
        }
        let batch = if starts.len() > 1 {
            Batch::csr(CsrView::new(&starts, &indices, &values, inputs)?)
        } else {
            Batch::dense(MatrixView::new(&dense, jobs.len(), inputs)?)
        };
        let found = predictor.estimate(&batch, method, Seeds::Each(&seeds), workspace)?;
        let answers: Vec<_> = found.iter().map(|answer| answer.to_prediction()).collect();
        metrics.predicted(jobs.len());
        answers.iter().filter_map(|answer| answer.samples).for_each(|n| metrics.sampled(n));
        Ok(answers)
    }
}
