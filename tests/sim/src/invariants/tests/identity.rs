//! A replica id belongs to one disk.

use super::*;

const LAW: &[&str] = &["replica ids"];

#[test]
fn a_replica_stays_on_its_disk() {
    let on = |node, disk, start| {
        let life = Life { node, disk, start };
        Look(life, replica(1), Vec::new())
    };
    check([
        ("a restart", vec![on(1, 1, 1), on(1, 1, 2)], &[]),
        ("another disk", vec![on(1, 1, 1), on(1, 2, 2)], LAW),
        ("another node", vec![on(1, 1, 1), on(2, 1, 2)], LAW),
        (
            "another replica on another disk",
            vec![
                on(1, 1, 1),
                Look(
                    Life {
                        disk: 2,
                        ..life(1, 2)
                    },
                    replica(4),
                    Vec::new(),
                ),
            ],
            &[],
        ),
    ]);
}
