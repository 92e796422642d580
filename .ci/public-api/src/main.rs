//! Lists the public interface that is described in a file of rustdoc's JSON, without the
//! implementations that follow from the rest. Of the prelude, which repeats items of other
//! modules, only the names are listed.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("expected a file of rustdoc's JSON");
        return ExitCode::from(2);
    };
    let listed = public_api::Builder::from_rustdoc_json(&file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    match listed {
        Ok(listed) => {
            listed
                .items()
                .map(ToString::to_string)
                .filter(|line| !repeated(line))
                .for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a line is about a member of a type in the prelude: the type's own module has it too.
fn repeated(line: &str) -> bool {
    let names = |kind: &str| line.contains(&format!("pub {kind} thinnet::prelude::"));
    line.contains("thinnet::prelude::") && !names("struct") && !names("enum")
}
