//! `quorate terminal upload`: hands in a list of sales that was kept on paper.
//!
//! Laws: every line is tried until it is answered or nothing comes of it any more; handing in the same file again
//! changes nothing, and goes on where it stopped.

use std::{collections::BTreeMap, fs::File, io, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use quorate_client::{
    ReadError, SignedSlip, Terminal,
    model::{SlipAnswer, SlipOutcome},
    retry::RetryPolicy,
};
use quorate_files::paper_list::{self, BadLine, ListContext, PaperList};
use quorate_proto::ids::{ProductId, ProgramId, RequestId};
use quorate_terminal::limits;
use serde_json::{Value, json};

use super::{hand_in, open, slips};
use crate::{
    exit::{Exit, Failure},
    output::{Painter, Style, table},
    progress,
    reach::Reach,
};

/// Streams in a row that may bring no answer at all.
const FRUITLESS_STREAMS_MAX: u32 = 6;

/// What the file must look like.
const UPLOAD_HELP: &str = "\
The first line names the columns: date, time, id, quantity, proxy_reason (or 날짜, 시각, 주민등록번호, 수량,
대리사유), in any order; times are those of the program's zone. A line that is wrong is named and holds up
no other. Handing in the same file again counts nothing twice, and goes on where it stopped.

The file holds national IDs in the open. Keep it where nobody else reads it, and delete it when every line
is recorded.";

#[derive(Args, Debug)]
#[command(after_help = UPLOAD_HELP)]
pub(crate) struct UploadArgs {
    /// The list as CSV: date,time,id,quantity,proxy_reason
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The program [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,

    /// The product [default: the program's first]
    #[arg(long, value_name = "ID")]
    product: Option<ProductId>,

    /// How the outcomes are printed; `-o json` prints one document
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people
    Table,
    /// One line for each line
    Csv,
}

/// What became of the lines.
struct Uploaded {
    bad_lines: Vec<BadLine>,
    /// By line; `None`: it was not answered.
    outcomes: Vec<(u64, RequestId, Option<SlipAnswer>)>,
    stopped_by: Option<ReadError>,
}

pub(super) async fn run(args: UploadArgs, reach: &Reach) -> Result<Exit, Failure> {
    let terminal = reach.terminal()?;
    let list = read(&args, &terminal, reach)?;
    tracing::warn!(
        file = %args.file.display(),
        "this file holds national IDs in the open; delete it when every line is recorded"
    );
    // The newest key, and a clear word if this device may not hand in at all.
    terminal.log_in(reach.time_limit).await?;
    let key = match terminal.sealing_key() {
        Some(key) => key,
        None => reach.context.sealing_key()?.ok_or_else(|| {
            Failure::unexpected("the gateway published no sealing key")
                .next("use a client of the gateways' version")
        })?,
    };
    let mut open = BTreeMap::new();
    for (_, sale) in &list.sales {
        let slip = SignedSlip::write(sale, terminal.identity(), &key, &reach.env)
            .map_err(|error| Failure::usage(error.to_string()))?;
        open.insert(slip.request_id(), slip);
    }
    let (answers, stopped_by) = upload(&terminal, open, reach).await;
    let outcomes = list.sales.iter().map(|(line, sale)| {
        let answer = answers.get(&sale.request_id).cloned();
        (*line, sale.request_id, answer)
    });
    let uploaded = Uploaded {
        outcomes: outcomes.collect(),
        bad_lines: list.bad_lines,
        stopped_by,
    };
    report(&uploaded, args.format, reach)?;
    ended(uploaded)
}

fn read(args: &UploadArgs, terminal: &Terminal, reach: &Reach) -> Result<PaperList, Failure> {
    let path = args.file.display();
    let file = File::open(&args.file);
    let file = file.map_err(|error| Failure::usage(format!("cannot read {path}: {error}")))?;
    let identity = terminal.identity();
    let context = ListContext {
        site: identity.site,
        key: &identity.key,
        program: reach.program(args.program)?,
        product: args.product,
        scheme: &reach.context.value.id_scheme,
        zone: &reach.time_zone,
        now_ms: open::env(reach).unix_ms(),
    };
    paper_list::read(io::BufReader::new(file), &context)
        .map_err(|message| Failure::usage(format!("{path}: {message}")))
}

async fn upload(
    terminal: &Terminal,
    mut open: BTreeMap<RequestId, SignedSlip>,
    reach: &Reach,
) -> (BTreeMap<RequestId, SlipAnswer>, Option<ReadError>) {
    let bar = progress::counter("handing in", open.len() as u64, reach.output);
    let pauses = RetryPolicy {
        backoff_first: Duration::from_millis(200),
        backoff_max: Duration::from_secs(2),
    };
    let mut answers = BTreeMap::new();
    let mut fruitless = 0;
    let mut stopped_by = None;
    while !open.is_empty() && fruitless < FRUITLESS_STREAMS_MAX {
        let before = open.len();
        let mut failed = None;
        let batches: Vec<SignedSlip> = open.values().cloned().collect();
        for batch in batches.chunks(limits::HAND_IN_BATCH) {
            let hear = |answer: SlipAnswer| {
                if answer.outcome.is_final() && open.remove(&answer.request_id).is_some() {
                    bar.inc(1);
                }
                answers.insert(answer.request_id, answer);
            };
            if let Err(error) = terminal
                .hand_in(batch, limits::HAND_IN_PATIENCE, hear)
                .await
            {
                failed = Some(error);
                break;
            }
        }
        fruitless = if open.len() < before {
            0
        } else {
            fruitless + 1
        };
        let hopeless = matches!(failed, Some(ReadError::Rejected(_)));
        stopped_by = failed;
        if hopeless {
            break;
        }
        if !open.is_empty() {
            let pause = pauses.pause(fruitless.max(1), None, reach.env.random_u64());
            reach.env.sleep(pause).await;
        }
    }
    bar.finish_and_clear();
    (answers, stopped_by.filter(|_| !open.is_empty()))
}

fn report(uploaded: &Uploaded, format: ListFormat, reach: &Reach) -> Result<(), Failure> {
    let lines: Vec<_> = uploaded
        .outcomes
        .iter()
        .map(|(line, request_id, answer)| {
            let mut slip = match answer {
                Some(answer) => json!(answer),
                None => json!({
                    "request_id": request_id.to_string(),
                    "outcome": SlipOutcome::NotDecided.name(),
                }),
            };
            slip["line"] = json!(line);
            slip
        })
        .collect();
    let value: Value = json!({"slips": lines, "bad_lines": uploaded.bad_lines});
    if format == ListFormat::Csv && !reach.output.is_json() {
        let text = as_csv(uploaded)
            .map_err(|error| Failure::unexpected(format!("cannot print CSV: {error}")))?;
        return reach.output.print(&value, |_| text);
    }
    reach
        .output
        .print(&value, |painter| in_words(uploaded, painter))
}

fn as_csv(uploaded: &Uploaded) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["line", "request_id", "outcome", "over_by", "detail"])?;
    for (line, request_id, answer) in &uploaded.outcomes {
        let (outcome, over_by) = match answer {
            Some(answer) => (answer.outcome.name(), answer.over_by),
            None => (SlipOutcome::NotDecided.name(), 0),
        };
        let detail = answer.as_ref().map(slips::outcome).unwrap_or_default();
        let (line, request_id) = (line.to_string(), request_id.to_string());
        writer.write_record([&line, &request_id, outcome, &over_by.to_string(), &detail])?;
    }
    for bad in &uploaded.bad_lines {
        let detail = format!("{}: {}", bad.column, bad.message);
        writer.write_record([&bad.line.to_string(), "", "BAD_LINE", "0", &detail])?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn in_words(uploaded: &Uploaded, painter: Painter) -> String {
    let answers = uploaded
        .outcomes
        .iter()
        .filter_map(|(_, _, answer)| answer.as_ref());
    let waiting = uploaded.outcomes.iter().filter(|(_, _, answer)| {
        answer
            .as_ref()
            .is_none_or(|answer| !answer.outcome.is_final())
    });
    let mut text = hand_in::summary(answers, waiting.count(), painter);
    let rows = uploaded.outcomes.iter().map(|(line, request_id, answer)| {
        let outcome = match answer {
            Some(answer) => slips::outcome(answer),
            None => "not answered".to_owned(),
        };
        [line.to_string(), request_id.to_string(), outcome]
    });
    text.push_str("\n\n");
    text.push_str(&table(["line", "request", "outcome"], &[0], rows));
    for bad in &uploaded.bad_lines {
        let place = match bad.column {
            "" => format!("line {}", bad.line),
            column => format!("line {}, {column}", bad.line),
        };
        let line = format!("{place}: {}", bad.message);
        text.push('\n');
        text.push_str(&painter.paint(Style::Bad, &line));
    }
    text
}

fn ended(uploaded: Uploaded) -> Result<Exit, Failure> {
    if let Some(error) = uploaded.stopped_by {
        return Err(Failure::from(error).next("hand in the same file again; nothing counts twice"));
    }
    if uploaded
        .outcomes
        .iter()
        .any(|(_, _, answer)| answer.is_none())
    {
        return Ok(Exit::Unavailable);
    }
    if !uploaded.bad_lines.is_empty() {
        return Ok(Exit::Usage);
    }
    let answers: Vec<_> = uploaded
        .outcomes
        .into_iter()
        .filter_map(|(_, _, a)| a)
        .collect();
    Ok(hand_in::exit(answers.iter()))
}
