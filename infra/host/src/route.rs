//! Which component answers a path. Spin's rules: of the routes that match, the one whose first difference is the more
//! exact wins: a literal segment before `:name`, and either, or the end, before `/...`.

use anyhow::{Result, bail, ensure};

/// The routes of an application, the most exact first.
#[derive(Debug)]
pub struct Router<T> {
    routes: Vec<(Route, T)>,
}

/// A route as the manifest writes it.
#[derive(Debug, PartialEq)]
pub struct Route {
    pub pattern: String,
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq)]
enum Segment {
    Literal(String),
    Named(String),
    /// `/...`, the rest of the path, which may be nothing.
    Rest,
}

/// A route that fits a path, and what its wildcards stand for.
#[derive(Debug)]
pub struct Match<'a, T> {
    pub route: &'a Route,
    pub target: &'a T,
    pub named: Vec<(&'a str, &'a str)>,
    /// What `/...` stands for, with its leading slash; empty without one.
    pub rest: String,
}

impl<T> Router<T> {
    pub fn new(routes: impl IntoIterator<Item = (String, T)>) -> Result<Self> {
        let mut routes = routes
            .into_iter()
            .map(|(pattern, target)| Ok((Route::parse(pattern)?, target)))
            .collect::<Result<Vec<_>>>()?;
        // Those of one shape become neighbours, so that two which match the same paths are noticed.
        routes.sort_by(|(left, _), (right, _)| {
            left.precedence().cmp(&right.precedence()).then_with(|| left.shape().cmp(&right.shape()))
        });
        for pair in routes.windows(2) {
            if let [(left, _), (right, _)] = pair
                && left.same_paths(right)
            {
                bail!("routes {} and {} match the same paths: remove one", left.pattern, right.pattern);
            }
        }
        Ok(Self { routes })
    }

    pub fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a, T>> {
        let segments = split(path);
        self.routes.iter().find_map(|(route, target)| {
            let (named, rest) = route.fits(&segments)?;
            Some(Match { route, target, named, rest })
        })
    }
}

impl Route {
    fn parse(pattern: String) -> Result<Self> {
        ensure!(pattern.starts_with('/'), "route {pattern:?} must begin with a slash");
        let parts = split(&pattern);
        let last = parts.len().saturating_sub(1);
        let segments = parts
            .iter()
            .enumerate()
            .map(|(index, part)| match part.strip_prefix(':') {
                _ if matches!(*part, "..." | "*") => {
                    ensure!(index == last, "route {pattern:?}: /... may only stand at the end");
                    Ok(Segment::Rest)
                }
                Some(name) => {
                    ensure!(!name.is_empty(), "route {pattern:?} has a wildcard without a name");
                    Ok(Segment::Named(name.to_owned()))
                }
                None => Ok(Segment::Literal((*part).to_owned())),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { pattern, segments })
    }

    /// The route without its trailing wildcard.
    pub fn prefix(&self) -> &str {
        self.pattern.strip_suffix("/...").unwrap_or(&self.pattern)
    }

    fn fits<'a>(&'a self, path: &[&'a str]) -> Option<(Vec<(&'a str, &'a str)>, String)> {
        let mut named = Vec::new();
        let mut rest = path.iter();
        for segment in &self.segments {
            match segment {
                Segment::Rest => return Some((named, rest.map(|part| format!("/{part}")).collect())),
                Segment::Literal(text) if rest.next()? == text => {}
                Segment::Literal(_) => return None,
                Segment::Named(name) => match *rest.next()? {
                    "" => return None,
                    part => named.push((name.as_str(), part)),
                },
            }
        }
        rest.next().is_none().then_some((named, String::new()))
    }

    /// What routes are sorted by: segment for segment the more exact first, and an end is more exact than any rest.
    fn precedence(&self) -> Vec<u8> {
        let ranks = self.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Named(_) => 1,
            Segment::Rest => 3,
        });
        ranks.chain([2]).collect()
    }

    fn same_paths(&self, other: &Self) -> bool {
        self.shape() == other.shape()
    }

    fn shape(&self) -> Vec<Option<&str>> {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => Some(text.as_str()),
                Segment::Named(_) => None,
                Segment::Rest => Some("..."),
            })
            .collect()
    }
}

/// The segments of a path; a slash at its end makes no difference.
fn split(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router<()> {
        let routes = [
            "/...",
            "/",
            "/health",
            "/api/studies/...",
            "/api/studies/:id/images",
            "/api/studies/:id/...",
            "/api/studies/recent",
            "/api/images/:id",
        ];
        Router::new(routes.map(|route| (route.to_owned(), ()))).unwrap()
    }

    fn check(path: &str, expected: &str) {
        assert_eq!(router().find(path).unwrap().route.pattern, expected, "{path}");
    }

    #[test]
    fn the_most_exact_route_wins() {
        check("/", "/");
        check("/health", "/health");
        check("/health/", "/health");
        check("/nothing", "/...");
        check("/api/studies", "/api/studies/...");
        check("/api/studies/recent", "/api/studies/recent");
        check("/api/studies/1", "/api/studies/:id/...");
        check("/api/studies/1/images", "/api/studies/:id/images");
        check("/api/studies/recent/images", "/api/studies/:id/images");
        check("/api/studies/1/images/2", "/api/studies/:id/...");
        check("/api/images/7", "/api/images/:id");
        check("/api/images", "/...");
        check("/api/images//", "/...");
    }

    #[test]
    fn wildcards_are_captured() {
        let router = router();
        let found = router.find("/api/studies/42/series/9").unwrap();

        assert_eq!(found.named, [("id", "42")]);
        assert_eq!(found.rest, "/series/9");
        assert_eq!(found.route.prefix(), "/api/studies/:id");
    }

    #[test]
    fn without_a_catch_all_a_path_may_have_no_component() {
        let router = Router::new([("/a".to_owned(), ())]).unwrap();

        assert!(router.find("/b").is_none());
        assert!(router.find("/a/b").is_none());
    }

    #[test]
    fn routes_for_the_same_paths_are_refused() {
        let routes = ["/a/:id", "/b", "/a/:name"].map(|route| (route.to_owned(), ()));

        assert!(Router::new(routes).unwrap_err().to_string().contains("/a/:name"));
        assert!(Router::new([("a".to_owned(), ())]).is_err());
        assert!(Router::new([("/.../a".to_owned(), ())]).is_err());
    }
}
