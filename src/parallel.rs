//! Divides work over the caller's thread pool.
//!
//! [`divide`] halves its work with `rayon::join` and gives each leaf a range of
//! consecutive items. Outside a pool there is one leaf, on the calling thread:
//! the library never starts threads. Results do not depend on which thread runs a
//! leaf or where the work is split, because no item is ever shared.
//!
//! While `rayon::join` waits for a stolen half, it runs other jobs of the pool on
//! the same stack: halves of other work, and queued requests. If those were
//! divided too, each could start the next one while it waits, until the stack
//! overflows. So each join marks its thread as [`Waiting`], and [`divide`] on a
//! marked thread runs serially: a request that starts while another waits never
//! waits itself, so the stack depth is bounded.

use std::{
    cell::Cell,
    sync::{Mutex, PoisonError},
};

use crate::error::Error;

/// Work that can be split between two items.
pub(crate) trait Divide: Sized + Send {
    /// The number of items.
    fn items(&self) -> usize;
    /// Removes the first `n` items and returns them.
    fn take(&mut self, n: usize) -> Self;
}

/// A slice whose items are runs of `size` elements; the last may be shorter.
pub(crate) struct Runs<'a, T> {
    /// The elements.
    pub data: &'a mut [T],
    /// Elements per run, at least 1.
    pub size: usize,
}

impl<T: Send> Divide for Runs<'_, T> {
    fn items(&self) -> usize {
        self.data.len().div_ceil(self.size)
    }

    fn take(&mut self, n: usize) -> Self {
        let data = std::mem::take(&mut self.data);
        let (first, rest) = data.split_at_mut((n * self.size).min(data.len()));
        self.data = rest;
        Self { data: first, size: self.size }
    }
}

impl<A: Divide, B: Divide> Divide for (A, B) {
    fn items(&self) -> usize {
        debug_assert_eq!(self.0.items(), self.1.items());
        self.0.items()
    }

    fn take(&mut self, n: usize) -> Self {
        (self.0.take(n), self.1.take(n))
    }
}

impl<A: Divide, B: Divide, C: Divide> Divide for (A, B, C) {
    fn items(&self) -> usize {
        debug_assert_eq!(self.0.items(), self.1.items());
        debug_assert_eq!(self.0.items(), self.2.items());
        self.0.items()
    }

    fn take(&mut self, n: usize) -> Self {
        (self.0.take(n), self.1.take(n), self.2.take(n))
    }
}

/// At least one piece of work, all with the same number of items.
impl<D: Divide, const N: usize> Divide for [D; N] {
    fn items(&self) -> usize {
        debug_assert!(self.iter().all(|work| work.items() == self[0].items()));
        self[0].items()
    }

    fn take(&mut self, n: usize) -> Self {
        self.each_mut().map(|work| work.take(n))
    }
}

impl<A: Divide, B: Divide> Divide for (A, Option<B>) {
    fn items(&self) -> usize {
        self.0.items()
    }

    fn take(&mut self, n: usize) -> Self {
        (self.0.take(n), self.1.as_mut().map(|work| work.take(n)))
    }
}

/// Work of fewer multiply-adds stays on the calling thread. They take about 20
/// microseconds on one core at the 50 G per second that the products reach with
/// full lists, a few times the cost of waking another thread.
const WORTH_A_POOL: usize = 1 << 20;

/// Whether work of this many multiply-adds should be divided.
pub(crate) fn worth_it(multiply_adds: usize) -> bool {
    multiply_adds >= WORTH_A_POOL && in_pool()
}

/// Whether the caller is in a pool with other threads to give work to.
pub(crate) fn in_pool() -> bool {
    threads() > 1
}

/// The number of threads that the caller's work can run on: those of its pool, or
/// 1 outside a pool.
pub(crate) fn threads() -> usize {
    rayon::current_thread_index().map_or(1, |_| rayon::current_num_threads())
}

thread_local! {
    /// Whether one of our joins may be waiting further down this thread's stack.
    static WAITING: Cell<bool> = const { Cell::new(false) };
}

/// Marks a thread as being in one of our joins. Dropping it clears the mark, also
/// during unwinding.
struct Waiting {
    before: bool,
}

impl Waiting {
    fn mark() -> Self {
        Self { before: WAITING.replace(true) }
    }

    fn is_marked() -> bool {
        WAITING.get()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.set(self.before);
    }
}

/// Runs `leaf(first, items)` on runs of consecutive items that together cover
/// `work`. If `parallel` is set and the thread is not already waiting in one of
/// our joins, leaves of at most `grain` items run in parallel.
#[inline]
pub(crate) fn divide<D: Divide>(
    parallel: bool,
    grain: usize,
    work: D,
    leaf: &(impl Fn(usize, D) + Sync),
) {
    fn halve<D: Divide>(
        grain: usize,
        first: usize,
        mut work: D,
        leaf: &(impl Fn(usize, D) + Sync),
    ) {
        let items = work.items();
        if items <= grain.max(1) {
            return leaf(first, work);
        }
        let middle = items / 2;
        let left = work.take(middle);
        let _mark = Waiting::mark();
        rayon::join(
            || halve(grain, first, left, leaf),
            || halve(grain, first + middle, work, leaf),
        );
    }
    if parallel && !Waiting::is_marked() {
        halve(grain, 0, work, leaf);
    } else {
        leaf(0, work);
    }
}

/// Runs `leaf(number, item)` on every item of `work`.
#[inline]
pub(crate) fn each<D: Divide>(parallel: bool, work: D, leaf: &(impl Fn(usize, D) + Sync)) {
    each_of(parallel, 1, work, leaf);
}

/// Runs `leaf(number, items)` on `several` items of `work` at a time, or fewer; `number` is that of
/// the first.
#[inline]
pub(crate) fn each_of<D: Divide>(
    parallel: bool,
    several: usize,
    work: D,
    leaf: &(impl Fn(usize, D) + Sync),
) {
    divide(parallel, several, work, &|first, mut work| {
        let items = work.items();
        for number in (0..items).step_by(several) {
            leaf(first + number, work.take(several.min(items - number)));
        }
    });
}

/// Scratch memory for each thread that runs leaves: what one leaf touches is
/// still in the core's cache for the next one.
#[derive(Debug)]
pub(crate) struct PerThread<T>(Vec<Mutex<T>>);

impl<T> PerThread<T> {
    /// Scratch memory for one thread.
    pub(crate) fn new(memory: T) -> Self {
        Self(vec![Mutex::new(memory)])
    }

    /// Adds scratch memory until every thread of the caller's pool has its own.
    pub(crate) fn prepare(&mut self, make: impl Fn() -> Result<T, Error>) -> Result<(), Error> {
        while self.0.len() < threads() {
            self.0.push(Mutex::new(make()?));
        }
        Ok(())
    }

    /// Runs `leaf` with this thread's memory; call [`Self::prepare`] in the same pool first.
    pub(crate) fn with<R>(&self, leaf: impl FnOnce(&mut T) -> R) -> R {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        // In a larger pool than it was prepared for, some threads wait for each other.
        leaf(&mut self.0[thread].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Clone> Clone for PerThread<T> {
    fn clone(&self) -> Self {
        let copy = |memory: &Mutex<T>| {
            Mutex::new(memory.lock().unwrap_or_else(PoisonError::into_inner).clone())
        };
        Self(self.0.iter().map(copy).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::miri::scaled;

    fn number(parallel: bool, len: usize, size: usize, grain: usize) -> Vec<usize> {
        let mut data = vec![usize::MAX; len];
        divide(parallel, grain, Runs { data: &mut data, size }, &|first, runs| {
            for (i, run) in runs.data.chunks_mut(size).enumerate() {
                run.fill(first + i);
            }
        });
        data
    }

    #[test]
    fn every_item_is_visited_once_with_its_number() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for (len, size, grain) in [(0, 4, 1), (1, 4, 1), (13, 4, 1), (100, 7, 3), (64, 64, 1)] {
            let want: Vec<_> = (0..len).map(|i| i / size).collect();
            assert_eq!(number(false, len, size, grain), want);
            assert_eq!(pool.install(|| number(true, len, size, grain)), want);
        }
        assert!(!in_pool());
        assert!(pool.install(in_pool));
    }

    #[test]
    fn work_of_several_parts_is_divided_at_the_same_items() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for parallel in [false, true] {
            // 7 items: of 3, of 2 and of 1 element each; the last item of the first is short.
            let (mut a, mut b, mut c, mut d) = ([0; 20], [0; 14], [0; 14], [0; 7]);
            let work = (
                Runs { data: &mut a[..], size: 3 },
                [Runs { data: &mut b[..], size: 2 }, Runs { data: &mut c[..], size: 2 }],
                Runs { data: &mut d[..], size: 1 },
            );
            pool.install(|| {
                each(parallel, work, &|number, (a, [b, c], d)| {
                    for data in [a.data, b.data, c.data, d.data] {
                        data.fill(number);
                    }
                });
            });
            for (data, size) in [(&a[..], 3), (&b, 2), (&c, 2), (&d, 1)] {
                assert!(data.iter().enumerate().all(|(i, &number)| number == i / size));
            }
        }
    }

    #[test]
    fn requests_that_start_while_another_waits_do_not_pile_up() {
        thread_local!(static NESTED: Cell<usize> = const { Cell::new(0) });
        let most = AtomicUsize::new(0);
        let request = || {
            let nested = NESTED.get() + 1;
            NESTED.set(nested);
            most.fetch_max(nested, Ordering::Relaxed);
            assert_eq!(number(true, 64, 1, 1), (0..64).collect::<Vec<_>>());
            NESTED.set(nested - 1);
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let requests = scaled(20_000, 50, 12);
        pool.scope(|scope| (0..requests).for_each(|_| scope.spawn(|_| request())));
        // One that waits, and one that runs serially in the meantime.
        assert!(most.into_inner() <= 2);
    }

    #[test]
    fn a_panic_takes_the_mark_away() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| {
            let fails = || divide(true, 1, Runs { data: &mut [0; 2], size: 1 }, &|_, _| panic!());
            std::panic::catch_unwind(fails).unwrap_err();
            assert!(!Waiting::is_marked());
        });
    }

    #[test]
    fn each_thread_has_its_own_memory() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let mut memory = PerThread::new(0);
        memory.prepare(|| unreachable!("there is one already")).unwrap();
        memory.with(|count| *count += 1);
        pool.install(|| memory.prepare(|| Ok(0))).unwrap();
        assert_eq!(memory.0.len(), 3);
        let mut data = vec![0; scaled(1000, 1000, 50)];
        let items = data.len() as i32;
        pool.install(|| {
            each(true, Runs { data: &mut data, size: 1 }, &|_, _| memory.with(|count| *count += 1));
        });
        assert_eq!(memory.0.iter().map(|m| *m.lock().unwrap()).sum::<i32>(), items + 1);
        // In a larger pool than it was made for, threads share.
        let failing = pool.install(|| memory.clone().prepare(|| Err(Error::NoSamples)));
        failing.unwrap();
        let one = PerThread::new(0);
        pool.broadcast(|_| one.with(|count| *count += 1));
        one.with(|count| assert_eq!(*count, 3));
    }
}
