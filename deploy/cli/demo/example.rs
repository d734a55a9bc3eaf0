//! What the demo is furnished with: the mask program of March 2020 and a handful of invented sites.

/// Where the demo's terminal stands: the first of [`SITES`].
pub(super) const SITE: &str = "11000001";

/// The terminal's name there.
pub(super) const DEVICE: &str = "till-1";

pub(super) const PROGRAM: &str = "mask";
pub(super) const TIME_ZONE: &str = "Asia/Seoul";

/// Invented: no such shops exist.
pub(super) const SITES: &str = "\
addr,code,latitude,longitude,name,type
서울특별시 종로구 보기로 1,11000001,37.5720,126.9794,첫째보기약국,01
서울특별시 마포구 보기로 22,11000002,37.5663,126.9019,둘째보기약국,01
부산광역시 해운대구 보기로 333,21000001,35.1631,129.1635,바다보기약국,01
경북 고령군 보기면 보기로 4,5000000001,35.7261,128.2629,보기우체국,02
제주특별자치도 제주시 보기로 5,5000000002,33.4996,126.5312,섬보기우체국,02
전라남도 보성군 보기면 보기로 66,5100000001,,,보기농협하나로마트,03
";

/// Two a week, Monday to Sunday. The largest single sale lies above the limit, so that asking for a third
/// is answered with a denial and not with an error.
pub(super) const PROGRAM_FILE: &str = "\
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
