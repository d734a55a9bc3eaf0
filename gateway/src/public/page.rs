//! `/`: a page for people, drawn from this API and from nothing else. It works without the Internet.

use http::{HeaderValue, header::CONTENT_SECURITY_POLICY};

use super::answer::Answer;

const HTML: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");

/// Answers one of the page's paths.
pub(super) fn answer(path: &str) -> Answer {
    let answer = match path {
        "/page.js" => Answer::ok("text/javascript; charset=utf-8", SCRIPT.into()),
        "/page.css" => Answer::ok("text/css; charset=utf-8", STYLE.into()),
        _ => Answer::ok("text/html; charset=utf-8", HTML.into()),
    };
    // Names and notices come from sites: whatever they hold, nothing but our own script runs.
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    answer
        .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))
        .long_cached()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for text in [HTML, SCRIPT, STYLE] {
            let outside = ["http://", "https://", "src=\"//", "@import", "url("];
            let without_namespaces = text.replace("http://www.w3.org/2000/svg", "");
            for word in outside {
                assert!(!without_namespaces.contains(word), "{word}");
            }
        }
        // Texts of sites are never read as markup.
        assert!(!SCRIPT.contains("innerHTML"));
    }
}
