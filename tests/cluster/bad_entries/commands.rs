//! The same faults by the program's own commands: exit code 2, or 3 for an answer, and a sentence that says
//! what is wrong.

use std::fs;

use anyhow::ensure;
use quorate_harness::{citizens, cluster::Cluster};

use crate::{NO_ID, new_id};

pub(crate) fn wrong_arguments(cluster: &Cluster) -> anyhow::Result<()> {
    let cli = cluster.cli();
    let person = citizens::number(94_001);
    let other = citizens::number(94_002);
    let sale = new_id(cluster);
    let long = "x".repeat(201);
    let correct = |id: &str, reason: &str, case: &str| -> Vec<String> {
        let arguments = [
            "admin", "correct", id, "--sale", &sale, "--reason", reason, "--case", case,
        ];
        arguments.map(str::to_owned).to_vec()
    };
    let split = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let mut notice = split("stock notice");
    notice.push(long.clone());
    let mut note = split("stock adjust 5 --reason counted --note");
    note.push(long);
    let faults = [
        (split("stock receive 0"), "1 to 1,000,000"),
        (split("stock receive 1000001"), "1 to 1,000,000"),
        (split("stock receive -5"), "whole number"),
        (split("stock receive 5 --product soap"), "no such product"),
        (split("stock receive 5 --request-id 17"), "UUID"),
        (split("stock adjust 0 --reason counted"), "not 0"),
        (split("stock adjust 5 --reason other"), "note"),
        (split("stock adjust 5 --reason bored"), "--reason"),
        (split("stock adjust 5"), "--reason"),
        (note, "200 bytes"),
        (split("stock hold 1000001"), "1,000,000"),
        (split("stock hold -1"), "whole number"),
        (split("stock stop --product soap"), "no such product"),
        (notice, "200 bytes"),
        (split("stock sales --date 2020-03-11"), "yesterday"),
        (split("stock sales --date 11.3.2020"), "2020-03-11"),
        (
            split(&format!("sell {person} --product soap")),
            "no such product",
        ),
        (
            split(&format!("check {person} --product soap")),
            "no such product",
        ),
        (split(&format!("sell {person} --proxy AGE!")), "--proxy"),
        (split(&format!("sell {person} --buyer {other}")), "--proxy"),
        (
            split(&format!("sell {person} --proxy family --buyer {NO_ID}")),
            "date of birth",
        ),
        (split("admin sites suspend no-such-site"), "no such site"),
        (split("admin sites resume no-such-site"), "no such site"),
        (correct(&person, "", "C-17"), "(reason)"),
        (correct(&person, "typed in twice", ""), "case_number"),
        (correct(NO_ID, "typed in twice", "C-17"), "date of birth"),
        (
            split(&format!("admin correct {person} --sale {sale} --reason x")),
            "--case",
        ),
        (split(&format!("admin history {NO_ID}")), "date of birth"),
        (
            split("admin report daily --program soap"),
            "no such program",
        ),
        (split("admin report daily --from 2020-02-30"), "2020-03-11"),
        (
            split("admin report daily --from 2020-03-12 --to 2020-03-11"),
            "exchange",
        ),
        (
            split("admin report over-quota --to yesterday"),
            "2020-03-11",
        ),
        (split("admin program show soap"), "soap"),
        (split("admin program shadow-counts soap"), "no such program"),
        (split("admin program rollback soap"), "soap"),
    ];
    for (arguments, words) in faults {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = cli.complaint(2, &arguments)?;
        ensure!(
            said.contains(words),
            "{arguments:?} does not say {words:?}: {said}"
        );
        ensure!(!said.contains("900230"), "an ID is echoed: {said}");
    }

    // Answers, not errors.
    let sold = cli.run(
        3,
        &["sell", &person, "--proxy", "family", "--buyer", &other],
    )?;
    ensure!(sold["reason"] == "PROXY_NOT_ALLOWED", "{sold}");
    let absent = correct(&person, "typed in twice", "C-17");
    let absent: Vec<&str> = absent.iter().map(String::as_str).collect();
    let refused = cli.run(3, &absent)?;
    ensure!(refused.to_string().contains("SALE_NOT_FOUND"), "{refused}");
    request_id_of_another_change(cluster)?;
    list_with_wrong_lines(cluster)
}

fn request_id_of_another_change(cluster: &Cluster) -> anyhow::Result<()> {
    let cli = cluster.cli();
    let request = new_id(cluster);
    cli.run(0, &["stock", "receive", "7", "--request-id", &request])?;
    let again = cli.run(0, &["stock", "receive", "7", "--request-id", &request])?;
    ensure!(again["repeated_answer"] == true, "{again}");
    let said = cli.complaint(2, &["stock", "receive", "8", "--request-id", &request])?;
    ensure!(said.contains("used before"), "{said}");
    ensure!(
        !said.contains("another sale"),
        "no sale is named by it: {said}"
    );
    Ok(())
}

/// Good lines of a list are recorded whatever the others are.
fn list_with_wrong_lines(cluster: &Cluster) -> anyhow::Result<()> {
    let cli = cluster.cli();
    let file = cluster.path("wrong.csv");
    let path = file.to_string_lossy().into_owned();
    let zone = jiff::tz::TimeZone::get("Asia/Seoul")?;
    let now = jiff::Timestamp::from_millisecond(cluster.env.unix_ms())?;
    let day = now.to_zoned(zone).date().yesterday()?;
    let old = day.checked_sub(jiff::Span::new().days(40))?;
    let good = citizens::number(94_003);
    fs::write(
        &file,
        format!(
            "date,time,id,quantity,proxy_reason\n\
             {day},09:10,{good},1,\n\
             {day},25:10,{good},1,\n\
             2020-02-30,09:10,{good},1,\n\
             {day},09:11,{NO_ID},1,\n\
             {day},09:12,{good},none,\n\
             {day},09:13,{good},0,\n\
             {day},09:14,{good},1,MY AUNT\n\
             {day},09:15\n\
             {old},09:16,{good},1,\n\
             {day},09:17,{good},1,\n"
        ),
    )?;
    for outcome in ["ACCEPTED", "DUPLICATE"] {
        let report = cli.run(2, &["terminal", "upload", &path])?;
        let text = report.to_string();
        ensure!(
            !text.contains("900230") && !text.contains(&good),
            "an ID is echoed: {text}"
        );
        let slips = report["slips"].as_array().cloned().unwrap_or_default();
        let recorded: Vec<_> = slips
            .iter()
            .filter(|slip| slip["outcome"] == outcome)
            .map(|slip| slip["line"].clone())
            .collect();
        ensure!(recorded == [2, 11], "{text}");
        let bad_lines = report["bad_lines"].as_array().cloned().unwrap_or_default();
        let names_id = |bad: &serde_json::Value| bad["line"] == 5 && bad["column"] == "id";
        ensure!(bad_lines.iter().any(names_id), "{text}");
        ensure!(bad_lines.len() + slips.len() == 10, "{text}");
    }
    fs::write(&file, "when,who\n1,2\n")?;
    let said = cli.complaint(2, &["terminal", "upload", &path])?;
    ensure!(said.contains("wrong.csv"), "{said}");
    Ok(())
}
