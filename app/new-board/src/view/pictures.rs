//! Boards, drawn so that a person finds what brings them into their loader. Lengths are tenths of a millimetre.

use bootlace_install::Board;
use bootlace_page_parts::icons;
use yew::prelude::*;

/// The board; while it is to be connected, with what to do first (1) and then (2).
pub(super) fn board(board: &Board, connecting: bool) -> Html {
    match board.name {
        "rp2040" => pico(connecting),
        "stm32f407" => discovery(connecting),
        "nrf52840-dongle" => dongle(connecting),
        _ if board.drive.is_some() => feather(connecting),
        _ => html! { <span class="picture picture--plain">{ icons::board() }</span> },
    }
}

fn drawing(view: &'static str, parts: Html) -> Html {
    html! {
        <svg class="picture" viewBox={view} aria-hidden="true" focusable="false">{ parts }</svg>
    }
}

fn rect(class: &'static str, [x, y, width, height]: [i32; 4], radius: i32) -> Html {
    html! {
        <rect {class} x={x.to_string()} y={y.to_string()} width={width.to_string()} height={height.to_string()} rx={radius.to_string()} />
    }
}

fn circle(class: &'static str, (x, y): (i32, i32), radius: i32) -> Html {
    html! { <circle {class} cx={x.to_string()} cy={y.to_string()} r={radius.to_string()} /> }
}

/// Pads or pins 2.54 mm apart, `count` from here on to the right.
fn row(count: i32, (x, y): (i32, i32), radius: i32) -> Html {
    (0..count)
        .map(|number| circle("pcb__pad", (x + number * 254 / 10, y), radius))
        .collect()
}

/// The same downwards.
fn column(count: i32, (x, y): (i32, i32), radius: i32) -> Html {
    (0..count)
        .map(|number| circle("pcb__pad", (x, y + number * 254 / 10), radius))
        .collect()
}

/// What is done first, or then.
fn number((x, y): (i32, i32), text: &'static str, scale: i32) -> Html {
    html! {
        <>
            { circle("pcb__number", (x, y), 10 * scale) }
            <text class={if scale > 2 { "pcb__digit pcb__digit--large" } else { "pcb__digit" }} x={x.to_string()}
                y={(y + 9 * scale / 2).to_string()} text-anchor="middle">{ text }</text>
        </>
    }
}

/// A plug on its way to a socket whose mouth is here.
fn cable((x, y): (i32, i32), step: Option<&'static str>) -> Html {
    let line = |path: String| html! { <path class="pcb__line" d={path} /> };
    html! {
        <>
            <path class="pcb__cord" d={format!("M{} {y}H{}", x - 177, x - 137)} />
            { rect("pcb__plug", [x - 137, y - 29, 66, 58], 9) }
            { rect("pcb__metal", [x - 71, y - 19, 34, 38], 3) }
            { line(format!("M{} {y}H{}M{} {}L{} {y}L{} {}", x - 31, x - 7, x - 15, y - 8, x - 7, x - 15, y + 8)) }
            { for step.map(|step| number((x - 104, y - 69), step, 2)) }
        </>
    }
}

/// A Raspberry Pi Pico: 51 mm by 21 mm, 20 pads on each side, its button beside the USB socket.
fn pico(connecting: bool) -> Html {
    let button = (132, 140);
    let parts = html! {
        <>
            if connecting {
                { cable((-13, 105), Some("2")) }
            }
            { rect("pcb", [0, 0, 510, 210], 10) }
            { row(20, (14, 14), 7) }
            { row(20, (14, 196), 7) }
            { column(3, (490, 80), 7) }
            { rect("pcb__metal", [-13, 65, 76, 80], 5) }
            { rect("pcb__led", [50, 160, 20, 12], 2) }
            { rect("pcb__chip", [120, 46, 50, 44], 3) }
            { rect("pcb__chip", [222, 68, 74, 74], 4) }
            { circle("pcb__mark", (236, 82), 5) }
            { rect("pcb__metal", [322, 80, 34, 26], 4) }
            { rect("pcb__metal", [104, 118, 56, 44], 5) }
            { circle("pcb__button", button, 15) }
            if connecting {
                { circle("pcb__ring", button, 42) }
                <path class="pcb__line" d="M132 186V226" />
                { number((132, 246), "1", 2) }
            }
        </>
    };
    drawing(
        if connecting {
            "-194 -14 712 286"
        } else {
            "-24 -8 544 226"
        },
        parts,
    )
}

/// An STM32F4DISCOVERY: 97 mm by 66 mm, lying on its side, the user's USB socket to the left (UM1472: BOOT0 and VDD are pins 21 and
/// 22 of P2, side by side; B2 is the black button).
fn discovery(connecting: bool) -> Html {
    let (jumper, reset) = ((517, 52), (150, 470));
    let parts = html! {
        <>
            if connecting {
                { cable((-14, 330), None) }
            }
            { rect("pcb", [0, 0, 970, 660], 16) }
            { for [40, 65, 595, 620].map(|y| row(25, (200, y), 8)) }
            { rect("pcb__metal", [-14, 286, 70, 88], 6) }
            { rect("pcb__metal", [900, 280, 84, 100], 6) }
            { rect("pcb__chip", [410, 260, 140, 140], 6) }
            { circle("pcb__mark", (432, 282), 8) }
            { rect("pcb__chip", [730, 290, 84, 84], 5) }
            { rect("pcb__metal", [600, 300, 60, 34], 5) }
            { for [(280, 300), (330, 260), (330, 340), (280, 380)].map(|at| circle("pcb__led", at, 12)) }
            { rect("pcb__metal", [110, 150, 80, 80], 8) }
            { circle("pcb__button pcb__button--blue", (150, 190), 26) }
            { rect("pcb__metal", [110, 430, 80, 80], 8) }
            { circle("pcb__button pcb__button--black", reset, 26) }
            if connecting {
                { rect("pcb__jumper", [500, 24, 34, 56], 8) }
                { circle("pcb__ring pcb__ring--large", jumper, 66) }
                { circle("pcb__ring pcb__ring--large", reset, 74) }
                { number((620, 130), "1", 4) }
                { number((262, 520), "2", 4) }
            }
        </>
    };
    drawing(
        if connecting {
            "-200 -30 1200 720"
        } else {
            "-40 -20 1040 700"
        },
        parts,
    )
}

/// A small board with an nRF52840, as several makers have it: USB socket, module, a button for resets.
fn feather(connecting: bool) -> Html {
    let reset = (150, 60);
    let parts = html! {
        <>
            if connecting {
                { cable((-13, 115), None) }
            }
            { rect("pcb pcb--dark", [0, 0, 508, 229], 22) }
            { row(12, (150, 214), 7) }
            { row(16, (58, 14), 7) }
            { rect("pcb__metal", [-13, 77, 70, 76], 5) }
            { rect("pcb__metal", [280, 58, 170, 112], 6) }
            { rect("pcb__chip", [452, 58, 34, 112], 3) }
            { rect("pcb__led", [92, 170, 20, 12], 2) }
            { rect("pcb__chip", [196, 128, 40, 40], 3) }
            { rect("pcb__metal", [124, 38, 52, 44], 5) }
            { circle("pcb__button", reset, 14) }
            if connecting {
                { circle("pcb__ring", reset, 42) }
                { number((214, 60), "2×", 2) }
            }
        </>
    };
    drawing(
        if connecting {
            "-194 -24 712 270"
        } else {
            "-24 -8 544 246"
        },
        parts,
    )
}

/// A PCA10059: 46 mm by 16 mm, its contacts for USB printed on one end; the reset button lies flat and is pressed towards them.
fn dongle(connecting: bool) -> Html {
    let parts = html! {
        <>
            { rect("pcb pcb--dark", [0, 0, 460, 160], 14) }
            { rect("pcb__metal", [-6, 16, 120, 128], 4) }
            { for [28, 58, 88, 118].map(|y| rect("pcb__contact", [6, y, 78, 14], 3)) }
            { row(11, (150, 10), 6) }
            { row(11, (150, 150), 6) }
            { rect("pcb__chip", [150, 52, 56, 56], 3) }
            { circle("pcb__mark", (162, 64), 4) }
            { rect("pcb__metal", [228, 48, 66, 66], 6) }
            { circle("pcb__button", (261, 81), 24) }
            { rect("pcb__metal", [326, 60, 24, 42], 3) }
            { rect("pcb__button", [350, 68, 12, 26], 2) }
            { circle("pcb__led pcb__led--red", (322, 128), 8) }
            if connecting {
                { circle("pcb__ring", (346, 81), 40) }
                <path class="pcb__line" d="M500 81H402M414 69L402 81L414 93" />
            }
        </>
    };
    drawing(
        if connecting {
            "-20 -14 540 188"
        } else {
            "-20 -8 500 176"
        },
        parts,
    )
}
