//! The `wrun` command.

fn main() -> std::process::ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|verb| verb == "cell")
    {
        return wrun::sandbox::cell_main();
    }
    wrun::cli::main()
}
