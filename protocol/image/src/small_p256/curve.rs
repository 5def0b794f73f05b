//! Points of the curve in Jacobian coordinates, and the formulas that add and double them.

use super::numbers::FIELD;
use crate::small::{Values, Words, ZERO, mul, sub, sum};

/// The curve's b, times 2^256 as products want it.
pub(super) const B: Words = [
    0x29C4_BDDF,
    0xD89C_DF62,
    0x7884_3090,
    0xACF0_05CD,
    0xF721_2ED6,
    0xE5A2_20AB,
    0x0487_4834,
    0xDC30_061D,
];
/// The base point.
pub(super) const G: [Words; 2] = [
    [
        0xD898_C296,
        0xF4A1_3945,
        0x2DEB_33A0,
        0x7703_7D81,
        0x63A4_40F2,
        0xF8BC_E6E5,
        0xE12C_4247,
        0x6B17_D1F2,
    ],
    [
        0x37BF_51F5,
        0xCBB6_4068,
        0x6B31_5ECE,
        0x2BCE_3357,
        0x7C0F_9E16,
        0x8EE7_EB4A,
        0xFE1A_7F9B,
        0x4FE3_42E2,
    ],
];

/// A point X / Z^2, Y / Z^3, all times 2^256; the one at infinity has Z = 0.
pub(super) type Point = [Words; 3];

/// 1, times 2^256.
const UNIT: Words = [1, 0, 0, u32::MAX, u32::MAX, u32::MAX, 0xFFFF_FFFE, 0];

const X: u16 = 0;
const Y: u16 = 1;
const Z: u16 = 2;

impl Values {
    /// The point at these coordinates, if it is one of the curve's.
    pub(super) fn on_curve(x: &Words, y: &Words) -> Option<Point> {
        (FIELD.has(x) && FIELD.has(y)).then_some(())?;
        let mut values = Self::ZERO;
        values.set(0, &[*x, *y, UNIT]);
        values.set(3, &[FIELD.square, B, ZERO]);
        values.run(&FIELD, &EQUATION);
        (values.at(5) == values.at(6)).then(|| values.point())
    }

    /// Adds a point.
    #[inline(never)]
    pub(super) fn add(&mut self, other: &Point) {
        if *self.at(Z) == ZERO {
            return self.set(0, other);
        }
        self.set(3, other);
        if *self.at(5) == ZERO {
            return;
        }
        self.run(&FIELD, &SCALE_OTHER);
        // Where Z is 1, as in most sums here, a third of the work is none.
        if *self.at(5) != UNIT {
            self.run(&FIELD, &SCALE);
        }
        self.run(&FIELD, &COMPARE);
        let formula: &[u16] = match (*self.at(H) == ZERO, *self.at(R) == ZERO) {
            (false, _) => &ADD,
            // The same x: the same point, or its negative.
            (true, true) => &DOUBLE,
            (true, false) => &[sub(Z, Z, Z)],
        };
        self.run(&FIELD, formula);
    }

    pub(super) fn point(&self) -> Point {
        *self.first()
    }
}

/// Of x, y, 1, 2^512 and b: x and y times 2^256, (x^2 - 3) x + b in 5, y^2 in 6.
const EQUATION: [u16; 9] = [
    mul(X, X, 3),
    mul(Y, Y, 3),
    mul(5, X, X),
    sub(5, 5, 2),
    sub(5, 5, 2),
    sub(5, 5, 2),
    mul(5, 5, X),
    sum(5, 5, 4),
    mul(6, Y, Y),
];

/// Explicit-Formulas Database, dbl-2001-b: delta in 3, gamma in 4, beta in 5, alpha in 6.
pub(super) const DOUBLE: [u16; 23] = [
    mul(3, Z, Z),
    mul(4, Y, Y),
    mul(5, X, 4),
    // alpha = 3 (X - delta) (X + delta)
    sub(6, X, 3),
    sum(7, X, 3),
    mul(6, 6, 7),
    sum(7, 6, 6),
    sum(6, 6, 7),
    // Z = (Y + Z)^2 - gamma - delta
    sum(Z, Y, Z),
    mul(Z, Z, Z),
    sub(Z, Z, 4),
    sub(Z, Z, 3),
    // X = alpha^2 - 8 beta
    sum(5, 5, 5),
    sum(5, 5, 5),
    sum(7, 5, 5),
    mul(X, 6, 6),
    sub(X, X, 7),
    // Y = alpha (4 beta - X) - 8 gamma^2
    sub(5, 5, X),
    mul(Y, 6, 5),
    sum(4, 4, 4),
    mul(4, 4, 4),
    sum(4, 4, 4),
    sub(Y, Y, 4),
];

/// The difference of two points' x and of their y, as if they had the same Z.
const H: u16 = 6;
const R: u16 = 7;

/// The second point's x and y, in 3 and 4, with the first one's Z: in H and R.
const SCALE_OTHER: [u16; 4] = [mul(H, Z, Z), mul(R, H, Z), mul(H, 3, H), mul(R, 4, R)];
/// The first point's x and y with the second one's Z, which is in 5; the product of both Z.
const SCALE: [u16; 5] = [
    mul(8, 5, 5),
    mul(X, X, 8),
    mul(8, 8, 5),
    mul(Y, Y, 8),
    mul(Z, Z, 5),
];
const COMPARE: [u16; 2] = [sub(H, H, X), sub(R, R, Y)];
/// Explicit-Formulas Database, add-1998-cmo-2.
const ADD: [u16; 12] = [
    mul(3, H, H),
    mul(4, 3, H),
    mul(5, X, 3),
    mul(X, R, R),
    sub(X, X, 4),
    sub(X, X, 5),
    sub(X, X, 5),
    sub(5, 5, X),
    mul(5, R, 5),
    mul(4, Y, 4),
    sub(Y, 5, 4),
    mul(Z, Z, H),
];
