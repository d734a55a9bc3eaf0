//! A client of HTTP/1.1 that is just enough: one connection a request, and server-sent events.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{net::SocketAddr, time::Duration};

use quorate_link::Env;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut named = headers.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, "").await
}

/// `headers` end with a line break each.
pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
    // A server that refuses a long head may close before it has read all of it.
    let _ = socket.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    kind: String,
    pub(crate) data: String,
}

pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    pub(crate) async fn open(address: SocketAddr, path: &str, last_id: Option<&str>) -> Events {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let last_id = last_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{last_id}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut events = Events(BufReader::new(socket));
        let head = events.line().await;
        assert!(head.contains("200"), "{head}");
        events
    }

    /// The next event of that kind; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.kind == kind {
                return event;
            }
        }
    }

    async fn next(&mut self) -> Event {
        let mut event = Event::default();
        loop {
            // Lengths of chunks and headers match nothing here.
            let line = self.line().await;
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("data", data)) => event.data = data.to_owned(),
                _ if line.is_empty() && !event.data.is_empty() => return event,
                _ => {}
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        let read = Env::system().timeout(Duration::from_secs(20), read).await;
        assert_ne!(read.expect("silence").unwrap(), 0, "the stream ended");
        line.trim_end().to_owned()
    }
}
