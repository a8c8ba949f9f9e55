//! A line on the terminal that counts while something long goes on.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::context::Context;
use crate::report::human;

/// The time between two looks at the count.
const LOOK: Duration = Duration::from_millis(200);
/// Erases the line and goes to its beginning.
const ERASE: &str = "\r\u{1b}[2K";

/// Counts something on the terminal until it is dropped; elsewhere says nothing.
pub(crate) struct Counting {
    count: Arc<AtomicU64>,
    showing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Counting {
    /// Counts what is `doing`, as in `replayed`, in units of `what`, as in `task`.
    pub(crate) fn new(cx: &Context, doing: &'static str, what: &'static str) -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let counted = count.clone();
        let (stop, stopped) = mpsc::channel::<()>();
        let wanted = cx.out.talk_is_terminal && !cx.out.is_quiet() && !cx.out.json;
        let showing = wanted.then(|| {
            let show = move || {
                let mut err = std::io::stderr();
                while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    let many = human::count(counted.load(Ordering::Relaxed), what);
                    // A terminal that has gone hinders nothing.
                    let _ = write!(err, "{ERASE}{doing} {many}").and_then(|()| err.flush());
                }
                let _ = write!(err, "{ERASE}").and_then(|()| err.flush());
            };
            (stop, std::thread::spawn(show))
        });
        Self { count, showing }
    }

    /// What is called for each of them.
    pub(crate) fn counter(&self) -> Arc<dyn Fn() + Send + Sync> {
        let count = self.count.clone();
        Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.showing.take() {
            drop(stop);
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}
