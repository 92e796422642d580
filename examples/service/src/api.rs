//! The requests that the service accepts over HTTP, and the status of each answer.
//!
//! | | |
//! |---|---|
//! | `POST /predict` | `{"inputs": [..], "mode": "scale", "seed": 1}`; `mode` is scale, mc or moments; `samples` and `tolerance` only with mc. A sparse row is `{"indices": [..], "values": [..]}` in place of `inputs` |
//! | `GET /health` | 200 once the service is ready |
//! | `GET /metrics` | for Prometheus |
//!
//! 400: the body is not JSON, or not of this form (which has no NaN, and no number outside f32's
//! range). 413: the body is larger than the limit. 422: the network cannot use the inputs or
//! settings, such as inputs so large that its sums overflow. 503: the queue is full, or the
//! service is shutting down.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use thinnet::{
    data::CsrMatrix,
    predict::{Method, MonteCarlo},
};

use crate::{
    gather::{Question, Queue, Refused, Row},
    metrics::Metrics,
};

/// Samples where the request does not say.
const SAMPLES: usize = 50;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct Service {
    /// The way to the network.
    pub queue: Queue,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Inputs of the network.
    pub inputs: usize,
    /// The most samples that a request may ask for.
    pub max_samples: usize,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Scale,
    Mc,
    Moments,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// One number for each input of the network.
    inputs: Option<Vec<f32>>,
    /// Or the inputs that are not 0, numbered from 0, ascending,
    indices: Option<Vec<u32>>,
    /// and their values.
    values: Option<Vec<f32>>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    seed: u64,
    samples: Option<usize>,
    tolerance: Option<f64>,
}

/// A status and what to say.
type Failure = (StatusCode, String);

/// The routes, with bodies of at most `max_bytes`.
pub fn router(service: Service, max_bytes: usize) -> Router {
    Router::new()
        .route("/predict", post(predict))
        .route("/health", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(max_bytes))
        .with_state(service)
}

async fn metrics(State(service): State<Service>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match service.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn predict(State(service): State<Service>, body: Result<Bytes, BytesRejection>) -> Response {
    let started = Instant::now();
    service.metrics.asked();
    let mut waiting = Waiting { metrics: &service.metrics, answered: false };
    let answer = match body {
        Ok(body) => answer(&service, &body).await,
        Err(rejection) => Err((rejection.status(), rejection.body_text())),
    };
    let (status, text) = match answer {
        Ok(text) => (StatusCode::OK, text),
        Err((status, error)) => (status, serde_json::json!({ "error": error }).to_string()),
    };
    waiting.answered = true;
    service.metrics.answered(status.as_u16(), started.elapsed().as_secs_f64());
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], text).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// A request in progress, which its client may leave: then this is dropped.
struct Waiting<'a> {
    metrics: &'a Metrics,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.metrics.hung_up();
        }
    }
}

async fn answer(service: &Service, body: &[u8]) -> Result<String, Failure> {
    let request = serde_json::from_slice(body)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let question = question(service, request)?;
    let answer = service.queue.ask(question).await.map_err(|refused| match refused {
        Refused::Full => {
            (StatusCode::SERVICE_UNAVAILABLE, "too many requests wait: try again".to_owned())
        }
        Refused::Closing => (StatusCode::SERVICE_UNAVAILABLE, "the service ends".to_owned()),
        Refused::Predictor(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    })?;
    serde_json::to_string(&answer)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn question(service: &Service, request: Request) -> Result<Question, Failure> {
    let refuse = |text: String| Err((StatusCode::UNPROCESSABLE_ENTITY, text));
    let Request { inputs, indices, values, mode, seed, samples, tolerance } = request;
    let row = row(service.inputs, inputs, indices, values)?;
    let method = match mode {
        Mode::Mc => {
            let (samples, most) = (samples.unwrap_or(SAMPLES), service.max_samples);
            if samples > most {
                return refuse(format!("samples {samples}: expected at most {most}"));
            }
            let settings = MonteCarlo::new(samples).and_then(|settings| match tolerance {
                Some(tolerance) => settings.tolerance(tolerance),
                None => Ok(settings),
            });
            match settings {
                Ok(settings) => Method::MonteCarlo(settings),
                Err(error) => return refuse(error.to_string()),
            }
        }
        _ if samples.is_some() || tolerance.is_some() => {
            return refuse("samples and tolerance are for the mode mc".to_owned());
        }
        Mode::Scale => Method::WeightScaling,
        Mode::Moments => Method::Moments,
    };
    Ok(Question { row, method, seed })
}

/// The row of a request, if a network of so many inputs can take it.
fn row(
    width: usize,
    inputs: Option<Vec<f32>>,
    indices: Option<Vec<u32>>,
    values: Option<Vec<f32>>,
) -> Result<Row, Failure> {
    let (status, text) = match (inputs, indices, values) {
        (Some(inputs), None, None) if inputs.len() == width => return Ok(Row::Dense(inputs)),
        (Some(inputs), None, None) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("inputs: {} numbers, expected {width}", inputs.len()),
        ),
        (None, Some(indices), Some(values)) => {
            match CsrMatrix::new(vec![0, indices.len()], indices, values, width) {
                Ok(row) => return Ok(Row::Sparse(row)),
                Err(error) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, format!("indices and values: {error}"))
                }
            }
        }
        (None, None, None) => (
            StatusCode::BAD_REQUEST,
            "missing field `inputs`: expected it, or `indices` and `values`".to_owned(),
        ),
        (None, Some(_), None) => (
            StatusCode::BAD_REQUEST,
            "missing field `values`: expected it beside `indices`".to_owned(),
        ),
        (None, None, Some(_)) => (
            StatusCode::BAD_REQUEST,
            "missing field `indices`: expected it beside `values`".to_owned(),
        ),
        (Some(_), ..) => (
            StatusCode::BAD_REQUEST,
            "`inputs` beside `indices` or `values`: expected either `inputs`, or `indices` and `values`"
                .to_owned(),
        ),
    };
    Err((status, text))
}
