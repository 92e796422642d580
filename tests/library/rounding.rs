//! Which backends give the same bits.

use thinnet::Isa;

/// Whether the backend fuses multiply-adds. Those that do give the same bits. The portable
/// backend does if the baseline CPU of the build can.
pub fn fuses(isa: Isa) -> bool {
    isa != Isa::Portable || cfg!(any(target_arch = "aarch64", target_feature = "fma"))
}
