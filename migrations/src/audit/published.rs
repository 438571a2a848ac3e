//! What storage has of the chain, read in the order of the names, a page at a time.

use crate::storage::{Container, Listed};
use anyhow::Result;
use std::collections::VecDeque;

/// What the names of the batches in storage begin with.
pub(crate) const PREFIX: &str = "audit/";

/// How many names of what should not be there are kept.
const KEPT: usize = 100;

pub(crate) struct Published<'a> {
    storage: &'a Container,
    page: VecDeque<Listed>,
    marker: Option<String>,
    begun: bool,
}

impl<'a> Published<'a> {
    pub(crate) fn new(storage: &'a Container) -> Self {
        Self { storage, page: VecDeque::new(), marker: None, begun: false }
    }

    /// The names before this one that nobody has taken.
    pub(crate) async fn before(&mut self, name: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        while self.next().await?.is_some_and(|listed| *listed.name < *name) {
            names.extend(self.page.pop_front().map(|listed| listed.name).filter(|_| names.len() < KEPT));
        }
        Ok(names)
    }

    /// The blob of this name, if it is the next one.
    pub(crate) async fn take(&mut self, name: &str) -> Result<Option<Listed>> {
        let is_next = self.next().await?.is_some_and(|listed| listed.name == name);
        Ok(self.page.pop_front_if(|_| is_next))
    }

    /// The names that are left.
    pub(crate) async fn rest(&mut self) -> Result<Vec<String>> {
        // After every name that can be.
        self.before("audit0").await
    }

    /// A blob, read by itself.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.storage.read(name).await
    }

    async fn next(&mut self) -> Result<Option<&Listed>> {
        while self.page.is_empty() && (!self.begun || self.marker.is_some()) {
            let listing = self.storage.list(PREFIX, self.marker.as_deref()).await?;
            self.page.extend(listing.blobs);
            self.marker = listing.next;
            self.begun = true;
        }
        Ok(self.page.front())
    }
}
