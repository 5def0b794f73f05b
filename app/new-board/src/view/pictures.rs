//! Boards, drawn so that a person finds the button that brings them into their loader. Lengths are tenths of a millimetre.

use bootlace_install::Board;
use bootlace_page_parts::icons;
use yew::prelude::*;

/// The board; while it is to be connected, with the cable and what to do first (1) and then (2).
pub(super) fn board(board: &Board, connecting: bool) -> Html {
    match board.name {
        "rp2040" => pico(connecting),
        _ => html! { <span class="picture picture--plain">{ icons::board() }</span> },
    }
}

/// A Raspberry Pi Pico: 51 mm by 21 mm, 20 pads 2.54 mm apart on each side, its button beside the USB socket.
fn pico(connecting: bool) -> Html {
    let pads = (0..20).flat_map(|number| [14, 196].map(|y| (14 + number * 254 / 10, y)));
    html! {
        <svg class="picture" viewBox={if connecting { "-190 -30 720 270" } else { "-24 -8 544 226" }} aria-hidden="true" focusable="false">
            if connecting {
                { cable() }
            }
            <rect class="pcb" x="0" y="0" width="510" height="210" rx="10" />
            { for pads.map(|(x, y)| html! { <circle class="pcb__pad" cx={x.to_string()} cy={y.to_string()} r="7" /> }) }
            <rect class="pcb__metal" x="-13" y="65" width="76" height="80" rx="5" />
            <rect class="pcb__led" x="50" y="160" width="20" height="12" rx="2" />
            <rect class="pcb__chip" x="120" y="46" width="50" height="44" rx="3" />
            <rect class="pcb__chip" x="222" y="68" width="74" height="74" rx="4" />
            <circle class="pcb__mark" cx="236" cy="82" r="5" />
            <rect class="pcb__metal" x="322" y="80" width="34" height="26" rx="4" />
            <rect class="pcb__metal" x="104" y="118" width="56" height="44" rx="5" />
            <circle class="pcb__button" cx="132" cy="140" r="15" />
            { for [82, 105, 128].map(|y| html! { <circle class="pcb__pad" cx="490" cy={y.to_string()} r="7" /> }) }
            if connecting {
                <circle class="pcb__ring" cx="132" cy="140" r="42" />
                { number(132, 222, "1") }
                <path class="pcb__line" d="M132 182V200" />
            }
        </svg>
    }
}

/// A plug on its way to the socket.
fn cable() -> Html {
    html! {
        <>
            <path class="pcb__cord" d="M-190 105H-150" />
            <rect class="pcb__plug" x="-150" y="76" width="66" height="58" rx="9" />
            <rect class="pcb__metal" x="-84" y="86" width="34" height="38" rx="3" />
            <path class="pcb__line" d="M-44 105H-20M-28 97L-20 105L-28 113" />
            { number(-117, 36, "2") }
        </>
    }
}

fn number(x: i32, y: i32, text: &'static str) -> Html {
    html! {
        <>
            <circle class="pcb__number" cx={x.to_string()} cy={y.to_string()} r="20" />
            <text class="pcb__digit" x={x.to_string()} y={(y + 9).to_string()} text-anchor="middle">{ text }</text>
        </>
    }
}
