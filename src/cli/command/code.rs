//! `wrun code`.
