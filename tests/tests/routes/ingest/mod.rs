mod list;
mod read;
mod resolve;
