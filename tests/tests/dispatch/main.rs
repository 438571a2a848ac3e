//! What other systems are told: who, of what, in which order, and that each gets it at least once and, by its key, exactly
//! once, whatever fails in between.

mod asked;
mod escalation;
mod failing;
mod killed;
mod many;
mod messages;
mod order;
mod record;
mod tidy;
mod wards;
