//! Points of edwards25519 in extended coordinates, and the formulas that add and double them.

use crate::small::{Modulus, Values, Words, ZERO, mul, sub, sum};

/// Of the coordinates (RFC 8032, 5.1: p).
pub(super) const FIELD: Modulus = Modulus {
    words: [
        0xFFFF_FFED,
        0xFFFF_FFFF,
        0xFFFF_FFFF,
        0xFFFF_FFFF,
        0xFFFF_FFFF,
        0xFFFF_FFFF,
        0xFFFF_FFFF,
        0x7FFF_FFFF,
    ],
    inverse: 0x286B_CA1B,
    square: [1444, 0, 0, 0, 0, 0, 0, 0],
};

/// Of the factors: how many points the base point makes (RFC 8032, 5.1: L).
pub(super) const ORDER: Modulus = Modulus {
    words: [
        0x5CF5_D3ED,
        0x5812_631A,
        0xA2F7_9CD6,
        0x14DE_F9DE,
        0,
        0,
        0,
        0x1000_0000,
    ],
    inverse: 0x1254_7E1B,
    square: [
        0x449C_0F01,
        0xA406_11E3,
        0x6885_9347,
        0xD00E_1BA7,
        0x17F5_BE65,
        0xCEEC_73D2,
        0x7C30_9A3D,
        0x0399_411B,
    ],
};

/// 1, times 2^256 as products want it.
pub(super) const UNIT: Words = [38, 0, 0, 0, 0, 0, 0, 0];
/// Twice the curve's d, times 2^256.
const TWICE_D: Words = [
    0xBE8F_D3F4,
    0x01DB_17FD,
    0x5F8C_52E7,
    0x2143_0EEF,
    0x7831_0D20,
    0xCB27_240F,
    0xE53F_8A4D,
    0x5904_56B4,
];
/// A root of -1, times 2^256.
const ROOT: Words = [
    0xFE2B_DB04,
    0x3B58_07D4,
    0xB51B_E9ED,
    0x03F5_90FD,
    0x3362_02D1,
    0x6D6E_16BF,
    0xD6C7_1BA8,
    0x7577_6B0B,
];
/// The base point's x and y, times 2^256.
pub(super) const BASE: [Words; 2] = [
    [
        0x3F9D_A287,
        0xE2CA_BC55,
        0x2396_E489,
        0x9CA5_9856,
        0xADE4_B5B7,
        0x9879_936B,
        0x7E60_77D0,
        0x759E_2370,
    ],
    [
        0x3333_334A,
        0x3333_3333,
        0x3333_3333,
        0x3333_3333,
        0x3333_3333,
        0x3333_3333,
        0x3333_3333,
        0x3333_3333,
    ],
];

/// A point X / Z, Y / Z, and T = X Y / Z, all times 2^256.
pub(super) type Point = [Words; 4];
/// A point x, y, and 2 d x y, all times 2^256.
pub(super) type Summand = [Words; 3];

/// The point that changes nothing: 0, 1.
pub(super) const NEUTRAL: Point = [ZERO, UNIT, UNIT, ZERO];

const X: u16 = 0;
const Y: u16 = 1;
const Z: u16 = 2;
const T: u16 = 3;
/// Where a summand's coordinates are.
pub(super) const SUMMAND: usize = 4;

/// The product of x, y and `scale`.
fn product(x: &Words, y: &Words, scale: &Words) -> Words {
    let mut product = *x;
    FIELD.multiply(&mut product, y);
    FIELD.multiply(&mut product, scale);
    product
}

pub(super) fn summand(x: &Words, y: &Words) -> Summand {
    [*x, *y, product(x, y, &TWICE_D)]
}

/// What a point's x is computed from: for its y, u = 2 y^2 - 2 in 4, v = 2 d y^2 + 2 in 5, u v^3 in 6 and u v^7 in 7. x^2 is u / v
/// (RFC 8032, 5.1.3).
fn equation(y: &Words) -> Values {
    let mut values = Values::ZERO;
    values.set(0, &[*y, UNIT, TWICE_D]);
    values.run(&FIELD, &EQUATION);
    values
}

/// Of what a power is needed for the x that belongs to `y`: see [`x_of`].
pub(super) fn radicand(y: &Words) -> Words {
    *equation(y).at(7)
}

/// The x that belongs to `y` and is odd or not, from [`radicand`] to the power of 2^252 - 3. `None`: the curve has no such point,
/// or one of small order.
#[inline(never)]
pub(super) fn x_of(y: &Words, power: &Words, odd: bool) -> Option<Words> {
    let mut values = equation(y);
    values.set(8, &[*power]);
    values.run(&FIELD, &CANDIDATE);
    let mut x = *values.at(1);
    if values.at(2) != values.at(4) {
        // v x^2 is -u: the other root.
        (*values.at(3) == ZERO).then_some(())?;
        FIELD.multiply(&mut x, &ROOT);
    }
    if is_odd(&x) != odd {
        let root = x;
        x = ZERO;
        FIELD.subtract(&mut x, &root);
    }
    // A point of small order, that is of 1, 2, 4 or 8, has order 1, 2 or 4 when it is doubled: one of its coordinates is 0.
    values.set(0, &[x, *y, UNIT, product(&x, y, &UNIT)]);
    values.run(&FIELD, &DOUBLE);
    (*values.at(T) != ZERO).then_some(x)
}

fn is_odd(number: &Words) -> bool {
    // Without its 2^256.
    let mut number = *number;
    FIELD.multiply(&mut number, &crate::small::ONE);
    let [lowest, ..] = number;
    lowest & 1 != 0
}

/// Of y, 1 and 2 d: what [`equation`] says.
const EQUATION: [u16; 13] = [
    mul(4, 0, 0),
    mul(5, 4, 2),
    sum(4, 4, 4),
    sub(4, 4, 1),
    sub(4, 4, 1),
    sum(5, 5, 1),
    sum(5, 5, 1),
    mul(6, 5, 5),
    mul(6, 6, 5),
    mul(7, 6, 6),
    mul(7, 7, 5),
    mul(7, 7, 4),
    mul(6, 6, 4),
];

/// Of u, v, u v^3, and a power in 8: their product, which may be x, in 1; v x^2 in 2; and u + v x^2 in 3.
const CANDIDATE: [u16; 4] = [mul(1, 6, 8), mul(2, 1, 1), mul(2, 2, 5), sum(3, 2, 4)];

/// Explicit-Formulas Database, twisted Edwards curves, extended coordinates with a = -1, dbl-2008-hwcd, with all four coordinates
/// negated: A + B in Y, E in X, C - G in 7, G in 8.
pub(super) const DOUBLE: [u16; 14] = [
    mul(7, X, X),
    mul(8, Y, Y),
    sum(X, X, Y),
    mul(X, X, X),
    sum(Y, 7, 8),
    sub(X, X, Y),
    sub(8, 8, 7),
    mul(Z, Z, Z),
    sum(Z, Z, Z),
    sub(7, Z, 8),
    mul(T, X, Y),
    mul(X, X, 7),
    mul(Z, 7, 8),
    mul(Y, Y, 8),
];

/// The same, madd-2008-hwcd-3, for any two points, equal ones among them: H in Y, E in X, F in 7, G in 8.
pub(super) const ADD: [u16; 16] = [
    sub(7, Y, X),
    sub(8, 5, 4),
    mul(7, 7, 8),
    sum(Y, Y, X),
    sum(8, 5, 4),
    mul(Y, Y, 8),
    mul(T, T, 6),
    sum(Z, Z, Z),
    sub(X, Y, 7),
    sum(Y, Y, 7),
    sub(7, Z, T),
    sum(8, Z, T),
    mul(T, X, Y),
    mul(X, X, 7),
    mul(Z, 7, 8),
    mul(Y, Y, 8),
];
