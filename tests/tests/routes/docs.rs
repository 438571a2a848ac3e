use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tests::Hospital;

/// A tag of a page: its name, whether it ends an element, and its attributes.
struct Tag<'a> {
    name: &'a str,
    ends: bool,
    attributes: BTreeMap<&'a str, &'a str>,
}

/// The tags of a page, in which every attribute has a value in quotes.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "a bare > in {text:?}");
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = BTreeMap::new();
        while let Some((attribute, value)) = rest.split_once("=\"") {
            let (value, more) = value.split_once('"').expect("a value ends");
            assert!(
                attributes.insert(attribute.trim(), value).is_none(),
                "{attribute} is there twice in <{tag}>"
            );
            rest = more;
        }
        assert!(rest.trim().is_empty() || name == "!doctype", "{rest:?} in <{tag}>");
        tags.push(Tag { name: name.trim_start_matches('/'), ends: name.starts_with('/'), attributes });
    }
    tags
}

#[tokio::test]
async fn the_page_is_well_formed_and_leads_nowhere_that_is_not_there() {
    let hospital = Hospital::open().await;
    let page = hospital.anonymous().get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let tags = tags(&page.text);

    let mut open: Vec<&str> = Vec::new();
    for tag in tags.iter().filter(|tag| !["!doctype", "meta"].contains(&tag.name)) {
        if tag.ends {
            assert_eq!(open.pop(), Some(tag.name), "within {open:?}");
        } else {
            open.push(tag.name);
        }
    }
    assert!(open.is_empty(), "{open:?}");

    let ids: Vec<&str> = tags.iter().filter_map(|tag| tag.attributes.get("id").copied()).collect();
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "an id is there twice");
    for tag in &tags {
        if let Some(target) = tag.attributes.get("href").and_then(|href| href.strip_prefix('#')) {
            assert!(known.contains(target), "nothing is at #{target}");
        }
        if let Some(label) = tag.attributes.get("aria-labelledby") {
            assert!(known.contains(label), "nothing is labelled {label}");
        }
    }

    // Headings go down one level at a time.
    let level = |name: &str| name.strip_prefix('h').and_then(|level| level.parse::<usize>().ok());
    let levels: Vec<usize> = tags.iter().filter(|tag| !tag.ends).filter_map(|tag| level(tag.name)).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[tokio::test]
async fn the_page_loads_nothing_and_runs_nothing() {
    let hospital = Hospital::open().await;
    let page = hospital.anonymous().get("/docs").await;
    for tag in tags(&page.text) {
        assert!(
            !["script", "link", "img", "iframe", "object", "base", "form"].contains(&tag.name),
            "{}",
            tag.name
        );
        for (name, value) in tag.attributes {
            assert!(
                !["src", "srcset", "style", "data"].contains(&name) && !name.starts_with("on"),
                "{name}={value}"
            );
            assert!(name != "href" || value.starts_with(['#', '/']), "{name}={value}");
        }
    }
    let style = page.text.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");

    // And a browser would keep it from doing so.
    let digest = STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(page.header("content-security-policy"), policy);
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn the_page_tells_of_everything_that_the_document_describes() {
    let hospital = Hospital::open().await;
    let document = hospital.anonymous().get("/openapi.json").await.body;
    let page = hospital.anonymous().get("/docs").await.text;
    let escape = |text: &str| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    };
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let text = |name: &str| escape(operation[name].as_str().unwrap());
            let begins = format!(
                "<h3 id=\"{}\">{}</h3>\n<p class=\"call\"><b>{}</b> <code>{path}</code></p>",
                text("operationId"),
                text("summary"),
                method.to_uppercase(),
            );
            let (_, article) = page.split_once(&begins).unwrap_or_else(|| panic!("no {begins}"));
            let (article, _) = article.split_once("</article>").unwrap();
            for status in operation["responses"].as_object().unwrap().keys() {
                let (own, shared) = (format!("<dt>{status}</dt>"), format!("\">{status}</a>"));
                assert!(article.contains(&own) || article.contains(&shared), "{method} {path} {status}");
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            if let Some(name) = body.as_str().and_then(|reference| reference.rsplit('/').next()) {
                let schema = &document["components"]["schemas"][name];
                for field in schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field) {
                    assert!(article.contains(&format!("<code>{field}</code>")), "{method} {path} {field}");
                }
                assert!(article.contains("<summary>Example</summary>"), "{method} {path}");
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let (_, section) =
            page.split_once(&format!("<h3 id=\"schema-{name}\">")).unwrap_or_else(|| panic!("no {name}"));
        for field in schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field) {
            assert!(section.contains(&format!("<code>{field}</code>")), "{name}.{field}");
        }
    }
    for tag in document["tags"].as_array().unwrap() {
        assert!(page.contains(&escape(tag["description"].as_str().unwrap())), "{tag}");
    }
}
