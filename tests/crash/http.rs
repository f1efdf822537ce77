//! Plain HTTP, as far as it is needed: each request on a connection of its own.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::PATIENCE;

/// A request: status and body of the answer; `None` if the relay is gone, or went before all of it was said.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> Option<(u16, String)> {
    let (status, body) = ask_bytes(address, method, path, header, body.as_bytes()).await?;
    Some((status, String::from_utf8(body).ok()?))
}

/// The same, of any bytes.
pub(crate) async fn ask_bytes(
    address: SocketAddr,
    method: &str,
    path: &str,
    header: &str,
    body: &[u8],
) -> Option<(u16, Vec<u8>)> {
    let head = head(address, method, path, header, body.len());
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        // One that is refused may be answered before all of it was written.
        let written = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body).await
        };
        let _ = written.await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.ok()??;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]);
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let is_whole = length.is_none_or(|length| length.parse() == Ok(body.len()));
    is_whole.then(|| (status, body.to_vec()))
}

/// Begins to post a body of so many bytes, says these, and goes away.
pub(crate) async fn break_off(
    address: SocketAddr,
    path: &str,
    header: &str,
    length: usize,
    said: &[u8],
) -> Option<()> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = head(address, "POST", path, header, length);
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(said).await.ok()
}

fn head(address: SocketAddr, method: &str, path: &str, header: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}Content-Length: {length}\r\n\r\n"
    )
}
