//! Prints the instruction sets that this CPU supports, one per line, slowest first. With
//! `--all`, prints those that it does not support too.

use thinnet::Isa;

fn main() {
    let all = std::env::args().nth(1).is_some_and(|argument| argument == "--all");
    for isa in Isa::ALL.iter().filter(|isa| all || isa.is_available()) {
        println!("{isa}");
    }
}
