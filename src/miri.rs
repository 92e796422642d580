//! How much a test does under Miri, which is a thousand times slower than the machine.

/// `native` on the machine itself, `long` under `.ci/miri --long`, and `short` under `.ci/miri`.
pub(crate) fn scaled<T>(native: T, long: T, short: T) -> T {
    if !cfg!(miri) {
        native
    } else if std::env::var("MIRI_LONG").is_ok_and(|long| long == "1") {
        long
    } else {
        short
    }
}
