//! MCUboot images: header, TLVs, signatures and slot trailers.
