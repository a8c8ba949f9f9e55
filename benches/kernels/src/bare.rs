//! A plain WASI command that runs one kernel: what bare wasmtime is measured with.

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let size = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    println!(
        "{}",
        bench_kernels::run(&name, size).expect("the kernel exists")
    );
}
