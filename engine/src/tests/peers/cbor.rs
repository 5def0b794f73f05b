//! Just enough CBOR to write answers that this project's own encoder would not.

use std::vec;
use std::vec::Vec;

pub fn head(major: u8, count: u32) -> Vec<u8> {
    match count {
        0..24 => vec![major << 5 | count as u8],
        24..256 => vec![major << 5 | 24, count as u8],
        256..65_536 => [&[major << 5 | 25][..], &(count as u16).to_be_bytes()].concat(),
        _ => [&[major << 5 | 26][..], &count.to_be_bytes()].concat(),
    }
}

pub fn number(value: u32) -> Vec<u8> {
    head(0, value)
}

pub fn text(value: &str) -> Vec<u8> {
    [head(3, value.len() as u32), value.as_bytes().to_vec()].concat()
}

pub fn bytes(value: &[u8]) -> Vec<u8> {
    [head(2, value.len() as u32), value.to_vec()].concat()
}

pub fn flag(value: bool) -> Vec<u8> {
    vec![0xF4 + u8::from(value)]
}

pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u32), items.concat()].concat()
}

pub fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries
        .iter()
        .map(|(key, value)| [text(key), value.clone()].concat());
    let entries: Vec<Vec<u8>> = entries.collect();
    [head(5, entries.len() as u32), entries.concat()].concat()
}
