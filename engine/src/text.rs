//! Text that a board sent, made fit to be shown.

use alloc::string::String;

/// Characters of the longest text that is kept: names and serial numbers are far shorter.
const LONGEST: usize = 96;

/// Leaves out what hides, moves or overwrites text on a terminal or a page (control characters, marks of direction, marks
/// without a width), and what is longer than any name.
pub(crate) fn clean(text: &str) -> String {
    let visible = |character: &char| {
        !character.is_control()
            && !matches!(
                character,
                '\u{AD}'
                    | '\u{61C}'
                    | '\u{180E}'
                    | '\u{200B}'..='\u{200F}'
                    | '\u{2028}'..='\u{202E}'
                    | '\u{2060}'..='\u{206F}'
                    | '\u{FE00}'..='\u{FE0F}'
                    | '\u{FEFF}'
                    | '\u{FFF0}'..='\u{FFFB}'
                    | '\u{E0000}'..='\u{E0FFF}'
            )
    };
    text.chars().filter(visible).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_board_says_can_neither_hide_text_nor_steer_a_terminal() {
        assert_eq!(
            clean("Hub\u{1b}]0;owned\u{7} \r\nA\u{202E}B\u{200B}C"),
            "Hub]0;owned ABC"
        );
        assert_eq!(clean("größer 1.2.3+4"), "größer 1.2.3+4");
        assert_eq!(clean(&"x".repeat(500)).len(), LONGEST);
    }
}
