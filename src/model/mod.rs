//! Nouns without behaviour: the vocabulary that every other room shares.
//!
//! | file | nouns |
//! | --- | --- |
//! | `key` | [`key::Key`], [`key::Kind`]: the name of an object |
//! | `size`, `time_span` | amounts, as manifests write them |
//! | `object` | what a user declares: [`object::Object`] and one struct a kind |
//! | `origin` | where a value was written: file, line, layer |
//! | `content` | what is put into containers, and secrets |
//! | `desired`, `observed`, `record` | the three sides of the comparison |
//! | `run` | what the runtime is asked to start, with every value typed |
//! | `step` | what changes the host |
//! | `references`, `renaming` | which objects one needs; how it follows when a network or pool has another name |
//! | `ready` | when a started container counts as ready |
//! | `prune` | what becomes of what is no longer declared |
//! | `rollout` | how many containers may be without service at once |
//! | `share` | so many, or a share of all |
//! | `subnet` | which addresses of a network a container can have |
//! | `typed` | normalised config texts as typed values |
//! | `natural` | names in the order in which people read them |
//! | `finding` | what is wrong with an input, and how to mend it |

pub mod content;
pub mod desired;
pub mod finding;
pub mod id_map;
pub mod key;
pub mod natural;
pub mod object;
pub mod observed;
pub mod origin;
pub mod prune;
pub mod ready;
pub mod record;
pub mod references;
pub mod renaming;
pub mod rollout;
pub mod root;
pub mod run;
pub mod share;
pub mod size;
pub mod step;
pub mod subnet;
pub mod time_span;
pub mod typed;
pub mod words;
