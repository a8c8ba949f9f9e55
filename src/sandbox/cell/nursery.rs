//! The thread that starts cells.
//!
//! Linux ends a cell with the thread that started it, not with its process. Threads of the runtime
//! come and go; this one stays as long as the agent does.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Something to be started, with the runtime that looks after it.
struct Order {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Starts `command` from the thread that outlives all others.
///
/// # Errors
/// What the system says.
pub async fn spawn(command: Command) -> io::Result<Child> {
    let (answer, started) = oneshot::channel();
    let order = Order {
        command,
        runtime: Handle::current(),
        answer,
    };
    let gone = || io::Error::other("the thread that starts cells has ended");
    thread()?.send(order).map_err(|_| gone())?;
    started.await.unwrap_or_else(|_| Err(gone()))
}

fn thread() -> io::Result<&'static Sender<Order>> {
    static THREAD: OnceLock<io::Result<Sender<Order>>> = OnceLock::new();
    let started = THREAD.get_or_init(|| {
        let (orders, waiting) = channel::<Order>();
        let serve = move || {
            for Order {
                mut command,
                runtime,
                answer,
            } in waiting
            {
                let _within = runtime.enter();
                // Whoever asked may have gone; the child is ended by being dropped then.
                let _ = answer.send(command.spawn());
            }
        };
        let thread = std::thread::Builder::new()
            .name("cells".into())
            .spawn(serve);
        thread.map(|_| orders)
    });
    started
        .as_ref()
        .map_err(|error| io::Error::new(error.kind(), error.to_string()))
}
