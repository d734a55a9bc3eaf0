//! Whether the demo's ports are free, asked before anything is started.

use std::net::{Ipv4Addr, TcpListener};

use super::layout::{Layout, gateway_name, node_name};
use crate::exit::Failure;

/// # Errors
/// A port is taken: which, and for whom it was meant.
pub(super) fn all_free(layout: &Layout) -> Result<(), Failure> {
    let nodes = layout
        .node_ids()
        .map(|id| (layout.node_port(id), node_name(id)));
    let gateways = layout
        .gateway_numbers()
        .map(|number| (layout.gateway_port(number), gateway_name(number)));
    let public = layout
        .gateway_numbers()
        .map(|number| (layout.public_port(number), gateway_name(number)));
    for (port, name) in gateways.chain(public).chain(nodes) {
        if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            let what = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    format!("port {port} is taken, which {name} needs")
                }
                _ => format!("{name} cannot use port {port}: {error}"),
            };
            return Err(Failure::usage(what).next(
                "stop what uses it (another demo?), or give a new demo other ports with --port-base and --dir",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use super::*;
    use crate::demo::layout::Shape;

    #[test]
    fn a_taken_port_is_named_with_its_owner_to_be() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let shape = Shape {
            gateways: 1,
            nodes: 0,
            port_base: taken.local_addr().unwrap().port(),
            ..Shape::default()
        };
        let layout = Layout::new(Path::new("demo"), shape);
        let failure = all_free(&layout).unwrap_err();
        let port = layout.shape.port_base;
        let expected = format!("port {port} is taken, which gateway-1 needs");
        assert!(failure.to_string().starts_with(&expected), "{failure}");
        drop(taken);
        all_free(&layout).unwrap();
    }
}
