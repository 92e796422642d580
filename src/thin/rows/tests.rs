//! Each kind of rows gives the lists and panels of the same numbers as dense rows.

use super::*;
use crate::{
    mask::{Domain, Mask, MaskSpec, Streams},
    rate::Keep,
    simd::{Isa, Kernel, LANES, tests::on_each_isa},
    thin::{
        Gaps, InputBits, Lists, PANEL,
        tests::{numbers, serial},
    },
};

/// The entries of sparse rows: starts, columns and values.
type Entries = (Vec<usize>, Vec<u32>, Vec<f32>);

/// The numbers that are not +0.0, and some that are.
fn entries(x: &[f32], rows: usize, width: usize) -> Entries {
    let (mut starts, mut columns, mut values) = (vec![0], vec![], vec![]);
    for row in 0..rows {
        for (column, &x) in x[row * width..][..width].iter().enumerate() {
            if x.to_bits() != 0 || (row + column) % 5 == 0 {
                columns.push(column as u32);
                values.push(x);
            }
        }
        starts.push(values.len());
    }
    (starts, columns, values)
}

/// All entries as bits, with where they are, and how many zeros were added.
fn written(lists: &Lists) -> (Vec<(usize, usize, u8, u32)>, u64) {
    let mut all = Vec::new();
    for b in 0..lists.blocks() {
        for row in 0..lists.rows() {
            let (offsets, values) = lists.block(b).of(row);
            all.extend(offsets.iter().zip(values).map(|(&o, v)| (b, row, o, v.to_bits())));
        }
    }
    (all, lists.density().to_bits())
}

struct Panels<R> {
    rows: R,
    row: usize,
    n: usize,
}

impl<R: Rows> Kernel for Panels<R> {
    type Output = [u32; PANEL];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> [u32; PANEL] {
        let mut panel = [0.0; PANEL];
        let x = self.rows.panel(l, self.row, self.n);
        for (x, to) in x.into_iter().zip(panel.as_chunks_mut::<LANES>().0) {
            l.store(x, to);
        }
        panel.map(f32::to_bits)
    }
}

fn fill(isa: Isa, keep: Keep, bits: InputBits<'_>, gaps: Gaps, rows: InputRows<'_>) -> Lists {
    struct Fill<'a> {
        isa: Isa,
        keep: Keep,
        bits: InputBits<'a>,
        gaps: Gaps,
        lists: Lists,
    }
    impl RowsVisitor for Fill<'_> {
        type Output = Lists;

        fn visit<R: Rows>(self, rows: R) -> Lists {
            let Self { isa, keep, bits, gaps, mut lists } = self;
            lists.fill(serial(isa), keep, bits, gaps, rows);
            lists
        }
    }
    let mut lists = Lists::with_capacity(rows.rows(), rows.columns()).unwrap();
    lists.set_rows(rows.rows());
    rows.dispatch(Fill { isa, keep, bits, gaps, lists })
}

#[test]
fn sparse_rows_are_the_dense_rows() {
    on_each_isa(|isa| {
        for width in [1, 15, 16, 17, 63, 64, 65, 130, 200] {
            for (rows, density) in [(1, 0.5), (3, 0.0), (9, 0.1), (9, 0.8), (20, 0.97), (9, 1.0)] {
                let mut x = numbers(50, rows * width, density);
                x[0] = -0.0;
                if let [.., before, last] = &mut x[..] {
                    (*before, *last) = (f32::NAN, f32::NEG_INFINITY);
                }
                let dense = MatrixView::new(&x, rows, width).unwrap();
                let (starts, columns, values) = entries(&x, rows, width);
                let csr = Csr { starts: &starts, columns: &columns, values: &values, width };
                let chosen: Vec<u32> = (0..rows as u32).rev().chain([0]).collect();
                let (dense, csr) = (InputRows::from(dense), InputRows::from(csr));
                let part = rows / 2..rows;
                for [dense, csr] in [
                    [dense, csr],
                    [dense.part(part.clone()), csr.part(part)],
                    [dense.choose(&chosen), csr.choose(&chosen)],
                    [dense.choose(&chosen).part(1..rows), csr.choose(&chosen).part(1..rows)],
                ] {
                    assert_same(isa, dense, csr);
                }
            }
        }
    });
}

#[track_caller]
fn assert_same(isa: Isa, dense: InputRows<'_>, csr: InputRows<'_>) {
    let (rows, width) = (dense.rows(), dense.columns());
    assert_eq!((csr.rows(), csr.columns()), (rows, width));
    let streams = Streams::new(51, Domain::Training, 0, 0);
    let keep = Keep::new(0.9).unwrap();
    let mask = Mask::draw(MaskSpec { keep, streams, first_row: 3, isa }, rows, width).unwrap();
    for (keep, bits) in [
        (Keep::ONE, InputBits::All),
        (keep, InputBits::Mask(&mask)),
        (keep, InputBits::Sparse { keep, streams, first_row: 3 }),
    ] {
        for gaps in [Gaps::Nothing, Gaps::Zeros] {
            let [want, got] = [dense, csr].map(|rows| fill(isa, keep, bits, gaps, rows));
            assert_eq!(written(&got), written(&want), "{isa} {rows} {width} {gaps:?}");
            assert_eq!(got.is_padded(), want.is_padded());
        }
    }
    let errors = [dense, csr].map(|rows| rows.check_finite().map_err(|error| error.to_string()));
    assert_eq!(errors[0], errors[1]);
    for row in 0..rows {
        assert_eq!(dense.index(row), csr.index(row));
        for n in 0..width.div_ceil(PANEL) {
            struct Panel(Isa, usize, usize);
            impl RowsVisitor for Panel {
                type Output = [u32; PANEL];

                fn visit<R: Rows>(self, rows: R) -> [u32; PANEL] {
                    self.0.supported().dispatch(Panels { rows, row: self.1, n: self.2 })
                }
            }
            assert_eq!(csr.dispatch(Panel(isa, row, n)), dense.dispatch(Panel(isa, row, n)));
        }
    }
}
