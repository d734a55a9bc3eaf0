//! Whatever can be wrong in what sites, operators and the public enter: named by reason, field and sentence,
//! by the right exit code where a command is used, never with what was sent, and nothing of it is recorded.

#[path = "bad_entries/admin.rs"]
mod admin;
#[path = "bad_entries/commands.rs"]
mod commands;
#[path = "bad_entries/programs.rs"]
mod programs;
#[path = "bad_entries/public.rs"]
mod public;
#[path = "bad_entries/sales.rs"]
mod sales;
#[path = "bad_entries/slips.rs"]
mod slips;
#[path = "bad_entries/stock.rs"]
mod stock;
mod wire;

use anyhow::ensure;
use quorate_client::new_request_id;
use quorate_harness::{
    cluster::{Cluster, ClusterOptions},
    shelves::drained,
    with_cluster,
};
use wire::Raw;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");

/// Form and date are impossible: nobody's number.
const NO_ID: &str = "900230-1234567";

/// A fresh request id as it is written in requests.
fn new_id(cluster: &Cluster) -> String {
    new_request_id(&cluster.env).to_string()
}

/// Runs a test, then looks whether the cluster is whole, its counts add up, and its logs know nobody.
fn on_a_cluster(test: impl AsyncFnOnce(&Raw, &Cluster) -> anyhow::Result<()>) {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let raw = Raw::log_in(cluster).await?;
        test(&raw, cluster).await?;
        cluster.await_whole().await?;
        drained(cluster).await?;
        cluster.verify().await?;
        let mut processes = cluster.gateways.iter().chain(&cluster.nodes);
        let digits = NO_ID.replace('-', "");
        let at_fault = processes.find(|process| {
            let log = process.log();
            log.contains(NO_ID) || log.contains(&digits) || log.contains("panicked")
        });
        ensure!(at_fault.is_none(), "{:?}", at_fault.map(|it| &it.name));
        Ok(())
    });
}

#[test]
fn wrong_stock_is_named_and_not_kept() {
    on_a_cluster(async |raw, cluster| {
        stock::wrong_changes(raw, cluster).await?;
        stock::wrong_dates(raw, cluster).await
    });
}

#[test]
fn wrong_sales_are_named_and_not_recorded() {
    on_a_cluster(async |raw, cluster| {
        sales::wrong_products_and_proxies(raw, cluster).await?;
        sales::wrong_ids_of_other_schemes(raw).await
    });
}

#[test]
fn wrong_slips_are_rejected_and_hold_up_no_good_one() {
    on_a_cluster(slips::wrong_slips_among_good_ones);
}

#[test]
fn slips_of_any_quantity_are_recorded() {
    on_a_cluster(slips::quantities_beyond_all_measure);
}

#[test]
fn wrong_admin_calls_are_named() {
    on_a_cluster(admin::wrong_calls);
}

#[test]
fn unlawful_programs_are_refused_with_the_law() {
    on_a_cluster(async |_, cluster| {
        programs::broken_laws(cluster).await?;
        programs::wrong_files(cluster)
    });
}

#[test]
fn wrong_arguments_end_with_their_exit_code() {
    on_a_cluster(async |_, cluster| commands::wrong_arguments(cluster));
}

#[test]
fn wrong_parameters_are_named_or_forgiven() {
    on_a_cluster(async |_, cluster| public::wrong_parameters(cluster).await);
}
