//! Properties that hold for any shape, rate and data.

use proptest::prelude::*;
use thinnet::{
    Dropout, Isa, Keep,
    data::Batch,
    mask::{Domain, Mask, MaskSpec, Streams, scalar},
    nn::{Activation, Loss, Mlp, PlainNetwork, Targets},
    predict::Predictor,
    tensor::MatrixView,
    train::{Schedule, Sgd, Trainer},
};

use crate::{backend, cases};

fn any_keep() -> impl Strategy<Value = Keep> {
    (1..=Keep::ONE_K).prop_map(|k| Keep::from_k(k).unwrap())
}

fn any_streams() -> impl Strategy<Value = Streams> {
    (any::<u64>(), any::<u64>(), any::<u64>())
        .prop_map(|(seed, layer, step)| Streams::new(seed, Domain::Training, layer, step))
}

fn any_isa() -> impl Strategy<Value = Isa> {
    prop::sample::select(Isa::available().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(cases::fixed())]

    /// The mean of r x / p over n draws has mean x and variance
    /// x² (1 - p) / (p n). With n p of at least 125, 6 standard deviations are
    /// left with probability below 1e-6 (Chernoff's bound for the upper tail,
    /// which is the heavier); the 256 cases are always the same.
    #[test]
    fn expected_activations_are_preserved(
        x in -1e3f32..1e3,
        k in 2048u32..=Keep::ONE_K,
        seed: u64,
    ) {
        let keep = Keep::from_k(k).unwrap();
        let (draws, width) = (40, 100);
        let mut sum = 0.0;
        for step in 0..draws {
            let streams = Streams::new(seed, Domain::Training, 0, step);
            let mut y = vec![x; width];
            Dropout::new(keep)
                .with_isa(backend::isa())
                .unwrap()
                .forward_in_place(streams, &mut y)
                .unwrap();
            sum += y.iter().map(|&y| f64::from(y)).sum::<f64>();
        }
        let n = draws as f64 * width as f64;
        let p = keep.get();
        let bound = 6.0 * f64::from(x).abs() * ((1.0 - p) / (p * n)).sqrt();
        // And the rounding of x / p to f32.
        let rounding = f64::from(x).abs() * f64::from(f32::EPSILON);
        prop_assert!((sum / n - f64::from(x)).abs() <= bound + rounding);
    }

    #[test]
    fn masks_do_not_depend_on_backend_or_split(
        keep in any_keep(),
        streams in any_streams(),
        isa in any_isa(),
        first_row: u64,
        rows in 1usize..40,
        width in 1usize..300,
        cut in 0usize..40,
    ) {
        let portable = MaskSpec::new(keep, streams).with_isa(Isa::Portable).unwrap();
        let spec = portable.with_isa(isa).unwrap().starting_at(first_row);
        let mask = Mask::draw(spec, rows, width).unwrap();
        let cut = cut.min(rows);
        let head = Mask::draw(portable.starting_at(first_row), cut, width).unwrap();
        let tail_row = first_row.wrapping_add(cut as u64);
        let tail = Mask::draw(spec.starting_at(tail_row), rows - cut, width).unwrap();
        for row in 0..rows {
            let rng = &mut streams.rng(first_row.wrapping_add(row as u64));
            let want: Vec<u64> = scalar::words(keep, rng, width).collect();
            prop_assert_eq!(mask.row(row).unwrap().words(), &want[..]);
            let part = if row < cut { head.row(row) } else { tail.row(row - cut) };
            prop_assert_eq!(part.unwrap().words(), &want[..]);
        }
    }

    #[test]
    fn forward_and_backward_use_one_mask_and_dropped_is_plus_zero(
        keep in any_keep(),
        streams in any_streams(),
        isa in any_isa(),
        bits in prop::collection::vec(any::<u32>(), 0..5000),
    ) {
        let x: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        let op = Dropout::new(keep).with_isa(isa).unwrap();
        let mask = op.draw(streams, x.len()).unwrap();
        let (mut y, mut dx) = (vec![1.0; x.len()], vec![1.0; x.len()]);
        op.forward(streams, &x, &mut y).unwrap();
        op.backward(&mask, &x, &mut dx).unwrap();
        for (i, &x) in x.iter().enumerate() {
            let want = match (keep.drops(), mask.get(0, i)) {
                (false, _) => x,
                (true, true) => x * keep.scale(),
                (true, false) => 0.0,
            };
            prop_assert!(y[i].to_bits() == want.to_bits() || y[i].is_nan() && want.is_nan());
            prop_assert_eq!(y[i].to_bits(), dx[i].to_bits());
        }
    }

    #[test]
    fn rates_out_of_range_are_refused(rate in any::<f64>()) {
        match Keep::new(rate) {
            Ok(keep) => prop_assert!((keep.get() - rate).abs() <= 0.5 / 65536.0),
            Err(error) => {
                let sensible = (0.5 / 65536.0..=1.0 - 0.5 / 65536.0).contains(&rate);
                prop_assert!(!sensible && rate != 1.0);
                prop_assert!(error.to_string().contains(&rate.to_string()));
            }
        }
    }

    /// Any batch size and any width from 1: predictions are the plain twin's,
    /// and a row's prediction does not depend on the batch that it is in.
    #[test]
    fn predictions_match_the_plain_twin_at_any_shape(
        isa in any_isa(),
        widths in prop::collection::vec(1usize..140, 2..5),
        activation in prop::sample::select(Activation::ALL.to_vec()),
        loss in prop::sample::select(Loss::ALL.to_vec()),
        rows in 1usize..12,
        seed: u64,
    ) {
        // A softmax is over two classes or more.
        let least = if loss == Loss::SoftmaxCrossEntropy { 2 } else { 1 };
        let outputs = widths[widths.len() - 1].max(least);
        let (inputs, outputs) = (widths[0], outputs * loss.outputs_per_target());
        let mut builder = Mlp::builder(inputs).seed(seed);
        for &width in &widths[1..widths.len() - 1] {
            builder = builder.hidden(width, activation, Keep::HALF);
        }
        let mlp = builder.output(outputs, loss).build().unwrap();
        let streams = Streams::new(seed, Domain::Other, 0, 0);
        let x: Vec<f32> = (0..rows * inputs)
            .map(|i| streams.hash(i as u64) as f32 / u64::MAX as f32 - 0.3)
            .map(|x| if x < 0.0 { 0.0 } else { x })
            .collect();
        let plain = PlainNetwork::from(&mlp);
        let predictor = Predictor::new(mlp).with_isa(isa).unwrap();
        let mut workspace = predictor.workspace(rows).unwrap();
        let mut alone = predictor.workspace(1).unwrap();
        let batch = Batch::dense(MatrixView::new(&x, rows, inputs).unwrap());
        let got = predictor.predict(&batch, &mut workspace).unwrap();
        for row in 0..rows {
            let one = &x[row * inputs..][..inputs];
            let x: Vec<f64> = one.iter().map(|&x| f64::from(x)).collect();
            let single = Batch::dense(MatrixView::new(one, 1, inputs).unwrap());
            let single = predictor.predict(&single, &mut alone).unwrap();
            prop_assert_eq!(single.row(0).unwrap(), got.row(row).unwrap());
            for (&got, want) in got.row(row).unwrap().iter().zip(plain.predict(&x).unwrap()) {
                // Sums of at most 140 rounded products a layer, in four layers.
                prop_assert!((f64::from(got) - want).abs() <= 1e-4 * (1.0 + want.abs()));
            }
        }
    }

    /// A step at any shape gives finite parameters, the same as in a pool, and
    /// does not depend on rows' place in memory.
    #[test]
    fn steps_work_at_any_shape(
        inputs in 1usize..300,
        hidden in 1usize..300,
        outputs in 2usize..70,
        // From about 20 rows the work is divided over the pool.
        rows in 1usize..40,
        keep in any_keep(),
        sparse: bool,
        seed: u64,
    ) {
        let mut builder = Mlp::builder(inputs)
            .input_noise(keep)
            .hidden(hidden, Activation::Relu, keep)
            .output(outputs, Loss::SoftmaxCrossEntropy)
            .seed(seed);
        if sparse {
            builder = builder.sparse_input();
        }
        let mlp = builder.build().unwrap();
        let x: Vec<f32> = (0..rows * inputs).map(|i| (i % 5) as f32 * 0.25).collect();
        let view = MatrixView::new(&x, rows, inputs).unwrap();
        let classes: Vec<u32> = (0..rows).map(|row| (row % outputs) as u32).collect();
        let order: Vec<u32> = (0..rows as u32).collect();
        let train = |batch: Batch<'_>| {
            // 1/p can be 65536: a small rate keeps this about shapes.
            let sgd = Sgd::new(Schedule::constant(1e-6)).momentum(Schedule::constant(0.9));
            let mut trainer = Trainer::builder(mlp.clone(), sgd, rows)
                .seed(seed)
                .with_isa(backend::isa()).unwrap()
                .build()
                .unwrap();
            for _ in 0..3 {
                let loss = trainer.step(&batch, Targets::Classes(&classes)).unwrap();
                assert!(loss.is_finite());
            }
            trainer.network().unwrap().digest()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let digest = train(Batch::dense(view));
        prop_assert_eq!(&digest, &train(Batch::gather(view, &order).unwrap()));
        prop_assert_eq!(&digest, &pool.install(|| train(Batch::dense(view))));
    }
}
