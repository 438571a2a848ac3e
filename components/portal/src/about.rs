use serde_json::json;
use service::Reply;

/// What this is, and where to go from here.
pub(crate) fn about() -> Reply {
    Reply::success(
        200,
        &json!({
            "service": "imaging-service",
            "description": "Imaging orders, studies, images, reports and critical findings",
            "version": env!("CARGO_PKG_VERSION"),
            "resources": {
                "orders": "/api/imaging-orders",
                "studies": "/api/studies",
                "images": "/api/images/{id}",
                "reports": "/api/reports/{id}",
                "criticalFindings": "/api/critical-findings",
                "uploads": "/api/uploads",
                "ingest": "/api/ingest",
                "auditEvents": "/api/audit-events",
                "deliveries": "/api/deliveries",
                "findingRules": "/api/finding-rules",
                "settings": "/api/settings/critical-results",
                "ingestSettings": "/api/settings/ingest",
                "fhir": "/fhir/metadata",
                "health": "/health",
                "openapi": "/openapi.json",
                "documentation": "/docs",
            },
        }),
    )
}
