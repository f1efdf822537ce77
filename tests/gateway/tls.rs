//! TLS without a web server before the relay.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{Connector, client_async_tls_with_config};

use crate::place::Setup;
use crate::stage::Stage;
use crate::terminal::{Terminal, credentials};
use crate::within;

/// Trusts this certificate and no other.
fn connector(cert: CertificateDer<'static>) -> Connector {
    let mut roots = RootCertStore::empty();
    roots.add(cert).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Connector::Rustls(Arc::new(config))
}

#[tokio::test]
async fn a_relay_with_a_certificate_serves_wss_and_nothing_else() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = format!(
        "tls = {{ cert = \"{}\", key = \"{}\" }}",
        cert.display(),
        key.display()
    );
    let stage = Stage::with(Setup {
        server: tls,
        ..Setup::default()
    })
    .await;

    let stream = TcpStream::connect(stage.relay.listen).await.unwrap();
    let address = format!("wss://localhost:{}/v1/terminal", stage.relay.listen.port());
    let trusting = Some(connector(made.cert.der().clone()));
    let connected = client_async_tls_with_config(address.as_str(), stream, None, trusting);
    let (socket, _) = within(Box::pin(connected)).await.unwrap();
    let mut terminal = Terminal::over(socket);
    let mut frame = credentials("alice");
    frame["wait"] = json!(true);
    terminal.send(&frame).await;
    terminal.expect_linked().await;
    terminal.send(&json!({"type": "unlink"})).await;
    assert_eq!(terminal.close_code().await, 1000);

    let plain = tokio_tungstenite::connect_async(format!("ws://{}/v1/terminal", stage.relay.listen));
    assert!(within(Box::pin(plain)).await.is_err());
}
