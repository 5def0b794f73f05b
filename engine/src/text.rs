//! Text from outside, made fit to be shown.

use alloc::string::String;

/// Characters of the longest text that is kept: names and serial numbers are far shorter.
const LONGEST: usize = 96;

/// What a board calls something, without what hides text or steers a terminal, and no longer than any name.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(is_visible).take(LONGEST).collect()
}

/// Lines to be shown, without what hides text or steers a terminal: names of files and of USB devices are others' words, too.
pub fn visible(lines: &str) -> String {
    let is_kept = |character: &char| *character == '\n' || is_visible(character);
    lines.chars().filter(is_kept).collect()
}

/// Whether a character neither hides, moves nor overwrites others on a terminal or a page: control characters do, and marks
/// of direction, and marks without a width.
fn is_visible(character: &char) -> bool {
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
        assert_eq!(visible("one\u{9B}2J\r\ntwo\u{2066}\n"), "one2J\ntwo\n");
    }
}
