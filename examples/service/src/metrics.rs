//! The metrics for Prometheus.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The status of an answer.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Status {
    status: u16,
}

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    questions: Counter,
    answers: Family<Status, Counter>,
    hangups: Counter,
    seconds: Histogram,
    samples: Histogram,
    rows: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("thinnet");
        let answers = Family::<Status, Counter>::default();
        // From 50 µs to 3 s; from 1 to 16384; from 1 to 512.
        let seconds = Histogram::new(exponential_buckets(50e-6, 2.0, 17));
        let samples = Histogram::new(exponential_buckets(1.0, 2.0, 15));
        let rows = Histogram::new(exponential_buckets(1.0, 2.0, 10));
        let (questions, hangups) = (Counter::default(), Counter::default());
        let text = "Requests to /predict that were read: answered, hung up, or in progress";
        registry.register("questions", text, questions.clone());
        registry.register("answers", "Answers to /predict", answers.clone());
        let text = "Requests to /predict whose clients did not wait for the answer";
        registry.register("hangups", text, hangups.clone());
        let text = "Time from a request's body to its answer";
        registry.register("latency_seconds", text, seconds.clone());
        let text = "Thinned networks asked for a Monte-Carlo answer";
        registry.register("samples", text, samples.clone());
        registry.register("batch_rows", "Requests in a batch", rows.clone());
        Self { registry, questions, answers, hangups, seconds, samples, rows }
    }
}

impl Metrics {
    /// A request was read.
    pub fn asked(&self) {
        self.questions.inc();
    }

    /// An answer went out.
    pub fn answered(&self, status: u16, seconds: f64) {
        self.answers.get_or_create(&Status { status }).inc();
        self.seconds.observe(seconds);
    }

    /// A client did not wait for its answer.
    pub fn hung_up(&self) {
        self.hangups.inc();
    }

    /// A batch was predicted.
    pub fn predicted(&self, rows: usize) {
        self.rows.observe(rows as f64);
    }

    /// A Monte-Carlo answer took so many samples.
    pub fn sampled(&self, samples: usize) {
        self.samples.observe(samples as f64);
    }

    /// In the text format of OpenMetrics.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
