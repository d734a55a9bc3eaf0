//! Finds sites by the parts of their addresses: province, city or district, village or quarter, street.
//!
//! State owned: for each word of an address that names such a part, the sites that have it. Real addresses
//! are written by hand: provinces have short names or none, spaces are doubled or forgotten, the quarter
//! often stands in parentheses behind the street. So both addresses and questions are broken into words
//! alike, and a word counts wherever it stands. A site whose address names no province gets it from its
//! city where all others of that city agree, and from its nearest neighbour otherwise. Deliberately
//! absent: similarity of sounds and typing errors, where a wrong guess would hide a right answer.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use super::{site::Profile, spatial::SpatialIndex};
use crate::public::region;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct AddressIndex {
    /// Word → numbers of sites in the atlas, ascending.
    sites: HashMap<Box<str>, Box<[u32]>>,
}

/// An address as words: the region under its official name, and the rest.
#[derive(Debug, PartialEq, Eq)]
struct Words<'a> {
    region: &'static str,
    rest: Vec<&'a str>,
}

/// Words that name a part of an address end so.
const PART_ENDS: [char; 10] = ['시', '군', '구', '읍', '면', '동', '리', '가', '로', '길'];
/// Of these, what lies directly below a province, or below a city.
const DISTRICT_ENDS: [char; 3] = ['시', '군', '구'];

impl AddressIndex {
    pub(super) fn new(profiles: &[&Profile], places: &SpatialIndex) -> AddressIndex {
        let words: Vec<Words<'_>> = profiles
            .iter()
            .map(|site| Words::of(&site.address))
            .collect();
        let known = known_words(&words);
        let regions = regions(profiles, &words, places);
        let mut sites: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        for ((number, words), region) in (0..).zip(&words).zip(regions) {
            let mut all = words.parts(&known);
            all.push(region.into());
            all.sort_unstable();
            all.dedup();
            for word in all.into_iter().filter(|word| !word.is_empty()) {
                match sites.get_mut(&*word) {
                    Some(numbers) => numbers.push(number),
                    None => drop(sites.insert(word.into(), vec![number])),
                }
            }
        }
        let sites = sites
            .into_iter()
            .map(|(word, numbers)| (word, numbers.into_boxed_slice()));
        AddressIndex {
            sites: sites.collect(),
        }
    }

    /// The sites whose address has every part that the question names, ascending. A question that names
    /// nothing below a province finds none: that would be half a country, and it never was allowed.
    pub(crate) fn find(&self, question: &str) -> Vec<u32> {
        let words = Words::of(question);
        let is_narrow = !words.rest.is_empty() || region::is_undivided(words.region);
        if !is_narrow {
            return Vec::new();
        }
        let mut lists: Vec<&[u32]> = Vec::new();
        if !words.region.is_empty() {
            lists.push(self.list(words.region));
        }
        for word in words.rest {
            match self.look_up(word) {
                Some(found) => lists.extend(found),
                None => return Vec::new(),
            }
        }
        lists.sort_unstable_by_key(|list| list.len());
        let Some((first, others)) = lists.split_first() else {
            return Vec::new();
        };
        let in_all = |number: &&u32| others.iter().all(|list| list.binary_search(number).is_ok());
        first.iter().filter(in_all).copied().collect()
    }

    fn list(&self, word: &str) -> &[u32] {
        self.sites.get(word).map_or(&[], |sites| &**sites)
    }

    /// The lists that a word stands for: its own, that of its full name, or those of its two halves.
    fn look_up(&self, word: &str) -> Option<Vec<&[u32]>> {
        let own = self.list(word);
        if !own.is_empty() {
            return Some(vec![own]);
        }
        if let Some(quarter) = legal_quarter(word) {
            let list = self.list(&quarter);
            return (!list.is_empty()).then(|| vec![list]);
        }
        // 경남 진주: the ending was left out.
        let full = DISTRICT_ENDS.iter().find_map(|end| {
            let list = self.list(&format!("{word}{end}"));
            (!list.is_empty()).then_some(list)
        });
        if let Some(list) = full {
            return Some(vec![list]);
        }
        let is_known = |word: &str| self.sites.contains_key(word);
        let (district, rest) = halves(word, is_known)?;
        Some(vec![self.list(district), self.list(rest)])
    }
}

impl<'a> Words<'a> {
    fn of(address: &'a str) -> Words<'a> {
        let is_between =
            |letter: char| letter.is_whitespace() || "()[]{}<>,./·;:\"'".contains(letter);
        let mut rest: Vec<&str> = address
            .split(is_between)
            .filter(|word| !word.is_empty())
            .collect();
        let named = rest.first().and_then(|first| region::split(first));
        let Some((region, remainder)) = named else {
            return Words { region: "", rest };
        };
        if remainder.is_empty() {
            rest.remove(0);
        } else {
            rest[0] = remainder;
        }
        // 서울 서울특별시 강남구: said twice.
        if rest.first().is_some_and(|word| region::is_official(word)) {
            rest.remove(0);
        }
        Words { region, rest }
    }

    /// The words that name a part of the address, run-together ones in halves, quarters also without the
    /// number of their office (논현1동 lies in 논현동).
    fn parts(&self, known: &HashSet<&str>) -> Vec<Cow<'a, str>> {
        let mut parts = Vec::new();
        for word in self.rest.iter().copied().filter(|word| is_part(word)) {
            let halves = halves(word, |word| known.contains(word));
            match halves.filter(|_| !known.contains(word)) {
                Some((district, rest)) => parts.extend([district.into(), rest.into()]),
                None => parts.push(word.into()),
            }
            parts.extend(legal_quarter(word).map(Cow::Owned));
        }
        parts
    }

    fn district(&self) -> Option<&'a str> {
        let first = *self.rest.first()?;
        (is_part(first) && first.ends_with(DISTRICT_ENDS)).then_some(first)
    }
}

/// Whether a word can name a part of an address: not the number of a house or the name of one.
fn is_part(word: &str) -> bool {
    let begins = word
        .chars()
        .next()
        .is_some_and(|first| ('가'..='힣').contains(&first));
    begins && word.chars().nth(1).is_some() && word.ends_with(PART_ENDS)
}

/// Words that stand alone often enough to be names and not slips of the keyboard.
fn known_words<'a>(words: &[Words<'a>]) -> HashSet<&'a str> {
    const OFTEN: u32 = 3;
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for word in words.iter().flat_map(|words| &words.rest) {
        if is_part(word) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let often = counts.into_iter().filter(|(_, count)| *count >= OFTEN);
    often.map(|(word, _)| word).collect()
}

/// 수원시장안구: a district and what follows it, if both are known.
fn halves(word: &str, is_known: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    word.char_indices().skip(1).find_map(|(at, letter)| {
        if !DISTRICT_ENDS.contains(&letter) {
            return None;
        }
        let (district, rest) = word.split_at(at + letter.len_utf8());
        (is_known(district) && is_known(rest)).then_some((district, rest))
    })
}

/// 논현1동 → 논현동.
fn legal_quarter(word: &str) -> Option<String> {
    let name = word.strip_suffix('동')?;
    let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let is_numbered = bare.len() < name.len() && !bare.is_empty();
    is_numbered.then(|| format!("{}동", bare.trim_end_matches('제')))
}

/// The region of every site: its own, its city's, its neighbour's, or empty.
fn regions(profiles: &[&Profile], words: &[Words<'_>], places: &SpatialIndex) -> Vec<&'static str> {
    let mut of_district: HashMap<&str, Option<&'static str>> = HashMap::new();
    for words in words.iter().filter(|words| !words.region.is_empty()) {
        if let Some(district) = words.district() {
            let region = of_district.entry(district).or_insert(Some(words.region));
            if *region != Some(words.region) {
                *region = None;
            }
        }
    }
    let by_district = |words: &Words<'_>| of_district.get(words.district()?).copied().flatten();
    let by_neighbour = |profile: &Profile| {
        let near = places.within(profile.location?, 20_000.0);
        let named = near.iter().map(|near| words[near.index as usize].region);
        named.into_iter().find(|region| !region.is_empty())
    };
    let region = |(profile, words): (&&Profile, &Words<'_>)| match words.region {
        "" => by_district(words)
            .or_else(|| by_neighbour(profile))
            .unwrap_or(""),
        region => region,
    };
    profiles.iter().zip(words).map(region).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::ids::{SiteCode, SiteType};

    use super::*;
    use crate::public::snapshot::Location;

    /// Shapes of addresses as they were written in 2020.
    const ADDRESSES: [&str; 16] = [
        "서울특별시 용산구 우사단로4길 42-1, 1층 (보광동)",
        "서울 강남구 학동로 100 (논현동)",
        "서울시  강남구 논현1동 5 ",
        "경상북도 포항시 북구 장성동 1",
        "경북 포항시 남구 대이로 2(대잠동)",
        "포항시 북구 죽도동 3",
        "경기도 광주시 오포읍 4",
        "광주 북구 용봉동 5",
        "부산광역시 북구 덕천동 6",
        "전북김제시 요촌동 7",
        "전라북도 김제시 8",
        "경기도 수원시장안구 파장동 9",
        "경기도 수원시 장안구 정자동 10",
        "충남 홍성군 갈산면 상촌리 12-1,",
        "세종 한누리대로 13",
        "북구 번지 없는 길 14",
    ];

    fn index() -> AddressIndex {
        let profile = |(number, address): (usize, &&str)| Profile {
            code: SiteCode::parse(&format!("{number}")).unwrap(),
            name: "약국".into(),
            address: (*address).into(),
            site_type: SiteType::PHARMACY,
            region: Box::default(),
            // The last one names no province and lies beside the one in Gwangju.
            location: match number {
                7 => Location::new(35.17, 126.91),
                15 => Location::new(35.171, 126.911),
                _ => Location::new(37.0, 128.0 + number as f64 / 100.0),
            },
        };
        // Often enough to be known.
        let again = |word: &'static str| [word; 3];
        let known = ["수원시", "장안구"].map(again).concat();
        let profiles: Vec<Profile> = ADDRESSES
            .iter()
            .chain(&known)
            .enumerate()
            .map(profile)
            .collect();
        let places = (0..).zip(&profiles);
        let places =
            places.filter_map(|(number, profile): (u32, _)| Some((number, profile.location?)));
        let places = SpatialIndex::new(places);
        AddressIndex::new(&profiles.iter().collect::<Vec<_>>(), &places)
    }

    #[test]
    fn messy_addresses_are_found_by_their_parts() {
        let index = index();
        for (question, found) in [
            ("서울특별시 용산구", vec![0]),
            ("서울특별시 용산구 보광동", vec![0]),
            ("서울특별시   용산구  ( 보광동 )", vec![0]),
            ("서울특별시 강남구", vec![1, 2]),
            ("서울 강남구 논현동", vec![1, 2]),
            ("서울특별시강남구 논현동", vec![1, 2]),
            ("강남구 논현1동", vec![2]),
            ("강남구 논현2동", vec![1, 2]),
            ("서울 서울특별시 강남구", vec![1, 2]),
            ("경상북도 포항시 북구", vec![3, 5]),
            ("경북 포항시 남구 대잠동", vec![4]),
            ("경북 포항", vec![3, 4, 5]),
            ("경기도 광주시", vec![6]),
            ("광주광역시 북구", vec![7, 15]),
            ("부산 북구", vec![8]),
            ("전라북도 김제시", vec![9, 10]),
            ("전북 김제시 요촌동", vec![9]),
            ("경기 수원시 장안구 파장동", vec![11]),
            ("경기 수원시장안구 정자동", vec![12]),
            ("충청남도 홍성군 갈산면", vec![13]),
            ("충남 홍성군 갈산면 상촌리", vec![13]),
            ("세종특별자치시", vec![14]),
            ("서울특별시 우사단로4길", vec![0]),
        ] {
            let mut all = index.find(question);
            all.retain(|number| (*number as usize) < ADDRESSES.len());
            assert_eq!(all, found, "{question}");
        }
    }

    #[test]
    fn what_is_too_wide_or_unknown_finds_nothing() {
        let index = index();
        for question in [
            "",
            "  ",
            "서울",
            "경기도",
            "서울 없는구",
            "1층",
            "경남 포항시",
        ] {
            assert!(index.find(question).is_empty(), "{question}");
        }
    }
}
