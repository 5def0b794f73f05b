//! The texts of “New board” that hold no values. They are apart from those of the page, which is loaded first.

/// The labels in the language of the page.
pub fn labels() -> &'static Labels {
    &ENGLISH
}

labels! {
    /// The texts of “New board” that hold no values. Another language is another value of this type.
    Labels:
    title: "New board",
    about: "A blank board gets its bootloader, the companion. From then on this page updates it.",
    close: "Close",
    change: "Change",
    proceed: "Continue",
    cancel: "Cancel",
    cancelling: "Cancelling",
    leaving: "The board’s flash is being changed.",
    unharmed: "The board was not changed.",

    board: "Board",
    board_about: "Which board is it?",
    looking: "Looking for companions",
    preparing: "The companions are being built",
    preparing_about: "“cargo xtask run” builds them after the page. They appear here by themselves.",

    key: "Key",
    key_about: "The board will run only firmware that is signed with your key. The public half goes into the board; the private half stays with you and signs.",
    key_choose: "Choose a public key",
    key_choose_hint: "PEM, as “imgtool getpub” writes it",
    key_second: "Add a second key",
    key_second_about: "A second key can take over when the first one is lost.",
    key_make: "Make a new key",
    key_make_hint: "in this browser, for your files alone",
    key_making: "Making a key",
    key_save_first: "Save the private key first",
    key_save_about: "Whoever has this file can sign firmware for your boards. Without it nobody can, not even you: keep a copy where it can’t be lost, and give it to nobody. It was made here and leaves this page only into your file.",
    key_save: "Save the private key",
    key_save_again: "Save it once more",
    key_is_saved: "I have the file, and a copy in a safe place",
    key_save_public: "Save the public key too",
    key_remove: "Remove",

    name: "What the board is called",
    name_about: "Shown by this page and by USB. Letters without accents, up to 32.",
    more: "Application, vendor and class",
    application_about: "With a signed application the board starts it at once. Without one, this page sends the first application later.",
    application_choose: "Choose a signed application",
    application_remove: "Remove the application",
    vendor: "Vendor (UUID)",
    class: "Class of boards (UUID)",
    ids_about: "Images that name another vendor or class, or none, are refused. Leave both empty to take any.",

    companion_making: "Making the companion",

    connect: "Connect",
    opening: "Opening the board",
    other_ways: "Other ways",
    drive_about: "In its loader the board shows a drive. A file that is copied there goes into its flash.",
    drive_choose: "Choose the drive",
    drive_download: "Download the file",
    drive_download_about: "A downloaded file is copied onto the drive by you: the board restarts by itself when the file is there.",

    programmer_about: "For a debugger or a programmer: one file of Intel HEX, with all of it.",

    check: "What changes",
    check_reading: "Reading what the board holds",
    check_erased: "Erased and written",
    check_held: "There now",
    check_blank: "Nothing: this part of the flash is blank",
    check_unread: "Not known: this way does not read. What is there is lost",
    check_untouched: "Untouched",
    check_rest: "The rest of the flash, and the chip’s protection",
    check_save: "Save what the board holds",
    check_discard: "I don’t need what the board holds",
    check_lost: "What the board holds may be lost",

    install: "Install",
    drive_writing: "Copying the companion onto the drive",
    install_button: "Install the companion",
    install_cable: "Leave the cable in. Should it come out, start again: the board waits in its loader.",

    first_start: "First start",
    done: "The companion is installed",
    done_read_back: "Every byte was read back. The board restarts and runs the companion now.",
    done_checked: "The board’s loader has checked all of it, and starts the companion now.",
    done_drive: "The board has taken the file and restarts.",
    by_hand: "Copy the file onto the board’s drive",
    by_programmer: "Write the file with your programmer",
    by_programmer_about: "Erase what it names and nothing else: probe-rs, nrfjprog, STM32CubeProgrammer and others take Intel HEX.",
    by_hand_about: "The drive disappears and the board restarts as soon as the file is there: that is as it should be, whatever the system says of the drive.",
    done_connect: "Connect the board",
    another: "Set up another board",
}
