//! `cargo xtask cuts --board rp2040`: cuts the supply of the emulated Pico at every flash operation of an update of the example
//! application, whole and by patch, before, within and after the operation, and once more at operations of the recovery from
//! a sample of those. `--every N` takes each Nth point, `--again N` so many second cuts instead of 300.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use bootlace_tests::rp2040::cuts::{Content, MOMENTS, Point, Update};
use bootlace_tests::rp2040::judge::{Judge, Start};
use bootlace_tests::rp2040::trace::cut;
use bootlace_tests::rp2040::{Cut, Factory};

/// What came of one way to send the image.
#[derive(Default)]
struct Tally {
    points: usize,
    second_cuts: usize,
    starts: usize,
    bricks: usize,
}

/// More of them say nothing more, and each may take minutes.
const ENOUGH_BRICKS: usize = 10;

impl Tally {
    /// Whether the board of this flash comes back as a version that may run after that cut, with all that it had.
    fn judge(
        &mut self,
        judge: &mut Judge,
        update: &Update,
        point: Point,
        flash: &[u8],
        what: &str,
    ) -> Option<Start> {
        let start = judge.start(flash).and_then(|start| {
            let version = start.version.as_str();
            ensure!(update.allowed(point).contains(&version), "it runs {version}");
            let operations = &start.operations;
            update.is_whole(
                point,
                &cut(flash, operations, operations.len(), Cut::Before),
                version,
            )?;
            Ok(start)
        });
        match start {
            Ok(start) => {
                self.starts += usize::from(start.was_run);
                Some(start)
            }
            Err(error) => {
                self.starts += 1;
                self.bricks += 1;
                println!("lost: {what}: {error:#}");
                None
            }
        }
    }

    fn sweep(content: Content, every: usize, again: usize) -> Result<Self> {
        let update = Update::new(&Factory::new()?, content)?;
        let points: Vec<Point> = update.points().into_iter().step_by(every).collect();
        let (mut tally, mut judge) = (Tally::default(), Judge::new()?);
        // What had something to do before its application ran.
        let mut recoveries = Vec::new();
        for (number, &point) in points.iter().enumerate() {
            if tally.is_enough(content) {
                break;
            }
            if number % 20 == 0 {
                let all = points.len();
                eprintln!("{content:?}: {number} of {all} points, {} starts", tally.starts);
            }
            let what = format!("{content:?}, {point:?}");
            tally.points += 1;
            let start = tally.judge(&mut judge, &update, point, &update.flash_at(point), &what);
            recoveries.extend(
                start
                    .map(|it| (point, it.operations))
                    .filter(|it| !it.1.is_empty()),
            );
        }
        let share = recoveries.len().checked_div(again).unwrap_or(usize::MAX).max(1);
        let sample = recoveries.iter().step_by(share).take(again);
        // Another operation and moment of each recovery.
        for ((turn, (point, operations)), when) in sample.enumerate().zip(MOMENTS.into_iter().cycle()) {
            if tally.is_enough(content) {
                break;
            }
            let at = turn * 7 % operations.len();
            let flash = cut(&update.flash_at(*point), operations, at, when);
            let what = format!(
                "{content:?}, {point:?}, and {when:?} operation {} of the recovery",
                at + 1
            );
            tally.second_cuts += 1;
            tally.judge(&mut judge, &update, *point, &flash, &what);
        }
        Ok(tally)
    }

    fn is_enough(&self, content: Content) -> bool {
        let is_enough = self.bricks >= ENOUGH_BRICKS;
        if is_enough {
            println!("{content:?}: not one point more after so many bricks");
        }
        is_enough
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str, usual: usize| {
        let word = arguments.iter().skip_while(|word| *word != flag).nth(1);
        let number = word.map_or(Ok(usual), |word| word.parse());
        number.with_context(|| format!("{flag} takes a number"))
    };
    let (every, again) = (value("--every", 1)?.max(1), value("--again", 300)?);
    let started = Instant::now();
    let contents = [("whole", Content::Whole), ("patch", Content::Patch)];
    let tallies: Vec<Result<Tally>> = std::thread::scope(|scope| {
        let threads =
            contents.map(|(_, content)| scope.spawn(move || Tally::sweep(content, every, again / 2)));
        let joined = threads.map(|thread| thread.join().map_err(|_| anyhow!("a thread stopped"))?);
        joined.into_iter().collect()
    });
    let mut bricks = 0;
    for ((name, _), tally) in contents.into_iter().zip(tallies) {
        let tally = tally?;
        bricks += tally.bricks;
        println!("{name}/points {} points", tally.points);
        println!("{name}/second-cuts {} points", tally.second_cuts);
        println!("{name}/starts {} starts", tally.starts);
        println!("{name}/bricks {} boards <= 0", tally.bricks);
    }
    println!("bricks {bricks} boards <= 0");
    println!("minutes {:.1} minutes", started.elapsed().as_secs_f64() / 60.0);
    Ok(ExitCode::SUCCESS)
}
