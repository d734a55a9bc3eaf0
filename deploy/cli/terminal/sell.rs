//! `quorate terminal sell`: a sale online if a gateway answers, on paper if none does.

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use quorate_client::model::Decision;
use quorate_terminal::{PaperReceipt, SellError, Sold, limits};
use serde_json::{Value, json};

use super::open;
use crate::{
    citizen::NewRequest,
    exit::{Exit, Failure},
    output::{Painter, Style, facts},
    reach::Reach,
    sale::SaleArgs,
    show, time,
};

#[derive(Args, Debug)]
pub(crate) struct SellArgs {
    #[command(flatten)]
    sale: SaleArgs,

    #[command(flatten)]
    request: NewRequest,

    /// Ask no gateway: write it down at once
    #[arg(long)]
    on_paper: bool,
}

pub(super) async fn run(args: SellArgs, reach: &Reach) -> Result<Exit, Failure> {
    let sale = args.sale.read(reach)?;
    let request_id = args.request.id(&reach.env);
    let counter = open::counter(reach)?;
    let patience = reach.time_limit.min(limits::ONLINE_PATIENCE);
    let sold = match args.on_paper {
        false => counter.sell(request_id, &sale, patience).await?,
        true => {
            let cause = "no gateway was asked".to_owned();
            Sold::OnPaper(counter.sell_on_paper(request_id, &sale, cause, false)?)
        }
    };
    match sold {
        Sold::Online(recorded) => {
            let mut value = serde_json::to_value(&recorded)
                .map_err(|error| Failure::unexpected(format!("cannot print JSON: {error}")))?;
            value["paper"] = Value::Bool(false);
            reach.output.print(&value, |painter| {
                show::sale(&recorded, sale.quantity, &reach.time_zone, painter)
            })?;
            Ok(match recorded.verdict.decision {
                Decision::Granted => Exit::Ok,
                Decision::Denied(_) => Exit::Denied,
            })
        }
        Sold::OnPaper(receipt) => {
            reach.output.print(&to_json(&receipt), |painter| {
                in_words(&receipt, sale.quantity, &reach.time_zone, painter)
            })?;
            Ok(Exit::Ok)
        }
    }
}

fn to_json(receipt: &PaperReceipt) -> Value {
    json!({
        "paper": true,
        "request_id": receipt.request_id.to_string(),
        "sequence": receipt.sequence,
        "sold_at": sold_at(receipt).to_string(),
        "cause": receipt.cause,
        "maybe_recorded": receipt.maybe_recorded,
        "waiting": receipt.waiting,
    })
}

fn sold_at(receipt: &PaperReceipt) -> Timestamp {
    Timestamp::from_millisecond(receipt.sold_at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn in_words(receipt: &PaperReceipt, quantity: u32, zone: &TimeZone, painter: Painter) -> String {
    let headline = format!("SOLD ON PAPER: {}, written down", show::units(quantity));
    let mut details = vec![
        ("slip", receipt.sequence.to_string()),
        ("request", receipt.request_id.to_string()),
        ("sold", time::short(sold_at(receipt), zone)),
        ("why", receipt.cause.clone()),
        (
            "waiting",
            format!("{} to be handed in", slips(receipt.waiting)),
        ),
    ];
    if receipt.maybe_recorded {
        let doubt = "it may be recorded already; handing it in tells, and counts it once";
        details.push(("note", doubt.to_owned()));
    }
    format!(
        "{}\n{}\n\nhand in with `quorate terminal hand-in`",
        painter.paint(Style::Doubtful, &headline),
        facts(details)
    )
}

pub(super) fn slips(count: usize) -> String {
    match count {
        1 => "1 slip".to_owned(),
        count => format!("{count} slips"),
    }
}

impl From<SellError> for Failure {
    fn from(error: SellError) -> Self {
        match error {
            SellError::Refused(error) => error.into(),
            SellError::Shape(_) => Self::usage(error.to_string()).next("read the card again"),
            SellError::NoKey | SellError::Seal(_) => Self::usage(error.to_string()),
            SellError::Journal(_) => Self::unexpected(error.to_string())
                .next("nothing was sold; keep the goods until it is"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use quorate_proto::ids::RequestId;

    use super::*;
    use crate::output::{Format, Output};

    #[test]
    fn a_sale_on_paper_says_so_and_what_to_do() {
        let receipt = PaperReceipt {
            request_id: RequestId::from_bytes([1; 16]).unwrap(),
            sequence: 3,
            sold_at_ms: 1_583_886_300_000,
            cause: "nobody answers".to_owned(),
            maybe_recorded: true,
            waiting: 2,
        };
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let painter = Output::new(Format::Json, true).painter();
        let text = in_words(&receipt, 2, &zone, painter);
        assert!(
            text.starts_with("SOLD ON PAPER: 2 units, written down"),
            "{text}"
        );
        assert!(text.contains("Wed 11 Mar 2020 09:25:00"), "{text}");
        assert!(text.contains("2 slips to be handed in"), "{text}");
        assert!(text.contains("counts it once"), "{text}");
        assert_eq!(to_json(&receipt)["paper"], true);
        assert_eq!(to_json(&receipt)["sold_at"], "2020-03-11T00:25:00Z");
    }
}
