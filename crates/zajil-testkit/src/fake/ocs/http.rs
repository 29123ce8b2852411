//! The wire of the stand-in: just enough HTTP/1.1, and every way of getting it wrong.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ledger::Reply;
use super::{Behaviour, Call, Order, Shared, lock};

const LONGEST_HEAD: usize = 64 * 1024;
const LONGEST_BODY: usize = 1024 * 1024;
const HUGE: usize = 64 * 1024 * 1024;
const DRIP: Duration = Duration::from_millis(50);

/// Accepts and obeys until the last sender of orders is gone.
pub(super) async fn run(shared: Arc<Shared>, mut orders: mpsc::Receiver<(Order, SyncSender<()>)>) {
    let mut listener = None;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((order, done)) = order else { return };
                match order {
                    Order::Listen(fresh) => listener = listen(fresh).ok(),
                    Order::Refuse => {
                        listener = None;
                        connections.shutdown().await;
                    }
                    Order::Disconnect => connections.shutdown().await,
                }
                if done.send(()).is_err() {
                    return;
                }
            }
            accepted = accept(listener.as_ref()) => {
                if let Ok(stream) = accepted {
                    let number = shared.accepted.fetch_add(1, Ordering::SeqCst) + 1;
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move { drop(serve(stream, shared, number).await) });
                }
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

fn listen(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

/// A request, read to its end.
struct Request {
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

/// One connection, call after call.
async fn serve(stream: TcpStream, shared: Arc<Shared>, number: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let whole: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let params = match whole["params"].as_array().map(Vec::as_slice) {
            Some([one]) => one.clone(),
            _ => Value::Null,
        };
        let call = Call {
            method: whole["method"].as_str().unwrap_or_default().to_owned(),
            id: params["ID"].as_str().unwrap_or_default().to_owned(),
            params,
            request: whole,
            path: request.path,
            authorization: request.authorization,
            connection: number,
        };
        lock(&shared.calls).push(call.clone());
        if !respond(stream.get_mut(), &shared, &call).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Answers one call; whether the connection goes on.
async fn respond(stream: &mut TcpStream, shared: &Shared, call: &Call) -> io::Result<bool> {
    let mut behaviour = lock(&shared.once).pop_front();
    if behaviour.is_none() {
        behaviour = Some(shared.behaviour.borrow().clone());
    }
    if behaviour == Some(Behaviour::Hold) {
        let mut changes = shared.behaviour.subscribe();
        let released = changes.wait_for(|now| *now != Behaviour::Hold).await;
        behaviour = released.ok().map(|now| now.clone());
    }
    let behaviour = behaviour.unwrap_or(Behaviour::Normal);
    let answer = |reply: &Reply| page(200, &envelope(&call.request["id"], reply));
    match behaviour {
        Behaviour::Says(result) => stream.write_all(&answer(&Ok(result))).await?,
        Behaviour::Fails(error) => stream.write_all(&answer(&Err(error))).await?,
        Behaviour::Status(status) => stream.write_all(&page(status, b"<h1>no</h1>")).await?,
        Behaviour::Ignore => return Ok(false),
        behaviour => {
            let reply = lock(&shared.ledger).answer(&call.method, &call.params);
            return mangle(stream, behaviour, call, reply).await;
        }
    }
    Ok(true)
}

/// The call is carried out; what the caller learns of it is another matter.
async fn mangle(
    stream: &mut TcpStream,
    behaviour: Behaviour,
    call: &Call,
    reply: Reply,
) -> io::Result<bool> {
    let right = page(200, &envelope(&call.request["id"], &reply));
    match behaviour {
        Behaviour::MapForm => {
            let mapped = reply.map(|mut result| {
                if let Some(usage) = result.get_mut("MaxUsage") {
                    *usage = json!({"*raw": usage.clone()});
                }
                result
            });
            let body = envelope(&call.request["id"], &mapped);
            stream.write_all(&page(200, &body)).await?;
        }
        Behaviour::Stall => std::future::pending().await,
        Behaviour::Drip => {
            let mut ticks = tokio::time::interval(DRIP);
            for octet in right {
                ticks.tick().await;
                stream.write_all(&[octet]).await?;
            }
        }
        Behaviour::Reset => {
            socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
            return Ok(false);
        }
        Behaviour::Close => return Ok(false),
        Behaviour::Truncate => {
            let (head, _) = right.split_at(right.len().saturating_sub(5));
            stream.write_all(head).await?;
            return Ok(false);
        }
        Behaviour::Garbage => stream.write_all(&page(200, b"{\"id\":")).await?,
        Behaviour::Huge => stream.write_all(&page(200, &vec![b' '; HUGE])).await?,
        Behaviour::WrongId => {
            let body = envelope(&json!("another"), &reply);
            stream.write_all(&page(200, &body)).await?;
        }
        _ => stream.write_all(&right).await?,
    }
    Ok(true)
}

fn envelope(id: &Value, reply: &Reply) -> Vec<u8> {
    let body = match reply {
        Ok(result) => json!({"id": id, "result": result, "error": null}),
        Err(error) => json!({"id": id, "result": null, "error": error}),
    };
    body.to_string().into_bytes()
}

fn page(status: u16, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The next request; none when the caller has closed the connection between two.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) if head.len() < LONGEST_HEAD => head.push(octet),
            Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let header = |name: &str| {
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            let found = key.eq_ignore_ascii_case(name);
            found.then(|| value.trim().to_owned())
        })
    };
    let length: usize = header("content-length")
        .and_then(|text| text.parse().ok())
        .filter(|length| *length <= LONGEST_BODY)
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Some(Request {
        path,
        authorization: header("authorization"),
        body,
    }))
}
