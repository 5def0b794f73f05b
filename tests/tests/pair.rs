//! Seeded updates over a bad line: each ends in done or in a named error within a bounded virtual time, and never in a
//! wrong done. 2,000 of them, or as many as asked for: `BOOTLACE_RUNS=10000`.

#![allow(
    clippy::panic,
    reason = "a test ends at the first thing that is not as it must be"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bootlace_engine::{Error, NoPatch, Outcome};
use bootlace_simulator::{Area, Behaviour};
use bootlace_tests::pair::wire::Faults;
use bootlace_tests::pair::{self, Ending, Firmware, Mishap, Pair, Patch, Scenario, Verdict};

/// `BOOTLACE_SEED=N` runs one, `BOOTLACE_RUNS=N` so many.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn name(verdict: &Verdict) -> String {
    let text = match verdict {
        Verdict::Outcome(Outcome::Confirmed { .. }) => "confirmed".to_owned(),
        Verdict::Outcome(Outcome::RolledBack { .. }) => "rolled back".to_owned(),
        Verdict::Outcome(Outcome::Unchanged { reason, .. }) => format!("unchanged: {reason:?}"),
        Verdict::Failed(error) => format!("{error:?}"),
    };
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

#[test]
fn every_run_ends_well_or_says_why() {
    if let Some(seed) = number("BOOTLACE_SEED") {
        println!("{:?}", Scenario::of(seed));
        match pair::run(seed) {
            Ok(ending) => println!("{ending:?}"),
            Err(problem) => panic!("{problem}"),
        }
        return;
    }
    let runs = number("BOOTLACE_RUNS").unwrap_or(2_000);
    let (next, problems, endings) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= runs || problems.lock().is_ok_and(|problems| problems.len() > 5) {
                        return;
                    }
                    match std::panic::catch_unwind(|| pair::run(seed)) {
                        Ok(Ok(ending)) => endings
                            .lock()
                            .map(|mut all| all.push((seed, ending)))
                            .unwrap_or(()),
                        Ok(Err(problem)) => problems.lock().map(|mut all| all.push(problem)).unwrap_or(()),
                        Err(_) => {
                            let problem = format!("seed {seed}: it panicked (see above)");
                            problems.lock().map(|mut all| all.push(problem)).unwrap_or(());
                        }
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap_or_default();
    assert!(
        problems.is_empty(),
        "{} bad runs:\n\n{}",
        problems.len(),
        problems.join("\n\n")
    );
    let endings = endings.into_inner().unwrap_or_default();
    if std::env::var_os("BOOTLACE_VERBOSE").is_some() {
        for (seed, ending) in &endings {
            println!("{seed} kind {} {ending:?}", seed % 8);
        }
    }
    assert_eq!(endings.len() as u64, runs);
    judge_all(&endings);
}

/// What must hold over all runs together, so that the test can't pass by giving up early.
fn judge_all(endings: &[(u64, Ending)]) {
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (_, ending) in endings {
        let entry = counts.entry(name(&ending.verdict)).or_default();
        *entry = (entry.0 + 1, entry.1.max(ending.took));
    }
    for (name, (count, longest)) in &counts {
        println!("{count:6} {name}, longest {} s", longest / 1_000_000);
    }
    println!(
        "{:6} resumed",
        endings.iter().filter(|(_, ending)| ending.resumed).count()
    );
    for (seed, ending) in endings {
        let scenario = Scenario::of(*seed);
        assert!(
            fits(&scenario, &ending.verdict),
            "seed {seed} must not end as {ending:?}\n  {scenario:?}"
        );
        if scenario.mishaps.is_empty() && scenario.faults.is_none() {
            let instead = match scenario.patch {
                Patch::None | Patch::Right => ending.instead.is_none(),
                Patch::WrongBase => ending.instead == Some(NoPatch::WrongBase),
                Patch::Damaged => matches!(ending.instead, Some(NoPatch::Damaged | NoPatch::WrongImage)),
            };
            assert!(instead, "seed {seed}: {ending:?}\n  {scenario:?}");
        }
    }
    let share =
        |name: &str| counts.get(name).map_or(0, |(count, _)| *count) * 100 / endings.len().max(1) as u64;
    assert!(
        share("confirmed") >= 30,
        "only {} % were confirmed",
        share("confirmed")
    );
}

/// Whether an update may end like this. Where at most one packet in five hundred is harmed, nothing may fail but what
/// the application itself does; without power or cable for a while it may be taken back as well.
fn fits(scenario: &Scenario, verdict: &Verdict) -> bool {
    let Faults {
        lose,
        double,
        alter,
        cut,
        delay,
        ..
    } = scenario.faults;
    if lose.max(double).max(alter).max(cut).max(delay) > 2_000 {
        return true;
    }
    match (scenario.behaviour, verdict) {
        // Without a port it can't say that it is well.
        (Behaviour::Silent, Verdict::Failed(error)) => matches!(error, Error::DidNotReturn { .. }),
        (_, Verdict::Failed(_)) => false,
        (_, Verdict::Outcome(_)) if !scenario.mishaps.is_empty() => true,
        (Behaviour::Normal | Behaviour::OtherId | Behaviour::Silent, Verdict::Outcome(outcome)) => {
            matches!(outcome, Outcome::Confirmed { .. })
        }
        (_, Verdict::Outcome(outcome)) => matches!(outcome, Outcome::RolledBack { .. }),
    }
}

/// Damage of each kind, at 60 moments from before the first piece to after the last restart: the board can then end in each
/// state in which a bootloader stays, and whatever the session says of it, "confirmed" is only said of a board that runs.
#[test]
fn no_damage_to_a_slot_ends_in_done_while_the_bootloader_answers() {
    const MOMENTS: u64 = 60;
    /// In microseconds: the whole update takes some three seconds.
    const APART: u64 = 60_000;
    let header = 3;
    let (payload, signature) = (0x200 + 3_000, 0x200 + 6_000 + 60);
    let mut endings: BTreeMap<String, u32> = BTreeMap::new();
    for area in [Area::Primary, Area::Secondary] {
        for offset in [header, payload, signature] {
            for moment in 0..MOMENTS {
                let mut mishaps = vec![(moment * APART, Mishap::Flip(area, offset))];
                // A trial that was damaged is started once more: then nothing may start.
                if moment % 2 == 0 {
                    mishaps.push((moment * APART, Mishap::PowerCycle));
                }
                let scenario = Scenario::with(mishaps);
                let firmware = Firmware::new(moment, scenario.size, scenario.algorithm);
                match Pair::new(moment, &scenario, &firmware).run(&firmware) {
                    Ok(ending) => *endings.entry(name(&ending.verdict)).or_default() += 1,
                    Err(problem) => panic!("{problem}\n  {scenario:?}"),
                }
            }
        }
    }
    println!("{endings:?}");
    for wanted in ["confirmed", "NothingBoots", "rolled"] {
        assert!(
            endings.contains_key(wanted),
            "no run ended in {wanted}: {endings:?}"
        );
    }
}
