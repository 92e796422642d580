//! A training step on sparse rows: how its time depends on the number of columns, and the memory of the
//! process.
//!
//! The network is COLUMNS-256-256-1 with ReLU units, keep rates of 0.5 for the hidden units, binary
//! cross-entropy and Adagrad or another optimiser, in batches of 128 rows, in a pool of two threads. Each
//! row has 50 entries with the value 1 in columns drawn uniformly, so that hardly any weights of the first
//! layer stay in the cache; that is the most expensive case. A turn is a few steps of every width; the
//! ratios are those within a turn.
//!
//! `cargo bench --bench sparse -- COLUMNS [OPTIMISER]` trains with one number of columns only.
//! docs/PERFORMANCE.md has the results, and benches/peers/sparse.sh compares them with PyTorch's.

use std::{hint::black_box, time::Instant};

use rayon::ThreadPoolBuilder;
use thinnet::{
    Keep,
    data::{Batch, CsrMatrix},
    nn::{Activation, Loss, Mlp, Targets},
    tensor::Matrix,
    train::{Optimiser, Trainer},
};

/// Turns, and the steps of a width in one.
const TURNS: usize = 31;
const STEPS: usize = 16;

const BATCH: usize = 128;
const BATCHES: usize = 64;
const ENTRIES: usize = 50;
const HIDDEN: usize = 256;

struct Case {
    columns: usize,
    trainer: Trainer,
    batches: Vec<CsrMatrix>,
    bits: Matrix,
    /// The seconds of a step in each turn.
    times: Vec<f64>,
}

fn main() {
    // `cargo bench` passes `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let widths = match arguments.next() {
        Some(columns) => vec![columns.parse().expect("a number of columns")],
        None => vec![1_000_000, 100_000],
    };
    let optimiser = arguments.next().unwrap_or_else(|| "adagrad".to_owned());
    let optimiser: Optimiser = optimiser.parse().expect("an optimiser");
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| {
        let mut cases: Vec<Case> = Vec::new();
        println!("{:>9} columns: parameters, state and peak memory", "");
        for &columns in &widths {
            let mut case = Case::new(columns, optimiser.clone());
            case.turn();
            if let (true, Some(peak)) = (cases.is_empty(), peak_memory()) {
                let parameters = case.trainer.network().unwrap().parameters() * 4;
                let kept = copies(&optimiser) * parameters as f64 / f64::from(1 << 20);
                println!("{columns:9} columns: {kept:.0} MiB, peak {peak:.0} MiB");
            }
            cases.push(case);
        }
        // The order of the cases rotates.
        for turn in 0..TURNS {
            for place in 0..cases.len() {
                let case = (place + turn) % cases.len();
                let seconds = cases[case].turn();
                cases[case].times.push(seconds);
            }
        }
        println!(
            "{:>9}   {:>8}   over {} columns (quartiles)",
            "columns",
            "us",
            widths.last().unwrap()
        );
        let base = cases.last().unwrap().times.clone();
        for Case { columns, times, .. } in &cases {
            let mut ratios: Vec<f64> = times.iter().zip(&base).map(|(a, b)| a / b).collect();
            let [low, middle, high] = quartiles(&mut ratios);
            let median = quartiles(&mut times.clone())[1];
            println!("{columns:9}   {:8.1}   {middle:.3} ({low:.3} to {high:.3})", median * 1e6);
        }
    });
}

impl Case {
    fn new(columns: usize, optimiser: Optimiser) -> Self {
        let mlp = Mlp::builder(columns)
            .hidden(HIDDEN, Activation::Relu, Keep::HALF)
            .hidden(HIDDEN, Activation::Relu, Keep::HALF)
            .output(1, Loss::BinaryCrossEntropy)
            .seed(1)
            .build()
            .unwrap();
        let trainer = Trainer::builder(mlp, optimiser, BATCH).seed(1).build().unwrap();
        let mut random = Random(columns as u64);
        let batches = (0..BATCHES).map(|_| rows(&mut random, columns)).collect();
        let bits: Vec<f32> = (0..BATCH).map(|_| (random.next() % 2) as f32).collect();
        let bits = Matrix::from_rows(&bits, BATCH, 1).unwrap();
        Self { columns, trainer, batches, bits, times: Vec::new() }
    }

    /// The seconds of a step: the median of a few.
    fn turn(&mut self) -> f64 {
        let targets = Targets::Binary(self.bits.view());
        let mut times: Vec<f64> = (0..STEPS)
            .map(|_| {
                let next = self.trainer.steps() as usize % self.batches.len();
                let batch = Batch::csr(self.batches[next].view());
                let before = Instant::now();
                black_box(self.trainer.step(&batch, targets).unwrap());
                before.elapsed().as_secs_f64()
            })
            .collect();
        quartiles(&mut times)[1]
    }
}

/// The numbers per parameter: itself, and what the optimiser remembers of it.
fn copies(optimiser: &Optimiser) -> f64 {
    match optimiser {
        Optimiser::Sgd(_) | Optimiser::Adagrad(_) => 2.0,
        _ => 3.0,
    }
}

/// A batch of rows with random entries.
fn rows(random: &mut Random, columns: usize) -> CsrMatrix {
    let (mut starts, mut all) = (vec![0], Vec::new());
    for _ in 0..BATCH {
        let mut row: Vec<u32> = Vec::new();
        while row.len() < ENTRIES {
            let column = (random.next() % columns as u64) as u32;
            if !row.contains(&column) {
                row.push(column);
            }
        }
        row.sort_unstable();
        all.extend(row);
        starts.push(all.len());
    }
    let values = vec![1.0; all.len()];
    CsrMatrix::new(starts, all, values, columns).unwrap()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }
}

/// The most memory of this process so far, in MiB, where the system says so.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

fn quartiles(numbers: &mut [f64]) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| numbers[numbers.len() * quarter / 4])
}
