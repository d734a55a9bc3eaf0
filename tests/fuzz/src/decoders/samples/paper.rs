//! Sales on paper on their way: slips, sealed IDs, journals, and files that people type.

use std::sync::Arc;

use quorate_client::{
    DeviceKey, SignedSlip, TerminalIdentity,
    model::{NationalId, PaperSale},
};
use quorate_gateway::decoders::valid;
use quorate_link::{Env, Random, SealingSecret, decoders as link};
use quorate_proto::ids::{DeviceId, ProgramId, RequestId, SiteCode};

use super::{SOLD_AT_MS, text};

const NUMBER: &str = "900101-1234568";

pub(super) fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "link-sealed-id" => vec![sealed(NationalId::KR_RRN, NUMBER), sealed("VOUCHER", "AB")],
        "link-packed-id" => vec![packed(NationalId::KR_RRN, NUMBER), packed("VOUCHER", "AB")],
        "terminal-record" => records(),
        "file-paper-list" => paper_lists(),
        "file-sites" => sites(),
        "file-record" => vec![
            include_bytes!("../../../../../deploy/replay/two-sites.csv").to_vec(),
            text(concat!(
                "site_code,date,stock_at_previous_day,plenty_at,some_at,few_at,empty_at,break_at\n",
                "31897100,2020-03-18,2020-03-17T17:01:00,17:06:32,18:56:29,20:51:55,,20:21:44\n",
            )),
        ],
        _ => Vec::new(),
    }
}

/// Signed by the device that the gateway's decoder knows.
pub(crate) fn slips() -> Vec<Vec<u8>> {
    let by = TerminalIdentity {
        site: SiteCode::parse("P-1").expect("a code"),
        device: DeviceId::parse("till-1").expect("a device"),
        key: DeviceKey::from_seed(&valid::KEY),
    };
    let sale = PaperSale {
        request_id: request(),
        sequence: 1,
        citizen: NationalId::new(NationalId::KR_RRN, NUMBER),
        program: ProgramId::parse("mask").expect("a program"),
        product: None,
        quantity: 2,
        sold_at_ms: SOLD_AT_MS,
        proxy_ground: None,
    };
    let secret = SealingSecret::from_bytes(&link::SECRET);
    let slip = SignedSlip::write(&sale, &by, secret.public(), &without_chance());
    vec![slip.expect("an ID of this length").to_bytes()]
}

fn request() -> RequestId {
    RequestId::from_bytes(link::REQUEST).expect("a request id")
}

/// The same bytes every time.
fn sealed(scheme: &str, number: &str) -> Vec<u8> {
    let secret = SealingSecret::from_bytes(&link::SECRET);
    let sealed = secret
        .public()
        .seal(scheme, number, request(), &without_chance());
    sealed.expect("an ID of this length")
}

/// Each part after its length, then zeros.
fn packed(scheme: &str, number: &str) -> Vec<u8> {
    let part = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let mut packed = [part(scheme), part(number)].concat();
    packed.resize(quorate_link::limits::SEALED_TEXT_BYTES, 0);
    packed
}

fn without_chance() -> Env {
    struct Sevens;

    impl Random for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    Env {
        random: Arc::new(Sevens),
        ..Env::system()
    }
}

/// A slip, what became of it, a key, a sequence.
fn records() -> Vec<Vec<u8>> {
    let slip = slips().concat();
    vec![
        [&[1][..], &slip].concat(),
        settled("ACCEPTED", "", "", "recorded"),
        settled("REJECTED", "BAD_SIGNATURE", "NOT_YOUR_DAY", "왜 안 되는지"),
        [&[3][..], &[9; 32]].concat(),
        [&[4][..], &7_u64.to_be_bytes()].concat(),
    ]
}

fn settled(outcome: &str, rejection: &str, irregularity: &str, detail: &str) -> Vec<u8> {
    let mut body = vec![2];
    body.extend_from_slice(&link::REQUEST);
    body.extend_from_slice(&1_u64.to_be_bytes());
    body.extend_from_slice(&SOLD_AT_MS.to_be_bytes());
    body.extend_from_slice(&1_u32.to_be_bytes());
    body.extend_from_slice(&2_u32.to_be_bytes());
    for text in [outcome, rejection, irregularity, detail] {
        body.extend_from_slice(&(text.len() as u16).to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    body
}

/// A frame is a mark, a length and a checksum, and the body behind them.
pub(crate) fn journals() -> Vec<Vec<u8>> {
    let frame = |body: &[u8]| {
        let length = (body.len() as u32).to_be_bytes();
        let checksum = crc32c::crc32c(body).to_be_bytes();
        [b"QSJ1", &length[..], &checksum[..], body].concat()
    };
    let records = records();
    let all = records.iter().map(|record| frame(record));
    vec![frame(&records[0]), all.collect::<Vec<_>>().concat()]
}

fn paper_lists() -> Vec<Vec<u8>> {
    let lines = concat!(
        "2020-03-11,09:05,900101-1234568,2,\n",
        "2020/03/11,09:05:30,8001011234560,1,family\n",
        "2020.03.11,09:05,900101-1234568,2,\n",
    );
    let english = "date,time,id,quantity,proxy_reason";
    let korean = "\u{feff}날짜,시각,주민등록번호,수량,대리사유";
    [english, korean]
        .map(|head| format!("{head}\n{lines}").into())
        .to_vec()
}

fn sites() -> Vec<Vec<u8>> {
    vec![
        text(concat!(
            "addr,code,latitude,longitude,name,type\n",
            "\"서울 중구, 을지로 1\",5038300744,35.6791963,128.2422529,우체국,02\n",
            "경북  고령군,11,,,약국,01\n",
        )),
        text("\u{feff}type,name,code,addr,extra,latitude,longitude\n01,one,7,\"a\nb\",?,,\n"),
    ]
}
