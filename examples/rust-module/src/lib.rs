//! A bank's accounts and their balances: an everfold engine of one's own.

pub mod account;
pub mod balances;
pub mod owners;

use account::Account;
use balances::Balances;
use owners::Owners;

everfold::module! {
    aggregates: [Account],
    projections: [Balances, Owners],
}
