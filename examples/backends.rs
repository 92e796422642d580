//! Prints the instruction sets that this CPU supports, one per line, slowest first.

use thinnet::Isa;

fn main() {
    for isa in Isa::available() {
        println!("{isa}");
    }
}
