//! Tests on the real host, as root, with real containers.

mod runtime;
