//! Nouns without behaviour: the vocabulary that every other room shares.

pub mod id_map;
pub mod root;
