//! Host names in addresses, resolved anew for every attempt by the system's own resolver (so `/etc/hosts`,
//! containers and split DNS work), which also finds members that moved behind the same name.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use std::net::IpAddr;
use std::time::Duration;

const LOOKUP_MAX: Duration = Duration::from_secs(3);
const RESULTS_MAX: usize = 8;

/// Whether an address starts with a host name.
pub(crate) fn is_name(address: &Multiaddr) -> bool {
    matches!(
        address.iter().next(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
    )
}

/// The addresses with names replaced by what they stand for now. A name that cannot be resolved is left out.
pub(crate) async fn resolve(addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let mut resolved = Vec::new();
    for address in addresses {
        if is_name(&address) {
            resolved.extend(lookup(&address).await);
        } else {
            resolved.push(address);
        }
    }
    resolved
}

async fn lookup(address: &Multiaddr) -> Vec<Multiaddr> {
    let (host, fits): (String, fn(&IpAddr) -> bool) = match address.iter().next() {
        Some(Protocol::Dns(host)) => (host.into_owned(), |_| true),
        Some(Protocol::Dns4(host)) => (host.into_owned(), IpAddr::is_ipv4),
        Some(Protocol::Dns6(host)) => (host.into_owned(), IpAddr::is_ipv6),
        _ => return Vec::new(),
    };
    match tokio::time::timeout(LOOKUP_MAX, tokio::net::lookup_host((host.as_str(), 0))).await {
        Ok(Ok(found)) => found
            .map(|socket| socket.ip())
            .filter(fits)
            .take(RESULTS_MAX)
            .filter_map(|ip| address.replace(0, |_| Some(Protocol::from(ip))))
            .collect(),
        Ok(Err(error)) => {
            tracing::debug!(host, %error, "the name of a member cannot be resolved");
            Vec::new()
        }
        Err(_) => {
            tracing::debug!(host, "the name of a member is not resolved in time");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_become_addresses_and_the_rest_stays() {
        let plain: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let name: Multiaddr = "/dns4/localhost/tcp/2".parse().unwrap();
        let unknown: Multiaddr = "/dns4/name.invalid/tcp/3".parse().unwrap();
        assert!(!is_name(&plain) && is_name(&name));
        let resolved = resolve(vec![plain.clone(), name, unknown]).await;
        assert_eq!(resolved, [plain, "/ip4/127.0.0.1/tcp/2".parse().unwrap()]);
    }
}
