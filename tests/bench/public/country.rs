//! A country's sites: a real list, filled up with synthetic neighbours, each with some stock.

use std::{collections::HashMap, net::SocketAddr, path::Path};

use quorate_proto::{
    internal::{SiteProduct, SiteState},
    storage::{SiteProfile, StockRecord},
};
use serde::Serialize;

use crate::load;

/// Long and short names of provinces, as a question would say them.
const PROVINCES: [(&str, &str); 17] = [
    ("서울특별시", "서울"),
    ("부산광역시", "부산"),
    ("대구광역시", "대구"),
    ("인천광역시", "인천"),
    ("광주광역시", "광주"),
    ("대전광역시", "대전"),
    ("울산광역시", "울산"),
    ("세종특별자치시", "세종"),
    ("경기도", "경기"),
    ("강원도", "강원"),
    ("충청북도", "충북"),
    ("충청남도", "충남"),
    ("전라북도", "전북"),
    ("전라남도", "전남"),
    ("경상북도", "경북"),
    ("경상남도", "경남"),
    ("제주특별자치도", "제주"),
];

/// Reads the list and fills it up to `count`.
pub(crate) fn read(path: &Path, count: usize) -> Vec<SiteState> {
    let mut reader = csv::Reader::from_path(path).expect("a list of sites");
    let rows = reader.records().map(|row| row.expect("a row of the list"));
    let mut sites: Vec<SiteState> = rows
        .map(|row| {
            site(
                &row[1],
                &row[4],
                &row[0],
                row[2].parse().ok(),
                row[3].parse().ok(),
            )
        })
        .collect();
    let listed = sites.len();
    for number in listed..count {
        let mut next = sites[number - listed].clone();
        let profile = next.profile.as_mut().expect("every site has one");
        profile.code = format!("9900{number}");
        // A hundred metres away.
        profile.latitude = profile.latitude.map(|latitude| latitude + 0.001);
        sites.push(next);
    }
    sites
}

fn site(
    code: &str,
    name: &str,
    address: &str,
    latitude: Option<f64>,
    longitude: Option<f64>,
) -> SiteState {
    let on_hand = i64::try_from(code.len() * 31 % 160).expect("small");
    SiteState {
        profile: Some(SiteProfile {
            code: code.to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
            site_type: 1,
            latitude: latitude.filter(|degrees| *degrees != 0.0),
            longitude: longitude.filter(|degrees| *degrees != 0.0),
            region: String::new(),
        }),
        products: vec![SiteProduct {
            product: "mask".to_owned(),
            stock: Some(StockRecord {
                received: 250,
                on_hand,
                last_received_ms: Some(1_583_800_000_000),
                updated_at_ms: 1_583_800_000_000,
                ..StockRecord::default()
            }),
        }],
        ..SiteState::default()
    }
}

/// Where people ask from: beside the sites.
pub(crate) fn places(sites: &[SiteState]) -> Vec<(f64, f64)> {
    let profiles = sites.iter().filter_map(|site| site.profile.as_ref());
    profiles
        .filter_map(|profile| profile.latitude.zip(profile.longitude))
        .collect()
}

/// Of the sites whose own address answers it, how many a question finds.
#[derive(Debug, Serialize)]
pub(crate) struct AddressShares {
    pub(crate) by_district_percent: f64,
    pub(crate) by_quarter_percent: f64,
}

/// Questions formed from the sites' own addresses, and who must be among the answers.
pub(crate) struct Questions {
    by_district: HashMap<String, Vec<String>>,
    by_quarter: HashMap<String, Vec<String>>,
}

impl Questions {
    pub(crate) fn of(sites: &[SiteState]) -> Questions {
        let mut questions = Questions {
            by_district: HashMap::new(),
            by_quarter: HashMap::new(),
        };
        for profile in sites.iter().filter_map(|site| site.profile.as_ref()) {
            let Some((district, quarter)) = asked(&profile.address) else {
                continue;
            };
            if let Some(quarter) = quarter {
                let question = format!("{district} {quarter}");
                let sites = questions.by_quarter.entry(question).or_default();
                sites.push(profile.code.clone());
            }
            let sites = questions.by_district.entry(district).or_default();
            sites.push(profile.code.clone());
        }
        questions
    }

    pub(crate) async fn ask(&self, address: SocketAddr) -> AddressShares {
        AddressShares {
            by_district_percent: found(address, &self.by_district).await,
            by_quarter_percent: found(address, &self.by_quarter).await,
        }
    }
}

/// The question by province (under its long name) and district, and the quarter in parentheses. `None`:
/// the address does not begin with a province and a district.
fn asked(address: &str) -> Option<(String, Option<&str>)> {
    let mut words = address.split_whitespace();
    let first = words.next()?;
    let (long, _) = PROVINCES
        .iter()
        .find(|(long, short)| first == *long || first == *short)?;
    let district = words.next()?;
    let quarter = address.rsplit_once('(').map(|(_, rest)| rest);
    let quarter = quarter.and_then(|rest| rest.split([')', ',', ' ']).next());
    let quarter = quarter.filter(|quarter| quarter.ends_with(['동', '리']));
    let is_district = district.ends_with(['시', '군', '구']);
    is_district.then(|| (format!("{long} {district}"), quarter))
}

async fn found(address: SocketAddr, questions: &HashMap<String, Vec<String>>) -> f64 {
    let (mut all, mut found) = (0.0, 0.0);
    for (question, sites) in questions {
        let path = format!(
            "/corona19-masks/v1/storesByAddr/json?address={}",
            encode(question)
        );
        let answer = load::get(address, &path).await;
        for site in sites {
            all += 1.0;
            found += f64::from(answer.contains(&format!("\"code\":\"{site}\"")));
        }
    }
    100.0 * found / all
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
