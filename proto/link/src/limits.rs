//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Longest cluster id, bytes: it is part of every certificate's identity.
pub const CLUSTER_ID_BYTES_MAX: usize = 64;

/// Longest gateway or operator name, bytes.
pub const PEER_NAME_BYTES_MAX: usize = 64;

/// TLS handshakes under way at once on one listener. A handshake costs about 0.4 ms of processor time
/// and some 30 KiB while it runs, so a crowd of 60,000 is let in 256 at a time.
pub const HANDSHAKES_MAX: usize = 256;

/// A peer that has not finished its handshake by then is dropped: it holds one of [`HANDSHAKES_MAX`].
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Open connections of one listener unless the owner says otherwise: below the usual limit of 20,000
/// open files of a process, with room for its own outgoing connections and storage.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Finished handshakes that the server has not yet taken. More would only hide that it is slow.
pub const ACCEPTED_QUEUE_MAX: usize = 64;

/// Pause after the operating system refused to accept (out of files, out of memory), so that the
/// listener does not spin.
pub const ACCEPT_BACKOFF: Duration = Duration::from_millis(20);

/// Time for the TCP connection and the TLS handshake together, unless the caller says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes to which an ID and its scheme are padded before they are sealed: the longest scheme in use has 7,
/// the longest number 32, and a mistyped one shall still reach the gateway, which says what is wrong.
pub const SEALED_TEXT_BYTES: usize = 96;

const _: () = assert!(
    HANDSHAKES_MAX < CONNECTIONS_MAX,
    "handshakes are a part of the connections"
);
const _: () = assert!(
    ACCEPTED_QUEUE_MAX <= HANDSHAKES_MAX,
    "a queue longer than the handshakes under way never fills"
);
