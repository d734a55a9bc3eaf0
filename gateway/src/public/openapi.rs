//! `/v1/openapi.json`: the description of `/v1`, made from the code that answers.

use std::sync::LazyLock;

use utoipa::OpenApi;

use super::{
    answer::{Answer, JSON},
    v1,
};

pub(super) const PATH: &str = "/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Quorate public stock",
        description = "Where rationed goods are on sale. Read only, open to all, without keys. Times are \
            RFC 3339. Every answer says how old it may be. The frozen API of 2020 lives beside it under \
            /corona19-masks/v1."
    ),
    paths(
        v1::sites::answer,
        v1::site::answer,
        v1::deltas::answer,
        v1::status::answer,
    ),
    tags(
        (name = "stock", description = "Sites and what they have"),
        (name = "service", description = "The service itself"),
    )
)]
struct Description;

/// The same text for as long as the process runs.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    Description::openapi()
        .to_pretty_json()
        .expect("a description is JSON")
});

pub(super) fn answer() -> Answer {
    Answer::ok(JSON, TEXT.as_bytes().to_vec()).long_cached()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_path_and_every_field_is_described() {
        let description: Value = serde_json::from_str(&TEXT).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let named: Vec<&str> = paths.keys().map(String::as_str).collect();
        assert_eq!(
            named,
            ["/v1/deltas", "/v1/sites", "/v1/sites/{code}", "/v1/status"]
        );
        let schemas = description["components"]["schemas"].as_object().unwrap();
        for (schema, field) in [
            ("SiteRow", "distance_m"),
            ("SiteRow", "level"),
            ("ProductRow", "available"),
            ("Status", "lag_ms"),
            ("Problem", "parameter"),
        ] {
            let field = &schemas[schema]["properties"][field];
            assert!(field.is_object(), "{schema}: {field}");
        }
    }
}
