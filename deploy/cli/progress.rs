//! Progress on a terminal; silence elsewhere and with `-o json`.

use std::{fmt, time::Duration};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::output::Output;

/// How often what is shown is drawn again.
const REDRAW: Duration = Duration::from_millis(200);

/// A bar that counts up to `total`.
pub(crate) fn counter(what: &'static str, total: u64, output: Output) -> ProgressBar {
    let template = "{msg} {wide_bar} {human_pos} of {human_len} · {rate} · {eta} left";
    bar(ProgressBar::new(total), template, what, output)
}

/// A line that counts without knowing the end.
pub(crate) fn ticker(what: &'static str, output: Output) -> ProgressBar {
    let template = "{spinner} {msg} {human_pos} · {rate} · {elapsed}";
    bar(ProgressBar::no_length(), template, what, output)
}

fn bar(bar: ProgressBar, template: &str, what: &'static str, output: Output) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    // Drawn to stderr, and only where that is a terminal.
    let style = ProgressStyle::with_template(template)
        .expect("the template is a constant")
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A line that cannot be drawn is drawn again soon.
            let _undrawn = write!(out, "{:.0} a second", state.per_sec());
        });
    let bar = bar.with_style(style).with_message(what);
    bar.enable_steady_tick(REDRAW);
    bar
}
