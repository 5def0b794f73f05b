//! Devices that are no board: what a page meets when the wrong thing is plugged in.

use std::time::Duration;

use super::Line;

/// How often a device that speaks by itself does.
const BEAT: Duration = Duration::from_millis(50);

/// Sends everything back, as a shorted cable or a modem does.
pub fn echo(line: Line) {
    while let Some(bytes) = line.read(Duration::from_secs(1)) {
        if !line.write(&bytes) {
            return;
        }
    }
}

/// Takes everything and never says a word.
pub fn silent(line: Line) {
    while line.read(Duration::from_secs(1)).is_some() {}
}

/// Random bytes, all the time: a board at another line rate. They are the same in every run.
pub fn noise(line: Line) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while line.read(BEAT).is_some() {
        let bytes: Vec<u8> = (0..512)
            .map(|_| {
                // xorshift64
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[7]
            })
            .collect();
        if !line.write(&bytes) {
            return;
        }
    }
}

/// A GPS receiver: a sentence now and then, deaf.
pub fn gps(line: Line) {
    while line.read(BEAT).is_some() {
        if !line.write(b"$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76\r\n") {
            return;
        }
    }
}

/// A shell: echoes the line and says that it does not know the command.
pub fn shell(line: Line) {
    while let Some(bytes) = line.read(Duration::from_secs(1)) {
        if bytes.is_empty() {
            continue;
        }
        if !line.write(&bytes) || !line.write(b"\r\nunknown command\r\n> ") {
            return;
        }
    }
}
