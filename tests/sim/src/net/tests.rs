use super::*;
use crate::executor::Executor;

const WEATHER: Weather = Weather {
    delay_min: Duration::from_millis(1),
    delay_max: Duration::from_millis(1),
    late_per_mille: 0,
    late_max: Duration::from_millis(1),
    repeated_per_mille: 0,
};

#[test]
fn faults_that_overlap_do_not_end_each_other() {
    let executor = Executor::new(1, 0);
    let network = Network::new(executor.tasks().env(0), Chance::new(1), WEATHER);
    network.cut(1, 2);
    network.cut(1, 2);
    network.mend(1, 2);
    assert!(network.is_cut(1, 2) && !network.is_cut(2, 1));
    network.mend(1, 2);
    assert!(!network.is_cut(1, 2));
    network.cut(1, 2);
    network.cut(1, 2);
    network.mend_all();
    assert!(!network.is_cut(1, 2));

    let delay = || network.delay(1, 2).as_millis();
    network.slow(1, 2, 5);
    network.slow(1, 2, 3);
    assert_eq!(delay(), 5);
    network.quicken(1, 2, 5);
    assert_eq!(delay(), 3);
    network.quicken(1, 2, 3);
    assert_eq!(delay(), 1);
}

#[test]
fn what_a_fault_hinders_is_counted() {
    let executor = Executor::new(1, 0);
    let network = Network::new(executor.tasks().env(0), Chance::new(1), WEATHER);
    let hindered = || network.hindered(&[(1, 2), (1, 3)]);
    network.cut(1, 2);
    network.slow(1, 3, 2);
    assert_eq!(hindered(), 0, "nobody has sent anything");
    network.delay(1, 2);
    network.delay(1, 3);
    network.delay(2, 1);
    assert_eq!(hindered(), 2);
    network.mend_all();
    network.delay(1, 2);
    assert_eq!(hindered(), 2);
}
