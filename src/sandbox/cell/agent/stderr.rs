//! What a cell wrote to standard error, for the message about its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;

/// How much of the end is kept.
const KEEP: usize = 4 << 10;

/// The end of a cell's standard error.
pub struct Tail {
    text: Arc<Mutex<Vec<u8>>>,
    following: Option<JoinHandle<()>>,
}

impl Tail {
    /// Reads `stderr` as long as the cell lives, so that it never blocks on it.
    pub fn follow(stderr: Option<ChildStderr>) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = text.clone();
        let following = stderr.map(|mut stderr| {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(&buffer[..read]);
                    let excess = kept.len().saturating_sub(KEEP);
                    kept.drain(..excess);
                }
            })
        });
        Self { text, following }
    }

    /// The text, led by a colon; empty if there is none. For a cell that has ended.
    pub async fn text(&mut self) -> String {
        if let Some(following) = self.following.take() {
            // It ends with the pipe; a descendant that kept it open is not waited for.
            let _ = tokio::time::timeout(Duration::from_millis(200), following).await;
        }
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        match text.trim() {
            "" => String::new(),
            text => format!(": {}", text.replace('\n', " / ")),
        }
    }
}
