//! What becomes of files: the real ones, the ones made to measure, and the ones that are broken or made to do harm.

mod again;
mod arrival;
mod catalogue;
mod findings;
mod hostile;
mod huge;
mod large;
mod made;
mod matching;
mod other_reader;
mod real;
mod reports;
mod unscheduled;
