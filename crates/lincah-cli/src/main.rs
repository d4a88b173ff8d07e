//! The command `lincah`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    lincah_cli::run(std::env::args_os())
}
