//! What the screen says, in Korean and English.

use quorate_client::model::{DenialReason, SlipOutcome, SlipRejection};
use quorate_proto::{ids::SiteType, status::ErrorReason};

/// A language of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    /// 한국어
    Ko,
    /// English
    En,
}

pub(super) struct Words {
    pub(super) id: &'static str,
    pub(super) quantity: &'static str,
    pub(super) proxy: &'static str,
    pub(super) nobody: &'static str,
    pub(super) ready: &'static str,
    pub(super) asking: &'static str,
    pub(super) yes: &'static str,
    pub(super) no: &'static str,
    pub(super) sold: &'static str,
    pub(super) paper: &'static str,
    pub(super) undone: &'static str,
    pub(super) not_undone: &'static str,
    pub(super) failed: &'static str,
    pub(super) refused: &'static str,
    pub(super) unknown: &'static str,
    pub(super) left: &'static str,
    pub(super) next: &'static str,
    pub(super) bought: &'static str,
    pub(super) here: &'static str,
    pub(super) voided: &'static str,
    pub(super) read_again: &'static str,
    pub(super) maybe: &'static str,
    pub(super) stock: &'static str,
    pub(super) held: &'static str,
    pub(super) slips: &'static str,
    pub(super) no_slips: &'static str,
    pub(super) not_handed_in: &'static str,
    pub(super) all_handed_in: &'static str,
    pub(super) keys: &'static str,
}

const KO: Words = Words {
    id: "주민등록번호",
    quantity: "수량",
    proxy: "대리 구매",
    nobody: "본인",
    ready: "번호를 입력하십시오",
    asking: "확인 중…",
    yes: "판매 가능",
    no: "판매 불가",
    sold: "판매 완료",
    paper: "수기 판매",
    undone: "판매 취소됨",
    not_undone: "취소할 수 없음",
    failed: "응답 없음",
    refused: "입력을 확인하십시오",
    unknown: "결과를 알 수 없음",
    left: "남은 수량",
    next: "다음 구매 가능",
    bought: "이번 기간 구매",
    here: "이 판매처",
    voided: "취소",
    read_again: "검증번호가 맞지 않습니다. 신분증을 다시 확인하십시오",
    maybe: "이미 기록되었을 수 있습니다. 제출하면 한 번만 계산됩니다",
    stock: "재고",
    held: "번호표",
    slips: "수기 전표",
    no_slips: "전표 없음",
    not_handed_in: "미제출 전표",
    all_handed_in: "모든 전표 제출됨",
    keys: "Enter 확인·판매  F2 바로 판매  ↑↓ 수량  F3 대리  F4 취소  F5 전표  F6 제출  F9 English  Esc 지움  F10 종료",
};

const EN: Words = Words {
    id: "ID",
    quantity: "Quantity",
    proxy: "Bought by",
    nobody: "the person",
    ready: "Enter an ID",
    asking: "Asking…",
    yes: "YES",
    no: "NO",
    sold: "SOLD",
    paper: "SOLD ON PAPER",
    undone: "UNDONE",
    not_undone: "NOT UNDONE",
    failed: "NO ANSWER",
    refused: "CHECK THE ENTRY",
    unknown: "OUTCOME UNKNOWN",
    left: "Left",
    next: "Next sale",
    bought: "Bought in this window",
    here: "this site",
    voided: "undone",
    read_again: "The check digit does not match: read the card again",
    maybe: "It may be recorded already; handing it in counts it once",
    stock: "Stock",
    held: "tickets",
    slips: "Slips",
    no_slips: "no slips",
    not_handed_in: "not yet handed in",
    all_handed_in: "every slip is handed in",
    keys: "Enter check, sell  F2 sell  ↑↓ quantity  F3 proxy  F4 undo  F5 slips  F6 hand in  F9 한국어  Esc clear  F10 end",
};

impl Lang {
    /// Korean where the environment says so.
    pub(crate) fn of_locale(locale: Option<&str>) -> Self {
        match locale {
            Some(locale) if locale.starts_with("ko") => Self::Ko,
            _ => Self::En,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Ko => Self::En,
            Self::En => Self::Ko,
        }
    }

    pub(super) const fn words(self) -> &'static Words {
        match self {
            Self::Ko => &KO,
            Self::En => &EN,
        }
    }

    pub(super) fn units(self, count: u32) -> String {
        match (self, count) {
            (Self::Ko, count) => format!("{count}개"),
            (Self::En, 1) => "1 unit".to_owned(),
            (Self::En, count) => format!("{count} units"),
        }
    }

    /// The sticky line.
    pub(super) fn waiting(self, count: usize) -> String {
        let words = self.words();
        match (self, count) {
            (_, 0) => words.all_handed_in.to_owned(),
            (Self::Ko, count) => format!("{} {count}장", words.not_handed_in),
            (Self::En, 1) => format!("1 slip {}", words.not_handed_in),
            (Self::En, count) => format!("{count} slips {}", words.not_handed_in),
        }
    }

    pub(super) fn reason(self, reason: DenialReason) -> String {
        if self == Self::En {
            return reason.to_string();
        }
        match reason {
            DenialReason::OverLimit => "구매 한도 초과",
            DenialReason::NotYourDay => "구매 요일이 아님",
            DenialReason::AlreadyVisited => "이번 기간에 이미 구매함",
            DenialReason::ProgramClosed => "판매 기간이 아님",
            DenialReason::SiteTypeNotAllowed => "이 판매처에서는 판매할 수 없음",
            DenialReason::ProxyNotAllowed => "대리 구매 불가",
            DenialReason::QuantityTooLarge => "한 번에 판매할 수 있는 수량 초과",
            DenialReason::SiteSuspended => "판매 정지된 판매처",
        }
        .to_owned()
    }

    /// What was entered wrongly; `None` where the gateway's own words say it best.
    pub(super) const fn wrong(self, reason: ErrorReason) -> Option<&'static str> {
        Some(match (self, reason) {
            (Self::Ko, ErrorReason::InvalidCitizenId) => "올바른 번호가 아닙니다",
            (Self::Ko, ErrorReason::InvalidQuantity) => "한 번에 판매할 수 없는 수량입니다",
            (Self::Ko, ErrorReason::UnknownProgram) => "없는 제도입니다",
            (Self::Ko, ErrorReason::RequestIdConflict) => "다른 판매와 번호가 같습니다",
            _ => return None,
        })
    }

    pub(super) const fn site_type(self, site_type: SiteType) -> Option<&'static str> {
        Some(match (self, site_type.get()) {
            (Self::Ko, 1) => "약국",
            (Self::Ko, 2) => "우체국",
            (Self::Ko, 3) => "농협",
            (Self::En, 1) => "pharmacy",
            (Self::En, 2) => "post office",
            (Self::En, 3) => "mart",
            _ => return None,
        })
    }

    pub(super) fn outcome(self, outcome: SlipOutcome, over_by: u32) -> String {
        match (self, outcome) {
            (Self::En, SlipOutcome::Accepted) => "accepted".to_owned(),
            (Self::En, SlipOutcome::Duplicate) => "duplicate: counted once".to_owned(),
            (Self::En, SlipOutcome::OverQuotaRecorded) => format!("over quota by {over_by}"),
            (Self::En, SlipOutcome::Rejected(why)) => format!("REJECTED: {why}"),
            (Self::En, SlipOutcome::NotDecided) => "not decided".to_owned(),
            (Self::Ko, SlipOutcome::Accepted) => "접수됨".to_owned(),
            (Self::Ko, SlipOutcome::Duplicate) => "중복: 한 번만 계산".to_owned(),
            (Self::Ko, SlipOutcome::OverQuotaRecorded) => format!("한도 초과 {over_by}개, 기록됨"),
            (Self::Ko, SlipOutcome::Rejected(why)) => format!("거부: {}", rejection_ko(why)),
            (Self::Ko, SlipOutcome::NotDecided) => "미결정".to_owned(),
        }
    }
}

const fn rejection_ko(rejection: SlipRejection) -> &'static str {
    match rejection {
        SlipRejection::TooOld => "판매한 지 35일이 지남",
        SlipRejection::InTheFuture => "판매 시각이 미래임",
        SlipRejection::ForeignDevice => "이 판매처의 단말기가 아님",
        SlipRejection::BadSignature => "서명이 맞지 않음",
        SlipRejection::UnreadableId => "번호를 열 수 없음",
        SlipRejection::InvalidId => "올바른 번호가 아님",
        SlipRejection::UnknownProgram => "없는 제도",
        SlipRejection::UnknownProduct => "없는 품목",
        SlipRejection::InvalidQuantity => "올바른 수량이 아님",
        SlipRejection::RequestIdConflict => "다른 판매와 번호가 같음",
        SlipRejection::Malformed => "읽을 수 없음",
    }
}
