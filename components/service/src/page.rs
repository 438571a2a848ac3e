//! Pages of a list: by number with a total, or by key, which does not drift while rows are added.

use domain::Count;
use serde_json::{Map, Value, json};

use crate::{Context, Error, Query, Reply, Result};

pub struct Page {
    page: u32,
    limit: u32,
    cursor: Option<uuid::Uuid>,
    by_key: bool,
}

struct Cursor(Option<uuid::Uuid>);

impl domain::Parse for Cursor {
    fn parse(value: &Value) -> Result<Self, domain::Fault> {
        match value.as_str() {
            // The first page by key.
            Some("") => Ok(Self(None)),
            Some(text) => uuid::Uuid::try_parse(text).map(|id| Self(Some(id))).map_err(|_| {
                domain::Fault::new("must be a cursor that this service gave, or empty for the first page")
            }),
            None => Err(domain::Fault::new("must be a string")),
        }
    }
}

impl Page {
    pub fn from_query(query: &mut Query) -> Self {
        let page = query.optional::<Count<1, 1_000_000>>("page");
        let limit = query.optional::<Count<1, 100>>("limit");
        let cursor = query.optional::<Cursor>("cursor");
        Self {
            page: page.map_or(1, Count::get),
            limit: limit.map_or(10, Count::get),
            by_key: cursor.is_some(),
            cursor: cursor.and_then(|cursor| cursor.0),
        }
    }

    /// What the SQL function of the list is asked for.
    pub fn ask(&self, filters: Value) -> Value {
        let Value::Object(mut ask) = filters else { return filters };
        let offset = if self.by_key { 0 } else { u64::from(self.page - 1) * u64::from(self.limit) };
        // By key, one row more than is shown says whether there is a next page.
        let limit = if self.by_key { self.limit + 1 } else { self.limit };
        ask.insert("counted".to_owned(), json!(!self.by_key));
        ask.insert("limit".to_owned(), json!(limit));
        ask.insert("offset".to_owned(), json!(offset));
        ask.insert("cursor".to_owned(), json!(self.cursor));
        Value::Object(ask)
    }

    /// The page that the SQL function answered, with what leads to the next.
    pub fn reply(&self, cx: &Context, key: &str, mut document: Value) -> Result<Reply> {
        let rows = document.get_mut(key).map(Value::take).unwrap_or_default();
        let Value::Array(mut rows) = rows else {
            return Err(Error::Internal(format!("a list without {key}")));
        };
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let last = rows.last().and_then(|row| row.get("id")).and_then(Value::as_str);
        let next = last.filter(|_| more).map(|id| cx.path_with_cursor(id));

        let mut pagination = Map::new();
        pagination.insert("limit".to_owned(), json!(self.limit));
        if !self.by_key {
            let total = document.get("total").and_then(Value::as_u64).unwrap_or_default();
            pagination.insert("page".to_owned(), json!(self.page));
            pagination.insert("total".to_owned(), json!(total));
            pagination.insert("totalPages".to_owned(), json!(total.div_ceil(u64::from(self.limit))));
        }
        let reply = Reply::success(200, &json!({key: rows, "pagination": pagination}));
        Ok(match next {
            Some(next) => reply.header("link", &format!("<{next}>; rel=\"next\"")),
            None => reply,
        })
    }
}
