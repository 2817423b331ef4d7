//! The daemon's routes, one file a resource.
