//! Sparse rows against lists of the same rows, whose products are compared with naive loops in the tests
//! of [`thin`](crate::thin).

use super::{forward::SparseFloats, *};
use crate::{
    parallel::Divide,
    simd::tests::on_each_isa,
    tensor::MatrixView,
    thin::{
        Element, Gaps, InputRows, Lists, Panels, Tiles,
        forward::{self, Floats, Scale},
        rows::Csr,
        tests::{numbers, padded, serial},
    },
};

/// The entries of sparse rows: starts, columns and values. Some of them are zeros.
fn entries(x: &[f32], width: usize) -> (Vec<usize>, Vec<u32>, Vec<f32>) {
    let (mut starts, mut columns, mut values) = (vec![0], vec![], vec![]);
    for (row, x) in x.chunks(width).enumerate() {
        for (column, &x) in x.iter().enumerate() {
            if x != 0.0 || (row + column) % 7 == 0 {
                columns.push(column as u32);
                values.push(x);
            }
        }
        starts.push(values.len());
    }
    (starts, columns, values)
}

fn sparse(x: &[f32], width: usize) -> SparseRows {
    let (starts, columns, values) = entries(x, width);
    let csr = Csr { starts: &starts, columns: &columns, values: &values, width };
    let rows = InputRows::from(csr);
    let count = rows.count();
    assert_eq!(count.all, values.len());
    let mut sparse = SparseRows::new(width);
    sparse.prepare(rows.rows(), count.all).unwrap();
    sparse.fill(Keep::ONE, InputBits::All, csr, rows.rows());
    // Dense rows have fewer entries, but the same that are not 0.
    let dense = InputRows::from(MatrixView::new(x, rows.rows(), width).unwrap());
    let mut same = SparseRows::new(width);
    let count = dense.count();
    assert_eq!(count.all, x.iter().filter(|&&x| x != 0.0).count());
    same.prepare(rows.rows(), count.all).unwrap();
    same.fill(Keep::ONE, InputBits::All, dense.dense().unwrap(), rows.rows());
    let all = |sparse: &SparseRows| {
        let row = |row| (sparse.at(row).0.to_vec(), sparse.at(row).1.to_vec());
        (0..sparse.rows()).map(row).collect::<Vec<_>>()
    };
    assert_eq!(all(&same), all(&sparse));
    // Halves of the rows, one after the other.
    let mut both = SparseRows::new(width);
    both.prepare(2 * rows.rows(), 2 * sparse.entries()).unwrap();
    both.extend(&sparse);
    both.extend(&same);
    assert_eq!(all(&both), [all(&sparse), all(&same)].concat());
    sparse
}

#[test]
fn columns_are_transposed_rows() {
    for (rows, width, density) in [(1, 1, 1.0), (5, 64, 0.4), (40, 300, 0.05), (3, 129, 0.0)] {
        let x = numbers(3, rows * width, density);
        let x = sparse(&x, width);
        let mut columns = SparseColumns::default();
        columns.prepare(x.entries()).unwrap();
        // A second time, over the first.
        for _ in 0..2 {
            columns.transpose(&x);
            assert_eq!((columns.rows(), columns.width()), (rows, width));
            let mut seen = 0;
            for i in 0..columns.touched() {
                assert!(i == 0 || columns.block(i - 1) < columns.block(i));
                let block = columns.block(i);
                assert!(!columns.inputs(i).is_empty());
                let of_block = columns.of_block(block);
                for ((k, got), at) in of_block.zip(columns.inputs(i)) {
                    assert_eq!((k, got), columns.input(at));
                    let input = (block * PANEL + k) as u32;
                    let want: Vec<(u32, f32)> = (0..rows)
                        .filter_map(|row| {
                            let (inputs, values) = x.at(row);
                            let found = inputs.binary_search(&input).ok()?;
                            Some((row as u32, values[found]))
                        })
                        .collect();
                    assert_eq!(got, want);
                    seen += want.len();
                }
            }
            assert_eq!(seen, x.entries());
            // Blocks without entries.
            let of_blocks = (0..width.div_ceil(PANEL)).map(|b| columns.of_block(b).count());
            let inputs = (0..columns.touched()).map(|i| columns.inputs(i).len()).sum::<usize>();
            assert_eq!(of_blocks.sum::<usize>(), inputs);
        }
    }
}

fn product<E: Element>(isa: crate::Isa, w: &Tiles<E>, x: &[f32], rows: usize) -> [Vec<u32>; 2] {
    let (width, outputs) = (w.inputs(), w.outputs());
    let bias = padded(&numbers(9, outputs, 1.0));
    let scale = Scale { bias: bias.as_chunks().0, pending: None };
    let mut lists = Lists::with_capacity(rows, width).unwrap();
    let view = MatrixView::new(x, rows, width).unwrap();
    lists.fill(serial(isa), Keep::ONE, InputBits::All, Gaps::Nothing, view);
    let sparse = sparse(x, width);
    assert_eq!(sparse.density().to_bits(), lists.density().to_bits());
    let [mut want, mut got] = [(); 2].map(|()| Panels::with_capacity(rows, outputs).unwrap());
    forward::output(serial(isa), Floats { w, x: &lists }, scale, &mut want);
    forward::output(serial(isa), SparseFloats { w, x: &sparse }, scale, &mut got);
    let bits =
        |z: &Panels| (0..z.panels()).flat_map(|n| z.panel(n).concat()).map(f32::to_bits).collect();
    [bits(&want), bits(&got)]
}

#[test]
fn product_1_has_the_bits_of_lists() {
    on_each_isa(|isa| {
        for (rows, width, outputs) in [(1, 1, 1), (3, 70, 16), (9, 200, 17), (40, 130, 150)] {
            for density in [0.0, 0.1, 1.0] {
                let x = numbers(5, rows * width, density);
                let mut w = Tiles::zeroed(width, outputs).unwrap();
                w.set_rows(&numbers(6, width * outputs, 1.0)).unwrap();
                let [want, got] = product(isa, &w, &x, rows);
                assert!(want == got, "{rows} {width} {outputs} {density}");
                let [want, got] = product(isa, &w.to_bf16().unwrap(), &x, rows);
                assert!(want == got, "bfloat16: {rows} {width} {outputs} {density}");
            }
        }
    });
}

/// However the blocks are divided, each part has the tiles of its own.
#[test]
fn blocks_that_have_entries_are_divided() {
    const PANELS: usize = 2;
    let width = 20 * PANEL;
    // Of every third block from the second on, two inputs.
    let mut x = vec![0.0; width];
    let blocks: Vec<usize> = (1..20).step_by(3).collect();
    for &b in &blocks {
        x[b * PANEL + 5] = 1.0;
        x[b * PANEL + 63] = 2.0;
    }
    let mut columns = SparseColumns::default();
    let rows = sparse(&x, width);
    columns.prepare(rows.entries()).unwrap();
    columns.transpose(&rows);
    assert_eq!(columns.touched(), blocks.len());
    for first in 0..=blocks.len() {
        for second in 0..=blocks.len() - first {
            let mut tiles = vec![[[0.0; PANEL]; PANEL]; 20 * PANELS];
            let mut rest = update::Blocks::all(&mut tiles, PANELS, &columns);
            let parts = [rest.take(first), rest.take(second), rest];
            assert_eq!(parts.iter().map(Divide::items).sum::<usize>(), blocks.len());
            for mut part in parts {
                for i in part.places() {
                    for (n, tile) in part.of(columns.block(i)).iter_mut().enumerate() {
                        tile[0][0] += (columns.block(i) * PANELS + n) as f32;
                    }
                }
            }
            for (i, tile) in tiles.iter().enumerate() {
                let want = if blocks.contains(&(i / PANELS)) { i as f32 } else { 0.0 };
                assert_eq!(tile[0][0], want, "{first} {second}");
            }
        }
    }
}
