//! A server that speaks the protocols of AWS, started and ended by the test that needs it: moto.
//!
//! Only the standard library is used here, so that any test can take this file in by `#[path]`.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// How often another port is tried when somebody took the one that was free a moment ago.
const TRIES: usize = 5;
/// How many lines of what the server said are kept for a message.
const KEPT: usize = 40;

/// A running server. Dropped, it ends.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    port: u16,
    said: Arc<Mutex<Said>>,
}

/// What the server said.
#[derive(Debug, Default)]
struct Said {
    /// The last lines.
    lines: VecDeque<String>,
    /// How many requests there were, by method.
    requests: BTreeMap<String, u64>,
}

impl Moto {
    /// Starts a server; none, and a line on standard error, where moto is not installed.
    ///
    /// # Panics
    /// When moto does not start, and under `CI=true` also when it is not installed.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same, with more variables for the server, e.g. `INITIAL_NO_AUTH_ACTION_COUNT`.
    pub fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let Some(program) = program() else {
            let what = "moto_server was not found: `pip install 'moto[server,batch,s3,secretsmanager,ssm]==5.2.5'`, or name it in `WRUN_MOTO`";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Past the capture of the test harness: whoever looks on must see it.
            let _ = writeln!(std::io::stderr(), "ignored: {test}: {what}");
            return None;
        };
        let tried = (0..TRIES).find_map(|_| Self::try_start(&program, variables));
        Some(tried.unwrap_or_else(|| panic!("`{}` does not start", program.display())))
    }

    fn try_start(program: &Path, variables: &[(&str, &str)]) -> Option<Self> {
        let port = free_port();
        let mut child = Command::new(program)
            .args(["-H", "0.0.0.0", "-p", &port.to_string()])
            // What is there makes its conditional writes atomic.
            .env(
                "PYTHONPATH",
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloud/moto"),
            )
            .env("MOTO_PORT", port.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("`{}` cannot be started: {e}", program.display()));
        let mut lines = BufReader::new(child.stderr.take().expect("it is a pipe")).lines();
        let mut said = Said::default();
        let answers = lines.by_ref().map_while(Result::ok).any(|line| {
            let answers = line.contains("Running on");
            said.lines.push_back(line);
            answers
        });
        if !answers {
            let _ = child.wait();
            let _ = writeln!(std::io::stderr(), "moto on port {port}: {said:?}");
            return None;
        }
        let said = Arc::new(Mutex::new(said));
        let log = said.clone();
        // Read to the end: a server whose messages nobody reads would stop.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = log.lock().expect("nothing panics while it holds the lock");
                // `127.0.0.1 - - [date] "PUT /bucket/key HTTP/1.1" 200 -`
                let method = line.split('"').nth(1).and_then(|it| it.split(' ').next());
                if let Some(method) = method {
                    *log.requests.entry(method.to_owned()).or_default() += 1;
                }
                if log.lines.len() == KEPT {
                    log.lines.pop_front();
                }
                log.lines.push_back(line);
            }
        });
        Some(Self { child, port, said })
    }

    /// The port on which it answers, on every address of this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it answers, for programs on this machine.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables by which a program finds it instead of AWS.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = access()
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec();
        variables.push(("AWS_ENDPOINT_URL", self.endpoint()));
        variables
    }

    /// Makes a bucket.
    pub fn bucket(&self, name: &str) {
        let status = self.request("PUT", &format!("/{name}"));
        assert_eq!(status.0, 200, "{}", status.1);
    }

    /// Forgets everything.
    pub fn reset(&self) {
        let status = self.request("POST", "/moto-api/reset");
        assert_eq!(status.0, 200, "{}", status.1);
    }

    /// One request without a body, unsigned: the status and the body of the answer.
    pub fn request(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server is there");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream
            .write_all(head.as_bytes())
            .expect("the server listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the server answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (
            status.expect("an answer begins with a status"),
            body.to_owned(),
        )
    }

    /// The last lines of what the server said.
    pub fn said(&self) -> Vec<String> {
        let said = self
            .said
            .lock()
            .expect("nothing panics while it holds the lock");
        said.lines.iter().cloned().collect()
    }

    /// How many requests it has answered, by method.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        let said = self
            .said
            .lock()
            .expect("nothing panics while it holds the lock");
        said.requests.clone()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Credentials and a region, and nothing that would be looked for elsewhere.
pub fn access() -> [(&'static str, &'static str); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("0.0.0.0", 0)).expect("the system has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The program: as `WRUN_MOTO` says, else where `.ci/run` puts it, else on the path.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("WRUN_MOTO") {
        return Some(named.into());
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/moto_server");
    if own.is_file() {
        return Some(own);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join("moto_server"))
        .find(|program| program.is_file())
}
