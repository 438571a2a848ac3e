mod cancel;
mod change;
mod list;
mod of_patient;
mod place;
mod read;
