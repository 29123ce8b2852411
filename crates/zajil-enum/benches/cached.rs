//! What a look-up costs whose answer is at hand: `cargo bench -p zajil-enum`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures and prints"
)]

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use zajil_core::enum_query::Lookup;
use zajil_core::port::NumberLookup as _;
use zajil_enum::{Options, Resolver};
use zajil_telemetry::Telemetry;

const NUMBERS: u64 = 50_000;
const LOOKUPS: u64 = 5_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || no_such_name(&socket));
    let mut options = Options::new(vec!["e164.example".to_owned()], vec![address]);
    options.negative_ttl = std::time::Duration::from_secs(3_600);
    let resolver = Resolver::new(options, Arc::new(Telemetry::new()?))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let numbers: Vec<String> = (0..NUMBERS).map(|n| format!("+4915{n:09}")).collect();
    runtime.block_on(async {
        let start = Instant::now();
        for number in &numbers {
            assert_eq!(resolver.lookup(number).await, Lookup::Absent);
        }
        let took = start.elapsed();
        println!(
            "asked one by one: {:?} a look-up",
            took / u32::try_from(NUMBERS)?
        );
        let start = Instant::now();
        for number in numbers.iter().cycle().take(usize::try_from(LOOKUPS)?) {
            assert_eq!(resolver.lookup(number).await, Lookup::Absent);
        }
        let took = start.elapsed();
        println!("at hand: {:?} a look-up", took / u32::try_from(LOOKUPS)?);
        Ok(())
    })
}

/// Turns each question into the answer that there is no such name.
fn no_such_name(socket: &UdpSocket) {
    let mut octets = [0; 1_500];
    while let Ok((length, from)) = socket.recv_from(&mut octets) {
        octets[2] |= 0x80;
        octets[3] = 0x83;
        if socket.send_to(&octets[..length], from).is_err() {
            return;
        }
    }
}
