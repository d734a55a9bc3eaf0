//! Server-sent events, as `text/event-stream` writes them: lines of `field: value`, an empty line ends an
//! event. Pure. Deliberately absent: the reconnection time that a server may ask for.

use std::collections::VecDeque;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The id from which a reader may resume; empty if none was ever sent.
    pub id: String,
    /// The kind; `message` where none is said.
    pub kind: String,
    /// Its lines, joined.
    pub data: String,
}

/// Makes events of bytes, wherever they were cut.
#[derive(Debug, Default)]
pub struct EventParser {
    line: Vec<u8>,
    id: String,
    kind: String,
    data: Vec<String>,
    whole: VecDeque<Event>,
}

impl EventParser {
    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.end_line(String::from_utf8_lossy(&line).trim_end_matches('\r'));
            } else {
                self.line.push(*byte);
            }
        }
    }

    /// The oldest event that is whole and was not taken yet.
    pub fn take(&mut self) -> Option<Event> {
        self.whole.pop_front()
    }

    fn end_line(&mut self, line: &str) {
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut self.id),
            "event" => value.clone_into(&mut self.kind),
            "data" => self.data.push(value.to_owned()),
            // Comments begin with a colon; they keep the connection open.
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let kind = std::mem::take(&mut self.kind);
        if self.data.is_empty() {
            return;
        }
        self.whole.push_back(Event {
            id: self.id.clone(),
            kind: if kind.is_empty() {
                "message".to_owned()
            } else {
                kind
            },
            data: std::mem::take(&mut self.data).join("\n"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event {
            id: id.to_owned(),
            kind: kind.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn events_are_whole_wherever_the_bytes_are_cut() {
        let text = ": hello\n\nid: 7\nevent: sites\ndata: {\"a\":\ndata: \"약국\"}\n\nretry: 5\r\ndata:x\r\n\r\n";
        let expected = [
            event("7", "sites", "{\"a\":\n\"약국\"}"),
            event("7", "message", "x"),
        ];
        for size in 1..text.len() {
            let mut parser = EventParser::default();
            for part in text.as_bytes().chunks(size) {
                parser.push(part);
            }
            let mut found = Vec::new();
            while let Some(event) = parser.take() {
                found.push(event);
            }
            assert_eq!(found, expected, "cut every {size} bytes");
        }
    }

    #[test]
    fn half_an_event_is_none() {
        let mut parser = EventParser::default();
        parser.push(b"data: x\n");
        assert_eq!(parser.take(), None);
        parser.push(b"\n");
        assert_eq!(parser.take(), Some(event("", "message", "x")));
    }
}
