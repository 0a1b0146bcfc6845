//! Tables of prices.

mod price_row;
mod pricing;
