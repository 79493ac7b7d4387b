//! Free ports and random numbers, from the standard library alone.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;

/// Below 32768, where the system starts to hand out ports of its own.
const FIRST: u64 = 20_000;
const COUNT: u64 = 12_000;

/// As many different ports as asked for, none of them in use now.
pub(super) fn free<const N: usize>() -> Result<[u16; N], String> {
    // All stay bound until all are found: that keeps them apart.
    let mut bound = Vec::new();
    for _ in 0..1000 {
        if bound.len() == N {
            break;
        }
        let port = u16::try_from(FIRST + random() % COUNT).map_err(|error| error.to_string())?;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            bound.push((port, listener));
        }
    }
    let ports: Vec<u16> = bound.into_iter().map(|(port, _)| port).collect();
    <[u16; N]>::try_from(ports).map_err(|_| "no free ports on 127.0.0.1".to_owned())
}

/// A number that differs from call to call and from run to run.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::time::SystemTime::now())
}
