//! Peers that mean no good (S3.7, S3.8): what they send is refused, and what others have of the
//! server meanwhile is measured by another process.
//!
//! They come from addresses of their own in 127.0.0.0/8, since a server tells peers apart by
//! address: thousands of connections of one are another case than those of many.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::http::Target;

/// Connections that send nothing.
const IDLE: usize = 10_000;
/// Of one address.
const IDLE_OF_ONE: usize = 1_000;
const SLOW: usize = 500;
const SLOW_PAUSE: Duration = Duration::from_secs(1);
const HEADER_LINES: usize = 100_000;
const BODY: u64 = 1 << 30;
const CHUNK: usize = 64 << 10;
const DEPTH: usize = 500_000;
/// Connections of each kind that send again and again.
const BUSY: u8 = 4;
/// Between what is large: so that some 100 MB/s come in all, which is what a link brings, and not
/// what the memory of one machine brings to itself.
const LARGE_PAUSE: Duration = Duration::from_millis(50);
/// Between what is small.
const SMALL_PAUSE: Duration = Duration::from_millis(2);
/// How long an answer may take; a server that closes without one is asked no longer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// The thousands are opened so many at a time: fewer than a listener keeps in its backlog.
const OPENED_AT_ONCE: usize = 200;
const BETWEEN: Duration = Duration::from_millis(20);

/// What is done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Heads that come octet by octet.
    Slowloris,
    /// Heads of 100,000 lines.
    Headers,
    /// Bodies of 1 GB, announced and not.
    Body,
    /// JSON as deep as a body is long.
    Depth,
    /// Wrong keys and tokens.
    Keys,
    /// 10,000 connections that say nothing.
    Idle,
    /// Connections that come and go.
    Flood,
    /// All of it at once.
    All,
}

impl Kind {
    const EACH: [Self; 7] = [
        Self::Slowloris,
        Self::Headers,
        Self::Body,
        Self::Depth,
        Self::Keys,
        Self::Idle,
        Self::Flood,
    ];

    /// What it sends whole, when that is large.
    fn large(self, headers: &str) -> Vec<u8> {
        let submit = format!("POST /api/messages HTTP/1.1\r\n{headers}");
        match self {
            Self::Headers => {
                let lines = (0..HEADER_LINES).map(|line| format!("x-{line}: y\r\n"));
                (submit + &lines.collect::<String>() + "\r\n").into_bytes()
            }
            Self::Depth => {
                let body = format!(r#"{{"destination_msisdn":{}"#, "[".repeat(DEPTH));
                format!("{submit}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
            }
            _ => Vec::new(),
        }
    }
}

/// How often something came of an attempt.
pub type Told = BTreeMap<String, u64>;

/// Attacks until the time is over, and says what came of it.
///
/// # Errors
/// When there is no such server.
pub fn run(
    kind: Kind,
    url: &str,
    duration: Duration,
    begun: impl FnOnce() -> io::Result<()>,
) -> Result<Told> {
    let target = Arc::new(Target::of(url, None)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (tell, told) = mpsc::channel(1_024);
        let attack = async move {
            let mut attackers = JoinSet::new();
            let kinds = match &kind {
                Kind::All => &Kind::EACH[..],
                one => std::slice::from_ref(one),
            };
            for kind in kinds {
                begin(*kind, &target, &tell, &mut attackers).await;
            }
            begun()?;
            sleep(duration).await;
            attackers.shutdown().await;
            anyhow::Ok(())
        };
        let (counts, attacked) = tokio::join!(count(told), attack);
        attacked.map(|()| counts)
    })
}

async fn count(mut told: mpsc::Receiver<(Kind, String)>) -> Told {
    let mut counts = Told::new();
    while let Some((kind, outcome)) = told.recv().await {
        *counts.entry(format!("{kind:?}: {outcome}")).or_default() += 1;
    }
    counts
}

type Tell = mpsc::Sender<(Kind, String)>;

/// Starts the attackers of a kind, and returns when all of them are there.
async fn begin(kind: Kind, target: &Arc<Target>, tell: &Tell, attackers: &mut JoinSet<()>) {
    let crowd = match kind {
        Kind::Idle => IDLE,
        Kind::Slowloris => SLOW,
        _ => usize::from(BUSY),
    };
    let large = kind.large(&target.headers).into();
    for number in 0..crowd {
        let peer = Peer {
            large: Arc::clone(&large),
            kind,
            number,
            target: Arc::clone(target),
            tell: tell.clone(),
        };
        attackers.spawn(peer.go_on());
        if number % OPENED_AT_ONCE == OPENED_AT_ONCE - 1 {
            sleep(BETWEEN).await;
        }
    }
    sleep(Duration::from_secs(1)).await;
}

struct Peer {
    /// A request that is made once: to make it costs more than to send it.
    large: Arc<[u8]>,
    kind: Kind,
    number: usize,
    target: Arc<Target>,
    tell: Tell,
}

impl Peer {
    /// Again and again, until it is stopped.
    async fn go_on(self) {
        loop {
            let outcome = match self.once().await {
                Ok(outcome) => outcome,
                Err(error) => error.kind().to_string(),
            };
            if self.tell.send((self.kind, outcome)).await.is_err() {
                return;
            }
            sleep(match self.kind {
                Kind::Headers | Kind::Body | Kind::Depth => LARGE_PAUSE,
                Kind::Keys | Kind::Flood => SMALL_PAUSE,
                Kind::Slowloris | Kind::Idle | Kind::All => SLOW_PAUSE,
            })
            .await;
        }
    }

    async fn once(&self) -> io::Result<String> {
        let mut stream = self.connect().await?;
        let headers = &self.target.headers;
        let submit = format!("POST /api/messages HTTP/1.1\r\n{headers}");
        match self.kind {
            Kind::Flood => return Ok("came and went".to_owned()),
            Kind::Idle => {}
            Kind::Slowloris => {
                for octet in submit.bytes().chain(b"a: b\r\n".iter().copied().cycle()) {
                    stream.write_all(&[octet]).await?;
                    sleep(SLOW_PAUSE).await;
                }
            }
            Kind::Headers | Kind::Depth => return send(stream, self.large.chunks(CHUNK)).await,
            Kind::Body if self.number.is_multiple_of(2) => {
                let head = format!("{submit}content-length: {BODY}\r\n\r\n");
                let chunk = vec![b' '; CHUNK];
                let chunks = BODY / (CHUNK as u64);
                let body = (0..chunks).map(|_| chunk.as_slice());
                return send(stream, std::iter::once(head.as_bytes()).chain(body)).await;
            }
            Kind::Body => {
                let head = format!("{submit}transfer-encoding: chunked\r\n\r\n");
                let chunk = format!("{CHUNK:x}\r\n{}\r\n", " ".repeat(CHUNK));
                let chunks = BODY / (CHUNK as u64);
                let body = (0..chunks).map(|_| chunk.as_bytes());
                return send(stream, std::iter::once(head.as_bytes()).chain(body)).await;
            }
            Kind::Keys | Kind::All => {
                let wrong = format!(
                    "GET /api/messages HTTP/1.1\r\n{headers}\
                     authorization: Bearer zjl_{:024}_{:048}\r\nconnection: close\r\n\r\n",
                    self.number, self.number
                );
                return send(stream, std::iter::once(wrong.as_bytes())).await;
            }
        }
        // Until the server has had enough.
        answer(&mut stream, None).await
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        // 127.0.1.0 and up, one address for so many idle connections, one for each other kind.
        let last = u8::try_from(self.number / IDLE_OF_ONE).unwrap_or(u8::MAX);
        let address = Ipv4Addr::new(127, 0, 1 + self.kind as u8, 1 + last);
        socket.bind(SocketAddr::new(IpAddr::V4(address), 0))?;
        let stream = timeout(ANSWERED_WITHIN, socket.connect(self.target.address)).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Sends as long as it is taken, and reads what is said to it.
async fn send<'a>(
    mut stream: TcpStream,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> io::Result<String> {
    for piece in pieces {
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    answer(&mut stream, Some(ANSWERED_WITHIN)).await
}

/// The status of an answer, or that there was none.
async fn answer(stream: &mut TcpStream, within: Option<Duration>) -> io::Result<String> {
    let mut head = [0; 12];
    let read = stream.read(&mut head);
    let count = match within {
        Some(within) => timeout(within, read).await??,
        None => read.await?,
    };
    let told = head.get(9..count).filter(|status| !status.is_empty());
    let told = told.map(|status| String::from_utf8_lossy(status).into_owned());
    Ok(told.unwrap_or_else(|| "closed".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_requests_are_as_large_as_they_say() {
        let head = String::from_utf8(Kind::Headers.large("host: h\r\n")).expect("it is text");
        assert_eq!(head.lines().count(), 2 + HEADER_LINES + 1);
        assert!(head.ends_with("x-99999: y\r\n\r\n"));
        let deep = String::from_utf8(Kind::Depth.large("host: h\r\n")).expect("it is text");
        let (head, body) = deep.split_once("\r\n\r\n").expect("it has a body");
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        assert!(body.ends_with(&"[".repeat(DEPTH)));
    }

    #[test]
    fn what_comes_of_it_is_counted_by_kind() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", server.local_addr().expect("it is bound"));
        let refuses = std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for mut stream in server.incoming().take(4).map_while(Result::ok) {
                let mut asked = [0; 16];
                stream.read_exact(&mut asked).expect("it asks");
                let refused = b"HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(refused).expect("it listens");
            }
        });
        let told = run(Kind::Keys, &url, Duration::ZERO, || Ok(())).expect("there is a server");
        assert_eq!(told.get("Keys: 401"), Some(&4), "{told:?}");
        refuses.join().expect("it refused four");
    }
}
