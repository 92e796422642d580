//! Any entries, in any order: the builder of rows takes or refuses what a map from column to value
//! does; a view takes exactly the parts that are rows by its rules; and as a batch, rows train and
//! predict to the bit like the dense matrix that a plain loop writes, or are refused with the same
//! words.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use thinnet::{
    Isa, Keep,
    data::{Batch, CsrMatrix, CsrView},
    nn::{Activation, Loss, Mlp, Targets},
    predict::Predictor,
    tensor::MatrixView,
    train::{Optimiser, Trainer},
};

/// Rows, what is done to their parts, and a network.
#[derive(Clone, Debug)]
pub struct Case {
    columns: usize,
    sums: bool,
    rows: Vec<Vec<(u32, f32)>>,
    change: Change,
    input_keep: Keep,
    sparse: bool,
    hidden: usize,
    optimiser: Optimiser,
    seed: u64,
}

/// A number written over one of the parts of finished rows.
#[derive(Clone, Copy, Debug)]
enum Change {
    None,
    Start(u8, u8),
    Column(u8, u8),
    /// A value less than there are columns.
    Value,
}

impl<'a> Arbitrary<'a> for Case {
    /// Every choice is a byte, so that `seeds.py` can write cases.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let columns = u.int_in_range(0..=200u8)?.into();
        let sums = u.int_in_range(0..=1u8)? == 1;
        let input_keep = *u.choose(&[Keep::ONE, Keep::HALF, Keep::from_k(52429).unwrap()])?;
        let sparse = u.int_in_range(0..=1u8)? == 1;
        let hidden = u.int_in_range(1..=70u8)?.into();
        let optimiser = u.choose(Optimiser::ALL)?.clone();
        let change = match u.int_in_range(0..=7u8)? {
            0 => Change::Start(u.arbitrary()?, u.arbitrary()?),
            1 => Change::Column(u.arbitrary()?, u.arbitrary()?),
            2 => Change::Value,
            _ => Change::None,
        };
        let mut rows = Vec::new();
        for _ in 0..u.int_in_range(0..=9u8)? {
            let mut row = Vec::new();
            for _ in 0..u.int_in_range(0..=60u8)? {
                let column: u8 = u.arbitrary()?;
                let size = f32::from(u.arbitrary::<i8>()?) / 64.0;
                let value = match u.int_in_range(0..=31u8)? {
                    0 => size * 1e38,
                    1 => size * 1e-40,
                    2 => f32::NAN,
                    3 => f32::INFINITY,
                    4 => 0.0 * size,
                    _ => size,
                };
                row.push((column.into(), value));
            }
            rows.push(row);
        }
        let seed = u.arbitrary()?;
        Ok(Self { columns, sums, rows, change, input_keep, sparse, hidden, optimiser, seed })
    }
}

/// The bits of a number; those of a NaN are alike.
fn bits(x: f32) -> u32 {
    if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
}

impl Case {
    /// A row by a map, or none if it has to be refused.
    fn row(&self, entries: &[(u32, f32)]) -> Option<BTreeMap<u32, f64>> {
        let mut row = BTreeMap::new();
        for &(column, value) in entries {
            if column as usize >= self.columns {
                return None;
            }
            match row.get_mut(&column) {
                Some(_) if !self.sums => return None,
                Some(sum) => *sum += f64::from(value),
                None => {
                    row.insert(column, f64::from(value));
                }
            }
        }
        Some(row)
    }

    /// The rows that are not refused, by the builder and as maps.
    fn build(&self) -> (CsrMatrix, Vec<BTreeMap<u32, f64>>) {
        let builder = CsrMatrix::builder(self.columns);
        let mut builder = if self.sums { builder.sum_duplicates() } else { builder };
        let mut expected = Vec::new();
        for entries in &self.rows {
            let row = self.row(entries);
            let pushed = builder.push_row(entries.iter().copied());
            assert_eq!(pushed.is_ok(), row.is_some(), "{entries:?}: {pushed:?}");
            expected.extend(row);
            assert_eq!(builder.rows(), expected.len());
        }
        (builder.finish(), expected)
    }

    /// With one part changed, a view accepts the rows if and only if they are some.
    fn change(&self, rows: CsrMatrix) {
        let (mut starts, mut columns, mut values) = rows.into_parts();
        match self.change {
            Change::Start(at, to) => {
                let at = usize::from(at) % starts.len();
                starts[at] = to.into();
            }
            Change::Column(at, to) if !columns.is_empty() => {
                let at = usize::from(at) % columns.len();
                columns[at] = to.into();
            }
            Change::Value => {
                values.pop();
            }
            _ => {}
        }
        let entries = columns.len();
        let ranges = starts.windows(2).map(|pair| columns.get(pair[0]..pair[1]));
        let is_row = |row: Option<&[u32]>| {
            row.is_some_and(|row| {
                row.is_sorted_by(|a, b| a < b) && row.iter().all(|&c| (c as usize) < self.columns)
            })
        };
        let are_rows = values.len() == entries
            && starts.first() == Some(&0)
            && starts.last() == Some(&entries)
            && ranges.into_iter().all(is_row);
        let view = CsrView::new(&starts, &columns, &values, self.columns);
        assert_eq!(view.is_ok(), are_rows, "{starts:?}, {columns:?}: {:?}", view.err());
    }

    fn network(&self) -> Mlp {
        let mut builder = Mlp::builder(self.columns)
            .input_noise(self.input_keep)
            .hidden(self.hidden, Activation::Relu, Keep::HALF)
            .output(3, Loss::SoftmaxCrossEntropy)
            .seed(self.seed);
        if self.sparse {
            builder = builder.sparse_input();
        }
        builder.build().unwrap()
    }

    /// Two steps and a prediction: losses or errors, the network, and the answer or its error.
    fn run(&self, isa: Isa, batch: &Batch<'_>, classes: &[u32]) -> Vec<String> {
        let rows = classes.len();
        let trainer = Trainer::builder(self.network(), self.optimiser.clone(), rows);
        let mut trainer = trainer.seed(self.seed).with_isa(isa).unwrap().build().unwrap();
        let mut found = Vec::new();
        for _ in 0..2 {
            let loss = trainer.step(batch, Targets::Classes(classes)).map(f32::to_bits);
            found.push(format!("{:?}", loss.map_err(|error| error.to_string())));
            found.push(trainer.network().unwrap().digest());
        }
        let predictor = Predictor::new(self.network()).with_isa(isa).unwrap();
        for predictor in [predictor.clone(), predictor.allow_non_finite_inputs()] {
            let mut workspace = predictor.workspace(rows).unwrap();
            let answer = predictor
                .logits(batch, &mut workspace)
                .map(|logits| logits.iter().flatten().map(|&x| bits(x)).collect::<Vec<_>>());
            found.push(format!("{:?}", answer.map_err(|error| error.to_string())));
        }
        found
    }
}

/// See the head of this file.
pub fn check(case: Case) {
    let (rows, expected) = case.build();
    let view = rows.view();
    assert_eq!((view.rows(), view.columns()), (expected.len(), case.columns));
    let mut dense = vec![0.0; expected.len() * case.columns];
    for (row, numbers) in expected.iter().enumerate() {
        let (columns, values) = view.row(row).unwrap();
        assert!(columns.iter().eq(numbers.keys()));
        let want = numbers.values().map(|&x| bits(x as f32));
        assert!(values.iter().map(|&x| bits(x)).eq(want), "{values:?}, not {numbers:?}");
        for (&column, &x) in numbers {
            dense[row * case.columns + column as usize] = x as f32;
        }
    }
    if !expected.is_empty() && case.columns > 0 {
        let dense = MatrixView::new(&dense, expected.len(), case.columns).unwrap();
        let classes: Vec<u32> = (0..expected.len() as u32).map(|row| row % 3).collect();
        for isa in Isa::available() {
            let want = case.run(isa, &Batch::dense(dense), &classes);
            assert_eq!(case.run(isa, &Batch::csr(view), &classes), want, "{isa}");
        }
    }
    case.change(rows);
}
