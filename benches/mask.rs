//! Times drawing mask words: `Mask::redraw` of 128 rows of 1024 units, elements = bits.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use thinnet::{
    Isa, Keep,
    mask::{Domain, Mask, MaskSpec, Streams},
};

const ROWS: usize = 128;
const WIDTH: usize = 1024;

fn redraw(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask/redraw");
    group.throughput(Throughput::Elements((ROWS * WIDTH) as u64));
    for isa in Isa::available() {
        for rate in [0.5, 0.75, 0.8, 0.9] {
            let keep = Keep::new(rate).unwrap();
            let mut mask = Mask::ones(ROWS, WIDTH).unwrap();
            let mut step = 0;
            group.bench_function(format!("{isa}/keep {rate}"), |b| {
                b.iter(|| {
                    step += 1;
                    let streams = Streams::new(1, Domain::Training, 1, step);
                    let spec = MaskSpec::new(keep, streams).with_isa(isa).unwrap();
                    mask.redraw(spec, ROWS).unwrap();
                    black_box(&mask);
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = redraw
}
criterion_main!(benches);
