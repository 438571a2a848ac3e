//! What the service does when something else fails, or happens twice, or all at once: nothing is lost, nothing is there
//! twice, and no order stays open.

mod announced;
mod at_once;
mod clock;
mod database;
mod guest;
mod killed;
mod load;
mod overload;
mod scanner;
mod storage;
