//! A ration program as an operator writes it.

use jiff::Timestamp;
use quorate_client::model::{Program, Rule, RuleWindow};
use quorate_proto::ids::ProgramId;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Loaded};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramFile {
    /// At most 32 lower-case letters, digits and '-'.
    pub(crate) id: String,
    /// IANA name of the zone that its days are of.
    pub(crate) time_zone: String,
    pub(crate) rules: Vec<RuleEntry>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleEntry {
    /// Named in every verdict.
    pub(crate) id: String,
    /// With its offset: "2020-03-09T00:00:00+09:00".
    pub(crate) effective_from: Timestamp,
    /// Units a person may take in one window.
    pub(crate) limit: u32,
    /// Largest quantity of one sale.
    pub(crate) sale_quantity_max: u32,
    pub(crate) window: WindowName,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WindowName {
    /// Monday to Sunday.
    CalendarWeek,
}

impl Loaded<ProgramFile> {
    /// What can be told wrong without asking the cluster.
    pub(crate) fn to_program(&self) -> Result<Program, ConfigError> {
        let file = &self.value;
        let id =
            ProgramId::parse(&file.id).map_err(|error| self.invalid(format!("`id`: {error}")))?;
        if jiff::tz::TimeZone::get(&file.time_zone).is_err() {
            return Err(self.invalid(format!(
                "`time_zone`: {:?} is no IANA time zone, such as \"Asia/Seoul\"",
                file.time_zone
            )));
        }
        if file.rules.is_empty() {
            return Err(self.invalid("`rules`: a program needs one rule at least"));
        }
        let rules = file.rules.iter().map(|rule| Rule {
            id: rule.id.clone(),
            effective_from: rule.effective_from,
            limit: rule.limit,
            sale_quantity_max: rule.sale_quantity_max,
            window: match rule.window {
                WindowName::CalendarWeek => RuleWindow::CalendarWeek,
            },
        });
        Ok(Program {
            id,
            time_zone: file.time_zone.clone(),
            rules: rules.collect(),
        })
    }
}
