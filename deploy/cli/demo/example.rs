//! What the demo is furnished with: a program and a handful of invented sites, some of them stocked.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Where the demo's terminal stands: the first of [`SITES`].
pub(super) const SITE: &str = "11000001";

/// The terminal's name there.
pub(super) const DEVICE: &str = "till-1";

pub(super) const TIME_ZONE: &str = "Asia/Seoul";

/// Invented: no such shops exist. The first five lie within a short walk.
pub(super) const SITES: &str = "\
addr,code,latitude,longitude,name,type
서울특별시 종로구 보기로 1 (보기동),11000001,37.5720,126.9794,첫째보기약국,01
서울특별시 종로구 보기로 9 (보기동),11000003,37.5731,126.9802,셋째보기약국,01
서울특별시 종로구 보기로 15 (보기동),11000004,37.5709,126.9781,넷째보기약국,01
서울특별시 종로구 보기로 27 (보기동),11000005,37.5742,126.9771,다섯째보기약국,01
서울특별시 종로구 보기로 40 (보기동),5000000003,37.5698,126.9809,종로보기우체국,02
서울특별시 마포구 보기로 22,11000002,37.5663,126.9019,둘째보기약국,01
부산광역시 해운대구 보기로 333,21000001,35.1631,129.1635,바다보기약국,01
경북 고령군 보기면 보기로 4,5000000001,35.7261,128.2629,보기우체국,02
제주특별자치도 제주시 보기로 5,5000000002,33.4996,126.5312,섬보기우체국,02
전라남도 보성군 보기면 보기로 66,5100000001,,,보기농협하나로마트,03
";

/// What the first sites of [`SITES`] have on their first morning: every level can be seen.
pub(super) const OPENING_STOCK: [u32; 5] = [101, 250, 60, 12, 1];

/// What a demo rations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
pub(super) enum ProgramName {
    /// Two a week, Monday to Sunday in Seoul; in force now
    #[default]
    #[serde(rename = "mask")]
    #[value(name = "mask")]
    Mask,
    /// The rules of South Korea from March to July 2020; for a clock set to those days
    #[serde(rename = "kr-mask-2020")]
    #[value(name = "kr-mask-2020")]
    KrMask2020,
}

impl ProgramName {
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::KrMask2020 => "kr-mask-2020",
        }
    }

    /// The program as `quorate admin program apply` takes it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Mask => MASK,
            Self::KrMask2020 => include_str!("../../programs/kr-mask-2020.yaml"),
        }
    }
}

/// Two a week, Monday to Sunday. The largest single sale lies above the limit, so that asking for a third
/// is answered with a denial and not with an error.
const MASK: &str = "\
# The program, as `quorate admin program apply` takes it.

id: mask
time_zone: Asia/Seoul
rules:
  - id: \"2020-03-09\"
    from: 2020-03-09T00:00
    limit: 2
    largest_sale: 10
    window: calendar-week
    visit: split
";
