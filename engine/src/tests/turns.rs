//! Many boards at one machine, each with a session of its own.

use std::boxed::Box;
use std::collections::VecDeque;

use super::pair::Random;
use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a port is used by.
enum User {
    Nobody,
    Greeter(Box<Greeter>),
    Session(usize),
    /// It was greeted, and nothing said whose it is.
    LeftAlone,
}

struct Port {
    board: Board,
    user: User,
}

/// As many sessions as boards. Session `n` began with board `n`; which port is whose later, `Turns` alone says.
struct Many {
    now: Instant,
    ports: Vec<Port>,
    sessions: Vec<Session>,
    ends: Vec<Option<Event>>,
    turns: Turns<usize>,
    image: Arc<CheckedImage>,
    greetings: usize,
    random: Random,
    /// The most boards that were away at once.
    most_away: usize,
}

impl Many {
    fn new(seed: u64, old: &[u8], new: &Arc<CheckedImage>, serials: bool, apps: impl Fn(u64) -> App) -> Many {
        let mut random = Random(seed + 1);
        let ports = (0..24)
            .map(|number| {
                let mut board = Board::new(old, vec![key().public()]);
                let name: &'static str = std::format!("B-{number}").leak();
                board.serial = serials.then_some(name);
                board.app = apps(random.next());
                board.micros_per_byte = 10 + random.below(200);
                Port {
                    board,
                    user: User::Nobody,
                }
            })
            .collect();
        Many {
            now: Instant(0),
            ports,
            sessions: vec![],
            ends: vec![],
            turns: Turns::new(),
            image: new.clone(),
            greetings: 0,
            random,
            most_away: 0,
        }
    }

    /// Lets time pass until every update has ended.
    fn run(&mut self) {
        for _ in 0..200_000 {
            self.ports_come_and_go();
            for at in 0..self.ports.len() {
                self.exchange(at);
            }
            for at in 0..self.sessions.len() {
                self.listen(at);
            }
            if self.ends.len() == self.ports.len() && self.ends.iter().all(Option::is_some) {
                return;
            }
            let dues = self.ports.iter().filter_map(|port| port.board.deadline());
            let timers = self.sessions.iter().filter_map(Session::poll_timeout);
            let greeters = self.ports.iter().filter_map(|port| match &port.user {
                User::Greeter(greeter) => greeter.poll_timeout(),
                _ => None,
            });
            let next = dues.chain(timers).chain(greeters).min();
            self.now = next.unwrap_or(self.now).max(self.now + Duration::from_millis(1));
        }
        panic!("no end in sight: {:?}", self.ends);
    }

    /// A port that is there and that nobody uses is asked who is there; in any order.
    fn ports_come_and_go(&mut self) {
        let away = self.ports.iter().filter(|port| !port.board.port).count();
        self.most_away = self.most_away.max(away);
        let start = self.random.below(24) as usize;
        for at in (0..24).map(|at| (at + start) % 24) {
            let port = &mut self.ports[at];
            match (port.board.port, &port.user) {
                (true, User::Nobody) => {
                    self.greetings += 1;
                    let greeter = Greeter::new(self.now, PortInfo::default(), None);
                    port.user = User::Greeter(Box::new(greeter));
                }
                (false, User::Session(id)) => {
                    let id = *id;
                    port.user = User::Nobody;
                    self.sessions[id].handle_port(self.now, PortEvent::Lost);
                }
                (false, _) => port.user = User::Nobody,
                _ => {}
            }
        }
    }

    fn exchange(&mut self, at: usize) {
        let now = self.now;
        let Port { board, user } = &mut self.ports[at];
        let mut out: VecDeque<Transmit> = VecDeque::new();
        match user {
            User::Greeter(greeter) => {
                greeter.handle_input(now, &board.advance(now));
                if greeter.poll_timeout().is_some_and(|due| due <= now) {
                    greeter.handle_timeout(now);
                }
                out.extend(core::iter::from_fn(|| greeter.poll_transmit()));
            }
            User::Session(id) => {
                let session = &mut self.sessions[*id];
                session.handle_input(now, &board.advance(now));
                out.extend(core::iter::from_fn(|| session.poll_transmit()));
            }
            _ => drop(board.advance(now)),
        }
        for bytes in out {
            if let Transmit::Bytes(bytes) = bytes {
                board.receive(&bytes);
            }
        }
        let greeted = match user {
            User::Greeter(greeter) => greeter.poll_greeted(),
            _ => None,
        };
        if let Some(greeted) = greeted {
            self.hand_out(at, greeted.unwrap());
        }
    }

    fn hand_out(&mut self, at: usize, greeted: Box<Greeted>) {
        self.ports[at].user = match self.turns.claim(&greeted.board) {
            Claim::Session(id) => {
                self.turns.has_board(id);
                self.sessions[id].adopt(self.now, greeted).unwrap();
                User::Session(id)
            }
            // At first each board gets a session, in any order: number `at` is that of the board.
            Claim::Nobody if self.sessions.len() < 24 => {
                while self.sessions.len() <= at {
                    self.sessions.push(Session::new(Instant(0)));
                    self.ends.push(None);
                }
                self.sessions[at] = Session::greeted(self.now, greeted);
                User::Session(at)
            }
            Claim::Nobody => {
                self.sessions[at] = Session::greeted(self.now, greeted);
                User::Session(at)
            }
            Claim::Unclear => User::LeftAlone,
        };
    }

    fn listen(&mut self, id: usize) {
        let now = self.now;
        if self.sessions[id].poll_timeout().is_some_and(|due| due <= now) {
            self.sessions[id].handle_timeout(now);
        }
        while let Some(event) = self.sessions[id].poll_event() {
            match event {
                Event::Phase(Phase::Ready) if self.ends[id].is_none() => {
                    let options = Options {
                        restart: Restart::WhenAllowed,
                        ..Options::default()
                    };
                    let job = Job::Update {
                        image: self.image.clone(),
                        patch: None,
                        options,
                    };
                    self.sessions[id].start(now, job).unwrap();
                }
                Event::WantsRestart => {
                    let board = self.sessions[id].board().unwrap().clone();
                    if self.turns.may_restart(id, &board) {
                        self.sessions[id].allow_restart(now);
                    }
                }
                Event::FindBoard { wanted } => self.turns.waits(id, wanted),
                Event::Outcome(_) | Event::Failed(_) => {
                    self.ends[id] = Some(event);
                    if let Some(next) = self.turns.update_ended(id) {
                        self.sessions[next].allow_restart(now);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether each session ended as its own board, with its own application, had to make it end.
    fn check(&self, seed: u64) {
        for (id, end) in self.ends.iter().enumerate() {
            let app = self.ports[id].board.app;
            let right = matches!(
                (app, end),
                (App::Confirms(_), Some(Event::Outcome(Outcome::Confirmed { .. })))
                    | (
                        App::Fails(_),
                        Some(Event::Outcome(Outcome::RolledBack {
                            reason: Some(RollbackReason::Fault),
                            ..
                        }))
                    )
                    | (
                        App::Refused,
                        Some(Event::Outcome(Outcome::RolledBack {
                            reason: Some(RollbackReason::BadImage),
                            ..
                        }))
                    )
            );
            assert!(
                right,
                "seed {seed}: board {id} is {app:?}, and its session says {end:?}"
            );
            let runs_new = self.ports[id]
                .board
                .primary
                .as_ref()
                .unwrap()
                .version
                .starts_with('2');
            assert_eq!(
                runs_new,
                matches!(app, App::Confirms(_)),
                "seed {seed}: board {id}"
            );
        }
    }
}

/// In how many orders boards come back. A test keeps its browser's tab from answering for as long as it lasts, and
/// chromedriver waits 30 seconds for a tab: a tenth of the orders takes a few seconds there.
const ORDERS: u64 = if cfg!(target_arch = "wasm32") { 100 } else { 1000 };

fn any_app(number: u64) -> App {
    match number % 8 {
        0 => App::Fails(1 + number / 8 % 4),
        1 => App::Refused,
        _ => App::Confirms(number / 8 % 4),
    }
}

#[test]
fn boards_without_serial_numbers_restart_one_at_a_time_and_keep_their_outcomes() {
    let (old, new) = (image(1, 400), checked(image(2, 400)));
    for seed in 0..ORDERS {
        let mut many = Many::new(seed, &old, &new, false, any_app);
        many.run();
        many.check(seed);
        assert_eq!(many.most_away, 1, "seed {seed}");
    }
}

#[test]
fn boards_that_restart_together_are_found_with_one_greeting_each() {
    let (old, new) = (image(1, 400), checked(image(2, 400)));
    for seed in 0..20 {
        let mut many = Many::new(seed, &old, &new, true, |_| App::Confirms(0));
        many.run();
        many.check(seed);
        assert!(many.most_away > 12, "{} were away at once", many.most_away);
        // One at first, and one after the restart.
        assert_eq!(many.greetings, 2 * 24, "seed {seed}");
    }
}

#[test]
fn a_board_is_handed_out_by_its_serial_number_or_where_nothing_else_is_like_it() {
    let found = |serial: Option<&str>, hash: u8| BoardInfo {
        serial: serial.map(Into::into),
        images: vec![SlotImage {
            hash: vec![hash; 32],
            ..SlotImage::default()
        }],
        ..BoardInfo::default()
    };
    let wanted = |board: &BoardInfo, reason| Wanted::of(board, reason);
    let mut turns = Turns::new();
    let alike = found(None, 1);
    assert_eq!(turns.claim(&alike), Claim::Nobody);
    turns.waits(1, wanted(&found(Some("A"), 1), FindReason::Restart));
    turns.waits(2, wanted(&alike, FindReason::Restart));
    // A serial number decides, whatever the images.
    assert_eq!(turns.claim(&found(Some("A"), 9)), Claim::Session(1));
    // Its bootloader may have none: then it may be either.
    assert_eq!(turns.claim(&alike), Claim::Unclear);
    assert_eq!(turns.claim(&found(None, 2)), Claim::Nobody);
    turns.has_board(1);
    assert_eq!(turns.claim(&alike), Claim::Session(2));
    turns.waits(3, wanted(&alike, FindReason::Restart));
    assert_eq!(turns.claim(&alike), Claim::Unclear);
    // Before anything is marked it makes no difference which of them goes on with which upload.
    turns.waits(2, wanted(&alike, FindReason::Unplugged));
    assert_eq!(turns.claim(&alike), Claim::Unclear);
    turns.waits(3, wanted(&alike, FindReason::Unplugged));
    assert_eq!(turns.claim(&alike), Claim::Session(2));
}
