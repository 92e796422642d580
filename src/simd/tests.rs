//! One set of tests for every backend that this CPU supports.

use rayon::prelude::*;

use super::{Half, Isa, Kernel, LANES, Lanes, Lines, math};

/// Runs `body` on each backend this CPU supports, and names those it does not support.
pub(crate) fn on_each_isa(mut body: impl FnMut(Isa)) {
    for &isa in Isa::ALL {
        if isa.is_available() {
            body(isa);
        } else {
            eprintln!("skipped: this CPU has no {isa}");
        }
    }
}

/// The backends this CPU supports; names those it does not support.
fn backends() -> Vec<Isa> {
    let mut backends = Vec::new();
    on_each_isa(|isa| backends.push(isa));
    backends
}

/// The distance of `got` from `want`, in units in the last place of `want`.
fn ulp(want: f64, got: f32) -> f64 {
    if want.is_nan() && got.is_nan() || want as f32 == got {
        return 0.0;
    }
    let unit = f64::from((want as f32).abs().next_up()) - f64::from((want as f32).abs());
    (f64::from(got) - want).abs() / unit
}

type Line = [f32; LANES];

/// Finds out which backend's code actually ran.
struct Which;
impl Kernel for Which {
    type Output = &'static str;
    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> &'static str {
        std::any::type_name::<L>()
    }
}

#[test]
fn the_backend_asked_for_is_the_backend_that_runs() {
    on_each_isa(|isa| {
        let ran = isa.dispatch(Which).to_lowercase();
        assert!(ran.ends_with(isa.name()), "{isa} ran {ran}");
    });
    for isa in Isa::available().filter(|&isa| isa != Isa::Portable) {
        assert!(isa.fuses(), "{isa}");
    }
    assert!(Isa::available().any(|isa| isa == Isa::detect()));
    assert_eq!("auto".parse::<Isa>().unwrap(), Isa::detect());
    assert!("sse9".parse::<Isa>().unwrap_err().to_string().contains("sse9"));
}

/// Enabling a feature without detecting it is undefined behaviour on a CPU without it. The
/// macro `backend` does both from one list; nothing else detects or enables features.
#[test]
fn features_are_detected_and_enabled_by_one_list_alone() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/simd");
    let mut files = 0;
    let folders = [folder.clone(), folder.join("dots")].map(|of| std::fs::read_dir(of).unwrap());
    let paths = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.is_file()) {
        let expected = match path.file_name().unwrap().to_str().unwrap() {
            // This file names what it looks for.
            "tests.rs" => continue,
            "backend.rs" => [1, 1],
            _ => [0, 0],
        };
        let source = std::fs::read_to_string(&path).unwrap();
        let counts = ["detected!(", "target_feature("].map(|what| source.matches(what).count());
        assert_eq!(counts, expected, "{}", path.display());
        files += 1;
    }
    // At least this file's siblings `backend` and `mod`, `dots/mod`, and two files per backend.
    assert!(files >= 3 + 2 * Isa::ALL.len(), "{files} files");
}

struct Arithmetic<'a>(&'a Line, &'a Line, &'a Line);
impl Kernel for Arithmetic<'_> {
    type Output = [Line; 10];
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> [Line; 10] {
        let (x, y, z) = (l.load(self.0), l.load(self.1), l.load(self.2));
        let out = |v| {
            let mut line = [0.0; LANES];
            l.store(v, &mut line);
            line
        };
        [
            out(l.add(x, y)),
            out(l.sub(x, y)),
            out(l.mul(x, y)),
            out(l.div(x, y)),
            out(l.sqrt(x)),
            out(l.mul_add(x, y, z)),
            out(l.round(x)),
            out(l.exp2_whole(l.round(z))),
            out(l.splat(self.0[3])),
            [l.sum(x); LANES],
        ]
    }
}

#[test]
fn arithmetic_equals_the_scalar_one() {
    let x: Line = std::array::from_fn(|i| 0.37 * i as f32 + 0.5);
    let y: Line = std::array::from_fn(|i| 3.0 - 0.7 * i as f32);
    let z: Line = std::array::from_fn(|i| 16.8 * i as f32 - 126.0);
    let tree = {
        let a: [f32; 8] = std::array::from_fn(|i| x[i] + x[i + 8]);
        let a: [f32; 4] = std::array::from_fn(|i| a[i] + a[i + 4]);
        (a[0] + a[2]) + (a[1] + a[3])
    };
    on_each_isa(|isa| {
        let [add, sub, mul, div, sqrt, fma, round, exp2, splat, sum] =
            isa.dispatch(Arithmetic(&x, &y, &z));
        for i in 0..LANES {
            assert_eq!(add[i], x[i] + y[i]);
            assert_eq!(sub[i], x[i] - y[i]);
            assert_eq!(mul[i], x[i] * y[i]);
            assert_eq!(div[i], x[i] / y[i]);
            assert_eq!(sqrt[i], x[i].sqrt());
            let fused = x[i].mul_add(y[i], z[i]);
            assert!(fma[i] == fused || isa == Isa::Portable && fma[i] == x[i] * y[i] + z[i]);
            assert_eq!(round[i], x[i].round_ties_even());
            assert_eq!(f64::from(exp2[i]), f64::from(z[i].round_ties_even()).exp2());
            assert_eq!(splat[i], x[3]);
            assert_eq!(sum[i], tree);
        }
    });
}

/// Streams `from`, and panics at line `fails`.
struct Streamed<'a> {
    to: &'a mut [Line],
    from: &'a [Line],
    fails: usize,
}
impl Kernel for Streamed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        l.stream_lines(self.to, &Copied { from: self.from, fails: self.fails });
    }
}
struct Copied<'a> {
    from: &'a [Line],
    fails: usize,
}
impl<L: Lanes> Lines<L> for Copied<'_> {
    #[inline(always)]
    fn line(&self, l: L, i: usize) -> L::F {
        assert!(i != self.fails, "line {i} fails, as it is meant to");
        l.load(&self.from[i])
    }
}

/// The number of fences this thread has executed.
fn fences() -> usize {
    #[cfg(target_arch = "x86_64")]
    return super::x86::FENCES.get();
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// Whatever happens between the stores, and wherever the memory starts, a fence follows
/// before any other code can read it.
#[test]
fn streamed_lines_are_fenced_and_panics_too() {
    let from: Vec<Line> = (0..9).map(|i| [i as f32 + 0.5; LANES]).collect();
    on_each_isa(|isa| {
        for offset in [0, 1, 4, 7] {
            for lines in 0..=from.len() {
                for fails in [0, 1, lines.saturating_sub(1), usize::MAX] {
                    let mut memory = vec![7.0; lines * LANES + offset + 3];
                    let to = memory[offset..].as_chunks_mut::<LANES>().0;
                    let before = fences();
                    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        isa.dispatch(Streamed { to, from: &from, fails });
                    }));
                    assert_eq!(ran.is_err(), fails < lines, "{isa} {lines} {fails}");
                    let streams = cfg!(target_arch = "x86_64") && isa != Isa::Portable;
                    assert_eq!(fences() - before, usize::from(streams), "{isa}");
                    let written = lines.min(fails);
                    let want: Vec<f32> = (0..memory.len())
                        .map(|i| match i.checked_sub(offset).map(|i| i / LANES) {
                            Some(line) if line < written => from[line][0],
                            _ => 7.0,
                        })
                        .collect();
                    std::thread::scope(|scope| scope.spawn(|| assert_eq!(memory, want)).join())
                        .unwrap();
                }
            }
        }
    });
}

struct Widened<'a>(&'a [u16; LANES]);
impl Kernel for Widened<'_> {
    type Output = Line;
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Line {
        let mut line = [0.0; LANES];
        l.store(l.load_bf16(self.0), &mut line);
        line
    }
}

#[test]
fn bfloat16_are_the_upper_halves_of_floats() {
    let halves: Vec<u16> = (0..=u16::MAX).step_by(7).chain([0x7f80, 0xff80, 0x8000]).collect();
    on_each_isa(|isa| {
        for halves in halves.as_chunks::<LANES>().0 {
            for (&half, got) in halves.iter().zip(isa.dispatch(Widened(halves))) {
                assert_eq!(got.to_bits(), u32::from(half) << 16, "{isa}");
            }
        }
    });
}

struct Halves<'a>(&'a Line, &'a Half);
impl Kernel for Halves<'_> {
    type Output = Line;
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Line {
        let mut parts = [*self.1; LANES];
        let mut x = *self.0;
        for part in &mut parts {
            l.add_halves(l.load(&x), part);
            x.rotate_right(3);
        }
        let mut sums = [0.0; LANES];
        l.store(l.sum_halves(&parts), &mut sums);
        sums
    }
}

#[test]
fn halves_add_up_as_a_sum_does() {
    let mut x: Line = std::array::from_fn(|i| 0.37 * i as f32 + 0.5);
    let to: Half = std::array::from_fn(|i| 2.3 - 1.9 * i as f32);
    let got = Isa::Portable.dispatch(Halves(&x, &to));
    on_each_isa(|isa| assert_eq!(isa.dispatch(Halves(&x, &to)), got));
    // Each is equal to the sum of a vector whose second half is zero.
    struct Sum<'a>(&'a Line);
    impl Kernel for Sum<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<L: Lanes>(self, l: L) -> f32 {
            l.sum(l.load(self.0))
        }
    }
    for got in got {
        let mut line = [0.0; LANES];
        for (i, line) in line[..LANES / 2].iter_mut().enumerate() {
            *line = to[i] + (x[i] + x[i + LANES / 2]);
        }
        on_each_isa(|isa| assert_eq!(isa.dispatch(Sum(&line)), got));
        x.rotate_right(3);
    }
}

struct Masks<'a>(&'a Line, &'a Line, u16);
impl Kernel for Masks<'_> {
    type Output = (u16, u16, Line, Line, Line, [u8; LANES]);
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let (x, y) = (l.load(self.0), l.load(self.1));
        let (mut select, mut keep, mut values) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let mut offsets = [0; LANES];
        l.store(l.select(self.2, x, y), &mut select);
        l.store(l.keep(self.2, x), &mut keep);
        l.compress(self.2, x, 32, &mut values, &mut offsets);
        (l.less(x, y), l.is_nan(x), select, keep, values, offsets)
    }
}

#[test]
fn masks_select_keep_and_compress() {
    let mut x: Line = std::array::from_fn(|i| i as f32 - 8.0);
    (x[2], x[9], x[12]) = (f32::NAN, f32::INFINITY, -0.0);
    let y = [1.5; LANES];
    on_each_isa(|isa| {
        for mask in (0..=u16::MAX).step_by(37).chain([0, u16::MAX, 1, 1 << 15, 0xff, 0xff00]) {
            let (less, nan, select, keep, values, offsets) = isa.dispatch(Masks(&x, &y, mask));
            let mut n = 0;
            for i in 0..LANES {
                let set = mask >> i & 1 == 1;
                assert_eq!(less >> i & 1 == 1, x[i] < y[i]);
                assert_eq!(nan >> i & 1 == 1, x[i].is_nan());
                assert_eq!(select[i].to_bits(), if set { x[i] } else { y[i] }.to_bits());
                assert_eq!(keep[i].to_bits(), if set { x[i].to_bits() } else { 0 });
                if set {
                    assert_eq!(values[n].to_bits(), x[i].to_bits());
                    assert_eq!(usize::from(offsets[n]), 32 + i);
                    n += 1;
                }
            }
        }
    });
}

struct Bounds<'a>(&'a Line, f32);
impl Kernel for Bounds<'_> {
    type Output = [Line; 2];
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> [Line; 2] {
        let (x, bound) = (l.load(self.0), l.splat(self.1));
        let mut out = [[0.0; LANES]; 2];
        l.store(l.at_most(x, bound), &mut out[0]);
        l.store(l.at_least(x, bound), &mut out[1]);
        out
    }
}

/// Neither hides NaN, and a number equal to the bound keeps the sign of its zero.
#[test]
fn bounds_hold_and_let_nan_through() {
    let nan = f32::from_bits(0xffc1_2345);
    let mut x: Line = std::array::from_fn(|i| i as f32 - 8.0);
    [x[0], x[3], x[8], x[9], x[15]] = [f32::NEG_INFINITY, nan, -0.0, 1e-45, f32::INFINITY];
    on_each_isa(|isa| {
        for bound in [0.0, -0.0, 2.5, -3.0, 1e-45, f32::INFINITY, f32::NEG_INFINITY] {
            let [most, least] = isa.dispatch(Bounds(&x, bound));
            for i in 0..LANES {
                let want = if bound < x[i] { bound } else { x[i] };
                assert_eq!(most[i].to_bits(), want.to_bits(), "{isa}: {} {bound}", x[i]);
                let want = if x[i] < bound { bound } else { x[i] };
                assert_eq!(least[i].to_bits(), want.to_bits(), "{isa}: {} {bound}", x[i]);
            }
        }
    });
}

struct Words([u64; 8], [u64; 8]);
impl Kernel for Words {
    type Output = [[u64; 8]; 7];
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> [[u64; 8]; 7] {
        let (x, y) = (l.load_words(&self.0), l.load_words(&self.1));
        let out = |v| {
            let mut words = [0; 8];
            l.store_words(v, &mut words);
            words
        };
        [
            out(l.add_words(x, y)),
            out(l.xor(x, y)),
            out(l.and(x, y)),
            out(l.or(x, y)),
            out(l.shift_left(x, 17)),
            out(l.shift_right(x, 19)),
            out(l.rotate_left(x, 45)),
        ]
    }
}

#[test]
fn word_operations_equal_the_scalar_ones() {
    let x: [u64; 8] =
        std::array::from_fn(|i| 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(2 * i as u64 + 1));
    let y = x.map(|v| !v.rotate_left(7));
    on_each_isa(|isa| {
        let [add, xor, and, or, left, right, rotate] = isa.dispatch(Words(x, y));
        for i in 0..8 {
            assert_eq!(add[i], x[i].wrapping_add(y[i]));
            assert_eq!(xor[i], x[i] ^ y[i]);
            assert_eq!(and[i], x[i] & y[i]);
            assert_eq!(or[i], x[i] | y[i]);
            assert_eq!(left[i], x[i] << 17);
            assert_eq!(right[i], x[i] >> 19);
            assert_eq!(rotate[i], x[i].rotate_left(45));
        }
    });
}

struct Tail<'a>(&'a Line);
impl Kernel for Tail<'_> {
    type Output = Line;
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Line {
        let mut out = [0.0; LANES];
        l.store(math::normal_tail(l, l.load(self.0)), &mut out);
        out
    }
}

#[test]
fn the_normal_tail_stays_within_its_stated_error() {
    let normal = statrs::distribution::Normal::standard();
    let all: Vec<f32> = (0..16_000).map(|i| i as f32 * 5e-4).collect();
    on_each_isa(|isa| {
        for line in all.as_chunks::<LANES>().0 {
            for (&x, got) in line.iter().zip(isa.dispatch(Tail(line))) {
                let want = statrs::distribution::ContinuousCDF::sf(&normal, f64::from(x));
                let error = (f64::from(got) / want - 1.0).abs();
                assert!(error <= math::NORMAL_TAIL, "{isa} {x}: {got}, not {want}");
            }
        }
        assert_eq!(isa.dispatch(Tail(&[30.0; LANES])), [0.0; LANES]);
    });
}

struct Functions<'a>(&'a Line);
impl Kernel for Functions<'_> {
    type Output = [Line; 9];
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> [Line; 9] {
        let x = l.load(self.0);
        let mut out = [[0.0; LANES]; 9];
        l.store(math::exp(l, x), &mut out[0]);
        l.store(math::logistic(l, x), &mut out[1]);
        l.store(math::tanh(l, x), &mut out[2]);
        let (of_x, of_minus_x) = math::logistics(l, x);
        l.store(of_x, &mut out[3]);
        l.store(of_minus_x, &mut out[4]);
        l.store(math::exp_m1(l, x), &mut out[5]);
        l.store(math::ln_1p(l, x), &mut out[6]);
        let (density, integral) = math::normal(l, x);
        l.store(density, &mut out[7]);
        l.store(integral, &mut out[8]);
        out
    }
}

/// Checks the functions at these points, on these backends.
fn functions_stay_within_their_stated_error(backends: &[Isa], all: impl Iterator<Item = f32>) {
    let root = std::f64::consts::FRAC_1_SQRT_2;
    let mut points = all.peekable();
    while points.peek().is_some() {
        let mut line = [0.0; LANES];
        for (to, x) in line.iter_mut().zip(&mut points) {
            *to = x;
        }
        let wanted = line.map(f64::from).map(|x| {
            let density = libm::exp(-0.5 * x * x) / std::f64::consts::TAU.sqrt();
            let [logistic, of_minus_x] = [-x, x].map(|x| 1.0 / (1.0 + libm::exp(x)));
            [
                (libm::exp(x), math::EXP_ULP),
                (logistic, math::LOGISTIC_ULP),
                (libm::tanh(x), math::TANH_ULP),
                (logistic, math::LOGISTICS_ULP),
                (of_minus_x, math::LOGISTICS_ULP),
                (libm::expm1(x), math::EXP_M1_ULP),
                (libm::log1p(x), math::LN_1P_ULP),
                (density, math::NORMAL_ULP),
                (0.5 * libm::erfc(-root * x), math::NORMAL_ULP),
            ]
        });
        for &isa in backends {
            let got = isa.dispatch(Functions(&line));
            for (i, &x) in line.iter().enumerate() {
                for (which, (want, bound)) in wanted[i].into_iter().enumerate() {
                    let got = got[which][i];
                    let bound = match which {
                        7 | 8 if !isa.fuses() => bound + f64::from(x * x / 2.0).min(110.0),
                        _ => bound,
                    };
                    match which {
                        // Denormal values of the logistic depend on e^-x, which overflows.
                        1 if x < -87.3 => assert!((0.0..=math::LOGISTIC_TAIL).contains(&got)),
                        // These are for other arguments.
                        5 if x > 0.0 => {}
                        6 if !(0.0..=1.0).contains(&x) => {}
                        _ => {
                            let error = ulp(want, got);
                            assert!(error <= bound, "{isa} function {which} of {x}: {error} ULP");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn exponentials_stay_within_their_stated_error() {
    // Every 4999th float of both signs, and the points where the behaviour changes.
    let floats = (0..=u32::MAX).step_by(4999).map(f32::from_bits);
    let edges = [0.0, -0.0, 0.625, -0.625, 88.72283, 88.7229, -87.33, -103.97, -103.98, -104.5];
    let far = [0.3466, -0.3466, 1.0, 14.4, 14.5, 14.6, f32::INFINITY, f32::NAN];
    let dense = (0..400_000).map(|i| (i as f32 - 200_000.0) * 5.3e-4);
    let all = floats.chain(edges).chain(far).chain(dense);
    functions_stay_within_their_stated_error(&backends(), all);
}

/// All 2^32 floats, on all threads of rayon's pool.
#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md"]
fn exponentials_of_all_floats_stay_within_their_stated_error() {
    let backends = backends();
    (0..=u16::MAX).into_par_iter().for_each(|upper| {
        let floats = (0..=u16::MAX).map(|lower| u32::from(upper) << 16 | u32::from(lower));
        functions_stay_within_their_stated_error(&backends, floats.map(f32::from_bits));
    });
}

#[test]
fn backends_that_fuse_give_the_same_bits() {
    let all: Vec<f32> = (0..=u32::MAX).step_by(9973).map(f32::from_bits).collect();
    let bits = |line: Line| line.map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() });
    for line in all.as_chunks::<LANES>().0 {
        let mut first = None;
        for isa in Isa::available().filter(|isa| isa.fuses()) {
            let results = isa.dispatch(Functions(line)).map(bits);
            let tail = bits(isa.dispatch(Tail(line)));
            assert_eq!(*first.get_or_insert((results, tail)), (results, tail), "{isa}: {line:?}");
        }
    }
}

struct First<'a>(&'a [f32]);
impl Kernel for First<'_> {
    type Output = Line;
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Line {
        let mut to = [f32::NAN; LANES];
        l.store(l.load_first(self.0), &mut to);
        to
    }
}

#[test]
fn the_first_lanes_are_loaded_and_the_others_are_0() {
    let all: Line = std::array::from_fn(|i| i as f32 - 7.5);
    for isa in backends() {
        for n in 0..=LANES {
            // A slice of its own, whose end Miri and sanitisers know.
            let from = all[..n].to_vec();
            let want: Line = std::array::from_fn(|i| if i < n { all[i] } else { 0.0 });
            assert_eq!(
                isa.dispatch(First(&from)).map(f32::to_bits),
                want.map(f32::to_bits),
                "{isa}"
            );
        }
    }
}
