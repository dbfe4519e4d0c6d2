//! Accepts connections and bounds them: how many there are, in all and of one address, and how long each may
//! take to agree on TLS, to send the head of a request, and to read an answer.
//!
//! So somebody who opens connections and sends nothing holds some places for seconds, and never all.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::access::Peer;
use super::pace::Paced;
use super::{Doors, router};

/// Connections served at once; more wait in the listen queue of the system.
const CONNECTIONS_MAX: usize = 128;
/// Of these, those of one address, or of one network of IPv6 (/64). More are closed at once.
const CONNECTIONS_OF_ONE_MAX: usize = 96;
/// How long a client may take to agree on TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send its request headers; also how long it may keep a connection without a
/// request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of its answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest request head; what is larger is answered with 431.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long to wait after a failed accept (out of file handles) before the next one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves on `listener` until `stop` is done.
pub async fn serve(listener: TcpListener, doors: Doors, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let guests = Arc::new(Guests::default());
    let mut connections = tokio::task::JoinSet::new();
    tokio::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let place = tokio::select! {
            () = &mut stop => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let accepted = tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            // Out of file handles, most likely; a tight loop would make it worse.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(guest) = Guests::enter(&guests, address.ip(), place) else { continue };
        // The page is sent in pieces; without this each would wait for the client's delayed ACK, 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays slow");
        }
        let is_inside = stream.local_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback());
        let peer = Peer { address: guest.address, is_inside, has_certificate: false };
        let doors = doors.clone();
        connections.spawn(async move {
            welcome(stream, doors, peer).await;
            drop(guest);
        });
    }
}

/// Agrees on TLS if that is spoken, and serves the connection to its end.
async fn welcome(stream: TcpStream, doors: Doors, peer: Peer) {
    let stream = Paced::new(stream, STALL_TIMEOUT);
    let mut doors = doors;
    let lock = Arc::clone(&doors.lock.borrow_and_update());
    let Some(tls) = lock.tls() else {
        return converse(stream, doors, peer).await;
    };
    let accept = TlsAcceptor::from(tls.server()).accept(stream);
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, accept).await {
        Ok(Ok(stream)) => {
            let has_certificate = stream.get_ref().1.peer_certificates().is_some();
            converse(stream, doors, Peer { has_certificate, ..peer }).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, address = %peer.address, "no agreement on TLS"),
        Err(_) => tracing::debug!(address = %peer.address, "no agreement on TLS in time"),
    }
}

/// Serves requests one after the other. A reload ends the connection after the present one, so that nobody stays
/// in by a lock that is no longer there.
async fn converse<S>(stream: S, doors: Doors, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut lock = doors.lock.clone();
    let service = service_fn(move |request| {
        let doors = doors.clone();
        async move { Ok::<_, Infallible>(router::answer(request, doors, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        _ = lock.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// How many connections each address has.
#[derive(Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

/// A connection that has its place.
struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Guests {
    /// Takes a place for a connection of `address`, unless it has too many.
    fn enter(guests: &Arc<Self>, address: IpAddr, place: OwnedSemaphorePermit) -> Option<Guest> {
        let mut counts = guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(party_of(address)).or_default();
        if *count >= CONNECTIONS_OF_ONE_MAX {
            return None;
        }
        *count += 1;
        Some(Guest { guests: Arc::clone(guests), address, _place: place })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let party = party_of(self.address);
        if let Some(count) = counts.get_mut(&party) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&party);
            }
        }
    }
}

/// Returns what stands for all addresses that somebody with this one has: IPv6 gives a whole /64 to each.
fn party_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_party_never_has_all_places_and_leaves_none_behind() {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let guests = Arc::new(Guests::default());
        let enter = |address: &str| {
            let place = Arc::clone(&places).try_acquire_owned().unwrap();
            Guests::enter(&guests, address.parse().unwrap(), place)
        };
        let addresses: Vec<String> = (0..200).map(|n| format!("2001:db8::{n:x}")).collect();
        let entered: Vec<Guest> = addresses.iter().filter_map(|address| enter(address)).collect();
        assert_eq!(entered.len(), CONNECTIONS_OF_ONE_MAX);
        let other = enter("2001:db8:0:1::1");
        assert!(other.is_some() && enter("10.0.0.1").is_some());
        drop((entered, other));
        assert_eq!(guests.0.lock().unwrap().len(), 0);
        assert_eq!(places.available_permits(), CONNECTIONS_MAX);
    }
}
