//! The screen as it is drawn, in both languages, and what its keys do.
#![allow(clippy::unwrap_used, reason = "tests")]

use jiff::{Timestamp, tz::TimeZone};
use quorate_client::model::{
    Decision, DenialReason, NationalId, Position, Purchase, Recorded, Sale, SaleKind, SlipAnswer,
    SlipOutcome, SlipRejection, Verdict, VoidOutcome, Voided, Warning,
};
use quorate_proto::{
    ids::{GroundId, ProgramId, RequestId, SiteType},
    status::ErrorReason,
};
use quorate_terminal::PaperReceipt;
use ratatui::{Terminal, backend::TestBackend};
use zeroize::Zeroizing;

use super::{
    model::{Act, Answer, Event, Key, Model, SlipLine, StockLine, Trouble, TroubleKind},
    update::update,
    view::view,
    words::Lang,
};

const SCHEME: &str = NationalId::KR_RRN;

fn model(lang: Lang) -> Model {
    Model {
        lang,
        place: "P-0001 · till-1".to_owned(),
        zone: TimeZone::get("Asia/Seoul").unwrap(),
        id: Zeroizing::new(String::new()),
        entered: false,
        quantity: 1,
        grounds: vec![
            GroundId::parse("age").unwrap(),
            GroundId::parse("family").unwrap(),
        ],
        ground: None,
        answer: Answer::Ready,
        last_sale: None,
        waiting: 0,
        slips: Vec::new(),
        shows_slips: false,
        stock: None,
    }
}

/// What a person sees, one line a row, without the spaces that fill the second half of wide characters.
fn screen(model: &Model) -> String {
    let mut terminal = Terminal::new(TestBackend::new(96, 24)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            let wide = symbol
                .chars()
                .any(|c| ('\u{1100}'..='\u{ffdc}').contains(&c) && c >= '\u{ac00}');
            x += if wide { 2 } else { 1 };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn sees(model: &Model, lines: &[&str]) {
    let screen = screen(model);
    for line in lines {
        assert!(screen.contains(line), "{line:?} is not on\n{screen}");
    }
}

fn press(model: &mut Model, keys: &[Key]) -> Option<Act> {
    let mut last = None;
    for key in keys {
        last = update(model, Event::Key(*key), SCHEME);
    }
    last
}

fn type_id(model: &mut Model) {
    for digit in "9001011234568".chars() {
        press(model, &[Key::Character(digit)]);
    }
}

fn verdict(decision: Decision) -> Verdict {
    Verdict {
        decision,
        remaining: 1,
        limit: 2,
        next_eligible: None,
        window: None,
        rule_version: "r1".to_owned(),
        decided_at: Timestamp::UNIX_EPOCH,
        purchases: Vec::new(),
        position: Position {
            shard: 1,
            term: 1,
            log_index: 1,
            ordinal: 0,
        },
        warnings: Vec::new(),
    }
}

fn denied() -> Verdict {
    Verdict {
        remaining: 0,
        next_eligible: Some("2020-03-15T15:00:00Z".parse().unwrap()),
        warnings: vec![Warning::IdChecksumMismatch],
        purchases: vec![Purchase {
            request_id: RequestId::from_bytes([1; 16]).unwrap(),
            quantity: 2,
            sold_at: "2020-03-10T00:05:00Z".parse().unwrap(),
            site_type: SiteType::POST_OFFICE,
            region: "부산광역시".to_owned(),
            voided_at: None,
            own_site: false,
            kind: SaleKind::Online,
            product: "mask".to_owned(),
            rule_version: "r1".to_owned(),
            over_by: 0,
            irregularity: None,
            proxy_ground: String::new(),
            void_case_number: String::new(),
        }],
        ..verdict(Decision::Denied(DenialReason::OverLimit))
    }
}

fn sale() -> Sale {
    let citizen = NationalId::new(SCHEME, "900101-1234568");
    Sale::new(citizen, ProgramId::parse("mask").unwrap(), 2)
}

fn granted() -> Event {
    let recorded = Recorded {
        request_id: RequestId::from_bytes([7; 16]).unwrap(),
        repeated_answer: false,
        verdict: verdict(Decision::Granted),
    };
    Event::SoldOnline(Box::new(recorded), Box::new(sale()))
}

fn on_paper() -> Event {
    let receipt = PaperReceipt {
        request_id: RequestId::from_bytes([7; 16]).unwrap(),
        sequence: 4,
        sold_at_ms: 0,
        cause: "connection refused".to_owned(),
        maybe_recorded: true,
        waiting: 1,
    };
    Event::SoldOnPaper(receipt, 2)
}

#[test]
fn an_id_is_grouped_while_it_is_typed_and_masked_afterwards() {
    let mut model = model(Lang::En);
    type_id(&mut model);
    sees(&model, &["900101-1234568", "Enter an ID"]);
    let act = press(&mut model, &[Key::Enter]);
    assert!(matches!(act, Some(Act::Check(_, 1, None))));
    sees(&model, &["●●●●●●-●●●●●●●", "Asking…"]);
    let masked = screen(&model);
    assert!(
        !masked.contains("900101") && !masked.contains("1234568"),
        "{masked}"
    );
    let shown = format!("{act:?}");
    assert!(!shown.contains("900101"), "{shown}");
}

#[test]
fn a_denial_says_why_when_again_and_what_was_bought_where() {
    let mut model = model(Lang::En);
    type_id(&mut model);
    press(&mut model, &[Key::Enter]);
    update(&mut model, Event::Checked(Ok(denied()), 1), SCHEME);
    sees(
        &model,
        &[
            "NO: more than this person may still take",
            "Left: 0 units",
            "Next sale: Mon 16 Mar 00:00",
            "read the card again",
            "Tue 10 Mar 09:05  2 units  post office  부산광역시",
        ],
    );
    press(&mut model, &[Key::Language]);
    sees(
        &model,
        &[
            "판매 불가: 구매 한도 초과",
            "남은 수량: 0개",
            "다음 구매 가능: 3월 16일 (월) 00:00",
            "3월 10일 (화) 09:05  2개  우체국  부산광역시",
        ],
    );
}

#[test]
fn enter_checks_then_sells_and_never_twice() {
    let mut model = model(Lang::Ko);
    type_id(&mut model);
    press(&mut model, &[Key::More]);
    let act = press(&mut model, &[Key::Enter]);
    assert!(matches!(act, Some(Act::Check(_, 2, None))));
    // While it is asked, keys ask nothing more.
    assert!(press(&mut model, &[Key::Enter, Key::Sell]).is_none());
    let yes = Event::Checked(Ok(verdict(Decision::Granted)), 2);
    update(&mut model, yes, SCHEME);
    sees(&model, &["판매 가능: 2개"]);
    let act = press(&mut model, &[Key::Enter]);
    assert!(matches!(act, Some(Act::Sell(_, 2, None))));
    update(&mut model, granted(), SCHEME);
    sees(&model, &["판매 완료: 2개"]);
    assert!(press(&mut model, &[Key::Enter]).is_none());
    assert!(press(&mut model, &[Key::Sell]).is_none());
}

#[test]
fn another_quantity_is_checked_again() {
    let mut model = model(Lang::En);
    type_id(&mut model);
    press(&mut model, &[Key::Enter]);
    let yes = Event::Checked(Ok(verdict(Decision::Granted)), 1);
    update(&mut model, yes, SCHEME);
    let act = press(&mut model, &[Key::More, Key::Enter]);
    assert!(matches!(act, Some(Act::Check(_, 2, None))));
}

#[test]
fn paper_is_said_large_and_waits_in_a_line_of_its_own() {
    let mut model = model(Lang::En);
    type_id(&mut model);
    press(&mut model, &[Key::Sell]);
    update(&mut model, on_paper(), SCHEME);
    let journal = Event::Journal {
        waiting: 2,
        slips: Vec::new(),
    };
    update(&mut model, journal, SCHEME);
    sees(
        &model,
        &[
            "SOLD ON PAPER: 2 units",
            "connection refused",
            "counts it once",
            "2 slips not yet handed in",
        ],
    );
    press(&mut model, &[Key::Language]);
    sees(&model, &["수기 판매: 2개", "미제출 전표 2장"]);
    assert!(press(&mut model, &[Key::Enter]).is_none());
    assert!(matches!(
        press(&mut model, &[Key::HandIn]),
        Some(Act::HandIn)
    ));
}

#[test]
fn each_slip_is_listed_with_what_became_of_it() {
    let answer = |outcome, over_by| SlipAnswer {
        request_id: RequestId::from_bytes([7; 16]).unwrap(),
        sequence: 1,
        outcome,
        irregularity: None,
        over_by,
        remaining: 0,
        detail: String::new(),
        warnings: Vec::new(),
        position: None,
    };
    let slip = |sequence, answer| SlipLine {
        sequence,
        sold_at_ms: 1_583_886_300_000,
        quantity: 2,
        answer,
        last_try: None,
    };
    let mut model = model(Lang::En);
    let slips = vec![
        slip(3, None),
        slip(2, Some(answer(SlipOutcome::OverQuotaRecorded, 1))),
        slip(
            1,
            Some(answer(SlipOutcome::Rejected(SlipRejection::TooOld), 0)),
        ),
    ];
    let waiting = 1;
    update(&mut model, Event::Journal { waiting, slips }, SCHEME);
    press(&mut model, &[Key::Slips]);
    sees(
        &model,
        &[
            "3  Wed 11 Mar 09:25  2 units  not yet handed in",
            "over quota by 1",
            "REJECTED: sold more than 35 days ago",
            "1 slip not yet handed in",
        ],
    );
    press(&mut model, &[Key::Language]);
    sees(
        &model,
        &["한도 초과 1개, 기록됨", "거부: 판매한 지 35일이 지남"],
    );
}

#[test]
fn the_last_sale_can_be_undone_once_and_a_slip_cannot() {
    let mut model = model(Lang::En);
    assert!(press(&mut model, &[Key::Undo]).is_none());
    type_id(&mut model);
    press(&mut model, &[Key::Sell]);
    update(&mut model, granted(), SCHEME);
    let Some(Act::Undo(undo)) = press(&mut model, &[Key::Undo]) else {
        panic!("there is a sale to undo");
    };
    assert_eq!(undo.sale_request_id.get(), [7; 16]);
    let voided = Voided {
        request_id: RequestId::from_bytes([8; 16]).unwrap(),
        repeated_answer: false,
        outcome: VoidOutcome::Voided,
        quantity: 2,
        remaining: 2,
        decided_at: Timestamp::UNIX_EPOCH,
        position: verdict(Decision::Granted).position,
    };
    update(&mut model, Event::Undone(Ok(voided)), SCHEME);
    sees(&model, &["UNDONE: 2 units", "Left: 2 units"]);
    assert!(press(&mut model, &[Key::Undo]).is_none());
}

#[test]
fn grounds_are_chosen_in_turn_and_the_next_customer_starts_anew() {
    let mut model = model(Lang::En);
    sees(&model, &["the person"]);
    press(&mut model, &[Key::Ground, Key::Ground]);
    sees(&model, &["family"]);
    type_id(&mut model);
    let act = press(&mut model, &[Key::Sell]);
    assert!(matches!(act, Some(Act::Sell(_, 1, Some(ground))) if ground.as_str() == "family"));
    let trouble = Trouble {
        kind: TroubleKind::Refused,
        reason: Some(ErrorReason::InvalidField),
        message: "no such ground".to_owned(),
    };
    update(&mut model, Event::NotSold(trouble), SCHEME);
    sees(&model, &["CHECK THE ENTRY", "no such ground"]);
    press(&mut model, &[Key::Character('8')]);
    assert_eq!(model.id.as_str(), "8");
    assert_eq!((model.ground, model.quantity), (None, 1));
    sees(&model, &["Enter an ID"]);
}

#[test]
fn trouble_is_told_by_what_it_means() {
    let cases = [
        (TroubleKind::Refused, "입력을 확인하십시오"),
        (TroubleKind::Unanswered, "응답 없음"),
        (TroubleKind::Unknown, "결과를 알 수 없음"),
    ];
    for (kind, heading) in cases {
        let mut model = model(Lang::Ko);
        let trouble = Trouble {
            kind,
            reason: Some(ErrorReason::InvalidCitizenId),
            message: "the number must have 13 digits".to_owned(),
        };
        update(&mut model, Event::Checked(Err(trouble), 1), SCHEME);
        sees(&model, &[heading, "올바른 번호가 아닙니다"]);
    }
}

#[test]
fn stock_and_keys_have_their_lines() {
    let mut model = model(Lang::Ko);
    let stock = StockLine {
        on_hand: 120,
        held: 30,
    };
    update(&mut model, Event::Stock(stock), SCHEME);
    sees(
        &model,
        &["재고 120  번호표 30", "모든 전표 제출됨", "F10 종료"],
    );
    assert!(matches!(press(&mut model, &[Key::Quit]), Some(Act::Quit)));
}

#[test]
fn the_language_follows_the_locale() {
    assert_eq!(Lang::of_locale(Some("ko_KR.UTF-8")), Lang::Ko);
    assert_eq!(Lang::of_locale(Some("en_US.UTF-8")), Lang::En);
    assert_eq!(Lang::of_locale(None), Lang::En);
}
