//! An installation that runs: its actions are done at the device, and it hears what the person decides.

use std::time::Duration;

use bootlace_dfuse::Dfuse;
use bootlace_engine::words::page::new_board::{self as words, System, Trouble};
use bootlace_install::{Board, Ended, FlashPlan, Installation, News, Next, Way, Work, boards};
use bootlace_loader::{Action, Broken, Fault, Line, Loader, Parity};
use bootlace_nordic_dfu::{Package, Target, Transfer};
use bootlace_picoboot::Picoboot;
use bootlace_stm32_uart::Stm32Uart;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt as _;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;

use crate::browser::usb::{self, Kind};
use crate::browser::{Unopened, serial};

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

const PICOBOOT: Kind = Kind {
    numbers: bootlace_picoboot::DEVICE,
    interface: bootlace_picoboot::INTERFACE,
};

const DFUSE: Kind = Kind {
    numbers: bootlace_dfuse::DEVICE,
    interface: bootlace_dfuse::INTERFACE,
};

/// An open loader.
pub(crate) enum Link {
    Usb(usb::Loader),
    Serial(serial::Port),
}

impl Link {
    async fn perform(&mut self, action: Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        match self {
            Link::Usb(loader) => loader.perform(action, limit).await,
            Link::Serial(port) => port.perform(action, limit).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Link::Usb(loader) => loader.close().await,
            Link::Serial(port) => port.close().await,
        }
    }
}

async fn by_usb(kind: Kind) -> Result<Link, Unopened> {
    let loader = usb::choose(kind).await?;
    loader.open().await?;
    Ok(Link::Usb(loader))
}

async fn by_port(line: Line, numbers: Option<(u16, u16)>) -> Result<Link, Unopened> {
    let port = serial::choose(numbers).await?;
    port.open(line).await?;
    Ok(Link::Serial(port))
}

/// Chooses and opens the board's loader. Only with a click.
///
/// # Errors
/// Why it is not open.
pub(crate) async fn open(way: Way, board: &Board, system: System) -> Result<Link, Trouble> {
    let (opened, numbers) = match way {
        Way::Picoboot => (by_usb(PICOBOOT).await, PICOBOOT.numbers),
        Way::Dfuse => (by_usb(DFUSE).await, DFUSE.numbers),
        Way::Uart => (by_port(bootlace_stm32_uart::LINE, None).await, (0, 0)),
        Way::Nordic => {
            let line = Line {
                baud: bootlace_nordic_dfu::BAUD,
                parity: Parity::None,
            };
            let numbers = bootlace_nordic_dfu::DEVICE;
            (by_port(line, Some(numbers)).await, numbers)
        }
        // A drive is no loader that is asked for anything.
        Way::Uf2 => return Err(words::wrong_device(board).into()),
    };
    opened.map_err(|why| match why {
        Unopened::NotThere => words::not_in_this_browser(board).into(),
        Unopened::NotChosen => words::none_chosen(board, way).into(),
        Unopened::Another => words::wrong_device(board).into(),
        Unopened::Denied => words::denied(board, system, numbers, boards::COMPANION_USB),
        Unopened::Busy => words::busy(board, way, system),
        Unopened::Gone => words::vanished(board).into(),
    })
}

/// Starts an installation over an open loader.
pub(crate) fn start(way: Way, link: Link, plan: FlashPlan, tell: impl Fn(News) + 'static) -> Orders {
    let (orders, heard) = unbounded();
    let gone = orders.clone();
    spawn_local(async move {
        let mut link = link;
        let (interface, watch) = match &link {
            Link::Usb(loader) => {
                let watch = loader.watch(move || _ = gone.unbounded_send(Order::Gone));
                (loader.interface, watch)
            }
            Link::Serial(_) => (0, None),
        };
        // One kind of installation for all loaders: each would weigh as much again.
        let loader: Box<dyn Loader> = match way {
            Way::Picoboot => Box::new(Picoboot::new(interface)),
            Way::Dfuse => Box::new(Dfuse::new(interface)),
            Way::Uart => Box::new(Stm32Uart::new()),
            Way::Uf2 | Way::Nordic => return link.close().await,
        };
        drive(Installation::new(loader, plan), &mut link, heard, tell).await;
        drop(watch);
        link.close().await;
    });
    orders
}

/// Until it is over.
async fn drive(
    mut installation: Installation<Box<dyn Loader>>,
    link: &mut Link,
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

/// Sends a package to Nordic's bootloader over its open port.
pub(crate) fn send(
    package: Package,
    target: Target,
    link: Link,
    tell: impl Fn(bootlace_nordic_dfu::News) + 'static,
) -> Orders {
    let (orders, mut heard) = unbounded();
    spawn_local(async move {
        let (mut transfer, mut link) = (Transfer::new(package, target), link);
        let mut over = false;
        while !over {
            let next = transfer.poll_next();
            while let Some(news) = transfer.poll_news() {
                over |= matches!(news, bootlace_nordic_dfu::News::Ended(_));
                tell(news);
            }
            if let bootlace_nordic_dfu::Next::Do(action, limit) = next {
                let done = link.perform(action, limit).await;
                transfer.handle_done(done);
            }
            while let Ok(order) = heard.try_recv() {
                if order == Order::Cancel {
                    transfer.cancel();
                }
            }
        }
        link.close().await;
    });
    orders
}
