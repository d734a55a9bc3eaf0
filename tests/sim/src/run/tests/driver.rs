//! What the driver does to a cluster, and what it asks of it.

use super::super::*;
use crate::cluster::Death;

/// Lets a cluster form in which nothing goes wrong by itself, then does something with it; the lines that were told.
fn with_cluster<F>(act: impl FnOnce(Driver) -> F) -> Vec<String>
where
    F: Future<Output = ()> + Send + 'static,
{
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = lines.clone();
    let tell: Tell = Arc::new(move |line| told.lock().unwrap().push(line.to_owned()));
    let (mut executor, driver) = prepare(Plan::new(7), Some(tell));
    let (env, done) = (driver.env.clone(), Arc::new(Mutex::new(false)));
    let acting = act(driver);
    let end = done.clone();
    env.spawn("driver", async move {
        acting.await;
        *end.lock().unwrap() = true;
    });
    while !*done.lock().unwrap() {
        assert!(executor.step().unwrap(), "what is done has an end");
    }
    std::mem::take(&mut *lines.lock().unwrap())
}

#[test]
fn a_cluster_that_answers_no_sale_does_not_serve() {
    with_cluster(|driver| async move {
        driver.form().await.unwrap();
        driver.load.sell_everywhere().await.unwrap();
        let majority = driver.plan.nodes / 2 + 1;
        for place in driver
            .plan
            .node_places()
            .take(usize::try_from(majority).unwrap())
        {
            driver.cluster.die(place, Death::Killed).await;
        }
        driver.load.sell_everywhere().await.unwrap_err();
    });
}

#[test]
fn a_power_cut_reaches_the_disk_of_a_node_that_is_down() {
    let lines = with_cluster(|driver| async move {
        driver.form().await.unwrap();
        assert!(driver.cluster.die(1, Death::Killed).await);
        assert!(!driver.cluster.die(1, Death::Killed).await);
        assert!(!driver.cluster.die(1, Death::PowerCut).await);
    });
    let crashes = lines.iter().filter(|line| line.contains("disk of node 1:"));
    assert_eq!(crashes.count(), 2, "the kill and the power cut");
}
