//! The province or metropolitan city of an address, under its official name of March 2020.
//!
//! Addresses are written by hand: the long name, one of several short ones, a later name, or none at all,
//! sometimes with the space after it forgotten.

/// Official name, and the other forms that addresses begin with.
const REGIONS: [(&str, &[&str]); 17] = [
    ("서울특별시", &["서울", "서울시"]),
    ("부산광역시", &["부산", "부산시"]),
    ("대구광역시", &["대구", "대구시"]),
    ("인천광역시", &["인천", "인천시"]),
    // Not 광주시, which is a city of 경기도.
    ("광주광역시", &["광주"]),
    ("대전광역시", &["대전", "대전시"]),
    ("울산광역시", &["울산", "울산시"]),
    ("세종특별자치시", &["세종", "세종시"]),
    ("경기도", &["경기"]),
    ("강원도", &["강원", "강원특별자치도"]),
    ("충청북도", &["충북"]),
    ("충청남도", &["충남"]),
    ("전라북도", &["전북", "전북특별자치도"]),
    ("전라남도", &["전남"]),
    ("경상북도", &["경북"]),
    ("경상남도", &["경남"]),
    ("제주특별자치도", &["제주", "제주도"]),
];

/// The official name of the region that the first word of an address names; empty if it names none.
#[must_use]
pub fn region_of(address: &str) -> &'static str {
    let first = address.split_whitespace().next().unwrap_or("");
    split(first).map_or("", |(region, _)| region)
}

/// The region that a word names, and what else is in the word where a space was forgotten: 전북김제시.
pub(crate) fn split(word: &str) -> Option<(&'static str, &str)> {
    let names = || {
        REGIONS.iter().flat_map(|(official, short)| {
            let all = std::iter::once(official).chain(short.iter());
            all.map(move |name| (*official, *name))
        })
    };
    if let Some((official, _)) = names().find(|(_, name)| *name == word) {
        return Some((official, ""));
    }
    names().find_map(|(official, name)| {
        let rest = word.strip_prefix(name)?;
        is_district_after(official, name, rest).then_some((official, rest))
    })
}

/// Whether `rest`, run together with a region's name, is a district of its own. Short names begin many
/// other names, so they count only before a city or county of a province.
fn is_district_after(official: &str, name: &str, rest: &str) -> bool {
    let is_long = name == official;
    let is_province = official.ends_with('도');
    let ends = |suffixes: &[char]| rest.ends_with(suffixes);
    let is_district = match (is_long, is_province) {
        (true, _) => ends(&['시', '군', '구']),
        (false, true) => ends(&['시', '군']) && !name.ends_with('도'),
        (false, false) => false,
    };
    is_district && rest.chars().count() > 1
}

/// Whether a word is a region's official name.
pub(crate) fn is_official(word: &str) -> bool {
    REGIONS.iter().any(|(official, _)| *official == word)
}

/// Whether a region has no districts, so that its name alone names a neighbourhood.
pub(crate) fn is_undivided(region: &str) -> bool {
    region == "세종특별자치시"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_official_names_are_the_same_region() {
        for (address, region) in [
            ("서울특별시 중구 동호로 171", "서울특별시"),
            ("경북 고령군 쌍림면", "경상북도"),
            ("  경상북도   고령군", "경상북도"),
            ("부산시 해운대구", "부산광역시"),
            ("세종 한누리대로", "세종특별자치시"),
            ("제주 제주시 연동", "제주특별자치도"),
            ("강원특별자치도 춘천시", "강원도"),
        ] {
            assert_eq!(region_of(address), region, "{address}");
        }
    }

    #[test]
    fn a_forgotten_space_is_forgiven() {
        assert_eq!(region_of("전북김제시 요촌동"), "전라북도");
        assert_eq!(region_of("경남거창군 거창읍"), "경상남도");
        assert_eq!(split("서울특별시강남구"), Some(("서울특별시", "강남구")));
        assert_eq!(split("전북김제시"), Some(("전라북도", "김제시")));
    }

    #[test]
    fn a_city_without_its_province_has_no_region() {
        for address in [
            "진주시 진양호로",
            "제주시 연동",
            "경주시",
            "광주시 오포읍",
            "내면 창촌로",
            "강원동 1",
            "",
            " ",
        ] {
            assert_eq!(region_of(address), "", "{address}");
        }
    }

    #[test]
    fn every_region_is_found_by_each_of_its_names() {
        for (official, short) in REGIONS {
            assert_eq!(region_of(official), official);
            assert!(is_official(official));
            for form in short {
                assert_eq!(region_of(form), official);
                assert!(!is_official(form));
            }
        }
    }
}
