//! `quorate admin sites import FILE`, `suspend CODE`, `resume CODE`.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use quorate_client::model::Changes;
use quorate_files::sites::{self, BadRow, COLUMNS, NoSites, SitesFile};
use quorate_proto::ids::SiteCode;
use serde::Serialize;
use serde_json::json;

use crate::{
    exit::{Exit, Failure},
    output::{Painter, Style, facts, table, thousands},
    progress,
    reach::Reach,
};

/// Bad rows that are listed for people; JSON has them all.
const BAD_ROWS_LISTED: usize = 20;

#[derive(Debug, Subcommand)]
pub(crate) enum SitesCommand {
    /// Add or replace sites
    Import(ImportArgs),
    /// Deny every sale of a site
    Suspend(SiteArgs),
    /// Lift a site's suspension
    Resume(SiteArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SiteArgs {
    /// The site's code
    #[arg(value_name = "CODE")]
    site: SiteCode,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// CSV with the columns addr, code, latitude, longitude, name, type
    file: PathBuf,

    /// End with exit code 2 if a row had to be left out
    #[arg(long)]
    strict: bool,
}

#[derive(Serialize)]
struct Imported<'a> {
    #[serde(flatten)]
    changes: Changes,
    without_coordinates: usize,
    without_region: usize,
    left_out: &'a [BadRow],
}

pub(crate) async fn run(command: SitesCommand, reach: &Reach) -> Result<Exit, Failure> {
    match command {
        SitesCommand::Import(args) => import(args, reach).await,
        SitesCommand::Suspend(args) => suspend(args.site, true, reach).await,
        SitesCommand::Resume(args) => suspend(args.site, false, reach).await,
    }
}

async fn suspend(site: SiteCode, suspended: bool, reach: &Reach) -> Result<Exit, Failure> {
    let operator = reach.operator()?;
    let changed = operator
        .suspend_site(site, suspended, reach.time_limit)
        .await?;
    let result = json!({
        "site": site.to_string(),
        "suspended": suspended,
        "changed": changed,
    });
    reach.output.print(&result, |painter| {
        let text = match (suspended, changed) {
            (true, true) => {
                format!("site {site} is suspended: its sales are denied within seconds")
            }
            (true, false) => format!("site {site} was suspended already"),
            (false, true) => format!("site {site} may sell again within seconds"),
            (false, false) => format!("site {site} was not suspended"),
        };
        painter.paint(Style::Good, &text)
    })?;
    Ok(Exit::Ok)
}

/// Reads a file of sites; bad rows are left out.
///
/// # Errors
/// It cannot be read, or its head lacks a column.
pub(crate) fn read(path: &Path) -> Result<SitesFile, Failure> {
    let shown = path.display();
    let unreadable =
        |error: &dyn std::fmt::Display| Failure::usage(format!("cannot read {shown}: {error}"));
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    sites::read(file).map_err(|error| match error {
        NoSites::Unreadable(error) => unreadable(&error),
        NoSites::NoColumn(_) => Failure::usage(format!("{shown}: {error}"))
            .next(format!("the head must name {}", COLUMNS.join(", "))),
    })
}

async fn import(args: ImportArgs, reach: &Reach) -> Result<Exit, Failure> {
    let file = read(&args.file)?;
    let operator = reach.operator()?;
    let bar = progress::counter("sites", file.sites.len() as u64, reach.output);
    let changes = operator
        .import_sites(&file.sites, reach.time_limit, |done| {
            bar.set_position(done as u64);
        })
        .await;
    bar.finish_and_clear();
    let imported = Imported {
        changes: changes?,
        without_coordinates: file.without_coordinates(),
        without_region: file.without_region(),
        left_out: &file.bad_rows,
    };
    reach
        .output
        .print(&imported, |painter| render(&imported, painter))?;
    Ok(if args.strict && !file.bad_rows.is_empty() {
        Exit::Usage
    } else {
        Exit::Ok
    })
}

fn render(imported: &Imported<'_>, painter: Painter) -> String {
    let Changes {
        added,
        replaced,
        unchanged,
    } = imported.changes;
    let headline = format!(
        "{} sites are in place",
        thousands(added + replaced + unchanged)
    );
    let mut text = painter.paint(Style::Good, &headline);
    text.push('\n');
    text.push_str(&facts([
        ("added", thousands(added)),
        ("replaced", thousands(replaced)),
        ("unchanged", thousands(unchanged)),
        (
            "without coordinates",
            thousands(imported.without_coordinates as u64),
        ),
        ("without region", thousands(imported.without_region as u64)),
        ("left out", thousands(imported.left_out.len() as u64)),
    ]));
    if !imported.left_out.is_empty() {
        let rows = imported
            .left_out
            .iter()
            .take(BAD_ROWS_LISTED)
            .map(|row| [row.line.to_string(), row.fault.clone()]);
        text.push_str("\n\n");
        text.push_str(&painter.paint(Style::Doubtful, "these rows were left out:"));
        text.push('\n');
        text.push_str(&table(["line", "why"], &[0], rows));
    }
    if imported.left_out.len() > BAD_ROWS_LISTED {
        let more = imported.left_out.len() - BAD_ROWS_LISTED;
        text.push_str(&format!("\nand {more} more: `-o json` lists them all"));
    }
    text
}
