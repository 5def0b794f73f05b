//! The drawings: one stroke width, no files to load.

use yew::prelude::*;

fn stroke(path: &'static str) -> Html {
    html! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d={path} />
        </svg>
    }
}

/// A lace through two rows of eyelets.
pub fn logo() -> Html {
    html! {
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect class="logo__tongue" x="1" y="1" width="30" height="30" rx="8" />
            <path class="logo__lace" d="M10 8L22 16L10 24M22 8L10 16L22 24" />
            { for [(10, 8), (22, 8), (10, 16), (22, 16), (10, 24), (22, 24)].map(|(x, y)| html! {
                <circle class="logo__eyelet" cx={x.to_string()} cy={y.to_string()} r="2.3" />
            }) }
        </svg>
    }
}

/// A sheet of paper.
pub fn file() -> Html {
    stroke("M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6")
}

/// A chip.
pub fn board() -> Html {
    stroke(
        "M7 7h10v10H7zM10 10h4v4h-4zM9 7V3M12 7V3M15 7V3M9 21v-4M12 21v-4M15 21v-4M7 9H3M7 12H3M7 15H3M21 9h-4M21 12h-4M21 15h-4",
    )
}

/// A plug.
pub fn plug() -> Html {
    stroke("M9 3v5M15 3v5M6 8h12v4a6 6 0 0 1-12 0zM12 18v3")
}

/// A tick.
pub fn check() -> Html {
    stroke("M4.5 12.5l5 5 10-11")
}

/// A triangle.
pub fn warning() -> Html {
    stroke("M12 4 2.5 20h19zM12 10v5M12 17.6v.4")
}

/// A cross.
pub fn cross() -> Html {
    stroke("M6 6l12 12M18 6 6 18")
}

/// An arrow that turns back.
pub fn back() -> Html {
    stroke("M4 9h11a5 5 0 0 1 0 10H8M8 5 4 9l4 4")
}

/// Two lines.
pub fn equal() -> Html {
    stroke("M5 9h14M5 15h14")
}

/// A key.
pub fn key() -> Html {
    stroke("M12.5 8a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0zM11.2 11.2 20 20M16.5 16.5 19 14M20 20l1.5-1.5")
}

/// A question mark.
pub fn question() -> Html {
    stroke("M8.5 9a3.5 3.5 0 1 1 5 3.2c-1 .5-1.5 1.2-1.5 2.3M12 18v.4")
}

/// An arrow to the right.
pub fn arrow() -> Html {
    stroke("M5 12h13M13 6.5l5.5 5.5-5.5 5.5")
}

/// Two arrows, up and down.
pub fn swap() -> Html {
    stroke("M8 4v15M4 8l4-4 4 4M16 20V5M12 16l4 4 4-4")
}
