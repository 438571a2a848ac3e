mod critical_results;
mod ingest;
