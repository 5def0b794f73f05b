//! An installation that runs: its actions are done at the device, and it hears what the person decides.

use bootlace_dfuse::Dfuse;
use bootlace_engine::words::page::new_board::{self as words, System, Trouble};
use bootlace_install::{Board, Ended, FlashPlan, Installation, News, Next, Way, Work};
use bootlace_loader::{Fault, Loader};
use bootlace_picoboot::Picoboot;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt as _;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;

use crate::browser::usb::{self, Kind, Unopened};

/// Numbers of a board that runs the companion, as its maker has not been given its own yet.
const COMPANION: (u16, u16) = (0x1209, 0x0001);

/// What the person decides meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The flash may be changed.
    GoOn,
    /// No more.
    Cancel,
    /// The board is gone: nobody decided that.
    Gone,
}

/// To the installation.
pub(crate) type Orders = UnboundedSender<Order>;

/// What the loader of a way shows itself as.
fn kind(way: Way) -> Option<Kind> {
    match way {
        Way::Picoboot => Some(Kind {
            numbers: bootlace_picoboot::DEVICE,
            interface: bootlace_picoboot::INTERFACE,
        }),
        Way::Dfuse => Some(Kind {
            numbers: bootlace_dfuse::DEVICE,
            interface: bootlace_dfuse::INTERFACE,
        }),
        Way::Uf2 | Way::Uart | Way::Nordic => None,
    }
}

/// Chooses and opens the board's loader. Only with a click.
///
/// # Errors
/// Why it is not open.
pub(crate) async fn open(way: Way, board: &Board, system: System) -> Result<usb::Loader, Trouble> {
    let Some(kind) = kind(way) else {
        return Err(words::wrong_device(board).into());
    };
    let opened = async {
        let loader = usb::choose(kind).await?;
        loader.open().await?;
        Ok(loader)
    };
    opened.await.map_err(|why| match why {
        Unopened::NoWebUsb => words::no_web_usb().into(),
        Unopened::NotChosen => words::no_loader_chosen(board).into(),
        Unopened::Another => words::wrong_device(board).into(),
        Unopened::Denied => words::denied(system, kind.numbers, COMPANION),
        Unopened::Busy => words::busy(system),
        Unopened::Gone => words::vanished(board).into(),
    })
}

/// Starts an installation over an open loader.
pub(crate) fn start(way: Way, link: usb::Loader, plan: FlashPlan, tell: impl Fn(News) + 'static) -> Orders {
    let (orders, heard) = unbounded();
    let gone = orders.clone();
    spawn_local(async move {
        let watch = link.watch(move || _ = gone.unbounded_send(Order::Gone));
        match way {
            Way::Picoboot => {
                let installation = Installation::new(Picoboot::new(link.interface), plan);
                drive(installation, &link, heard, tell).await;
            }
            Way::Dfuse => {
                let installation = Installation::new(Dfuse::new(link.interface), plan);
                drive(installation, &link, heard, tell).await;
            }
            Way::Uf2 | Way::Uart | Way::Nordic => {}
        }
        drop(watch);
        link.close().await;
    });
    orders
}

/// Until it is over.
async fn drive<L: Loader>(
    mut installation: Installation<L>,
    link: &usb::Loader,
    mut orders: UnboundedReceiver<Order>,
    tell: impl Fn(News),
) {
    loop {
        let next = installation.poll_next();
        // Before anything is waited for: what goes on may be a question.
        while let Some(news) = installation.poll_news() {
            let over = matches!(news, News::Ended(_));
            tell(news);
            if over {
                return;
            }
        }
        match next {
            Next::Do(action, limit) => {
                let done = link.perform(action, limit).await;
                installation.handle_done(done);
                while let Ok(order) = orders.try_recv() {
                    // A device that is gone fails its action.
                    if order == Order::Cancel {
                        installation.cancel();
                    }
                }
            }
            Next::Wait(time) => {
                let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
                TimeoutFuture::new(millis).await;
            }
            Next::Asks => match orders.next().await {
                Some(Order::GoOn) => installation.go_on(),
                Some(Order::Gone) => {
                    return tell(News::Ended(Ended::Failed {
                        work: Work::Reading,
                        fault: Fault::Gone,
                        changed: false,
                    }));
                }
                Some(Order::Cancel) | None => installation.cancel(),
            },
            Next::Over => {}
        }
    }
}
