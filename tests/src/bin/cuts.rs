//! `cargo xtask cuts`: the full sweep of power cuts, over shapes of flash, scenarios, moments and seeds, with a second cut
//! during the recovery from every first one on two small shapes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use bootlace_image::Algorithm;
use bootlace_tests::cuts::{Geometry, Scenario, Sweep};

const TINY: Geometry = Geometry {
    page: 1024,
    write: 4,
    slots: (5, 6),
    state: 1024,
    error_correction: false,
};

/// Shapes of flash; the second number is the stride of the first cut, the third that of the second, the fourth how many
/// seeds.
const SHAPES: &[(&str, Geometry, u64, u64, u64)] = &[
    ("1 KB pages, words, twice", TINY, 1, 1, 1),
    (
        "512 B pages, 8 B with ECC, twice",
        Geometry {
            page: 512,
            write: 8,
            slots: (5, 6),
            state: 512,
            error_correction: true,
        },
        1,
        1,
        1,
    ),
    (
        "1 KB pages, words",
        Geometry {
            slots: (8, 8),
            ..TINY
        },
        1,
        0,
        12,
    ),
    (
        "2 KB pages, bytes",
        Geometry {
            page: 2048,
            write: 1,
            ..TINY
        },
        1,
        0,
        6,
    ),
    (
        "2 KB pages, 16 B with ECC",
        Geometry {
            page: 2048,
            write: 16,
            error_correction: true,
            state: 2048,
            ..TINY
        },
        1,
        0,
        6,
    ),
    (
        "4 KB pages, words",
        Geometry {
            page: 4096,
            state: 4096,
            ..TINY
        },
        1,
        0,
        6,
    ),
    (
        "4 KB pages, 8 B",
        Geometry {
            page: 4096,
            write: 8,
            state: 4096,
            ..TINY
        },
        1,
        0,
        6,
    ),
    (
        "STM32F407: 128 KB sectors, state in 16 KB",
        Geometry {
            page: 131_072,
            slots: (3, 4),
            state: 16_384,
            ..TINY
        },
        41,
        0,
        1,
    ),
    (
        "32 KB bootloader, 2 x 384 KB, 16 KB for state",
        Geometry {
            page: 4096,
            slots: (96, 96),
            state: 8192,
            ..TINY
        },
        41,
        0,
        1,
    ),
];

fn main() -> Result<()> {
    let started = Instant::now();
    let mut work = Vec::new();
    for (name, geometry, stride, again, seeds) in SHAPES {
        for scenario in Scenario::ALL {
            for seed in 0..*seeds {
                // Ed25519 is the faster of the two to verify, and verifying is most of the work.
                let (stride, again, algorithm) = (*stride, *again, Algorithm::Ed25519);
                work.push((
                    *name,
                    Sweep {
                        geometry: *geometry,
                        scenario,
                        algorithm,
                        stride,
                        again,
                        seed,
                    },
                ));
            }
        }
    }
    let next = AtomicUsize::new(0);
    let (table, bricks) = (Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((name, sweep)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match sweep.run() {
                        Ok(count) => {
                            if let Ok(mut table) = table.lock() {
                                *table.entry((*name, format!("{:?}", sweep.scenario))).or_insert(0) +=
                                    count.points;
                            }
                        }
                        Err(error) => {
                            if let Ok(mut bricks) = bricks.lock() {
                                bricks.push(format!("{name}, seed {}: {error:#}", sweep.seed));
                            }
                        }
                    }
                }
            });
        }
    });
    let table = table.into_inner().unwrap_or_default();
    let bricks = bricks.into_inner().unwrap_or_default();
    for ((name, scenario), points) in &table {
        println!("{points:>9}  {scenario:<14} {name}");
    }
    println!();
    println!("cut-points {} points >= 1000000", table.values().sum::<u64>());
    println!("bricks {} boards <= 0", bricks.len());
    println!(
        "minutes {:.2} minutes <= 10",
        started.elapsed().as_secs_f64() / 60.0
    );
    if !bricks.is_empty() {
        bail!("{}", bricks.join("\n"));
    }
    Ok(())
}
