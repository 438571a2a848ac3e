mod annotate;
mod list;
mod read;
mod register;
mod remove;
mod url;
