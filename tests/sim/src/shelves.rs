//! What the sites of a run bring in, and what they say of their stock at the end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_check::facts::Shelf;
use quorate_gateway::seams::{AskError, Dispatch};
use quorate_proto::ids::RequestId;
use quorate_proto::internal::{self, query, query_reply};
use quorate_proto::storage::{self, command, outcome, stock_change};

use crate::cluster::Cluster;
use crate::counter::{request_id, site_code, site_key};

/// For one call.
const CALL_TIME_MAX: Duration = Duration::from_secs(3);
/// Rows of one page.
const PAGE_ROWS: u32 = 200;

/// Everything that was brought in.
#[derive(Default)]
pub struct Shelves {
    /// By site: each request, its units, and whether it is known to be recorded.
    received: Mutex<Vec<Received>>,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    site: u64,
    request: RequestId,
    units: u32,
    told: bool,
}

impl Shelves {
    /// Goods come in at a site. Whether the answer was heard.
    pub async fn receive(&self, cluster: &Cluster, site: u64, units: u32, choice: u64) -> bool {
        let request = request_id(cluster.unix_ms(), choice.max(1));
        let received = Received {
            site,
            request,
            units,
            told: false,
        };
        self.lock().push(received);
        self.send(cluster, received, choice).await
    }

    async fn send(&self, cluster: &Cluster, received: Received, choice: u64) -> bool {
        let Some((gateway, env)) = cluster.gateway(choice) else {
            return false;
        };
        let change = storage::StockChange {
            request_id: received.request.as_bytes().to_vec().into(),
            product: crate::counter::PROGRAM.to_owned(),
            change: Some(stock_change::Change::Received(received.units)),
            at_ms: 0,
            device_id: "device".to_owned(),
        };
        let body = command::Body::ChangeStock(storage::ChangeStock {
            site_code: site_code(received.site).as_str().to_owned(),
            change: Some(change),
        });
        let deadline = env.monotonic() + CALL_TIME_MAX;
        let position = site_key(received.site).position();
        let answered = gateway.write(position, body, deadline).await;
        let told = matches!(&answered, Ok((outcome::Body::Stock(stock), _)) if !stock.site_unknown);
        if told {
            let mut all = self.lock();
            for known in all.iter_mut() {
                known.told |= known.request == received.request;
            }
        }
        told
    }

    /// Sends again whatever is not known to be recorded. Whether nothing is left.
    pub async fn settle(&self, cluster: &Cluster, choice: u64) -> bool {
        let open: Vec<Received> = {
            let all = self.lock();
            all.iter().filter(|one| !one.told).copied().collect()
        };
        for received in open {
            if !self.send(cluster, received, choice).await {
                return false;
            }
        }
        true
    }

    /// Units that came in at a site.
    pub fn brought(&self, site: u64) -> u64 {
        let all = self.lock();
        let here = all.iter().filter(|one| one.site == site && one.told);
        here.map(|one| u64::from(one.units)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a site says of itself.
///
/// # Errors
/// It was not answered, or cannot be read.
pub async fn shelf(gateway: &Dispatch, now: Duration, site: u64) -> Result<Shelf, AskError> {
    let unreadable = || AskError::NotDone("an answer of another kind".to_owned());
    let position = site_key(site).position();
    let code = site_code(site).as_str().to_owned();
    let deadline = now + CALL_TIME_MAX;
    let body = query::Body::Stock(internal::StockQuery {
        site_code: code.clone(),
    });
    let (reply, _) = gateway.read(position, body, deadline).await?;
    let query_reply::Body::Stock(stock) = reply else {
        return Err(unreadable());
    };
    let mut shelf = Shelf {
        site: code.clone(),
        ..Shelf::default()
    };
    for product in stock.products.into_iter().filter_map(|one| one.stock) {
        shelf.received += product.received;
        shelf.adjusted += product.adjusted;
        shelf.sold += product.sold;
        shelf.voided += product.voided;
        shelf.on_hand += product.on_hand;
    }
    let mut after = bytes::Bytes::new();
    loop {
        let body = query::Body::SiteSales(internal::SiteSalesQuery {
            site_code: code.clone(),
            from_ms: 0,
            to_ms: i64::MAX,
            after,
            limit: PAGE_ROWS,
        });
        let (reply, _) = gateway.read(position, body, deadline).await?;
        let query_reply::Body::SiteSales(page) = reply else {
            return Err(unreadable());
        };
        for row in page.sales {
            let request = RequestId::try_from(&*row.request_id).map_err(|_| unreadable())?;
            let sale = row.sale.ok_or_else(unreadable)?;
            let undone = sale.voided_at_ms.is_some();
            let sale = Shelf::sale(request, sale.quantity, undone);
            shelf.listed.push(sale);
        }
        after = page.next;
        if after.is_empty() {
            return Ok(shelf);
        }
    }
}
