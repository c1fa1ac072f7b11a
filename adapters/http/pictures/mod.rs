//! Pictures: logos of receipts, and QR codes.

pub(crate) mod logo;
pub(crate) mod qr_code;
