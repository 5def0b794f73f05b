//! The texts of the page that hold no values: labels, buttons, hints.

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident: $text:literal,)*) => {
        /// The texts of the page that hold no values. Another language is another value of this type.
        #[derive(Debug)]
        pub struct Labels {
            $($(#[$doc])* #[doc = concat!("“", $text, "”")] pub $name: &'static str,)*
        }

        static ENGLISH: Labels = Labels { $($name: $text,)* };
    };
}

/// The labels in the language of the page.
pub fn labels() -> &'static Labels {
    &ENGLISH
}

labels! {
    product: "Bootlace",
    brand_link: "Bootlace, start again",
    tagline: "Safe firmware updates, with automatic rollback",
    privacy: "Nothing leaves this computer: files, keys and ports stay between this page and the board.",
    drop_here: "Drop the signed firmware image here",
    obstacle: "What this browser lacks",
    trouble: "What went wrong",
    close_message: "Close this message",
    /// Beside an update that failed before the board's firmware could have changed.
    unharmed: "The firmware that the board runs was not changed.",
    for_developers: "For developers",
    leaving: "An update is running.",

    firmware: "Firmware",
    choose_image: "Choose a signed image",
    choose_image_hint: "or drop the file anywhere on this page",
    choose_another: "Choose another file",
    try_it_with: "Try it with",
    size: "Size",
    board_class: "Board class",
    vendor: "Vendor",
    starts_at: "Starts at",
    counter: "Security counter",
    image_hash: "Image hash",

    signature_trusted: "Signed by a key you trust",
    signature_test_key: "Signed with a published test key: anybody can sign with it",
    signature_by_board: "Signed with a key that the board names, and that you have not added yourself",
    signature_unchecked: "Signed, not checked yet: connect the board, or add the signer’s public key",
    signature_not_yours: "Signed with a key that is not among your trusted keys",
    signature_unread: "Signed, but the image does not say with which key",
    board_accepts: "The board says that it accepts this signer",
    board_refuses: "The board does not accept this signer",
    signer: "Signer",
    key: "Key",

    trusted_keys: "Trusted keys",
    trusted_keys_about: "Without keys here, the page goes by the keys that the board names. Once you add a key, only firmware signed by your keys is installed.",
    add_key: "Add a public key (PEM)",
    key_name: "Name of this key",
    key_fingerprint: "Fingerprint (SHA-256)",
    key_added: "Added",
    remove: "Remove",
    test_key: "Test key: anybody can sign with it",
    accept_test_keys: "Accept test keys (unsafe: anybody can sign with them)",

    saved_images: "Saved images",
    delete: "Delete",
    delete_all: "Delete all of them",

    board: "Board",
    boards: "Boards",
    connect: "Connect a board",
    connect_hint: "Boards used here before connect by themselves",
    connect_another: "Connect another board",
    connect_usb: "Connect a USB device",
    connect_another_usb: "Connect another USB device",
    disconnect: "Disconnect",
    unplug: "Unplug",
    simulate_about: "No board at hand? Try the page with a simulated one.",
    what_happens: "What happens",
    simulate: "Simulate",
    simulated: "simulated",
    simulated_board: "Simulated board",
    asking: "Asking who is there",
    no_firmware: "No firmware",
    unlisted: "Firmware that the board does not list",
    unplugged: "Unplugged. Plug it in again: the page continues by itself.",
    restarting: "restarting",
    last_update: "The last update",
    last_updates: "Last updates",
    slots: "What the board holds",
    exchange: "They change places at the next restart",
    empty: "empty",
    serial_number: "Serial number",
    bootloader: "Bootloader",
    backup_copy: "Backup copy (golden image)",
    supply: "Supply",
    accepts: "Accepts firmware by",

    update: "Update",
    send_full: "Send the full image",
    low_supply: "The board refuses updates while its supply is low. Charge it, then check again.",
    check_again: "Check again",
    cancel: "Cancel",
    cancelling: "Cancelling",
    leave: "Disconnect",
    leave_about: "The board continues by itself, but this page can’t say how the update ends.",
    hold_button: "Restart it with its button held",
    nothing_sent: "Nothing was sent to the board.",

    log: "Log",
    copy_log: "Copy the log",
}
