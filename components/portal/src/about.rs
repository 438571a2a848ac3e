use serde_json::json;
use service::Reply;

/// What this is, and where to go from here.
pub(crate) fn about() -> Reply {
    Reply::success(
        200,
        &json!({
            "service": "imaging-service",
            "description": "Imaging orders, studies, images and what becomes of them",
            "version": env!("CARGO_PKG_VERSION"),
            "resources": {
                "orders": "/api/imaging-orders",
                "studies": "/api/studies",
                "images": "/api/images/{id}",
                "uploads": "/api/uploads",
                "ingest": "/api/ingest",
                "health": "/health",
            },
        }),
    )
}
