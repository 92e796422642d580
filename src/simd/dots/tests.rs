//! Every backend against the sum written out.

use super::*;
use crate::mask::{Domain, Streams, rand_xoshiro::rand_core::Rng};

/// A quad added to sums.
struct Add<'a> {
    w: &'a [[i8; 4]; OUTPUTS],
    x: [i8; 4],
    sums: Sums,
}

impl DotKernel for Add<'_> {
    type Output = Sums;

    #[inline(always)]
    fn run<D: Dots>(self, dots: D) -> Sums {
        let Self { w, x, sums } = self;
        let stored = w.map(|w| w.map(|w| w.cast_unsigned().wrapping_add(D::OFFSET)));
        let mut to = [0; OUTPUTS];
        dots.store(dots.add(dots.load(&sums), &stored, x), &mut to);
        let total: i32 = x.iter().map(|&x| i32::from(x)).sum();
        to.map(|sum| sum.wrapping_sub(i32::from(D::OFFSET).wrapping_mul(total)))
    }
}

#[test]
fn dot_products_equal_the_sum_written_out() {
    let mut rng = Streams::new(41, Domain::Other, 0, 0).rng(0);
    let mut byte = || (rng.next_u64() % 255) as i32 as u8;
    let mut signed = move || (i32::from(byte()) - 127) as i8;
    for case in 0..300 {
        let mut w = [[127; 4]; OUTPUTS];
        let mut x = [-127; 4];
        if case > 0 {
            w.as_flattened_mut().iter_mut().for_each(|w| *w = signed());
            x = [signed(), signed(), signed(), if case % 3 == 0 { 0 } else { signed() }];
        }
        let sums: Sums = std::array::from_fn(|n| (n as i32 - 30) * 60_000_000 * (case % 2));
        let want: Sums = std::array::from_fn(|n| {
            let products = w[n].iter().zip(&x).map(|(&w, &x)| i32::from(w) * i32::from(x));
            sums[n].wrapping_add(products.sum())
        });
        for (_, dotter) in Dotter::available() {
            assert_eq!(dotter.dispatch(Add { w: &w, x, sums }), want, "{dotter:?}");
        }
    }
}
