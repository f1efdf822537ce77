//! Whose socket is full, as `/proc` tells it.

use std::collections::BTreeSet;

/// Connections at this local port that have something to send, in what `/proc/net/tcp` says: a number, local and
/// remote address, state, `tx_queue:rx_queue`, all hexadecimal, and more. Gives back who is at the other end and how
/// much there is to send; what is the same some time later has not moved.
///
/// See <https://docs.kernel.org/networking/proc_net_tcp.html>.
pub(crate) fn full(table: &str, port: u16) -> BTreeSet<(String, String)> {
    const ESTABLISHED: &str = "01";
    let port = format!(":{port:04X}");
    let full = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, ESTABLISHED, queues, ..] = columns[..] else {
            return None;
        };
        let (unsent, _) = queues.split_once(':')?;
        let is_full = local.ends_with(&port) && unsent.bytes().any(|digit| digit != b'0');
        is_full.then(|| (remote.to_owned(), unsent.to_owned()))
    });
    full.collect()
}
