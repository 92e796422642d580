//! Where the time of a training step goes, layer by layer, and how far it is from the
//! best that the machine could do.

mod floors;

pub use crate::thin::ProductPath;
pub use floors::Floors;

use std::time::Instant;

use crate::{
    data::{Batch, Dataset},
    error::{Error, same_size},
    memory::reserve,
    nn::Mlp,
    parallel::threads,
    simd::Isa,
    thin::Activity,
    train::{Optimiser, Part, Trainer},
};

/// Warm-up steps, which are not counted.
const WARM_UP: usize = 3;

/// The cost of a training step, and the lower bounds set by the machine.
///
/// ```
/// use thinnet::{Isa, Keep, profile::Profile, nn::{Activation, Loss, Mlp}};
/// use thinnet::{data::Dataset, tensor::Matrix, train::{Schedule, Sgd}};
///
/// let mlp = Mlp::builder(4).hidden(64, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let data = Dataset::new(Matrix::from_rows(&[1.0; 40], 10, 4)?, vec![0; 10])?;
/// let sgd = Sgd::new(Schedule::constant(0.0)).momentum(Schedule::constant(0.9));
/// let profile = Profile::measure(&mlp, sgd, &data, 8, 5, Isa::detect())?;
/// assert_eq!(profile.layers.len(), 2);
/// assert_eq!(profile.layers[0].density_in, 1.0);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Profile {
    /// The instruction set used.
    pub isa: Isa,
    /// Threads in the pool that the steps ran on.
    pub threads: usize,
    /// Rows per batch.
    pub rows: usize,
    /// The number of steps measured. All times are medians over these steps.
    pub steps: usize,
    /// The peak rates of the machine, measured before the steps.
    pub floors: Floors,
    /// Seconds per step.
    pub seconds: f64,
    /// The rate that an engine computing all three products densely would need to be as
    /// fast, in 10^9 floating-point operations per second.
    pub dense_gflops: f64,
    /// Seconds for validating the batch: sizes and finite numbers.
    pub check_seconds: f64,
    /// Seconds for drawing the masks.
    pub mask_seconds: f64,
    /// Seconds for building the first layer's active lists.
    pub list_seconds: f64,
    /// Seconds for the loss and its gradient.
    pub loss_seconds: f64,
    /// The rest of the step: its median time minus the sum of the medians of its parts.
    /// Waiting for a thread or for the operating system's scheduler affects a different
    /// part each time, so it shows up in the median of the step but in that of no part.
    /// Close to 0 on an idle machine, and slightly negative if the medians of the parts
    /// come from different steps.
    pub other_seconds: f64,
    /// The layers with weights, starting from the input.
    pub layers: Vec<LayerProfile>,
}

/// The cost of a layer.
///
/// ```
/// use thinnet::{Isa, data::Dataset, nn::{Loss, Mlp}, tensor::Matrix, train::Adam};
/// use thinnet::profile::{Profile, ProductPath};
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let data = Dataset::new(Matrix::from_rows(&[1.0, 0.0, 0.0, 1.0], 1, 4)?, vec![1])?;
/// let found = Profile::measure(&mlp, Adam::default(), &data, 8, 5, Isa::detect())?;
/// let layer = &found.layers[0];
/// assert_eq!((layer.inputs, layer.outputs, layer.density_in), (4, 2, 0.5));
/// assert_eq!(layer.path, ProductPath::Narrow);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct LayerProfile {
    /// The number of inputs.
    pub inputs: usize,
    /// The number of outputs.
    pub outputs: usize,
    /// The fraction of its inputs that were active, over all steps.
    pub density_in: f64,
    /// The fraction of its outputs that were active: 1 for the output layer.
    pub density_out: f64,
    /// The code path that its products took.
    pub path: ProductPath,
    /// The fraction of its blocks of 64 inputs that were multiplied as matrices instead of lists,
    /// over all steps: those in which each unit was active in every row, and in the first layer
    /// also those in which nearly all were.
    pub dense_blocks: f64,
    /// The forward pass: product 1, up to the next layer's active lists.
    pub up: Cost,
    /// The backward pass: products 2 and 3, computed together, and the update. The first
    /// layer has no product 2.
    pub down: Cost,
}

/// The cost of a part of a step.
///
/// ```
/// use thinnet::{Isa, data::Dataset, nn::{Loss, Mlp}, tensor::Matrix, train::Adam};
/// use thinnet::profile::Profile;
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let data = Dataset::new(Matrix::from_rows(&[1.0; 4], 1, 4)?, vec![1])?;
/// let found = Profile::measure(&mlp, Adam::default(), &data, 8, 5, Isa::detect())?;
/// let up = found.layers[0].up;
/// assert_eq!(up.bytes, 4.0 * (4 * 2) as f64);
/// println!("{:.1} times what the machine could do at best", up.over_floor());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Cost {
    /// Seconds spent in this part.
    pub seconds: f64,
    /// The fraction of the step's time.
    pub share: f64,
    /// The rate of a dense engine that would be as fast, in 10^9 operations per second,
    /// counting 2 × rows × inputs × outputs operations per product.
    pub dense_gflops: f64,
    /// Bytes of weights and the optimiser's state read and written: per weight, 4 in the
    /// forward pass and, in the backward pass, 8 for it and 8 for each number of its state (16
    /// with SGD, 24 with Adam).
    pub bytes: f64,
    /// The minimum time for the remaining operations (the dense operations times the
    /// density of the inputs) at the machine's peak rate.
    pub arithmetic_floor_seconds: f64,
    /// The minimum time for moving the bytes.
    pub memory_floor_seconds: f64,
}

impl Cost {
    fn new(seconds: f64, step: f64, operations: f64, density: f64, bytes: f64, at: Floors) -> Self {
        Self {
            seconds,
            share: seconds / step,
            dense_gflops: operations / seconds / 1e9,
            bytes,
            arithmetic_floor_seconds: operations * density / (at.fma_gflops * 1e9),
            memory_floor_seconds: bytes / (at.memory_gbytes * 1e9),
        }
    }

    /// The measured time as a multiple of the higher of the two floors.
    pub fn over_floor(&self) -> f64 {
        self.seconds / self.arithmetic_floor_seconds.max(self.memory_floor_seconds)
    }
}

impl Profile {
    /// Trains a copy of `mlp` for `steps` steps on batches of `rows` rows and measures each
    /// part. With a learning rate of 0 for the optimiser, a step costs the same as with any
    /// other, and the densities stay those of `mlp`.
    ///
    /// # Errors
    /// The width or the classes of the data do not match the network, the loss does not
    /// take classes, there are no rows or no steps, or there is not enough memory.
    pub fn measure(
        mlp: &Mlp,
        optimiser: impl Into<Optimiser>,
        data: &Dataset,
        rows: usize,
        steps: usize,
        isa: Isa,
    ) -> Result<Self, Error> {
        same_size("inputs of the network", data.inputs().columns(), mlp.inputs())?;
        if steps == 0 {
            return Err(Error::Zero { what: "steps", expected: "at least one" });
        }
        if data.rows() == 0 {
            return Err(Error::Zero { what: "rows of the data", expected: "at least one" });
        }
        let threads = threads();
        let trainer = Trainer::builder(mlp.try_clone()?, optimiser, rows).with_isa(isa)?;
        let mut trainer = trainer.build()?;
        // Batches cycle through the data: wherever one starts, its rows are contiguous in `order`.
        let round = data.rows().saturating_add(rows);
        let mut order: Vec<u32> = reserve("row numbers", round)?;
        order.extend((0..data.rows() as u32).cycle().take(round));
        let targets = data.repeated_targets(round)?;
        let floors = Floors::measure(isa, threads, mlp.parameters(), trainer.optimiser())?;
        let mut log = Log::new(mlp.depth(), trainer.optimiser().states(1.0).len());
        let mut first = 0;
        for step in 0..steps.saturating_add(WARM_UP) {
            let batch = Batch::gather(data.inputs(), &order[first..][..rows])?;
            let targets = targets.view().part(first..first + rows);
            first = (first + rows) % data.rows();
            let mut last = Instant::now();
            let mut laps = Vec::with_capacity(4 + 2 * mlp.depth());
            trainer.step_watched(&batch, targets, &mut |part| {
                let now = Instant::now();
                laps.push((part, (now - last).as_secs_f64()));
                last = now;
            })?;
            if step >= WARM_UP {
                log.add(laps, trainer.activity());
            }
        }
        Ok(log.profile(mlp, isa, threads, rows, floors))
    }
}

/// Times and activities of the steps.
struct Log {
    /// Numbers of the optimiser's state per weight.
    states: usize,
    steps: Vec<Vec<(Part, f64)>>,
    activity: Vec<Activity>,
}

impl Log {
    fn new(depth: usize, states: usize) -> Self {
        Self { states, steps: Vec::new(), activity: vec![Activity::default(); depth] }
    }

    fn add(&mut self, laps: Vec<(Part, f64)>, activity: &[Activity]) {
        self.steps.push(laps);
        for (sum, &activity) in self.activity.iter_mut().zip(activity) {
            sum.add(activity, 1.0);
        }
    }

    /// The median time of a part.
    fn seconds(&self, wanted: Part) -> f64 {
        let of = |step: &Vec<(Part, f64)>| {
            step.iter().filter(|(part, _)| *part == wanted).map(|(_, seconds)| seconds).sum()
        };
        median(self.steps.iter().map(of).collect())
    }

    fn profile(self, mlp: &Mlp, isa: Isa, threads: usize, rows: usize, floors: Floors) -> Profile {
        let steps = self.steps.len();
        let whole = |step: &Vec<(Part, f64)>| step.iter().map(|(_, seconds)| seconds).sum();
        let step: f64 = median(self.steps.iter().map(whole).collect());
        let (widths, last) = (mlp.widths(), mlp.depth() - 1);
        let density = |layer: usize| self.activity[layer].density / steps as f64;
        let mut dense = 0.0;
        let mut layer = |index: usize| {
            let (inputs, outputs) = (widths[index], mlp.layers[index].weights.outputs());
            let weights = inputs as f64 * outputs as f64;
            let product = 2.0 * rows as f64 * weights;
            let down = if index == 0 { product } else { 2.0 * product };
            dense += product + down;
            let bytes_down = floors::bytes_per_weight(self.states) * weights;
            let cost = |part, operations, bytes| {
                Cost::new(self.seconds(part), step, operations, density(index), bytes, floors)
            };
            LayerProfile {
                inputs,
                outputs,
                density_in: density(index),
                density_out: if index == last { 1.0 } else { density(index + 1) },
                path: ProductPath::of(rows, outputs),
                dense_blocks: self.activity[index].dense_blocks / steps as f64,
                up: cost(Part::Forward(index), product, 4.0 * weights),
                down: cost(Part::Backward(index), down, bytes_down),
            }
        };
        let layers: Vec<_> = (0..=last).map(&mut layer).collect();
        let [check, masks, lists, loss] =
            [Part::Check, Part::Masks, Part::Lists, Part::Loss].map(|part| self.seconds(part));
        let of_layers: f64 = layers.iter().map(|l| l.up.seconds + l.down.seconds).sum();
        Profile {
            isa,
            threads,
            rows,
            steps,
            floors,
            seconds: step,
            dense_gflops: dense / step / 1e9,
            check_seconds: check,
            mask_seconds: masks,
            list_seconds: lists,
            loss_seconds: loss,
            other_seconds: step - (check + masks + lists + loss + of_layers),
            layers,
        }
    }
}

/// The median: for an even count, the upper of the two middle numbers.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        nn::{Activation, Loss},
        rate::Keep,
        tensor::Matrix,
        thin::{Registers, dense_pays},
        train::{Adam, Schedule, Sgd},
    };

    fn data(rows: usize) -> Dataset {
        let numbers: Vec<f32> = (0..rows * 70).map(|i| (i % 3) as f32).collect();
        let labels: Vec<u32> = (0..rows as u32).map(|row| row % 2).collect();
        Dataset::new(Matrix::from_rows(&numbers, rows, 70).unwrap(), labels).unwrap()
    }

    #[test]
    fn parts_add_up_and_the_network_is_as_it_was() {
        let mlp = Mlp::builder(70).hidden(130, Activation::Relu, Keep::HALF);
        let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).seed(3).build().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let measure =
            |optimiser| Profile::measure(&mlp, optimiser, &data(30), 20, 9, Isa::detect());
        let sgd = Optimiser::from(Sgd::new(Schedule::constant(0.0)));
        let adam = Optimiser::from(Adam::new(Schedule::constant(0.0)));
        let digest = mlp.digest();
        let emulated = std::env::var_os("THINNET_TEST_EMULATED").is_some();
        for (threads, bytes, found) in [
            (1, 16.0, measure(sgd.clone())),
            (2, 16.0, pool.install(|| measure(sgd))),
            (1, 24.0, measure(adam.clone())),
            (2, 24.0, pool.install(|| measure(adam))),
        ] {
            let found = found.unwrap();
            assert_eq!((found.threads, found.rows, found.steps), (threads, 20, 9));
            assert_eq!(mlp.digest(), digest);
            let [fma, memory] = [found.floors.fma_gflops, found.floors.memory_gbytes];
            // Emulated multiply-adds are slower than those of any CPU: .ci/arm sets this.
            let least = if emulated { [0.0; 2] } else { [0.1, 0.01] };
            assert!(fma > least[0] && memory > least[1], "{fma} {memory}");
            let [first, last] = &found.layers[..] else { panic!("two layers") };
            assert_eq!((first.path, last.path), (ProductPath::Lists, ProductPath::Narrow));
            // A third of the numbers are zero, and all rows are alike: the expected
            // densities are exact except for the signs of the units and the masks.
            assert!((first.density_in - 2.0 / 3.0).abs() < 0.01, "{}", first.density_in);
            assert_eq!(first.density_out, last.density_in);
            assert!(last.density_in > 0.05 && last.density_in < 0.5);
            assert_eq!(last.density_out, 1.0);
            assert_eq!(
                (first.up.bytes, first.down.bytes),
                (70.0 * 130.0 * 4.0, 70.0 * 130.0 * bytes)
            );
            // One backward product in the first layer, two in the last.
            let operations = |cost: Cost| cost.dense_gflops * cost.seconds * 1e9;
            let near = |cost, want: f64| assert!((operations(cost) / want - 1.0).abs() < 1e-6);
            near(first.up, 2.0 * 20.0 * 70.0 * 130.0);
            near(first.down, 2.0 * 20.0 * 70.0 * 130.0);
            near(last.down, 4.0 * 20.0 * 130.0 * 2.0);
            assert!(first.up.share > 0.0 && first.up.over_floor() > 0.0);
        }
    }

    #[test]
    fn layers_whose_inputs_are_all_active_are_dense() {
        let mlp = Mlp::builder(70).hidden(130, Activation::Tanh, Keep::ONE);
        let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).seed(3).build().unwrap();
        for isa in Isa::available() {
            let found = Profile::measure(&mlp, Adam::default(), &data(30), 20, 2, isa).unwrap();
            let dense: Vec<f64> = found.layers.iter().map(|layer| layer.dense_blocks).collect();
            // A third of the data is zero, and the outputs of tanh are not.
            assert_eq!(
                dense,
                [0.0, f64::from(u8::from(dense_pays(isa.dispatch(Registers))))],
                "{isa}"
            );
        }
    }

    /// Each step waits in a different part: time that is in no part's median is left over.
    #[test]
    fn what_no_part_has_is_other() {
        let mlp = Mlp::builder(70).output(2, Loss::SquaredError).build().unwrap();
        let parts = [
            Part::Check,
            Part::Masks,
            Part::Lists,
            Part::Forward(0),
            Part::Loss,
            Part::Backward(0),
        ];
        let mut log = Log::new(1, 1);
        for waiting in parts {
            let laps = parts.map(|part| (part, if part == waiting { 95.0 } else { 1.0 }));
            log.add(laps.to_vec(), &[]);
        }
        let floors = Floors { fma_gflops: 1.0, memory_gbytes: 1.0 };
        let found = log.profile(&mlp, Isa::Portable, 1, 20, floors);
        assert_eq!((found.seconds, found.mask_seconds, found.other_seconds), (100.0, 1.0, 94.0));
    }

    #[test]
    fn a_batch_may_be_larger_than_the_data() {
        let mlp = Mlp::builder(70).output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
        for rows in [2, 3, 8] {
            let found =
                Profile::measure(&mlp, Adam::default(), &data(3), rows, 2, Isa::Portable).unwrap();
            assert_eq!((found.rows, found.steps), (rows, 2));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mlp = |loss| Mlp::builder(70).output(2, loss).build().unwrap();
        let classes = mlp(Loss::SoftmaxCrossEntropy);
        let measure = |mlp: &Mlp, data: &Dataset, rows, steps| {
            let adam = Adam::default();
            Profile::measure(mlp, adam, data, rows, steps, Isa::Portable).unwrap_err().to_string()
        };
        assert!(
            measure(&classes, &data(4), 0, 1)
                .contains("rows of the largest batch: expected at least one")
        );
        assert!(measure(&classes, &data(4), 1, 0).contains("steps: expected at least one"));
        assert!(
            measure(&classes, &data(0), 1, 1).contains("rows of the data: expected at least one")
        );
        assert!(
            measure(&mlp(Loss::SquaredError), &data(4), 1, 1).contains("targets of kind `Classes`")
        );
        let narrow = Mlp::builder(69).output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
        assert!(measure(&narrow, &data(4), 1, 1).contains("expected 70, got 69"));
    }
}
