//! The instruction set that a test run is about.

use thinnet::Isa;

/// The one that `THINNET_TEST_ISA` names, else the CPU's fastest. The variable
/// is for tests alone: the library reads none. Naming one that the CPU has not
/// fails, so that no run claims what it did not do.
pub fn isa() -> Isa {
    match std::env::var("THINNET_TEST_ISA") {
        Ok(name) => name.parse::<Isa>().unwrap().require().unwrap(),
        Err(_) => Isa::detect(),
    }
}
