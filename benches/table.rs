//! Reading a CSV file into a table, beside the crate `csv`, which reads the records of the same bytes.
//!
//! The files are generated: short numbers, as in most tables of measurements; long numbers; and names of
//! which half are quoted. A turn reads every file with both; the ratios are those within a turn, and
//! their median is printed. The crate reads byte records into one buffer, and keeps none of them.
//!
//! `cargo bench --bench table`.

use std::{fmt::Write, hint::black_box, time::Instant};

use csv::{ByteRecord, ReaderBuilder};
use thinnet::data::table::Csv;

const TURNS: usize = 21;

/// The rows and columns of each file.
const ROWS: usize = 100_000;
const COLUMNS: usize = 12;

fn main() {
    let files = [
        ("short numbers", file(|x| format!("{}", x % 100))),
        ("long numbers", file(|x| format!("{:.9}", x as f64 / 1e4))),
        (
            "half quoted",
            file(|x| if x % 2 == 0 { "\"New York, NY\"".into() } else { "Oslo".into() }),
        ),
    ];
    println!("{:>14}  {:>6}  {:>12}  {:>12}  ratio", "", "MB", "csv, MB/s", "thinnet, MB/s");
    for (name, text) in &files {
        let megabytes = text.len() as f64 / 1e6;
        let mut turns: Vec<[f64; 2]> = (0..TURNS).map(|_| [by_crate(text), ours(text)]).collect();
        turns.sort_by(|a, b| (a[0] / a[1]).total_cmp(&(b[0] / b[1])));
        let [theirs, ours] = turns[TURNS / 2];
        let (rate, our_rate) = (megabytes / theirs, megabytes / ours);
        println!(
            "{name:>14}  {megabytes:6.1}  {rate:12.0}  {our_rate:12.0}  {:5.2}",
            theirs / ours
        );
    }
}

fn file(cell: impl Fn(u64) -> String) -> String {
    let names: Vec<String> = (0..COLUMNS).map(|i| format!("column {i}")).collect();
    let mut text = names.join(",");
    // A linear congruential generator: which numbers there are does not matter.
    let mut state = 1_u64;
    for _ in 0..ROWS {
        for column in 0..COLUMNS {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let before = if column == 0 { "\n" } else { "," };
            write!(text, "{before}{}", cell(state >> 40)).unwrap();
        }
    }
    text
}

/// The seconds that the crate takes.
fn by_crate(text: &str) -> f64 {
    let start = Instant::now();
    let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
    let (mut record, mut bytes) = (ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record).unwrap() {
        bytes += black_box(&record).as_slice().len();
    }
    black_box(bytes);
    start.elapsed().as_secs_f64()
}

fn ours(text: &str) -> f64 {
    let start = Instant::now();
    black_box(Csv::new().from_bytes(text.as_bytes()).unwrap());
    start.elapsed().as_secs_f64()
}
