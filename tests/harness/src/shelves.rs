//! What the sites of a cluster say of their stock: goods brought in before a run, shelves read after it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, bail, ensure};
use futures_util::StreamExt as _;
use jiff::{ToSpan as _, tz::TimeZone};
use quorate_check::facts::{Fact, Shelf};
use quorate_client::{
    Terminal,
    model::{Adjustment, AdjustmentReason, ProductStock},
    new_request_id,
};

use crate::{
    checker::{self, Law},
    cluster::{Cluster, SITES},
    history::History,
    judge::kept,
};

/// For one call.
const CALL_TIME_MAX: Duration = Duration::from_secs(20);
/// Everything has reached its site long before this once the cluster is whole.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Goods of each site, and what turned out to be missing.
const GOODS: (u32, i32) = (1_000_000, -7);

/// The sites of a cluster, each with a terminal.
pub struct Shelves {
    terminals: Vec<Terminal>,
    /// Received and adjusted, by site.
    moved: Vec<(u64, i64)>,
    gateways: usize,
}

impl Shelves {
    /// Brings goods to every site.
    ///
    /// # Errors
    /// A call was not answered.
    pub async fn stock_up(cluster: &Cluster) -> anyhow::Result<Self> {
        let gateways = cluster.gateways.len();
        let mut shelves = Self {
            terminals: Vec::new(),
            moved: Vec::new(),
            gateways,
        };
        for site in 0..SITES.len() {
            let terminal = cluster.terminal(site * gateways)?;
            let request = new_request_id(&cluster.env);
            let (goods, missing) = GOODS;
            // Sent twice: it shall come in once.
            for _ in 0..2 {
                terminal
                    .receive_stock(request, None, goods, CALL_TIME_MAX)
                    .await?;
            }
            let counted = Adjustment {
                product: None,
                delta: missing,
                reason: AdjustmentReason::Counted,
                note: String::new(),
            };
            let request = new_request_id(&cluster.env);
            terminal
                .adjust_stock(request, &counted, CALL_TIME_MAX)
                .await?;
            shelves.terminals.push(terminal);
            shelves.moved.push((goods.into(), missing.into()));
        }
        Ok(shelves)
    }

    /// Waits until every sale is known to have reached its site, then judges all shelves by a history that holds
    /// everything that was ever sold there.
    ///
    /// # Errors
    /// Something did not arrive, or a shelf is not what it should be.
    pub async fn judge(&self, cluster: &Cluster, history: &History) -> anyhow::Result<()> {
        let mut history = history.clone();
        let judged = self.held_against(cluster, &mut history).await;
        kept(cluster, &history, judged)
    }

    async fn held_against(&self, cluster: &Cluster, history: &mut History) -> anyhow::Result<()> {
        drained(cluster).await?;
        let clients: BTreeSet<u32> = history.records.iter().map(|record| record.client).collect();
        for (site, (terminal, (brought, counted))) in
            self.terminals.iter().zip(&self.moved).enumerate()
        {
            let stands_there =
                |client: &u32| *client as usize / self.gateways % SITES.len() == site;
            history.facts.push(Fact::Shelf(Shelf {
                site: SITES[site].to_owned(),
                clients: clients.iter().copied().filter(stands_there).collect(),
                brought: *brought,
                counted: *counted,
                ..shelf(terminal).await?
            }));
        }
        let report = checker::check(history);
        let broken = report.breaks(Law::Shelf) || report.breaks(Law::ShelfList);
        ensure!(!broken, "{report}");
        Ok(())
    }

    /// A site's only product, and its terminal.
    ///
    /// # Errors
    /// It was not answered.
    pub async fn product(&self, site: usize) -> anyhow::Result<ProductStock> {
        product(&self.terminals[site]).await
    }
}

/// Waits until no shard has anything left to deliver.
///
/// # Errors
/// Something is left after a minute.
pub async fn drained(cluster: &Cluster) -> anyhow::Result<()> {
    let operator = cluster.operator()?;
    let deadline = cluster.env.monotonic() + DRAIN_TIME_MAX;
    loop {
        let status = operator.status(CALL_TIME_MAX).await?;
        let data = status.shards.iter().filter(|shard| shard.shard != 0);
        let pending: u64 = data.map(|shard| shard.outbox_pending).sum();
        if pending == 0 {
            return Ok(());
        }
        ensure!(
            cluster.env.monotonic() < deadline,
            "{pending} rows have not reached their sites after {DRAIN_TIME_MAX:?}"
        );
        cluster.env.sleep(POLL_INTERVAL).await;
    }
}

async fn product(terminal: &Terminal) -> anyhow::Result<ProductStock> {
    let stock = terminal.stock(CALL_TIME_MAX).await?;
    let [product] = &stock.products[..] else {
        bail!("{} products at a site", stock.products.len());
    };
    Ok(product.clone())
}

/// What a site shows, with the sales of yesterday and today: a run may cross midnight.
async fn shelf(terminal: &Terminal) -> anyhow::Result<Shelf> {
    let product = product(terminal).await?;
    let mut shelf = Shelf {
        received: product.received,
        adjusted: product.adjusted,
        sold: product.sold,
        voided: product.voided,
        on_hand: product.on_hand,
        ..Shelf::default()
    };
    let zone = TimeZone::get("Asia/Seoul").context("the program's zone")?;
    let today = product.updated_at.to_zoned(zone).date();
    for date in [today - 1.day(), today] {
        let sales = terminal.site_sales(Some(date), CALL_TIME_MAX).await?;
        let mut sales = std::pin::pin!(sales);
        while let Some(sale) = sales.next().await {
            let sale = sale?;
            let undone = sale.voided_at.is_some();
            let listed = Shelf::sale(sale.request_id, sale.quantity, undone);
            shelf.listed.push(listed);
        }
    }
    Ok(shelf)
}
