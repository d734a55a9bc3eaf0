//! The province or metropolitan city of an address, under its official name of March 2020.

/// Official name, and the short forms that addresses begin with.
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
    ("강원도", &["강원"]),
    ("충청북도", &["충북"]),
    ("충청남도", &["충남"]),
    ("전라북도", &["전북"]),
    ("전라남도", &["전남"]),
    ("경상북도", &["경북"]),
    ("경상남도", &["경남"]),
    ("제주특별자치도", &["제주", "제주도"]),
];

/// The region that the first word of an address names; empty if it names none.
pub(super) fn of(address: &str) -> &'static str {
    let first = address.split_whitespace().next().unwrap_or("");
    let named = REGIONS
        .iter()
        .find(|(official, short)| *official == first || short.contains(&first));
    let region = named.or_else(|| REGIONS.iter().find(|region| is_run_together(first, region)));
    region.map_or("", |(official, _)| official)
}

/// 전북김제시: the space after a province's short form was forgotten.
fn is_run_together(word: &str, (official, short): &(&str, &[&str])) -> bool {
    let is_province = official.ends_with('도');
    let ends_as_district = word.ends_with('시') || word.ends_with('군');
    let begins = |form: &str| {
        word.strip_prefix(form)
            .is_some_and(|rest| rest.chars().count() > 1)
    };
    is_province && ends_as_district && short.iter().any(|form| begins(form))
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
        ] {
            assert_eq!(of(address), region, "{address}");
        }
    }

    #[test]
    fn a_forgotten_space_is_forgiven() {
        assert_eq!(of("전북김제시 요촌동"), "전라북도");
        assert_eq!(of("경남거창군 거창읍"), "경상남도");
    }

    #[test]
    fn a_city_without_its_province_has_no_region() {
        for address in [
            "진주시 진양호로",
            "제주시 연동",
            "경주시",
            "광주시 오포읍",
            "내면 창촌로",
            "",
            " ",
        ] {
            assert_eq!(of(address), "", "{address}");
        }
    }

    #[test]
    fn every_region_is_found_by_each_of_its_names() {
        for (official, short) in REGIONS {
            assert_eq!(of(official), official);
            for form in short {
                assert_eq!(of(form), official);
            }
        }
    }
}
