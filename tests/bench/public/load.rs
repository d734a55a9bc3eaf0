//! People who ask, each over a connection that is kept.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quorate_link::Env;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What one round came to.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) bytes_per_answer: usize,
}

/// One connection.
struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Connection {
        let socket = TcpStream::connect(address).await.expect("a connection");
        socket.set_nodelay(true).expect("a socket");
        Connection {
            socket,
            buffer: vec![0; 256 << 10],
        }
    }

    /// Asks and reads the whole answer; returns where its body is in the buffer.
    async fn get(&mut self, path: &str) -> std::ops::Range<usize> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
        self.socket
            .write_all(request.as_bytes())
            .await
            .expect("a request");
        let mut read = 0;
        let mut body = None;
        loop {
            if read == self.buffer.len() {
                self.buffer.resize(2 * read, 0);
            }
            let more = self
                .socket
                .read(&mut self.buffer[read..])
                .await
                .expect("an answer");
            assert_ne!(more, 0, "the connection was closed");
            read += more;
            if body.is_none() {
                body = body_of(&self.buffer[..read]);
            }
            if let Some(body) = body.clone().filter(|body| body.end <= read) {
                return body;
            }
        }
    }
}

/// Where the body begins and ends, once the head is whole.
fn body_of(answer: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..start]).expect("a head is ASCII");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.expect("a length").1.parse().expect("a number");
    Some(start..start + length)
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut connection = Connection::open(address).await;
    let body = connection.get(path).await;
    String::from_utf8(connection.buffer[body].to_vec()).expect("answers are UTF-8")
}

pub(crate) async fn until_says(address: SocketAddr, path: &str, text: &str, env: &Env) {
    while !get(address, path).await.contains(text) {
        env.sleep(Duration::from_millis(10)).await;
    }
}

/// Asks about random places over so many connections for so long.
pub(crate) async fn run(
    address: SocketAddr,
    places: &[(f64, f64)],
    connections: usize,
    time: Duration,
    env: &Env,
) -> Round {
    let end = env.monotonic() + time;
    let places: Arc<[(f64, f64)]> = places.into();
    let bytes = Arc::new(AtomicU64::new(0));
    let (sender, mut times) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..connections {
        let (env, places, bytes, sender) =
            (env.clone(), places.clone(), bytes.clone(), sender.clone());
        drop(env.clone().spawn("asker", async move {
            let mut connection = Connection::open(address).await;
            let mut all = Vec::new();
            while env.monotonic() < end {
                let at = usize::try_from(env.random_u64() % places.len() as u64).expect("an index");
                let (latitude, longitude) = places[at];
                let path = format!(
                    "/corona19-masks/v1/storesByGeo/json?lat={latitude}&lng={longitude}&m=1000"
                );
                let asked = env.monotonic();
                let body = connection.get(&path).await;
                all.push(env.monotonic() - asked);
                bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
            }
            let _ = sender.send(all);
        }));
    }
    drop(sender);
    let mut all = Vec::new();
    while let Some(some) = times.recv().await {
        all.extend(some);
    }
    all.sort_unstable();
    let micros = |share: f64| {
        let at = ((all.len() - 1) as f64 * share) as usize;
        u64::try_from(all[at].as_micros()).unwrap_or(u64::MAX)
    };
    let answers = all.len() as u64;
    Round {
        per_second: answers as f64 / time.as_secs_f64(),
        p50_us: micros(0.50),
        p99_us: micros(0.99),
        bytes_per_answer: usize::try_from(bytes.load(Ordering::Relaxed) / answers).unwrap_or(0),
    }
}
