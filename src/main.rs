//! The `callrelay` command.

use std::io::Write;
use std::process::ExitCode;

use callrelay::cli;
use mimalloc::MiMalloc;

/// Tens of thousands of sessions come and go, on several threads: the allocator is to find their places again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            // `{:#}`: the whole chain of causes in one line. If even standard error is closed, the
            // exit code has to do.
            let _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
            cli::exit_code(&error)
        }
    }
}
