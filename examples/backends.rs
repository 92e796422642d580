//! The names of this CPU's instruction sets, one a line, slowest first.

use thinnet::Isa;

fn main() {
    for isa in Isa::available() {
        println!("{isa}");
    }
}
