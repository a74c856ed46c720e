//! Where an address is, as far as it alone tells.

use super::super::field::is_public;
use super::super::matcher::address;

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// The API server's own machine, or no address at all: says nothing.
    Here,
    /// A network of one's own.
    Inside,
    /// The internet.
    Outside,
}

/// Where an address is.
pub(super) fn place(source_ip: &str) -> Place {
    match address(source_ip) {
        None => Place::Here,
        Some(address) if address.is_loopback() => Place::Here,
        Some(address) if is_public(address) => Place::Outside,
        Some(_) => Place::Inside,
    }
}

/// Whether two addresses are of one family: a machine may have one of each.
pub(super) fn same_family(a: &str, b: &str) -> bool {
    address(a).map(|a| a.is_ipv4()) == address(b).map(|b| b.is_ipv4())
}
