//! What a newcomer does: `quorate demo`, then the commands of the README's tour, as processes.
#![expect(
    clippy::disallowed_methods,
    reason = "waits for processes, in real time"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use quorate_client::new_request_id;
use quorate_harness::{citizens, cli::Cli, cluster, judge::judge_file};
use quorate_link::Env;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");
const READY_TIME_MAX: Duration = Duration::from_secs(120);
const END_TIME_MAX: Duration = Duration::from_secs(30);

/// A running `quorate demo`; killed when dropped, its children with it.
struct Demo {
    child: Child,
    /// What it printed when it was ready.
    ready: Value,
}

impl Demo {
    fn command(directory: &Path, port_base: u16) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["--output=json", "demo", "--dir"])
            .arg(directory)
            .arg(format!("--port-base={port_base}"))
            .stdin(Stdio::null());
        command
    }

    fn start(directory: &Path, port_base: u16) -> anyhow::Result<Self> {
        let mut child = Self::command(directory, port_base)
            .stdout(Stdio::piped())
            .spawn()
            .context("spawn")?;
        let output = child.stdout.take().context("its output is piped")?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more once the demo is ready.
                let _not_heard = tell.send(line);
            }
        });
        let mut demo = Self {
            child,
            ready: Value::Null,
        };
        let deadline = Instant::now() + READY_TIME_MAX;
        while demo.ready["ready"] != "demo" {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = told
                .recv_timeout(left)
                .context("the demo did not get ready")?;
            demo.ready = serde_json::from_str(&line).unwrap_or_default();
        }
        Ok(demo)
    }

    fn pid_of(&self, process: &str) -> anyhow::Result<Pid> {
        let pid = self.ready["processes"][process]
            .as_i64()
            .context("a process id")?;
        Pid::from_raw(i32::try_from(pid)?).context("a positive process id")
    }

    /// As Ctrl-C does.
    fn end(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::INT)?;
        let deadline = Instant::now() + END_TIME_MAX;
        loop {
            match self.child.try_wait()? {
                Some(status) => {
                    ensure!(status.success(), "the demo ended with {status}");
                    return Ok(());
                }
                None if Instant::now() > deadline => bail!("the demo did not end"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn await_health(cli: &Cli, health: &str) -> anyhow::Result<Value> {
    let deadline = Instant::now() + READY_TIME_MAX;
    loop {
        let status = cli.run(0, &["admin", "status"])?;
        if status["health"] == health {
            return Ok(status);
        }
        ensure!(Instant::now() < deadline, "not {health}: {status}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Ports that a demo of three nodes and one gateway can have.
fn free_port_base(env: &Env) -> anyhow::Result<u16> {
    let start = env.random_u64() % 90;
    for offset in 0..90 {
        let base = 12_000 + u16::try_from((start + offset) % 90)? * 200;
        let needed = [base, base + 100, base + 101, base + 102, base + 103];
        if needed
            .iter()
            .all(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        {
            return Ok(base);
        }
    }
    bail!("no free ports")
}

fn sell_repeat_deny(cli: &Cli, citizen: &str, request: &str) -> anyhow::Result<()> {
    let check = cli.run(0, &["check", citizen, "--qty", "2"])?;
    ensure!(
        check["decision"] == "GRANTED" && check["remaining"] == 2,
        "{check}"
    );
    let sell = ["sell", citizen, "--qty", "2", "--request-id", request];
    let mut first = cli.run(0, &sell)?;
    ensure!(
        first["decision"] == "GRANTED" && first["repeated_answer"] == false,
        "{first}"
    );
    let mut again = cli.run(0, &sell)?;
    ensure!(again["repeated_answer"] == true, "{again}");
    for answer in [&mut first, &mut again] {
        let answer = answer.as_object_mut().context("an object")?;
        answer.remove("repeated_answer");
        answer.remove("position");
    }
    ensure!(first == again, "{first} is not {again}");
    let third = cli.run(3, &["sell", citizen, "--qty", "1"])?;
    ensure!(
        third["decision"] == "DENIED" && third["reason"] == "OVER_LIMIT",
        "{third}"
    );
    ensure!(
        third["next_eligible"].is_string(),
        "no date of the next: {third}"
    );
    let history = cli.run(0, &["history", citizen])?;
    let purchases = history["purchases"].as_array().context("purchases")?;
    ensure!(
        purchases.len() == 1 && purchases[0]["request_id"] == request,
        "{history}"
    );
    Ok(())
}

/// A process that the tour's reader runs in a terminal of their own, until Ctrl-C.
struct BroughtBack(Child);

impl Drop for BroughtBack {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl BroughtBack {
    fn start(what: &str, config: &Path) -> anyhow::Result<Self> {
        let child = Command::new(PROGRAM)
            .args([what, "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }
}

fn kill_a_leader_and_sell_on(
    cli: &Cli,
    demo: &Demo,
    directory: &Path,
) -> anyhow::Result<BroughtBack> {
    let status = await_health(cli, "ok")?;
    let nodes = status["nodes"].as_array().context("nodes")?;
    let busiest = nodes.iter().max_by_key(|node| node["leaders"].as_u64());
    let node = busiest
        .and_then(|node| node["node_id"].as_u64())
        .context("a leader")?;
    kill_process(demo.pid_of(&format!("node-{node}"))?, Signal::KILL)?;
    for citizen in 200..216 {
        cli.run(0, &["sell", &citizens::number(citizen), "--qty", "2"])?;
    }
    let config = directory.join(format!("node-{node}/node.toml"));
    let brought_back = BroughtBack::start("node", &config)?;
    await_health(cli, "ok")?;
    let verified = cli.run(0, &["admin", "verify"])?;
    ensure!(verified["health"] == "ok" && verified["totals"]["records_over_limit"] == 0);
    Ok(brought_back)
}

fn stop_the_gateway_and_sell_on_paper(
    cli: &Cli,
    demo: &Demo,
    directory: &Path,
    citizen: &str,
) -> anyhow::Result<()> {
    kill_process(demo.pid_of("gateway-1")?, Signal::KILL)?;
    let on_paper = cli.run(0, &["terminal", "sell", citizen, "--qty", "2"])?;
    ensure!(on_paper["paper"] == true, "{on_paper}");
    let _gateway = BroughtBack::start("gateway", &directory.join("gateway-1/gateway.toml"))?;
    await_health(cli, "ok")?;
    let handed_in = cli.run(0, &["terminal", "hand-in"])?;
    let reported = cli.run(0, &["admin", "report", "over-quota"])?;
    let slips = handed_in["slips"].as_array().context("slips")?;
    ensure!(
        slips.len() == 1 && slips[0]["outcome"] == "OVER_QUOTA_RECORDED",
        "{handed_in}"
    );
    ensure!(reported.is_array(), "{reported}");
    Ok(())
}

fn explain(cli: &Cli) -> anyhow::Result<()> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/programs/kr-mask-2020.yaml"
    );
    let explained = cli.run(
        3,
        &[
            "admin",
            "program",
            "explain",
            "--file",
            file,
            "--birth-year",
            "1987",
            "--at",
            "2020-03-09T10:00",
            "--site-type",
            "01",
        ],
    )?;
    ensure!(!explained.is_null(), "nothing was explained");
    Ok(())
}

fn wrong_usage(cli: &Cli, directory: &Path) -> anyhow::Result<()> {
    let citizen = citizens::number(300);
    cli.run(2, &["sell", &citizen, "--qty=-1"])?;
    cli.run(2, &["sell", &citizen, "--qty", "0"])?;
    cli.run(2, &["sell", &citizen, "--program", "unknown"])?;
    cli.run(2, &["sell", &citizen, "--request-id", "17"])?;
    let secret = "9913011234567";
    let output = cli.output(&["check", secret])?;
    ensure!(output.status.code() == Some(2), "{output:?}");
    let said = [output.stdout, output.stderr].concat();
    ensure!(
        !String::from_utf8_lossy(&said).contains(secret),
        "the ID is echoed"
    );

    let sites = directory.join("more-sites.csv");
    fs::write(
        &sites,
        "addr,code,latitude,longitude,name,type\n\
         1 Test Road,T-1,37.5,127.0,First,01\n\
         2 Test Road,T-2,not a number,127.0,Second,01\n\
         3 Test Road,T-3,,,Third,03\n",
    )?;
    let imported = cli.run(0, &["admin", "sites", "import", &sites.to_string_lossy()])?;
    let left_out = imported["left_out"].as_array().context("rows left out")?;
    ensure!(imported["added"] == 2 && left_out.len() == 1, "{imported}");
    ensure!(left_out[0]["line"] == 3, "{imported}");
    Ok(())
}

/// The README's load, with a history of it: the counts must agree, and every law must have been kept.
fn play_a_load(cli: &Cli, history: &Path) -> anyhow::Result<()> {
    let path = history.to_string_lossy();
    let load = [
        "load",
        "--clients=8",
        "--count=2000",
        "--citizens=500",
        "--checks=0.2",
        "--verify",
        "--history",
        &path,
    ];
    let load = cli.run(0, &load)?;
    ensure!(load["verify"]["agrees"] == true, "{load}");
    let report = judge_file(history)?;
    println!("{report}");
    // Few people, each of whom comes back until nothing is left.
    ensure!(report.grants > 0 && report.denials > 0, "{report}");
    ensure!(load["sales"]["granted"] == report.grants, "{load}");
    Ok(())
}

/// A second demo in the same directory, or on the same ports, is turned away with one sentence.
fn turned_away(directory: &Path, elsewhere: &Path, port_base: u16) -> anyhow::Result<()> {
    for (directory, port_base) in [(directory, port_base), (elsewhere, port_base)] {
        let output = Demo::command(directory, port_base).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
        ensure!(said.trim_end().lines().count() == 1, "one sentence: {said}");
    }
    Ok(())
}

#[test]
fn the_tour_of_the_readme() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let env = Env::system();
    let _turn = runtime.block_on(cluster::take_turn(&env))?;
    let place = tempfile::tempdir()?;
    let directory = place.path().join("demo");
    let port_base = free_port_base(&env)?;
    let demo = Demo::start(&directory, port_base)?;
    let context = directory.join("context.toml");
    let cli = Cli::new(Path::new(PROGRAM), &context);

    let (citizen, request) = (citizens::number(100), new_request_id(&env).to_string());
    sell_repeat_deny(&cli, &citizen, &request)?;
    turned_away(&directory, &place.path().join("other"), port_base)?;
    wrong_usage(&cli, place.path())?;
    let history = place.path().join("history.jsonl");
    if let Err(error) = play_a_load(&cli, &history) {
        let kept = place.keep();
        return Err(error.context(format!("everything is kept in {}", kept.display())));
    }
    let brought_back = kill_a_leader_and_sell_on(&cli, &demo, &directory)?;
    stop_the_gateway_and_sell_on_paper(&cli, &demo, &directory, &citizen)?;
    explain(&cli)?;
    // Its port is needed by the demo that continues.
    drop(brought_back);
    demo.end()?;

    // A second start goes on with what is there.
    let demo = Demo::start(&directory, port_base)?;
    let history = cli.run(0, &["history", &citizen])?;
    ensure!(
        history["purchases"]
            .as_array()
            .is_some_and(|sales| sales.len() == 2),
        "the sale and the slip: {history}"
    );
    let void = cli.run(0, &["void", &citizen, "--sale", &request])?;
    ensure!(
        void["outcome"] == "VOIDED" && void["quantity"] == 2,
        "{void}"
    );
    // What was sold on paper still counts.
    let denied = cli.run(3, &["sell", &citizen, "--qty", "1"])?;
    ensure!(denied["reason"] == "OVER_LIMIT", "{denied}");
    cli.run(0, &["admin", "verify"])?;
    demo.end()
}
