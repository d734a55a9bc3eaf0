//! What the demo has done so far: a line each, with a spinner while it lasts on a terminal.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{Output, Style};

/// Prints lines as things come up; with `-o json`, nothing.
pub(super) struct Checklist {
    output: Output,
    spins: bool,
}

/// Something that is under way. Dropped, it leaves no trace.
pub(super) struct Step<'a> {
    checklist: &'a Checklist,
    spinner: ProgressBar,
}

impl Checklist {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            spins: !output.is_json() && std::io::stderr().is_terminal(),
        }
    }

    pub(super) fn begin(&self, what: &str) -> Step<'_> {
        let spinner = if self.spins {
            let style = ProgressStyle::with_template("  {spinner} {msg}")
                .expect("the template is a constant");
            let spinner = ProgressBar::new_spinner().with_style(style);
            spinner.set_message(what.to_owned());
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        } else {
            ProgressBar::hidden()
        };
        Step {
            checklist: self,
            spinner,
        }
    }

    pub(super) fn done(&self, what: &str) {
        self.line(Style::Good, "✓", what);
    }

    pub(super) fn failed(&self, what: &str) {
        self.line(Style::Bad, "✗", what);
    }

    /// Lines of somebody else's log.
    pub(super) fn quote(&self, lines: &[String]) {
        for line in lines {
            self.write(&format!("    | {line}"));
        }
    }

    pub(super) fn note(&self, what: &str) {
        self.write(&format!("    {what}"));
    }

    fn line(&self, style: Style, mark: &str, what: &str) {
        let mark = self.output.painter().paint(style, mark);
        self.write(&format!("  {mark} {what}"));
    }

    fn write(&self, line: &str) {
        if self.output.is_json() {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        // Whoever started the demo may have closed its output; the cluster goes on.
        let _unseen = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }
}

impl Step<'_> {
    pub(super) fn done(self, what: &str) {
        self.spinner.finish_and_clear();
        self.checklist.done(what);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}
