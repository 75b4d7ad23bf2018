//! The query of a request target.

use gaveta_core::{Cursor, Error, ListPlan, Order, OrderBy, Result};
use percent_encoding::percent_decode_str;

/// The pairs of a query, decoded as a form's. Unknown names are the reader's to pass over.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query; `+` and `%20` are both a space. What is not UTF-8 becomes U+FFFD, which no
    /// value that means something holds: files pass over queries, whatever they are.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let decode = |text: &str| {
            let bytes = text.replace('+', " ");
            percent_decode_str(&bytes).decode_utf8_lossy().into_owned()
        };
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// Every pair.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of this name, the first if there are several.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of this name, in their order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Was this asked for? `?name`, `?name=true` and `?name=1` say yes.
    ///
    /// # Errors
    /// `BadRequest` for a value that is neither yes nor no.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(_) => Err(Error::bad_request(format!("{name} is true or false"))),
        }
    }

    /// The plan of a listing: `sort=name|size|modified`, `order=asc|desc`, `limit=N`, `after=CURSOR`.
    ///
    /// Any of the last three sorts by name when `sort` is left out, for only a sorted listing has
    /// pages. With none of the four it is unsorted.
    ///
    /// # Errors
    /// `BadRequest` for a value that is none of these.
    pub(crate) fn list_plan(&self) -> Result<ListPlan> {
        let by = match self.get("sort") {
            Some("name") => Some(OrderBy::Name),
            Some("size") => Some(OrderBy::Size),
            Some("modified") => Some(OrderBy::Modified),
            Some(_) => return Err(Error::bad_request("sort is name, size or modified")),
            None => None,
        };
        let descending = match self.get("order") {
            None => None,
            Some("asc") => Some(false),
            Some("desc") => Some(true),
            Some(_) => return Err(Error::bad_request("order is asc or desc")),
        };
        let limit = match self.get("limit") {
            None => None,
            Some(text) => match text.parse::<usize>() {
                Ok(limit) if limit > 0 => Some(limit),
                _ => return Err(Error::bad_request("limit is a number from 1 on")),
            },
        };
        let after = self.get("after").map(Cursor::parse).transpose()?;
        let paged = descending.is_some() || limit.is_some() || after.is_some();
        let by = by.or(paged.then_some(OrderBy::Name));
        let order = by.map(|by| Order {
            by,
            descending: descending.unwrap_or(false),
        });
        Ok(ListPlan {
            order,
            after,
            limit,
        })
    }
}

/// The word for an order, as [`Query::list_plan`] reads it.
pub(crate) const fn sort_word(by: OrderBy) -> &'static str {
    match by {
        OrderBy::Name => "name",
        OrderBy::Size => "size",
        OrderBy::Modified => "modified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::ErrorKind;

    fn plan(query: &str) -> Result<ListPlan> {
        Query::parse(Some(query)).list_plan()
    }

    #[test]
    fn plans_read_as_documented() {
        assert_eq!(plan("").unwrap(), ListPlan::default());
        assert_eq!(plan("x=1&&download").unwrap(), ListPlan::default());
        assert_eq!(
            plan("sort=size&order=desc").unwrap(),
            ListPlan::sorted(OrderBy::Size, true)
        );
        let page = plan("limit=5&after=0:a+b%2Bc").unwrap();
        assert_eq!(page.order, ListPlan::sorted(OrderBy::Name, false).order);
        assert_eq!(
            (page.limit, page.after.unwrap().to_string()),
            (Some(5), "0:a b+c".to_owned())
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "sort=colour",
            "order=up",
            "limit=0",
            "limit=-1",
            "limit=x",
            "limit=99999999999999999999",
            "after=x",
            "after=0:..",
            "sort",
            "sort=%ff",
        ] {
            assert_eq!(
                plan(bad).unwrap_err().kind(),
                ErrorKind::BadRequest,
                "{bad}"
            );
        }
        let query = Query::parse(Some("a&b=1&c=true&d=0&e=x"));
        assert!(query.flag("a").unwrap() && query.flag("b").unwrap() && query.flag("c").unwrap());
        assert!(!query.flag("d").unwrap() && !query.flag("nothing").unwrap());
        assert!(query.flag("e").is_err());
    }
}
