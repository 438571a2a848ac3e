mod critical_results;
