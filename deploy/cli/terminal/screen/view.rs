//! What is shown: pure.

use jiff::Timestamp;
use quorate_client::model::{Decision, Purchase, Verdict, VoidOutcome};
use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout},
    style::{Color, Modifier, Style},
    text::Line,
    widgets::{Block, Paragraph, Wrap},
};

use super::{
    model::{Answer, Model, SlipLine, TroubleKind},
    words::Lang,
};

/// Draws the whole screen.
pub(super) fn view(model: &Model, frame: &mut Frame) {
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Length(5),
        Constraint::Min(4),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(2),
    ])
    .split(frame.area());
    let words = model.lang.words();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(model.place.as_str(), bold), areas[0]);

    let entry = Layout::horizontal([
        Constraint::Min(24),
        Constraint::Length(14),
        Constraint::Length(26),
    ])
    .split(areas[1]);
    let boxed = |title: &'static str, text: String| {
        Paragraph::new(text).block(Block::bordered().title(title))
    };
    frame.render_widget(
        boxed(words.id, shown_id(&model.id, model.entered)),
        entry[0],
    );
    frame.render_widget(boxed(words.quantity, model.quantity.to_string()), entry[1]);
    frame.render_widget(boxed(words.proxy, buyer(model)), entry[2]);

    let (headline, style) = headline(model);
    let big = Paragraph::new(vec![Line::default(), Line::from(headline)])
        .alignment(Alignment::Center)
        .block(Block::bordered())
        .style(style.add_modifier(Modifier::BOLD));
    frame.render_widget(big, areas[2]);

    let details = match model.shows_slips {
        true => slips(model),
        false => details(model),
    };
    frame.render_widget(Paragraph::new(details).wrap(Wrap { trim: false }), areas[3]);
    frame.render_widget(Line::from(stock(model)), areas[4]);
    let sticky = match model.waiting {
        0 => Style::new(),
        _ => Style::new().fg(Color::Black).bg(Color::Yellow),
    };
    frame.render_widget(
        Paragraph::new(model.lang.waiting(model.waiting)).style(sticky),
        areas[5],
    );
    let keys = Paragraph::new(words.keys).wrap(Wrap { trim: true });
    frame.render_widget(keys.style(Style::new().fg(Color::DarkGray)), areas[6]);
}

/// Grouped 6-7; after it was entered, only how long it is.
fn shown_id(id: &str, entered: bool) -> String {
    let mut shown = String::new();
    for (index, character) in id.chars().enumerate() {
        if index == 6 {
            shown.push('-');
        }
        shown.push(if entered { '●' } else { character });
    }
    shown
}

fn buyer(model: &Model) -> String {
    let chosen = model.ground.and_then(|chosen| model.grounds.get(chosen));
    match chosen {
        Some(ground) => ground.to_string(),
        None => model.lang.words().nobody.to_owned(),
    }
}

fn headline(model: &Model) -> (String, Style) {
    let (lang, words) = (model.lang, model.lang.words());
    let on = |color| Style::new().fg(Color::Black).bg(color);
    match &model.answer {
        Answer::Ready => (words.ready.to_owned(), Style::new()),
        Answer::Asking => (words.asking.to_owned(), Style::new()),
        Answer::Checked { verdict, quantity } => decided(lang, verdict, *quantity, words.yes),
        Answer::Sold { recorded, quantity } => {
            decided(lang, &recorded.verdict, *quantity, words.sold)
        }
        Answer::OnPaper { quantity, .. } => (
            format!("{}: {}", words.paper, lang.units(*quantity)),
            on(Color::Yellow),
        ),
        Answer::Undone(voided) => match voided.outcome {
            VoidOutcome::Voided => (
                format!("{}: {}", words.undone, lang.units(voided.quantity)),
                on(Color::Green),
            ),
            VoidOutcome::Refused(_) => (words.not_undone.to_owned(), on(Color::Red)),
        },
        Answer::Failed(trouble) => {
            let heading = match trouble.kind {
                TroubleKind::Refused => words.refused,
                TroubleKind::Unanswered => words.failed,
                TroubleKind::Unknown => words.unknown,
            };
            (heading.to_owned(), on(Color::Red))
        }
    }
}

fn decided(lang: Lang, verdict: &Verdict, quantity: u32, yes: &str) -> (String, Style) {
    let (text, color) = match verdict.decision {
        Decision::Granted => (format!("{yes}: {}", lang.units(quantity)), Color::Green),
        Decision::Denied(reason) => (
            format!("{}: {}", lang.words().no, lang.reason(reason)),
            Color::Red,
        ),
    };
    (text, Style::new().fg(Color::Black).bg(color))
}

fn details(model: &Model) -> Vec<Line<'static>> {
    let (lang, words) = (model.lang, model.lang.words());
    match &model.answer {
        Answer::Ready | Answer::Asking => Vec::new(),
        Answer::Checked { verdict, .. } => of_verdict(model, verdict),
        Answer::Sold { recorded, .. } => of_verdict(model, &recorded.verdict),
        Answer::OnPaper { receipt, .. } => {
            let mut lines = vec![Line::from(format!(
                "{} {}, {}",
                words.slips, receipt.sequence, receipt.cause
            ))];
            if receipt.maybe_recorded {
                lines.push(Line::from(words.maybe));
            }
            lines
        }
        Answer::Undone(voided) => {
            let mut lines = vec![left(lang, voided.remaining)];
            if let VoidOutcome::Refused(refusal) = voided.outcome {
                lines.push(Line::from(refusal.to_string()));
            }
            lines
        }
        Answer::Failed(trouble) => {
            let told = trouble.reason.and_then(|reason| lang.wrong(reason));
            vec![Line::from(told.unwrap_or(&trouble.message).to_owned())]
        }
    }
}

fn left(lang: Lang, remaining: u32) -> Line<'static> {
    Line::from(format!("{}: {}", lang.words().left, lang.units(remaining)))
}

fn of_verdict(model: &Model, verdict: &Verdict) -> Vec<Line<'static>> {
    let (lang, words) = (model.lang, model.lang.words());
    let mut lines = vec![left(lang, verdict.remaining)];
    if let Some(next) = verdict.next_eligible {
        lines.push(Line::from(format!("{}: {}", words.next, when(model, next))));
    }
    if !verdict.warnings.is_empty() {
        lines.push(Line::from(words.read_again));
    }
    if !verdict.purchases.is_empty() {
        lines.push(Line::from(format!("{}:", words.bought)));
    }
    let purchases = verdict.purchases.iter();
    lines.extend(purchases.map(|purchase| Line::from(bought(model, purchase))));
    lines
}

/// When, how many, at what kind of site and where: enough to tell a slip of the finger from a theft.
fn bought(model: &Model, purchase: &Purchase) -> String {
    let (lang, words) = (model.lang, model.lang.words());
    let site = lang.site_type(purchase.site_type).unwrap_or("-");
    let place = match purchase.own_site {
        true => words.here,
        false => &purchase.region,
    };
    let mut text = format!(
        "  {}  {}  {site}  {place}",
        when(model, purchase.sold_at),
        lang.units(purchase.quantity)
    );
    if purchase.voided_at.is_some() {
        text.push_str(&format!("  ({})", words.voided));
    }
    text
}

fn when(model: &Model, at: Timestamp) -> String {
    let local = at.to_zoned(model.zone.clone());
    match model.lang {
        Lang::En => local.strftime("%a %-d %b %H:%M").to_string(),
        Lang::Ko => {
            let days = ["월", "화", "수", "목", "금", "토", "일"];
            let day = days[usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0)];
            format!(
                "{} ({day}) {}",
                local.strftime("%-m월 %-d일"),
                local.strftime("%H:%M")
            )
        }
    }
}

fn slips(model: &Model) -> Vec<Line<'static>> {
    let words = model.lang.words();
    if model.slips.is_empty() {
        return vec![Line::from(words.no_slips)];
    }
    let line = |slip: &SlipLine| {
        let at = Timestamp::from_millisecond(slip.sold_at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let outcome = match (&slip.answer, &slip.last_try) {
            (Some(answer), _) => model.lang.outcome(answer.outcome, answer.over_by),
            (None, Some(why)) => format!("{}: {why}", words.not_handed_in),
            (None, None) => words.not_handed_in.to_owned(),
        };
        Line::from(format!(
            "{:>5}  {}  {}  {outcome}",
            slip.sequence,
            when(model, at),
            model.lang.units(slip.quantity)
        ))
    };
    model.slips.iter().map(line).collect()
}

fn stock(model: &Model) -> String {
    let words = model.lang.words();
    match model.stock {
        Some(stock) => format!(
            "{} {}  {} {}",
            words.stock, stock.on_hand, words.held, stock.held
        ),
        None => String::new(),
    }
}
