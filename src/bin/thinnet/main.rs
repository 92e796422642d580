//! The command.

fn main() {
    println!("thinnet {}: the command is not there yet", env!("CARGO_PKG_VERSION"));
}
