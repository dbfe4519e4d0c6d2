//! What `/metrics` shows: the committed [`Snapshot`] as Prometheus families.
//!
//! [`names`] lists every metric; `series`, `signals` and `families` fill them, `page` writes them as
//! text; [`snapshot`] is what the committer publishes. It may use the core and `config`. It must never
//! hold a number of its own: a scrape shows what the last commit published, and nothing that is not
//! durable. Only how alerts fare on their way ([`delivery`]) is shown as it is now: that is no state of the
//! ledger, and it is what a person needs while the ledger stands still.

mod budgets;
mod builder;
mod charges;
pub mod delivery;
mod families;
pub mod names;
mod page;
mod quotas;
mod series;
mod signals;
pub mod snapshot;

pub use delivery::Deliveries;
pub use page::Page;
pub use snapshot::{LedgerFacts, Snapshot, SourceFacts};
