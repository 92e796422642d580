//! Compares the predictions of networks with those from their weights rounded to 8 bits.
//!
//! `cargo run --release --example integer_weights FOLDER MODEL [FOLDER MODEL ..]` predicts the test
//! rows of a folder of IDX or NumPy files with a model that `thinnet train` saved. Of several models,
//! it prints the mean error rates and the standard error of their difference, and quantiles over
//! all rows.

use std::{borrow::Borrow, env, error, path::PathBuf};

use thinnet::{Error, prelude::*};

const BATCH: usize = 100;

/// The number of thinned networks that Monte-Carlo samples for a row.
const SAMPLES: usize = 50;

/// What a predictor says about the rows.
#[derive(Default)]
struct Answers {
    /// The probabilities of the classes of each row, by weight scaling.
    probabilities: Vec<Vec<f64>>,
    classes: Vec<Option<usize>>,
    /// The mutual information of each row by Monte-Carlo, in nats.
    information: Vec<f64>,
}

impl Answers {
    fn new(predictor: &Predictor<impl Borrow<Mlp>>, rows: MatrixView<'_>) -> Result<Self, Error> {
        let mut answers = Self::default();
        let mut workspace = predictor.workspace(BATCH)?;
        let samples = MonteCarlo::new(SAMPLES)?;
        for batch in Batch::dense(rows).chunks(BATCH)? {
            for estimate in predictor.weight_scaling(&batch, &mut workspace)? {
                answers.probabilities.push(estimate.mean().to_vec());
                answers.classes.push(estimate.class());
            }
            // A row's number is its id, so both predictors sample the same masks for it.
            let ids: Vec<u64> = (batch.first_row()..).take(batch.rows()).collect();
            let seeds = Seeds::Numbered { base: 1, ids: &ids };
            for estimate in predictor.monte_carlo(&batch, &samples, seeds, &mut workspace)? {
                answers.information.extend(estimate.mutual_information());
            }
        }
        Ok(answers)
    }

    /// The share of rows with a class other than this one, in percent.
    fn other_than(&self, classes: impl Iterator<Item = Option<usize>>) -> f64 {
        let other = self.classes.iter().zip(classes).filter(|(a, b)| *a != b).count();
        100.0 * other as f64 / self.classes.len() as f64
    }
}

/// What the models found, together.
#[derive(Default)]
struct Found {
    /// Error rates and the share of rows whose class differs, in percent, of each model.
    errors: Vec<f64>,
    integer_errors: Vec<f64>,
    differ: Vec<f64>,
    /// The largest difference of a probability, and the mutual information, of each row.
    probability: Vec<f64>,
    information: Vec<f64>,
    integer_information: Vec<f64>,
}

impl Found {
    fn add(&mut self, mlp: Mlp, train: &Dataset, test: &Dataset) -> Result<(), Error> {
        let float = Answers::new(&Predictor::new(&mlp), test.dense_inputs()?)?;
        // The order of the units is made for these rows. It affects the speed, not the answers.
        let typical: Vec<u32> = (0..train.rows().min(2000) as u32).collect();
        let typical = Batch::gather(train.inputs(), &typical)?;
        let integer =
            Answers::new(&Predictor::new(mlp).integer_weights(&typical)?, test.dense_inputs()?)?;

        let labels = test.labels()?;
        let labels = || labels.iter().map(|label| Some(*label as usize));
        self.errors.push(float.other_than(labels()));
        self.integer_errors.push(integer.other_than(labels()));
        self.differ.push(integer.other_than(float.classes.iter().copied()));
        for (a, b) in float.probabilities.iter().zip(&integer.probabilities) {
            let largest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            self.probability.push(largest);
        }
        self.information.extend(float.information);
        self.integer_information.extend(integer.information);
        Ok(())
    }

    fn print(&self) {
        let difference = differences(&self.integer_errors, &self.errors);
        println!("test error, f32          {:.3} %", mean(&self.errors));
        println!("test error, 8 bits       {:.3} %", mean(&self.integer_errors));
        match standard_error(&difference) {
            Some(by) => println!("difference               {:+.3} ± {by:.3}", mean(&difference)),
            None => println!("difference               {:+.3}", mean(&difference)),
        }
        println!("rows with another class  {:.3} %", mean(&self.differ));
        println!("quantiles                50 %     90 %     99 %     largest");
        let apart = differences(&self.integer_information, &self.information);
        line("probability, difference", &self.probability);
        line("information, f32", &self.information);
        line("information, 8 bits", &self.integer_information);
        line("information, difference", &apart.iter().map(|d| d.abs()).collect::<Vec<_>>());
    }
}

fn line(name: &str, values: &[f64]) {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at =
        [0.5, 0.9, 0.99, 1.0].map(|q| values[((values.len() - 1) as f64 * q).round() as usize]);
    println!("{name:24} {:.2e}  {:.2e}  {:.2e}  {:.2e}", at[0], at[1], at[2], at[3]);
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of the mean; none for a single value.
fn standard_error(values: &[f64]) -> Option<f64> {
    let (n, mean) = (values.len() as f64, mean(values));
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let mut found = Found::default();
    while let Some(folder) = arguments.next() {
        let model = arguments.next().ok_or("expected FOLDER MODEL, in pairs")?;
        let train = Dataset::from_folder(&folder, Split::Train)?;
        let test = Dataset::from_folder(&folder, Split::Test)?;
        found.add(Mlp::load(model)?, &train, &test)?;
    }
    if found.errors.is_empty() {
        return Err("expected at least one FOLDER MODEL".into());
    }
    found.print();
    Ok(())
}
